# Starts, watches and stops bank-api. Sourced by lab. The functions work on the place that
# server_use chose: a folder below .lab with the pid, the URL, the log and the exit status.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# server_use PLACE
server_use() {
    server_program=$(build_program release)
    server_log=$1/bank-api.log
    server_pid_file=$1/bank-api.pid
    server_url_file=$1/bank-api.url
    server_exit_file=$1/bank-api.exit
    server_program_file=$1/bank-api.program
    server_schema_file=$1/bank-api.schema # written at each start, read by cluster_psql
    server_url=''
    [[ ! -r $server_url_file ]] || server_url=$(<"$server_url_file")
    server_port=${server_url##*:}
}

# If the server listens on all addresses, its URL has the loopback address.
server_set_url() {
    local host=${BANK_API_HOST:-127.0.0.1}
    server_port=$1
    case $host in
        0.0.0.0 | '*') host=127.0.0.1 ;;
        ::)            host='[::1]' ;;
        *:*)           host="[$host]" ;;
    esac
    server_url=http://$host:$server_port
    printf '%s\n' "$server_url" >"$server_url_file"
}

server_pid() { [[ ! -r $server_pid_file ]] || cat "$server_pid_file"; }

# The program that was started; a start now may use another one.
server_program_running() { cat "$server_program_file" 2>/dev/null || printf '%s\n' "$server_program"; }

server_is_running() { process_is "$(server_pid)" "$(server_program_running)"; }

# Goes straight to the loopback: a proxy and a .curlrc are ignored.
server_curl() { curl -q --noproxy '*' -sS "$@"; }

server_is_healthy() {
    [[ $(server_curl --max-time 3 "$server_url/health" 2>/dev/null) == *'"status":"ok"'* ]]
}

# server_start PORT: starts the program with the database of cluster_use. If it does not become healthy, a line says
# why, and the status is 1.
server_start() {
    server_set_url "$1"
    rm -f "$server_pid_file" "$server_exit_file"
    printf '%s\n' "$server_program" >"$server_program_file"
    server_launch
    server_wait_healthy
}

# The server gets a session of its own, so that Ctrl-C and a closed terminal do not reach it. A small shell stays above
# it and records its exit status.
# shellcheck disable=SC2016 # expanded by that shell
server_launch() {
    local database
    mapfile -d '' database < <(cluster_environment)
    printf '%s\n' "${BANK_API_SCHEMA:-}" >"$server_schema_file"
    setsid env -u DATABASE_URL "${database[@]}" BANK_API_PORT="$server_port" LOG_FORMAT="${LOG_FORMAT:-text}" \
        sh -c '"$0" & echo $! >"$1.new"; mv "$1.new" "$1"; wait $!; echo $? >"$2"' \
        "$server_program" "$server_pid_file" "$server_exit_file" >"$server_log" 2>&1 </dev/null 6>&- 8>&- 9>&- &
}

server_forget() { rm -f "$server_pid_file" "$server_url_file" "$server_program_file"; }

server_last_words() { grep . "$server_log" | tail -n 1 || true; }

server_wait_healthy() {
    local deadline=$((SECONDS + 20))
    until server_is_healthy; do
        if [[ -e $server_exit_file ]]; then
            server_forget
            warn "bank-api ended at once, with exit status $(<"$server_exit_file"): $(server_last_words)"
            return 1
        fi
        if ((SECONDS >= deadline)); then
            warn "bank-api does not become healthy on $server_url: $(server_last_words)"
            return 1
        fi
        sleep 0.02
    done
}

# The seconds that the server may take to stop: its SHUTDOWN_TIMEOUT_MS, and 20 s in which it ends the remaining
# requests and sends its last spans. `./lab down` has another environment, so the value is read from the running
# process. server_stop_seconds PID
server_stop_seconds() {
    local milliseconds
    milliseconds=$(tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | sed -n 's/^SHUTDOWN_TIMEOUT_MS=//p') || true
    [[ $milliseconds =~ ^0*[0-9]{1,6}$ ]] || milliseconds=10000
    printf '%s' $(((10#$milliseconds + 999) / 1000 + 20))
}

# server_stop: sends SIGTERM, waits until the server has drained, and puts its exit status into server_exit_status
# (empty if it did not run). Status 1 if it had to be killed, or ended with an error.
server_stop() {
    local pid program seconds tries=100
    server_exit_status=''
    # A launcher that was interrupted right after the start has written the address, but the pid file comes a moment
    # later.
    while [[ -e $server_url_file && ! -e $server_pid_file ]] && ((tries-- > 0)); do sleep 0.02; done
    pid=$(server_pid)
    program=$(server_program_running)
    if ! process_is "$pid" "$program"; then
        server_forget
        return 0
    fi
    seconds=$(server_stop_seconds "$pid")
    kill -TERM "$pid" || true
    if ! process_wait_end "bank-api (pid $pid), which finishes the requests it has" "$seconds" \
        process_is "$pid" "$program"; then
        warn "bank-api (pid $pid) did not stop within $seconds s: killed"
        kill -KILL "$pid" || true
        process_wait_end "the killed bank-api (pid $pid)" 30 process_is "$pid" "$program" || return 1
    fi
    tries=100
    until [[ -s $server_exit_file ]] || ((tries-- == 0)); do sleep 0.02; done
    server_exit_status=$(cat "$server_exit_file" 2>/dev/null || echo unknown)
    server_forget
    [[ $server_exit_status == 0 ]]
}
