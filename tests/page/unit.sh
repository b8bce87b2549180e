#!/bin/sh
# The unit tests of the page's pure modules, run by node's own test runner. Usage: unit.sh ROOT. Exits 77 without a
# node.
#
# They run in a copy whose package.json says that the files are modules. In browsers index.html says so; node before
# 20.19 has no other way to know.
set -eu
if ! command -v node >/dev/null; then
    echo "skipped: no node (apt install nodejs)"
    exit 77
fi
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/server/page" "$copy/tests/page"
cp "$1"/server/page/*.js "$copy/server/page/"
cp "$1"/tests/page/*.js "$copy/tests/page/"
echo '{"type": "module"}' >"$copy/package.json"
cd "$copy/tests/page"
node --test .
