#!/usr/bin/env bash
# Runs the tests that need Node: the official Socket.IO client, and a browser, against the built program.
set -euo pipefail
cd "$(dirname "$0")/.."

# install makes sure of a command by the Debian packages that have it.
install() {
    command -v "$1" >/dev/null && return
    shift
    echo "installing $*"
    local as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
install node nodejs npm
install chromium chromium
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
node --test --test-timeout=120000 test/node/*.test.mjs
go test -count=1 -v ./test/contractlog
node --test --test-timeout=120000 test/browser/*.test.mjs
