#!/bin/sh
# Runs the Go tests of this folder, without the network. Exits 77 where Go or the modules are missing.
set -eu
cd "$(dirname "$0")"
if ! command -v go >/dev/null; then
    echo "skipped: there is no go"
    exit 77
fi
export GOPROXY=off
if ! go mod download >/dev/null 2>&1; then
    echo "skipped: the Go modules are missing: ./lab test fetches them, or (cd tests/kubernetes && go mod download)"
    exit 77
fi
badly_formatted=$(gofmt -l .)
if [ -n "$badly_formatted" ]; then
    echo "gofmt would change: $badly_formatted"
    exit 1
fi
exec go test -count=1 ./...
