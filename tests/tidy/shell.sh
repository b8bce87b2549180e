#!/bin/sh
# The launcher and the other shell scripts please shellcheck. Usage: shell.sh ROOT.
# Exits 77 where there is no shellcheck.
set -eu
cd "$1"
if ! command -v shellcheck >/dev/null; then
    echo "skipped: shellcheck is not installed"
    exit 77
fi
for script in lab compose/native/*.sh compose/native/*/*.sh compose/kubernetes/*.sh compose/kubernetes/*/*.sh \
    tests/kubernetes/*.sh loadtest/*.sh server/*.sh docs/*/*.sh .ci/run tests/tidy/*.sh; do
    if [ -f "$script" ]; then
        set -- "$@" "$script"
    fi
done
shift
shellcheck -x "$@"
