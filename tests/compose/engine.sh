# A Docker engine for the compose tests: the one that runs, or one of our own for the time of the run. Sourced by run.
#
# Our own has its data, its sockets and its pid file in folders of the lab's, so it meets no other engine's; only it
# may hold stand-ins under official image names. Every later docker command finds the engine in DOCKER_HOST.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

engine_is_ours=false
engine_pid=''

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

engine_ensure() {
    engine_find_client
    if engine_answers; then
        say "Docker engine: the one that runs ($(docker version --format '{{.Server.Version}}'))"
    else
        engine_start
        say "Docker engine: our own ($(docker version --format '{{.Server.Version}}')), stopped at the end"
    fi
    engine_ensure_compose
}

# $install says whether we may ask apt. Debian's package brings the engine, its client and what they stand on.
engine_find_client() {
    command -v docker >/dev/null && { engine_answers || command -v dockerd >/dev/null; } && return
    $install && ((EUID == 0)) || fail "no Docker engine answers and none can be started: start one, or run as root with --install"
    say "Installing docker.io with apt (log: $state/apt.log)"
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker.io iptables >"$state/apt.log" 2>&1 ||
        { apt-get update >>"$state/apt.log" 2>&1 &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker.io iptables >>"$state/apt.log" 2>&1; } ||
        fail "apt could not install docker.io: $(tail -n 1 "$state/apt.log")"
}

# The sockets are below /run: their names must be short. In a session of its own, so that Ctrl-C reaches us and not it:
# it is needed for taking the lab down.
engine_start() {
    ((EUID == 0)) || fail "no Docker engine answers, and only root can start one"
    engine_run=$(mktemp -d /run/race-lab-docker.XXXXXX)
    DOCKER_HOST=unix://$engine_run/docker.sock
    export DOCKER_HOST
    engine_is_ours=true
    engine_remember_network
    setsid dockerd --host "$DOCKER_HOST" --data-root "$state/engine" --exec-root "$engine_run/exec" \
        --pidfile "$engine_run/docker.pid" >"$state/dockerd.log" 2>&1 </dev/null &
    engine_pid=$!
    local tries=300
    until engine_answers; do
        kill -0 "$engine_pid" 2>/dev/null || fail "dockerd ended: $(tail -n 1 "$state/dockerd.log")"
        ((tries-- > 0)) || fail "dockerd does not answer (log: $state/dockerd.log)"
        sleep 0.2
    done
}

# The containers are gone by now; dockerd ends its containerd itself.
engine_stop() {
    $engine_is_ours && [[ -n $engine_pid ]] || return 0
    kill "$engine_pid" 2>/dev/null || true
    wait "$engine_pid" 2>/dev/null || true
    engine_pid=''
    engine_restore_network
    rm -rf "$engine_run"
}

# An engine leaves its bridge, its firewall rules (FORWARD: DROP among them) and ip_forward behind.
engine_remember_network() {
    cp /proc/sys/net/ipv4/ip_forward "$engine_run/ip_forward"
    iptables-save >"$engine_run/iptables" 2>/dev/null || rm -f "$engine_run/iptables"
}

engine_restore_network() {
    ip link delete docker0 2>/dev/null || true
    [[ ! -e $engine_run/iptables ]] || engine_restore_firewall
    cat "$engine_run/ip_forward" >/proc/sys/net/ipv4/ip_forward || true
}

# A table that was empty is not in the saved text, and is emptied.
engine_restore_firewall() {
    local table
    for table in filter nat; do
        iptables --table "$table" --flush && iptables --table "$table" --delete-chain || return 0
    done
    iptables --policy FORWARD ACCEPT
    iptables-restore <"$engine_run/iptables"
}

# Compose v2 is a plugin. Debian 12 has none; Debian 13's file runs there as well, from a folder of ours.
engine_ensure_compose() {
    [[ ! -x $state/docker/cli-plugins/docker-compose ]] || export DOCKER_CONFIG=$state/docker
    docker compose version >/dev/null 2>&1 || engine_fetch_compose ||
        fail "no Docker Compose v2: install the package docker-compose (Debian 13) or docker-compose-v2 (Ubuntu)"
    local version
    version=$(docker compose version --short)
    version=${version#v}
    # 2.20 is the first that knows include.
    printf '2.20.0\n%s\n' "$version" | sort --version-sort --check=quiet ||
        fail "Docker Compose $version is too old: 2.20 or later is needed"
    say "Docker Compose: $version"
}

engine_fetch_compose() {
    local mirror work
    mirror=$(debian_mirror) && [[ -n $mirror ]] || return
    work=$(mktemp -d /tmp/race-lab-apt.XXXXXX)
    debian_download "$mirror" "$work" docker-compose >"$state/compose.log" 2>&1 &&
        dpkg -x "$work"/debs/docker-compose_*.deb "$work/root" &&
        install -D -m 755 "$work/root/usr/libexec/docker/cli-plugins/docker-compose" \
            "$state/docker/cli-plugins/docker-compose"
    local status=$?
    rm -rf "$work"
    export DOCKER_CONFIG=$state/docker
    return "$status"
}
