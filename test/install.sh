#!/usr/bin/env bash
# install CHECK PACKAGES...: makes sure that a command succeeds, by the Debian packages that it needs. To be sourced, or run
# with the same arguments.
install() {
    eval "$1" >/dev/null 2>&1 && return
    shift
    echo "installing $*"
    local as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    install "$@"
fi
