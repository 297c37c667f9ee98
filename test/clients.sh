#!/usr/bin/env bash
# Runs the clients against the built program: the official Socket.IO client (on both engines, and on three nodes behind HAProxy),
# one in Python (on one node, and on three), and a browser.
set -euo pipefail
cd "$(dirname "$0")/.."

. test/install.sh
. test/node-test.sh
install "command -v node" nodejs npm
install "command -v redis-server" redis-server
install "command -v chromium" chromium
export PYTHON=${PYTHON:-/usr/bin/python3} # the one that apt's packages are for
install '"$PYTHON" -c "import socketio, requests, websocket"' python3-socketio python3-requests python3-websocket
export CHROMIUM=${CHROMIUM:-$(command -v chromium)}

for suite in test/node test/browser; do
    (cd "$suite" && npm ci --no-audit --no-fund --loglevel=error)
done

mkdir -p bin
go build -o bin ./cmd/server ./test/servers/deployments ./test/node/echoserver
export ROLECALL_ECHO_BINARY=$PWD/bin/echoserver ROLECALL_BINARY=$PWD/bin/server
if [ -n "${TEST_DATA:-}" ] && [ -d "$TEST_DATA/text" ]; then
    ROLECALL_TEXTS=$(cd "$TEST_DATA/text" && pwd)
    export ROLECALL_TEXTS ROLECALL_TEXTS_ALL=1
fi
CONTRACT_LOG=$(mktemp)
export CONTRACT_LOG
trap 'rm -f "$CONTRACT_LOG"' EXIT
# official runs the suite of the official client. Most of it waits, so that several files run at a time also where there are few
# processors.
official() { node_test 4 240000 "$@"; }
# python runs that of the one in Python, once more where it fails. The library leaves sockets to the collector.
python() (
    cd test/python
    python_once() { "$PYTHON" -B -W ignore::ResourceWarning -m unittest -v; }
    python_once || { echo "RUN ONCE MORE: Python" && python_once; }
)
# on_three_nodes runs a suite on three nodes. What they need comes from a program that lives until its input ends. The published
# texts go through one node, where they are not held up by the others.
on_three_nodes() (
    coproc deployments { exec bin/deployments; }
    read -r TEST_DEPLOYMENTS <&"${deployments[0]}"
    export TEST_DEPLOYMENTS TEST_NODES=3
    unset ROLECALL_TEXTS ROLECALL_TEXTS_ALL
    "$@"
    exec {deployments[1]}>&-
    wait
)

for engine in native zishang520; do
    echo "the official client, on the engine $engine"
    ROLECALL_ENGINE=$engine official test/node/*.test.mjs
done
echo "the official client, on three nodes" # but for files that start no server of ours, or others beside it
mapfile -t files < <(grep -l startServer test/node/*.test.mjs | grep -v bridge)
on_three_nodes official "${files[@]}"
go test -count=1 -v ./test/contractlog
node_test 1 240000 test/browser/*.test.mjs
python
on_three_nodes python
