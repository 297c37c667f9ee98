#!/usr/bin/env bash
# Runs the clients against the built program: the official Socket.IO client (on both engines), one in Python, and a browser.
set -euo pipefail
cd "$(dirname "$0")/.."

. test/install.sh
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
go build -o bin/server ./cmd/server
export ROLECALL_BINARY=$PWD/bin/server
if [ -n "${TEST_DATA:-}" ] && [ -d "$TEST_DATA/text" ]; then
    ROLECALL_TEXTS=$(cd "$TEST_DATA/text" && pwd)
    export ROLECALL_TEXTS ROLECALL_TEXTS_ALL=1
fi
CONTRACT_LOG=$(mktemp)
export CONTRACT_LOG
trap 'rm -f "$CONTRACT_LOG"' EXIT
for engine in native zishang520; do
    echo "the official client, on the engine $engine"
    ROLECALL_ENGINE=$engine node --test --test-timeout=120000 test/node/*.test.mjs
done
go test -count=1 -v ./test/contractlog
node --test --test-timeout=240000 test/browser/*.test.mjs
(cd test/python && "$PYTHON" -B -W ignore::ResourceWarning -m unittest -v) # the library leaves sockets to the collector
