# The verbs of the lab that stays up: up, down, status, psql, logs, clean. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lifecycle_use() {
    cluster_use "$lab_state"
    server_use "$lab_state"
    observe_use "$lab_state"
}

lab_up() {
    local port='' install=true observe=false
    while (($#)); do
        case $1 in
            --port)       lab_needs_value "$@"; port=$2; shift ;;
            --port=*)     port=${1#*=}; port_check up "$port" ;;
            [0-9]*)       fail "up: no option '$1': did you mean --port $1?" ;;
            --observe)    observe=true ;;
            --no-install) install=false ;;
            *)            fail "up: no option '$1': './lab up --help' lists them" ;;
        esac
        shift
    done
    [[ -z $port ]] || port_check up "$port"
    locks_take_place "$lab_state"
    lifecycle_use
    cluster_check_owner
    if lifecycle_is_up; then
        [[ -z $port || $port == "$server_port" ]] ||
            fail "the bank API runs on port $server_port already: './lab down' first, then './lab up --port $port'"
        say "The lab is up already. (Settings in the environment are read at a start: './lab down' first.)"
    else
        lifecycle_start "${port:-8000}" "$install"
    fi
    if $observe || observe_is_running; then observe_start "$install"; fi
    lifecycle_print_hints
}

lifecycle_is_up() {
    server_is_running && cluster_is_running && cluster_find_programs 14 && server_is_healthy
}

lifecycle_start() {
    local port=$1 install=$2
    if ! server_is_running && port_is_busy "$port"; then
        fail "port $port is taken by $(port_holder "$port"): end it, or use './lab up --port $(port_next_free "$port")'"
    fi
    build_prepare "$install"
    # The packages may have made the user that owns the cluster.
    cluster_use "$lab_state"
    cluster_start
    if server_is_running; then
        # Only the database was down: the server connects to it again by itself.
        server_wait_healthy || fail "bank-api does not recover: './lab down', then './lab up'"
        return
    fi
    if [[ -e $server_pid_file ]]; then
        say "bank-api was not stopped by ./lab down last time (stale pid $(server_pid)): it is started again"
    fi
    server_start "$port" ||
        fail "bank-api did not start (whole log: $server_log). PostgreSQL runs: './lab down' stops it"
}

lifecycle_print_hints() {
    say ""
    say "  Live page    $server_url/"
    say "  Bank API     $server_url"
    say "  Metrics      $server_url/metrics"
    say "  PostgreSQL   127.0.0.1:$cluster_port, user and database '$cluster_user', or ./lab psql"
    say "               (password: $cluster_home/password)"
    ! observe_is_running || say "  Prometheus   $observe_url   (its alerts: $observe_url/alerts)"
    cat <<TEXT

Try two transfers at once, which a barrier makes race:
  curl -X POST '$server_url/admin/barrier?enabled=true&count=2'
  curl -X POST $server_url/transfer \\
    -H 'Content-Type: application/json' \\
    -d '{"from_account":"alice","to_account":"bob","amount":800}' &
  curl -X POST $server_url/transfer \\
    -H 'Content-Type: application/json' \\
    -d '{"from_account":"alice","to_account":"charlie","amount":800}' &
  wait
  curl $server_url/accounts
  ./lab races

A transfer alone waits at the barrier until another one comes, at most 30 s. The
barrier is off again after:
  curl -X POST '$server_url/admin/barrier?enabled=false'

Then: ./lab watch | ./lab status | ./lab logs -f | ./lab down
TEXT
}

lab_down() {
    (($# == 0)) || fail "down: it takes no options: leave '$1' out"
    local status=0 pid
    locks_take_place "$lab_state"
    lifecycle_use
    cluster_check_owner
    pid=$(server_pid)
    if observe_is_running; then
        observe_stop && say "Prometheus stopped" || status=1
    fi
    server_stop || status=1
    if [[ -n $server_exit_status ]]; then
        say "bank-api (pid $pid) stopped: exit status $server_exit_status"
    else
        say "bank-api was not running"
    fi
    if cluster_is_running; then
        cluster_stop && say "PostgreSQL stopped" || status=1
    else
        say "PostgreSQL was not running"
    fi
    return "$status"
}

lab_status() {
    (($# == 0)) || fail "status: it takes no options: leave '$1' out"
    local status=0
    lifecycle_use
    lifecycle_print_server || status=3
    lifecycle_print_cluster || status=3
    observe_print
    return "$status"
}

lifecycle_print_server() {
    local health
    if server_is_running; then
        health=$(server_curl --max-time 3 "$server_url/health" 2>/dev/null) || health=${health:-no answer}
        say "bank-api    running  $server_url  pid $(server_pid)"
        say "  health    $health"
        lifecycle_print_state
        [[ $health == *'"status":"ok"'* ]]
        return
    fi
    if [[ -e $server_pid_file ]]; then
        say "bank-api    stopped, not by ./lab down (pid was $(server_pid), exit status $(cat "$server_exit_file" 2>/dev/null || echo unknown))"
    else
        say "bank-api    stopped"
    fi
    return 1
}

lifecycle_print_state() {
    bank_state_read || return 0
    say "  version   ${bank_state[version]}, up for $(bank_state_uptime)"
    say "  strategy  $(bank_state_strategy)"
    say "  delay     $(bank_state_delay)"
    say "  barrier   $(bank_state_barrier)"
}

lifecycle_print_cluster() {
    if ! cluster_is_running; then
        say "PostgreSQL  stopped"
        return 1
    fi
    local version
    version=$(<"$cluster_data/PG_VERSION")
    if cluster_find_programs 14 && cluster_is_ready; then
        say "PostgreSQL  running  version $version  127.0.0.1:$cluster_port  pid $(cluster_pid)"
        say "  socket    $cluster_socket"
    else
        say "PostgreSQL  running, but takes no connections (pid $(cluster_pid), log: $cluster_log)"
        return 1
    fi
}

lab_psql() {
    lifecycle_use
    cluster_is_running || fail "the database does not run: './lab up' starts it"
    cluster_find_programs 14
    local option
    for option in "$@"; do
        [[ ! $option =~ ^-[A-Za-z0-9]*c$ ]] || { lifecycle_run_command "$@"; return; }
    done
    cluster_psql "$@"
}

# psql with -c: if a table is missing, a line says where the names are.
lifecycle_run_command() {
    local complaint status=0
    { complaint=$(cluster_psql "$@" 2>&1 >&3) || status=$?; } 3>&1
    [[ -z $complaint ]] || printf '%s\n' "$complaint" >&2
    [[ $complaint != *relation*'does not exist'* ]] || warn "psql: './lab psql --help' lists the views, './lab psql -c \"\\d\"' all tables"
    return "$status"
}

# tail's spellings are understood too.
lab_logs() {
    local lines=50 follow=() option
    while (($#)); do
        option=$1
        case $1 in
            -f | --follow)        follow=(-F) ;;
            -n | --lines | --tail) lab_needs_value "$@"; lines=$2; shift ;;
            --lines=* | --tail=*) lab_needs_value "${1%%=*}" "${1#*=}"; lines=${1#*=} option=${1%%=*} ;;
            -n*)                  lines=${1#-n} option=-n ;;
            -f*)                  follow=(-F) lines=${1#-f} option=-f ;;
            *)                    fail "logs: no option '$1': './lab logs --help' lists them" ;;
        esac
        [[ $lines =~ ^[0-9]{1,9}$ ]] || fail "logs: $option wants a number of lines, not '$lines'"
        shift
    done
    server_use "$lab_state"
    [[ -e $server_log ]] || fail "no log yet: './lab up' starts the bank API"
    terminal_has_color || exec tail -n "$lines" "${follow[@]}" "$server_log"
    tail -n "$lines" "${follow[@]}" "$server_log" | lifecycle_color_log
}

# On a terminal: errors and races red, warnings yellow. sed prints each line at once (-u), for --follow.
lifecycle_color_log() {
    sed -u -e "/RACE CONDITION DETECTED/s/.*/$terminal_red$terminal_bold&$terminal_plain/;t" \
        -e "/^[0-9:.]* ERROR /s/.*/$terminal_red&$terminal_plain/;t" \
        -e "/^[0-9:.]* WARN /s/.*/$terminal_yellow&$terminal_plain/;t" \
        -e "/\(at barrier\|BARRIER\)/s/.*/$terminal_cyan&$terminal_plain/"
}

lab_clean() {
    (($# == 0)) || fail "clean: it takes no options: leave '$1' out"
    [[ $lab_state == "$lab_root/.lab" ]] || fail "clean is for .lab/: './lab down', then remove $lab_state yourself"
    local place places=("$lab_state" "$lab_state/demo" "$lab_state/runbook" "$lab_state/explore"{,-2,-3,-4})
    locks_own_checkout "$lab_root"
    for place in "${places[@]}"; do
        cluster_use "$place"
        cluster_check_owner
    done
    for place in "${places[@]}"; do
        cluster_use "$place"
        server_use "$place"
        observe_use "$place"
        observe_stop || true
        server_stop || warn "bank-api ended with exit status ${server_exit_status:-unknown}"
        cluster_remove || fail "nothing was removed"
    done
    failover_remove || fail "the cluster of './lab cluster' does not end: nothing was removed"
    postgres_remove
    rm -rf "${lab_root:?}/.lab" "${lab_root:?}/build"
    say "Stopped everything; removed the database, .lab/ and build/. Installed packages stay."
}
