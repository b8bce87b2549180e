# A sandbox: a server and a database in a folder below .lab, for the verbs that start them, use them and leave nothing
# running (demo, runbook). Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# sandbox_open PLACE TITLE: from now on everything is stopped and removed on every way out. A verb that starts more than
# the server names the function that stops it in sandbox_also_stop.
sandbox_open() {
    sandbox_place=$1 sandbox_title=$2 sandbox_unfinished=false sandbox_also_stop=true
    locks_take_place "$sandbox_place"
    sandbox_ignore_environment
    server_use "$sandbox_place"
    cluster_use "$sandbox_place"
    cluster_check_owner
    trap sandbox_clean_up EXIT
}

# A sandbox has the bank's default settings, even if this shell has exported others for `lab up`.
sandbox_ignore_environment() {
    local name
    for name in "${!BARRIER_@}" "${!DEBUG_DELAY_@}" "${!OTEL_@}" "${!BANK_API_@}" \
        USE_TRANSACTIONS ADMIN_TOKEN WORKER_THREADS TRANSFER_QUEUE_LIMIT SHUTDOWN_TIMEOUT_MS LOG_LEVEL LOG_FORMAT; do
        unset "$name"
    done
}

# sandbox_start INSTALL(true|false) [PORT]: makes a new cluster each time, so the balances are the initial ones and
# there are no transfers. If a run was killed, its server and cluster are stopped first.
sandbox_start() {
    server_stop || true
    cluster_remove
    build_prepare "$1"
    cluster_use "$sandbox_place"
    cluster_start
    sandbox_start_server "${2:-}"
    say_wrapped "" "The bank API answers on $server_url, its PostgreSQL on port $cluster_port."
    sandbox_unfinished=true
}

# Between finding a port free and taking it, another program may have taken it.
sandbox_start_server() {
    local tries
    for tries in 1 2 3; do
        server_start "${1:-$(port_find_free)}" && return
        [[ -z $1 ]] || break
        grep -qi 'in use' "$server_log" || break
    done
    fail "bank-api did not start (whole log: $server_log)"
}

# Called on every way out, also after the reader of the output has ended: if a line cannot be written, the rest is
# stopped all the same. The logs stay, the cluster is removed.
sandbox_clean_up() {
    local status=$?
    # A subshell that is ended right after its start still has this trap.
    ((BASHPID == $$)) || return 0
    trap '' INT TERM HUP PIPE
    set +e
    terminal_stop_ticker
    if ((status >= 128)); then
        printf '\nInterrupted: stopping the server and the database.\n'
    elif $sandbox_unfinished; then
        warn "$sandbox_title broke off (logs: $sandbox_place)"
        status=1
    fi
    "$sandbox_also_stop"
    server_stop
    [[ ! -r $cluster_log ]] || cp "$cluster_log" "$sandbox_place/postgres.log" 2>/dev/null
    cluster_remove
    exit "$status"
}
