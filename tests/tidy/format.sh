#!/bin/sh
# The tree is as clang-format (14 or later) leaves it. Usage: format.sh ROOT. Exits 77 where there is no clang-format.
set -eu
cd "$1"
if ! command -v clang-format >/dev/null; then
    echo "skipped: clang-format is not installed"
    exit 77
fi
find server workers observability tests -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror
