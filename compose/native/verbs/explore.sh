# The verb explore: runs race-explore on a private PostgreSQL, which is stopped at the end. Sourced by lab.
#
# The launcher writes to standard error: standard output is race-explore's, which may print JSON on it.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_explore() {
    local install=true arguments=() needs_cluster=true argument
    for argument in "$@"; do
        case $argument in
            --no-install) install=false; continue ;;
            --url | --url=* | --server | --server=* | --version) needs_cluster=false ;;
        esac
        arguments+=("$argument")
    done
    exec 5>&1 1>&2
    terminal_setup
    if ((${#arguments[@]} == 0)); then
        fail_status=2
        fail "explore: give a file to explore: './lab explore --help' shows how"
    fi
    ! $needs_cluster || explore_take_place
    build_prepare "$install" race-explore
    explore_program=$(build_explorer)
    [[ -x $explore_program ]] || fail "LAB_PROGRAM: no race-explore beside it: there is no $explore_program"
    if $needs_cluster; then
        explore_start_cluster
        arguments=(--server "host='$cluster_socket' port=$cluster_port user=$cluster_user dbname=$cluster_database" "${arguments[@]}")
    fi
    explore_run "${arguments[@]}"
}

# Explorations run beside each other, each on a PostgreSQL of its own, so that none slows the other's locks. The folder
# is the first one that no launcher uses; if all are in use, the first one is waited for.
explore_take_place() {
    local place number
    for number in '' -2 -3 -4; do
        place=$lab_state/explore$number
        mkdir -p "$place"
        exec 9>>"$place/lock"
        ! flock -n 9 || break
        place=
    done
    if [[ -z $place ]]; then
        place=$lab_state/explore
        locks_take_place "$place"
    fi
    explore_mark=$place/clean explore_left_databases=false
    explore_use "$place"
    cluster_check_owner
    trap explore_clean_up EXIT
}

# explore_use PLACE
explore_use() {
    explore_place=$1
    cluster_user=explore cluster_database=explore cluster_settings=cluster_settings_explore
    cluster_use "$1"
}

# With fsync off a crash may damage the data, and a killed race-explore leaves its databases. So a cluster is used again
# only if the last run ended in order, with the same settings and release: then the mark has this text.
explore_mark_text() {
    cluster_program_version "$cluster_programs"
    cluster_settings_explore
}

explore_start_cluster() {
    explore_use "$explore_place" # the packages may have made the user that owns the cluster
    cluster_find_programs 14 || fail "no PostgreSQL server of version 14 or later on this machine"
    if [[ ! -r $explore_mark || $(<"$explore_mark") != "$(explore_mark_text)" ]]; then
        cluster_remove || fail "the PostgreSQL in $cluster_home cannot be removed"
    fi
    rm -f "$explore_mark"
    cluster_start
}

# race-explore runs in the background, because bash runs a trap only when the command in the foreground has ended. It
# ends by itself at SIGINT and SIGTERM, drops its databases, and chooses the exit status. A second SIGINT kills it: then
# it drops the databases at its next start.
explore_run() {
    local status
    explore_left_databases=true
    "$explore_program" "$@" <&0 >&5 5>&- 6>&- 8>&- 9>&- &
    explore_pid=$!
    trap explore_interrupt INT TERM
    trap 'explore_interrupt; exit 129' HUP
    while true; do
        explore_was_interrupted=false status=0
        wait "$explore_pid" || status=$?
        $explore_was_interrupted || break
    done
    explore_pid=''
    ((status > 3 && status != 130)) || explore_left_databases=false
    exit "$status"
}

# race-explore has a Ctrl-C of the terminal already: SIGTERM is the same to it once more.
explore_interrupt() {
    explore_was_interrupted=true
    [[ -z ${explore_pid:-} ]] || kill -TERM "$explore_pid" 2>/dev/null || true
}

# Called on every way out. The data stay for the next run if this one ended in order.
explore_clean_up() {
    local status=$?
    # A subshell that is ended right after its start still has this trap.
    ((BASHPID == $$)) || return 0
    trap '' INT TERM HUP PIPE
    set +e
    terminal_stop_ticker
    [[ -z ${explore_pid:-} ]] || wait "$explore_pid"
    if cluster_is_running && cluster_stop && ! $explore_left_databases; then
        explore_mark_text >"$explore_mark"
    fi
    exit "$status"
}
