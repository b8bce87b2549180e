#!/bin/sh
# clang-tidy (14 or later) has nothing to say about any file of the compile database.
# Usage: lint.sh ROOT BUILD. Exits 77 where there is no clang-tidy. The files that sql/ generates are not checked.
set -eu
root=$1
build=$2
if ! command -v clang-tidy >/dev/null; then
    echo "skipped: clang-tidy is not installed"
    exit 77
fi
# -I: scripts of the build folder must not become modules.
/usr/bin/python3 -I -c '
import json, os, sys
root, build = (os.path.realpath(path) for path in sys.argv[1:])
for entry in json.load(open(build + "/compile_commands.json")):
    path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
    if path.startswith(root + "/") and not path.startswith(build + "/"):
        print(path, end="\0")
' "$root" "$build" | xargs -0 -P "$(nproc)" -n 1 clang-tidy -p "$build" --quiet 2>/dev/null
