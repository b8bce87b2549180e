# A stage: a server and a database of its own in a folder below .lab, for the verbs that start them, play
# something, and leave nothing running (demo, runbook). Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# stage_open PLACE WHAT: from here on everything is cleared up on every way out.
stage_open() {
    stage_place=$1 stage_title=$2 stage_plays=false
    lifecycle_lock "$stage_place"
    stage_ignore_environment
    server_use "$stage_place"
    cluster_use "$stage_place"
    cluster_check_owner
    trap stage_clear_up EXIT
}

# What is played is about the bank as it is set out of the box, whatever this shell has exported for `lab up`.
stage_ignore_environment() {
    local name
    for name in "${!BARRIER_@}" "${!DEBUG_DELAY_@}" "${!OTEL_@}" "${!BANK_API_@}" \
        USE_TRANSACTIONS ADMIN_TOKEN WORKER_THREADS TRANSFER_QUEUE_LIMIT SHUTDOWN_TIMEOUT_MS LOG_LEVEL LOG_FORMAT; do
        unset "$name"
    done
}

# stage_set INSTALL(true|false) [PORT]: a fresh cluster each time, so that what is played starts from the initial
# balances and the first transfer. What a run that was killed may have left is stopped first.
stage_set() {
    server_stop || true
    cluster_remove
    build_prepare "$1"
    cluster_use "$stage_place"
    cluster_start
    stage_start_server "${2:-}"
    say "The bank API answers on $server_url, its PostgreSQL on port $cluster_port."
    stage_plays=true
}

# Between finding a port free and taking it, another program may have taken it.
stage_start_server() {
    local tries
    for tries in 1 2 3; do
        server_start "${1:-$(port_find_free)}" && return
        [[ -z $1 ]] || break
        grep -qi 'in use' "$server_log" || break
    done
    fail "bank-api did not start (whole log: $server_log)"
}

# On every way out, even one where nobody reads any more: a line that cannot be written must not
# keep the rest from being stopped. The logs stay, the cluster goes.
stage_clear_up() {
    local status=$?
    # A subshell that is ended in its first moments still has this trap.
    ((BASHPID == $$)) || return 0
    trap '' INT TERM HUP PIPE
    set +e
    terminal_stop_ticker
    if ((status >= 128)); then
        printf '\nInterrupted: stopping what was started.\n'
    elif $stage_plays; then
        warn "$stage_title broke off (logs: $stage_place)"
        status=1
    fi
    server_stop
    [[ ! -r $cluster_log ]] || cp "$cluster_log" "$stage_place/postgres.log" 2>/dev/null
    cluster_remove
    exit "$status"
}
