# The verb cluster: three PostgreSQL under Patroni with etcd, and three banks behind HAProxy; it kills parts of them
# under load. The programs are started by loadtest/failover.py. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_cluster() {
    local action=${1:-} install=true observe=false options=() option
    [[ $action =~ ^(up|failover|status|down)$ ]] ||
        fail "cluster: it wants up, failover, status or down, not '$action': './lab cluster --help' describes them"
    shift
    for option in "$@"; do
        case $option in
            --no-install) install=false ;;
            --observe)    [[ $action == up ]] || fail "cluster $action: --observe is for up"; observe=true ;;
            *)            options+=("$option") ;;
        esac
    done
    failover_use
    if [[ $action == status ]]; then
        failover_run status "${options[@]}"
        return
    fi
    locks_take_place "$lab_state/cluster"
    if [[ $action == up || $action == failover ]]; then
        # Options are checked before minutes of installing and building.
        failover_run "$action" --check-options "${options[@]}"
        failover_prepare "$install"
        # Without a Prometheus nothing is started.
        ! $observe || observe_find_program "$install"
    fi
    failover_observe_stop "$action"
    failover_run "$action" "${options[@]}"
    ! $observe || failover_observe "$install"
}

# Everything is below .lab/cluster. Root's PostgreSQL runs as the user postgres, who cannot enter a checkout below
# /root: then it is in /var/lib/race-lab.
failover_use() {
    failover_place=$lab_state/cluster
    if ((EUID == 0)) && ! cluster_owner_can_enter "$lab_state"; then
        failover_place=/var/lib/race-lab/$(printf '%s' "$lab_state" | md5sum | cut -c 1-12).cluster
    fi
}

# failover_prepare INSTALL(true|false)
failover_prepare() {
    [[ $1 == false && -n ${LAB_PROGRAM:-} ]] || packages_ensure "$1" "$packages_to_run" "$packages_to_fail_over"
    build_prepare "$1"
    # The packages may have made the user that runs PostgreSQL.
    failover_use
    mkdir -p "$failover_place"
}

# failover_run ACTION [OPTION...]
failover_run() {
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$lab_root/loadtest/failover.py" "$@" \
        --place "$failover_place" --program "$(build_program release)" 8>&- 9>&-
}

# Prometheus scrapes the three banks: the text between its brackets is a list. failover_observe INSTALL(true|false)
failover_observe() {
    local ports
    ports=$(failover_run status --bank-ports)
    observe_use "$failover_place"
    server_url="http://${ports// /\", \"}"
    observe_start "$1"
    say "  Prometheus   $observe_url"
}

# failover_observe_stop ACTION
failover_observe_stop() {
    [[ $1 == down ]] || return 0
    observe_use "$failover_place"
    ! observe_is_running || observe_stop
}

# For clean: ends the cluster if there is one.
failover_remove() {
    failover_use
    [[ -e $failover_place/cluster.json ]] || return 0
    failover_observe_stop down || true
    failover_run down
    rm -rf "$failover_place"
}

help_cluster() {
    cat <<'TEXT'
Usage: ./lab cluster up [--mode sync|async] [--observe] [--no-install]
       ./lab cluster failover [options] [--no-install]
       ./lab cluster status
       ./lab cluster down

Three PostgreSQL under Patroni with one etcd, and three banks behind HAProxy,
on free ports of 127.0.0.1 and without containers. failover kills a part of them
while clients send transfers, waits until transfers are acknowledged again, and
compares every answer with the database (docs/CLUSTER.md).

  up         start the cluster, and leave it running
  failover   kill, and print a table with a line a round and a verdict. If the
             cluster is not up, it is started first and ended afterwards
  status     each program, where it listens, who leads, and the lag
  down       end every program, and remove everything but the logs

  --mode sync|async  whether a transfer is acknowledged only when a standby has
                 it (default: sync, or as the cluster is)
  --kill leader|standby|replica|etcd|hang
                 what breaks (default: leader). leader and standby: Patroni and
                 every process of its PostgreSQL. replica: one bank. hang: a
                 standby is stopped with SIGSTOP for 25 s. Before the leader is
                 killed, its walsenders are stopped for 0.5 s
  --clients N    clients that send at once (default: 8)
  --rounds N     times that it is killed (default: 1)
  --seconds N    load before and after it (default: 5)
  --json         the figures of every round as JSON
  --observe      with up: Prometheus too, which scrapes the three banks
  --no-install   stop with the list of missing packages instead of installing
                 them

Every user of this machine can reach the ports. PostgreSQL and Patroni ask for
passwords, etcd and the banks do not.
Exit status: 0 if what the mode promises held (sync: no acknowledged transfer is
lost; both: none is posted twice, the books balance, every unknown outcome is
resolved, no gap over 25 s), 1 if not. status: 0 if all runs, 3 if not.
Logs: .lab/cluster/log/
TEXT
}
