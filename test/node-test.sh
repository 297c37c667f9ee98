#!/usr/bin/env bash
# node_test CONCURRENCY TIMEOUT FILES...: runs files of tests, so many at a time, each with so many milliseconds. Of a few that
# fail each is run once more by itself: see CONTRIBUTING.md. To be sourced.
node_test() {
    local concurrency=$1 timeout=$2 failed files
    shift 2
    failed=$(mktemp)
    if node --test --test-concurrency="$concurrency" --test-timeout="$timeout" \
        --test-reporter=spec --test-reporter-destination=stdout \
        --test-reporter="./test/node/lib/failed-files.mjs" --test-reporter-destination="$failed" "$@"; then
        rm "$failed"
        return 0
    fi
    mapfile -t files <"$failed"
    rm "$failed"
    if [ "${#files[@]}" -lt 1 ] || [ "${#files[@]}" -gt 3 ]; then return 1; fi
    echo "RUN ONCE MORE, by itself: ${files[*]}"
    node --test --test-concurrency=1 --test-timeout="$timeout" "${files[@]}"
}
