# The distribution packages that the lab needs: finds the missing ones and installs them. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# A line is "package|kind of evidence|evidence". A tool may come from anywhere; the package is the one that brings it on
# Debian and Ubuntu.
packages_to_run='
cmake|command|cmake
ninja-build|command|ninja
gcc|command|gcc
libc6-dev|file|/usr/include/stdio.h
pkg-config|command|pkg-config
libuv1-dev|library|libuv
libpq-dev|library|libpq
libjansson-dev|library|jansson
libcurl4-openssl-dev|library|libcurl
libssl-dev|library|openssl
zlib1g-dev|library|zlib
postgresql|postgresql|14
curl|command|curl
'
packages_to_play='
jq|command|jq
'
# The runbook's last part plays a shop that is made with Django.
packages_to_shop='
python3-django|python|django
python3-psycopg2|python|psycopg2
'
packages_to_test='
clang|command|clang
clang-tidy|command|clang-tidy
clang-format|command|clang-format
libclang-rt-dev|clang-runtime|fuzzer
libcmocka-dev|library|cmocka
python3-pytest|python|pytest
python3-psycopg|python|psycopg
python3-psycopg2|python|psycopg2
openssl|command|openssl
python3-jsonschema|python|jsonschema
python3-venv|python|ensurepip
shellcheck|command|shellcheck
pgbouncer|file|/usr/sbin/pgbouncer
faketime|command|faketime
mawk|command|mawk
original-awk|command|original-awk
busybox|command|busybox
'
# A browser for the live page, its driver, and node for the page's modules. Ubuntu has Chromium only as a snap, which
# apt cannot install: there, the tests that need a browser are skipped.
packages_to_browse='
chromium|command|chromium
chromium-driver|command|chromedriver
python3-selenium|python|selenium
nodejs|command|node
'

# pgbench comes with PostgreSQL. Go, venv and pip fetch what the peers of the benchmark need, where they are installed.
packages_to_compare='
wrk|command|wrk
python3-psycopg2|python|psycopg2
python3-matplotlib|python|matplotlib
'
# `lab cluster`. python3-etcd is the part of Patroni that speaks to etcd.
packages_to_fail_over='
patroni|file|/usr/bin/patroni
python3-etcd|python|etcd
etcd-server|file|/usr/bin/etcd
haproxy|file|/usr/sbin/haproxy
'
packages_to_bench='
wrk|command|wrk
python3-psycopg2|python|psycopg2
'

# race-proxy reads SQL by PostgreSQL's own grammar where this library is; elsewhere it knows tables and not rows.
packages_to_read_sql='
libpg-query-dev|file|/usr/include/pg_query.h
'
packages_grammar() {
    packages_read_distribution
    [[ $distribution_id != debian ]] || printf '%s' "$packages_to_read_sql"
}

# The packages that the page's tests need, where the distribution has all of them.
packages_browser() {
    packages_read_distribution
    [[ $distribution_id != debian ]] || printf '%s' "$packages_to_browse"
}

packages_is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

packages_clang_has() {
    local directory
    directory=$(clang -print-resource-dir 2>/dev/null) || return 1
    compgen -G "$directory/lib/*/libclang_rt.$1*" >/dev/null
}

packages_has() {
    local package=$1 kind=$2 evidence=$3
    case $kind in
        command)       command -v "$evidence" >/dev/null ;;
        file)          [[ -e $evidence ]] ;;
        library)       packages_is_installed "$package" || pkg-config --exists "$evidence" 2>/dev/null ;;
        postgresql)    cluster_find_programs "$evidence" ;;
        # The packages are for the system's python. Another python may come first in PATH.
        python)        /usr/bin/python3 -c "import $evidence" 2>/dev/null ;;
        clang-runtime) packages_clang_has "$evidence" ;;
    esac
}

# Prints the packages missing from the given lists, one a line.
packages_missing() {
    local package kind evidence
    while IFS='|' read -r package kind evidence; do
        [[ -n $package ]] || continue
        packages_has "$package" "$kind" "$evidence" || printf '%s\n' "$package"
    done <<<"$*"
    llhttp_missing
}

# packages_ensure INSTALL(true|false) LIST...
packages_ensure() {
    local install=$1 missing round
    shift
    packages_read_distribution
    # The second round installs packages that apt did not know before the first round had updated its lists.
    for round in 1 2 3; do
        missing=$(packages_missing "$(printf '%s\n' "$@")")
        missing=${missing//$'\n'/ }
        [[ -n $missing ]] || return 0
        $install || fail "missing: $missing (install them, or run without --no-install)"
        ((round < 3)) || fail "still missing after the installation: $missing"
        packages_check_distribution "$missing"
        say "Missing: $missing"
        packages_install "$missing"
    done
}

packages_read_distribution() {
    distribution_id='' distribution_version='' distribution_codename='' distribution_name='this system'
    [[ -r /etc/os-release ]] || return 0
    local key value
    while IFS='=' read -r key value; do
        value=${value//\"/}
        case $key in
            ID)               distribution_id=$value ;;
            VERSION_ID)       distribution_version=${value%%.*} ;;
            VERSION_CODENAME) distribution_codename=$value ;;
            PRETTY_NAME)      distribution_name=$value ;;
        esac
    done </etc/os-release
}

# Older releases have a PostgreSQL or a CMake that is too old for the lab. Other distributions have other package names.
packages_check_distribution() {
    case $distribution_id in
        debian) [[ -z $distribution_version ]] || ((distribution_version >= 12)) && return 0 ;;
        ubuntu) ((${distribution_version:-0} >= 24)) && return 0 ;;
    esac
    fail "$distribution_name is not one the lab can install on (Debian 12, 13, Ubuntu 24.04 are):" \
        "install what these are called there, then run again: $1"
}

# Runs as root. $1: keep the default cluster from being made (true|false); the rest: packages.
#
# Debian's postgresql package makes a cluster "main" and starts it, now and at every boot, on the port that another
# PostgreSQL of this machine may need. The package reads createcluster.conf first, which includes createcluster.d: a
# file there prevents the cluster, and is removed after the installation. Nothing is changed where a PostgreSQL server
# is installed already.
#
# The packages pgbouncer, etcd-server, haproxy and patroni start a service too. Packages ask policy-rc.d before they
# start a service: it refuses during the installation, and the service is disabled for the next boot. Only packages that
# were missing are installed here, so a service that the machine uses stays as it is. The lab starts these programs
# itself.
#
# NEEDRESTART_SUSPEND keeps Ubuntu from restarting services of the machine. The lock timeout waits for the updates that
# a new machine starts by itself.
# shellcheck disable=SC2016 # expanded by the shell that runs it
packages_root_script='
set -eu
guard=$1; shift
drop_in=/etc/postgresql-common/createcluster.d/race-conditions-lab.conf
policy=/usr/sbin/policy-rc.d
made=
services=
for package in "$@"; do
    case $package in
        pgbouncer | haproxy | patroni) services="$services $package" ;;
        etcd-server) services="$services etcd" ;;
    esac
done
trap '\''rm -f $made'\'' EXIT
trap "exit 130" INT; trap "exit 143" TERM; trap "exit 129" HUP
if [ -n "$services" ] && [ ! -e "$policy" ]; then
    made=$policy
    printf "#!/bin/sh\nexit 101\n" >"$policy"
    chmod 755 "$policy"
fi
if [ "$guard" = true ]; then
    made="$made $drop_in"
    mkdir -p "${drop_in%/*}"
    echo "create_main_cluster = false" >"$drop_in"
    chmod 644 "$drop_in"
fi
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
# Another source that cannot be reached is no error: apt-get install fails if a package is missing.
apt-get -o DPkg::Lock::Timeout=120 update || { sleep 3; apt-get -o DPkg::Lock::Timeout=120 update; } || true
apt-get -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold \
    install -y --no-install-recommends "$@"
for service in $services; do
    systemctl disable "$service.service" || update-rc.d "$service" disable || true
done
'

# $1: the packages, separated by spaces.
packages_install() {
    local as_root=() guard=false names
    read -ra names <<<"$1"
    if ((EUID != 0)); then
        command -v sudo >/dev/null || fail "apt needs root, and there is no sudo: run as root: apt-get install $1"
        say "apt needs root; sudo may ask for your password."
        sudo -v || fail "sudo was refused: ask an administrator to run: apt-get install $1"
        as_root=(sudo)
    fi
    [[ " $1 " != *' postgresql '* ]] || guard=true
    ! $guard || say_dim "(PostgreSQL is installed without its default cluster: no service is started on this machine)"
    packages_lock
    progress "Installing with apt" "$lab_state/apt.log" \
        "${as_root[@]}" sh -c "$packages_root_script" sh "$guard" "${names[@]}" ||
        fail "apt could not install them (whole log: $lab_state/apt.log)"
    exec 8>&-
}

# One launcher at a time installs or fetches. The next one finds everything in place.
packages_lock() {
    mkdir -p "$lab_state"
    exec 8>>"$lab_state/packages.lock"
    locks_take 8 "$lab_state/packages.lock"
}

# packages_fetch FOLDER FILE TITLE LOG COMMAND...: COMMAND fills FOLDER, unless FOLDER/FILE is there. COMMAND gets an
# empty folder as one more argument.
packages_fetch() {
    local folder=$1 file=$2 title=$3 log=$4 status=0
    shift 4
    [[ ! -e $folder/$file ]] || return 0
    packages_lock
    [[ -e $folder/$file ]] || progress "$title" "$log" packages_fill "$folder" "$file" "$@" || status=$?
    exec 8>&-
    return "$status"
}

# The folder that COMMAND fills is renamed when it is complete, so an interrupted fetch is never taken for a finished
# one. It is beside FOLDER, because a move from /tmp may be a copy, which can be interrupted too.
packages_fill() {
    local folder=$1 file=$2 partial=$1.partial
    shift 2
    rm -rf "$partial" && mkdir -p "$partial" && "$@" "$partial" || return
    [[ -e $partial/$file ]] || { echo "there is no $file in it"; return 1; }
    rm -rf "$folder" && mv -T "$partial" "$folder"
}

# packages_unpack_privately PACKAGE FOLDER: unpacks a package of the distribution and installs nothing. It is for tools
# whose package would start a service.
packages_unpack_privately() (
    package=$1 folder=$2
    work=$(mktemp -d /tmp/race-lab-apt.XXXXXX)
    terminal_on_exit "rm -rf '$work'"
    cd "$work" && apt-get -o APT::Sandbox::User="$(id -un)" download "$package" && dpkg -x ./*.deb "$folder"
)
