#!/usr/bin/env bash
# Runs govulncheck. Where the vulnerability database cannot be reached there is nothing to check against: that is said
# and does not fail the build. A finding does.
set -uo pipefail
output=$("$1" ./... 2>&1)
status=$?
printf '%s\n' "$output"
if [ "$status" -ne 0 ] && grep -qE 'fetching vulnerabilities|dial tcp|no such host|connection refused|403 Forbidden' <<<"$output"; then
    echo 'govulncheck could not reach its database: NOT CHECKED'
    exit 0
fi
exit "$status"
