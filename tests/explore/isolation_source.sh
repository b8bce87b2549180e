#!/bin/sh
# Fetches the isolation tests of PostgreSQL from the distribution's source package into FOLDER, and prints the value for
# LAB_POSTGRES_SOURCE. Usage: isolation_source.sh FOLDER [RELEASE]. apt needs a deb-src line in its sources.
set -eu
folder=${1:?usage: isolation_source.sh FOLDER [RELEASE]}
release=${2:-15}
mkdir -p "$folder"
cd "$folder"
apt-get source --quiet --download-only "postgresql-$release"
for archive in "postgresql-$release"_*.orig.tar.*; do
    tar --extract --file "$archive" --wildcards '*/src/test/isolation/*'
done
for source in "$PWD"/postgresql-"$release".*/; do
    printf '%s\n' "${source%/}"
done
