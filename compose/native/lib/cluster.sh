# A private PostgreSQL: a cluster of the lab's own, on a Unix socket and a free loopback port.
# Sourced by lab. The functions work on the place that cluster_use chose.
#
# PostgreSQL refuses to run as root, so root runs it as the user `postgres`. Only that user and root can enter the
# socket's folder, so a connection by the socket needs no password. Everybody on the machine can reach the TCP port, so
# a connection by TCP needs the password, which is in the file `password` beside the data.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

cluster_owner=postgres
cluster_user=bank
cluster_database=bank
cluster_settings=cluster_settings_bank # the function that prints the settings of a new cluster

# The newest server programs of at least version $1, in cluster_programs.
cluster_find_programs() {
    local candidate version best=0
    cluster_programs=''
    for candidate in /usr/lib/postgresql/*/bin "$(dirname -- "$(command -v initdb || true)")"; do
        [[ -x $candidate/initdb && -x $candidate/pg_ctl && -x $candidate/postgres ]] || continue
        version=$(cluster_program_version "$candidate")
        ((version >= $1 && version > best)) || continue
        best=$version
        cluster_programs=$candidate
    done
    [[ -n $cluster_programs ]]
}

cluster_program_version() {
    local version
    version=$("$1/postgres" --version)
    version=${version##*) }
    version=${version%% *}
    printf '%s' "${version%%[!0-9]*}"
}

# Runs a command as the user the cluster belongs to, in the cluster's folder. Paths below it are given relative to it:
# pg_ctl hands them to a shell between double quotes, and a checkout's path may hold any character.
cluster_as_owner() {
    if ((EUID == 0)); then
        (cd "$cluster_home" && exec setpriv --reuid="$cluster_owner" --regid="$cluster_owner" --init-groups \
            env HOME="$cluster_home" "$@")
    else
        (cd "$cluster_home" && exec "$@")
    fi
}

# cluster_use PLACE: a folder below .lab. Its cluster is in PLACE/postgres. The user `postgres` cannot enter a checkout
# below /root: then the cluster is in /var/lib/race-lab, in a folder named after the place, so that root's next run
# finds it again.
cluster_use() {
    cluster_home=$1/postgres
    if ((EUID == 0)) && [[ ! -d $cluster_home ]] && ! cluster_owner_can_enter "$1"; then
        cluster_home=/var/lib/race-lab/$(printf '%s' "$1" | md5sum | cut -c 1-12)
    fi
    cluster_data=$cluster_home/data
    cluster_log=$cluster_home/postgres.log
    cluster_read_address
}

# Root cannot use another user's cluster: PostgreSQL would run as `postgres`, which may not read its files or stop it.
cluster_check_owner() {
    local owner
    ((EUID == 0)) && [[ -d $cluster_home ]] || return 0
    owner=$(stat -c %U -- "$cluster_home")
    [[ $owner == "$cluster_owner" || $owner == root ]] ||
        fail "the database in $cluster_home belongs to $owner: run ./lab as that user"
}

# Before the packages are installed there is no such user, but no cluster either.
cluster_owner_can_enter() {
    ! getent passwd "$cluster_owner" >/dev/null ||
        setpriv --reuid="$cluster_owner" --regid="$cluster_owner" --init-groups test -x "$1/."
}

# The address that was last written into the cluster's settings.
cluster_read_address() {
    cluster_port='' cluster_socket=''
    [[ -r $cluster_home/address ]] || return 0
    { IFS= read -r cluster_port && IFS= read -r cluster_socket; } <"$cluster_home/address" || true
}

cluster_make_home() {
    [[ -d $cluster_home ]] || mkdir -p "$cluster_home" || fail "cannot make $cluster_home"
    chmod 700 "$cluster_home"
    ((EUID != 0)) || chown "$cluster_owner:" "$cluster_home"
}

# The cluster is made under another name and renamed when it is complete, so an interrupted initdb leaves nothing that
# looks like a cluster. --no-sync: after a power failure a new cluster is quickly made.
cluster_make() {
    rm -rf "$cluster_home/partial"
    head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$cluster_home/password"
    chmod 600 "$cluster_home/password"
    ((EUID != 0)) || chown "$cluster_owner:" "$cluster_home/password"
    cluster_as_owner "$cluster_programs/initdb" -D partial --no-sync --no-instructions -U "$cluster_user" \
        -E UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 --pwfile=password &&
        "$cluster_settings" | cluster_as_owner tee -a partial/postgresql.conf >/dev/null &&
        echo "CREATE DATABASE $cluster_database" |
        cluster_as_owner "$cluster_programs/postgres" --single -F -D partial postgres &&
        mv "$cluster_home/partial" "$cluster_data"
}

# The port and the socket are in address.conf, which is rewritten at every start.
cluster_settings_bank() {
    cat <<-'SETTINGS'

	# The Race Conditions Lab
	listen_addresses = '127.0.0.1'
	max_connections = 200
	fsync = on
	unix_socket_permissions = 0700
	log_line_prefix = '%m [%p] '
	include_if_exists = '../address.conf'
	SETTINGS
}

# For race-explore, whose rows are made again and again: nothing waits for the disk, no other process takes locks or
# makes plans change, and nobody connects but by the socket. It provokes errors, which are not logged.
cluster_settings_explore() {
    cat <<-'SETTINGS'

	# The Race Conditions Lab: race-explore
	listen_addresses = ''
	max_connections = 100
	shared_buffers = 64MB
	fsync = off
	synchronous_commit = off
	full_page_writes = off
	wal_level = minimal
	max_wal_senders = 0
	max_wal_size = 256MB
	autovacuum = off
	jit = off
	unix_socket_permissions = 0700
	log_min_messages = fatal
	log_line_prefix = '%m [%p] '
	include_if_exists = '../address.conf'
	SETTINGS
}

# The socket's name must fit into the 107 bytes that the kernel has for it. Its folder is written into PostgreSQL's
# settings, where it is quoted twice, and into PGHOST and psql's -h, where a comma separates two hosts.
cluster_socket_fits_home() {
    local LC_ALL=C longest="$cluster_home/socket/.s.PGSQL.65535"
    ((${#longest} <= 107)) && [[ $cluster_home =~ ^[A-Za-z0-9/._\ -]+$ ]]
}

# Where it does not fit, the socket gets a short folder of its own below /tmp, a new one at each start.
cluster_choose_address() {
    [[ -n $cluster_port ]] && ! port_is_busy "$cluster_port" || cluster_port=$(port_find_free)
    if cluster_socket_fits_home; then
        cluster_socket=$cluster_home/socket
        mkdir -p "$cluster_socket"
    else
        cluster_remove_socket
        cluster_socket=$(mktemp -d /tmp/race-lab.XXXXXX)
    fi
    chmod 700 "$cluster_socket"
    ((EUID != 0)) || chown "$cluster_owner:" "$cluster_socket"
    printf '%s\n%s\n' "$cluster_port" "$cluster_socket" >"$cluster_home/address"
    printf "port = %s\nunix_socket_directories = '\"%s\"'\n" "$cluster_port" "$cluster_socket" \
        >"$cluster_home/address.conf"
}

cluster_pid() {
    local pid=''
    [[ ! -r $cluster_data/postmaster.pid ]] || IFS= read -r pid <"$cluster_data/postmaster.pid" || true
    printf '%s' "$pid"
}

# The first word of a postmaster's command line is the full name of its program, and its folder is the data folder.
cluster_is_running() {
    local pid
    pid=$(cluster_pid)
    [[ -n $pid && $(process_program "$pid") == */postgres ]] &&
        [[ $(readlink "/proc/$pid/cwd" 2>/dev/null || echo "$cluster_data") == "$cluster_data" ]]
}

cluster_is_ready() { "$cluster_programs/pg_isready" -q -h "$cluster_socket" -p "$cluster_port"; }

# cluster_start: makes the cluster if there is none, starts it if it does not run.
cluster_start() {
    cluster_find_programs 14 || fail "no PostgreSQL server of version 14 or later on this machine"
    ! cluster_is_running || return 0
    cluster_make_home
    cluster_clear_leftovers
    if [[ ! -e $cluster_data/PG_VERSION ]]; then
        progress "Making a private PostgreSQL cluster" "$lab_state/initdb.log" cluster_make ||
            fail "initdb failed (whole log: $lab_state/initdb.log)"
    fi
    cluster_match_version
    cluster_launch
}

# A crash, a kill -9 or an interrupted run may leave a partial cluster, or a stale pid file.
cluster_clear_leftovers() {
    if [[ -d $cluster_home/partial ]]; then
        say "An interrupted run left a partial PostgreSQL cluster: it is made again"
        rm -rf "$cluster_home/partial"
    fi
    if [[ -d $cluster_data && ! -e $cluster_data/PG_VERSION ]]; then
        say "The PostgreSQL cluster in $cluster_data is damaged: it is made again"
        rm -rf "$cluster_data"
    fi
    local pid
    pid=$(cluster_pid)
    [[ -n $pid ]] || return 0
    say "PostgreSQL did not stop in order last time (stale pid $pid): it will recover"
    # PostgreSQL takes its old pid file for a running server only if the number now belongs to another process of this
    # user. Otherwise the file stays, because PostgreSQL also finds backends that still run by it.
    [[ ! -d /proc/$pid ]] || rm -f "$cluster_data/postmaster.pid"
}

# Only the major version that made the data can read them.
cluster_match_version() {
    local made
    made=$(<"$cluster_data/PG_VERSION")
    [[ $made != $(cluster_program_version "$cluster_programs") ]] || return 0
    [[ -x /usr/lib/postgresql/$made/bin/postgres ]] ||
        fail "this cluster was made by PostgreSQL $made, which is gone: './lab clean' makes room for a new one"
    cluster_programs=/usr/lib/postgresql/$made/bin
}

# Between finding a port free and taking it, another program may have taken it; and after a
# kill -9 the old backends need a moment to leave the shared memory.
cluster_launch() {
    local tries
    for tries in 1 2 3 4 5; do
        cluster_choose_address
        : >"$cluster_log"
        ((EUID != 0)) || chown "$cluster_owner:" "$cluster_log"
        cluster_as_owner "$cluster_programs/pg_ctl" -D data -l postgres.log -w -t 60 -s start \
            >/dev/null 2>&1 </dev/null 5>&- 6>&- 8>&- 9>&- && return 0
        if grep -q 'Address already in use' "$cluster_log"; then
            say "Port $cluster_port was taken meanwhile: PostgreSQL gets another one"
            cluster_port=
        elif ((tries < 5)); then
            sleep 1
        fi
    done
    tail -n 10 "$cluster_log" | sed 's/^/    /' >&2
    fail "PostgreSQL did not start (whole log: $cluster_log)"
}

cluster_stop() {
    cluster_is_running || return 0
    cluster_find_programs 14 && cluster_match_version
    local name
    name="PostgreSQL (pid $(cluster_pid))"
    cluster_signal_stop fast
    if ! process_wait_end "$name, which ends its sessions and writes a checkpoint" 120 cluster_is_running; then
        warn "$name did not stop within 120 s: it ends without a checkpoint, and recovers at the next start"
        cluster_signal_stop immediate
        process_wait_end "$name" 30 cluster_is_running || { warn "$name does not stop"; return 1; }
    fi
    cluster_remove_socket
}

# The folder below /tmp, where there is one.
cluster_remove_socket() { [[ $cluster_socket != /tmp/race-lab.* ]] || rm -rf "$cluster_socket" 2>/dev/null || true; }

# cluster_signal_stop MODE: does not wait.
cluster_signal_stop() {
    cluster_as_owner "$cluster_programs/pg_ctl" -D data -W -s -m "$1" stop >/dev/null 2>&1 </dev/null || true
}

# Stops the cluster and deletes it.
cluster_remove() {
    cluster_stop || return
    cluster_remove_socket
    rm -rf "$cluster_home"
    rmdir /var/lib/race-lab 2>/dev/null || true
}

# The environment in which libpq finds the database.
cluster_environment() {
    printf '%s\0' PGHOST="$cluster_socket" PGPORT="$cluster_port" PGUSER="$cluster_user" PGDATABASE="$cluster_database"
}

# The program itself, not Debian's wrapper of that name, which would look for the system's clusters.
# Names mean the tables of the schema that the last server of this place was started with (BANK_API_SCHEMA).
cluster_psql() {
    local schema=''
    [[ ! -r ${server_schema_file:-} ]] || schema=$(<"$server_schema_file")
    [[ -z $schema ]] || local -x PGOPTIONS="-c search_path=$schema,public"
    "$cluster_programs/psql" -h "$cluster_socket" -p "$cluster_port" -U "$cluster_user" -d "$cluster_database" "$@"
}
