#!/usr/bin/env bash
# Records docs/casts/demo.cast: ./lab demo at a terminal of 100 columns. Needs asciinema (Debian: asciinema) and a built
# lab. Play it with: asciinema play docs/casts/demo.cast
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v asciinema >/dev/null || { echo "record.sh: install asciinema" >&2; exit 1; }
cast=docs/casts/demo.cast

# The recording has the time of the recorder, not the names of this machine.
env -u NO_COLOR TERM=xterm-256color SHELL=/bin/bash asciinema rec --quiet --overwrite --cols 100 --rows 40 \
    --idle-time-limit 2 --title "./lab demo" --command "./lab demo --no-install" "$cast"

bytes=$(wc -c <"$cast")
((bytes < 200000)) || { echo "record.sh: $cast has $bytes bytes, more than 200 kB" >&2; exit 1; }
tail -n 4 "$cast" | grep -q 'all seen' || { echo "record.sh: the demo did not end well, see $cast" >&2; exit 1; }
echo "$cast: $bytes bytes"
