# The verb demo: sets the stage, has the story played, clears up whatever happens. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_demo() {
    local install=true started
    while (($#)); do
        case $1 in
            --no-install) install=false ;;
            *)            fail "demo: no option '$1': './lab demo --help' lists them" ;;
        esac
        shift
    done
    started=$(terminal_now)
    demo_place=$lab_state/demo
    lifecycle_lock "$demo_place"
    demo_ignore_environment
    server_use "$demo_place"
    cluster_use "$demo_place"
    demo_plays=false
    trap demo_clear_up EXIT
    demo_set_stage "$install"
    demo_plays=true
    story_play
    demo_plays=false
    demo_close
    story_print_verdicts
    say ""
    ! $story_failed || fail "the story did not go as it must (logs: $demo_place)"
    say "${terminal_green}The race, the barrier and the fix: all seen.${terminal_plain} $(terminal_seconds_since "$started") s, and nothing is left running."
}

# The story is about the bank as it is set out of the box, whatever this shell has exported for `lab up`.
demo_ignore_environment() {
    local name
    for name in "${!BARRIER_@}" "${!DEBUG_DELAY_@}" "${!OTEL_@}" "${!BANK_API_@}" \
        USE_TRANSACTIONS ADMIN_TOKEN WORKER_THREADS LOG_LEVEL LOG_FORMAT; do
        unset "$name"
    done
}

# A fresh cluster each time: the story starts from the initial balances and the first transfer. What
# a demo that was killed may have left is stopped first.
demo_set_stage() {
    server_stop || true
    cluster_remove
    build_prepare "$1"
    cluster_use "$demo_place"
    cluster_start
    demo_start_server
    say "The bank API answers on $server_url, its PostgreSQL on port $cluster_port."
}

# Between finding a port free and taking it, another program may have taken it.
demo_start_server() {
    local tries
    for tries in 1 2 3; do
        server_start "$(port_find_free)" && return
        ! grep -qi 'in use' "$server_log" || ((tries == 3)) || continue
        break
    done
    fail "bank-api did not start (whole log: $server_log)"
}

# The last thing to be seen: a server that is told to stop finishes, and ends with status 0.
demo_close() {
    server_stop || true
    story_verdict 'the end' 'the server stops: exit status 0' "exit status ${server_exit_status:-unknown}" \
        "$(story_is [ "$server_exit_status" = 0 ])"
}

# On every way out, even one where nobody reads any more: a line that cannot be written must not
# keep the rest from being stopped. The logs stay, the cluster goes.
demo_clear_up() {
    local status=$?
    # A subshell that is ended in its first moments still has this trap.
    ((BASHPID == $$)) || return 0
    trap '' INT TERM HUP PIPE
    set +e
    terminal_stop_ticker
    if ((status >= 128)); then
        printf '\nInterrupted: stopping what was started.\n'
    elif $demo_plays; then
        warn "the story broke off (logs: $demo_place)"
        status=1
    fi
    server_stop
    [[ ! -r $cluster_log ]] || cp "$cluster_log" "$demo_place/postgres.log" 2>/dev/null
    cluster_remove
    exit "$status"
}
