# A Prometheus beside the lab that stays up: `lab up --observe`. It scrapes the bank API with the rules of
# observability/prometheus/. Sourced by lab. The functions work on the place that observe_use chose.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# observe_use PLACE
observe_use() {
    observe_place=$1/observe
    observe_log=$observe_place/prometheus.log
    observe_pid_file=$observe_place/prometheus.pid
    observe_url_file=$observe_place/prometheus.url
    observe_url=''
    [[ ! -r $observe_url_file ]] || observe_url=$(<"$observe_url_file")
}

observe_pid() { [[ ! -r $observe_pid_file ]] || cat "$observe_pid_file"; }

# The pid file is written before exec, so the name of the program comes a moment later. The folder is right at once.
observe_is_running() {
    local pid
    pid=$(observe_pid)
    [[ $pid =~ ^[0-9]+$ && $(readlink "/proc/$pid/cwd") == "$observe_place" ]]
}

# observe_start INSTALL(true|false): scrapes the server of server_use. If Prometheus runs already, its targets are
# written again, because the server may have another port now.
observe_start() {
    mkdir -p "$observe_place"
    if ! observe_is_running; then
        observe_find_program "$1"
        observe_choose_port
        observe_write_settings
        observe_launch
    else
        observe_write_settings
    fi
    observe_wait_ready || fail "Prometheus did not start (whole log: $observe_log)"
}

# Installing the package would start a service on this machine. So it is unpacked below .lab.
observe_find_program() {
    local private=$lab_state/prometheus
    observe_assets=/usr/share/prometheus/web
    ! observe_program=$(command -v prometheus) || return 0
    if [[ ! -x $private/usr/bin/prometheus ]]; then
        $1 || fail "prometheus is missing, and --no-install forbids fetching its package: install it, or run without --no-install"
        packages_fetch "$private" usr/bin/prometheus "Fetching Prometheus, into .lab/prometheus" "$lab_state/prometheus.log" \
            packages_unpack_privately prometheus ||
            fail "Prometheus could not be fetched (whole log: $lab_state/prometheus.log): install it, then run again"
    fi
    observe_program=$private/usr/bin/prometheus
    observe_assets=$private/usr/share/prometheus/web
}

# The settings and rules are those of compose; only the addresses of the targets differ. Paths in the settings are
# relative to the folder of the settings, and Prometheus watches targets/ for changes.
observe_write_settings() {
    mkdir -p "$observe_place/targets"
    ln -sfn "$lab_root/observability/prometheus/prometheus.yml" "$observe_place/prometheus.yml"
    ln -sfn "$lab_root/observability/prometheus/rules" "$observe_place/rules"
    observe_write_target bank-api "${server_url#http://}"
    observe_write_target prometheus "${observe_url#http://}"
    [[ -e $observe_place/targets/race-proxy.yml ]] || printf '[]\n' >"$observe_place/targets/race-proxy.yml"
}

# Prometheus may read the file at any moment, so a complete file replaces it.
observe_write_target() {
    printf -- '- targets: ["%s"]\n' "$2" >"$observe_place/targets/$1.new"
    mv "$observe_place/targets/$1.new" "$observe_place/targets/$1.yml"
}

# Port 9090, which is Prometheus' usual port, or a free one.
observe_choose_port() {
    local port=9090
    if port_is_busy "$port"; then
        port=$(port_find_free)
        say "Port 9090 is taken: Prometheus gets port $port"
    fi
    observe_url=http://127.0.0.1:$port
    printf '%s\n' "$observe_url" >"$observe_url_file"
}

observe_launch() {
    rm -f "$observe_pid_file"
    observe_run &
}

# shellcheck disable=SC2016 # expanded by that shell
observe_run() {
    cd "$observe_place" || exit
    exec setsid sh -c 'echo $$ >"$0.new"; mv "$0.new" "$0"; exec "$@"' "$observe_pid_file" \
        "$observe_program" --config.file=prometheus.yml --web.listen-address="${observe_url#http://}" \
        --storage.tsdb.path=data --storage.tsdb.retention.time=7d --enable-feature=exemplar-storage \
        --web.local-assets="$observe_assets" >"$observe_log" 2>&1 </dev/null 6>&- 8>&- 9>&-
}

observe_is_ready() { server_curl -o /dev/null -f --max-time 3 "$observe_url/-/ready" 2>/dev/null; }

observe_wait_ready() {
    local deadline=$((SECONDS + 30))
    until observe_is_ready; do
        if [[ -e $observe_pid_file ]] && ! observe_is_running; then
            grep 'level=error' "$observe_log" | tail -n 5 | sed 's/^/    /' >&2
            warn "Prometheus ended at once"
            rm -f "$observe_pid_file" "$observe_url_file"
            return 1
        fi
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# Status 1 if it had to be killed.
observe_stop() {
    local status=0
    if observe_is_running; then
        kill -TERM "$(observe_pid)"
        if ! process_wait_end "Prometheus (pid $(observe_pid)), which writes its data" 60 observe_is_running; then
            warn "Prometheus (pid $(observe_pid)) did not stop within 60 s: killed"
            kill -KILL "$(observe_pid)" || true
            status=1
        fi
    fi
    rm -f "$observe_pid_file" "$observe_url_file"
    return "$status"
}

observe_print() {
    if observe_is_running; then
        local health='not ready'
        ! observe_is_ready || health=ready
        say "Prometheus  running  $observe_url  pid $(observe_pid)  $health"
    elif [[ -e $observe_pid_file ]]; then
        say "Prometheus  stopped, not by ./lab down (pid was $(observe_pid), log: $observe_log)"
    else
        say "Prometheus  stopped  ('./lab up --observe' starts it)"
    fi
}
