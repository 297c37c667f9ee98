#!/usr/bin/env bash
# node_test CONCURRENCY TIMEOUT FILES...: runs files of tests, so many at a time, each test with so many milliseconds. Of a few
# files that fail each is run once more by itself: see CONTRIBUTING.md. To be sourced.
node_test() {
    local concurrency=$1 folder files status=0
    NODE_TEST_TIMEOUT=$2
    shift 2
    folder=$(mktemp -d)
    NODE_TEST_FOLDER=$folder
    export NODE_TEST_FOLDER NODE_TEST_TIMEOUT
    export -f node_test_file
    printf '%s\0' "$@" | xargs -0 -n 1 -P "$concurrency" bash -c 'node_test_file "$0"'
    mapfile -t files < <(cat "$folder"/*.failed 2>/dev/null)
    rm -r "$folder"
    if [ "${#files[@]}" -gt 3 ]; then return 1; fi
    for file in "${files[@]}"; do
        echo "RUN ONCE MORE, by itself: $file"
        node --test --test-timeout="$NODE_TEST_TIMEOUT" "$file" || status=1
    done
    return "$status"
}

# node_test_file runs one file, whose output comes whole, and notes whether it has failed.
node_test_file() {
    local output
    output=$(mktemp "$NODE_TEST_FOLDER/XXXXXX")
    node --test --test-reporter=spec --test-timeout="$NODE_TEST_TIMEOUT" "$1" >"$output" 2>&1 || echo "$1" >"$output.failed"
    (flock 9 && echo "$1" && cat "$output") 9>"$NODE_TEST_FOLDER/lock"
}
