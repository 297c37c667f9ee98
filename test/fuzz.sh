#!/usr/bin/env bash
# fuzz.sh TIME PACKAGES...: runs every fuzz target of the packages for that long, one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
time=$1
shift
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# fuzz PACKAGE TARGET. Without a bound on it, go test spends most of its time on making interesting inputs smaller.
fuzz() { go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 1s "$1" 2>&1 | tee "$output"; }

# ended_late tells that nothing was found, and that go test took the end of its own time for a failure, as it does now and then
# on a busy machine before Go 1.27 (https://go.dev/issue/75804).
ended_late() { grep -q '^ *context deadline exceeded$' "$output" && ! grep -qE 'Failing input|panic:|_test\.go:|DATA RACE' "$output"; }

for package in $(go list "$@"); do
    targets=$(go test -list '^Fuzz' "$package" | sed -n '/^Fuzz/p')
    for target in $targets; do
        echo "$package $target"
        fuzz "$package" "$target" && continue
        ended_late || exit 1
        echo "nothing was found but the end of the time: $target once more"
        fuzz "$package" "$target"
    done
done
