#!/bin/sh
# Writes base/secret.env with random passwords, which only you can read. A file that is there is kept: the database has
# its password.
set -eu
umask 077
file=$(dirname "$0")/base/secret.env

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

if [ -e "$file" ]; then
    echo "$file is there already, and is kept."
else
    printf 'POSTGRES_PASSWORD=%s\nADMIN_TOKEN=%s\n' "$(random)" "$(random)" >"$file"
    echo "$file has a new password of PostgreSQL and a new ADMIN_TOKEN."
fi
