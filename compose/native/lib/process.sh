# Processes and TCP ports, read from /proc, which every Linux has; ps, ss and lsof may be missing. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# The first word of a process's command line, whichever user runs it; empty if the process has ended.
process_program() {
    local program=''
    [[ ! -r /proc/$1/cmdline ]] || IFS= read -r -d '' program 2>/dev/null <"/proc/$1/cmdline" || true
    printf '%s' "$program"
}

# process_is PID PROGRAM: a pid file may be older than the process that has its number now, so the program counts too.
process_is() { [[ $1 =~ ^[0-9]+$ && $(process_program "$1") == "$2" ]]; }

# process_wait_end WHAT SECONDS CHECK...: waits until the command CHECK fails. After two seconds it says what it waits
# for. Status 1 if CHECK still succeeds after SECONDS.
process_wait_end() {
    local what=$1 seconds=$2 started=$SECONDS waited next=2
    shift 2
    while "$@"; do
        waited=$((SECONDS - started))
        ((waited < seconds)) || return 1
        if ((waited >= next)); then
            say "Waiting for $what ($waited s, at most $seconds s)"
            next=$((waited + 10))
        fi
        sleep 0.02
    done
}

# Whether a process listens on a TCP port, at any local address (state 0A is LISTEN).
port_is_busy() {
    local hex
    printf -v hex ':%04X' "$1"
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { busy = 1 } END { exit !busy }'
}

# port_holder PORT: what listens on it, as a message names it. Only root sees the processes of other users.
port_holder() {
    local hex inode fd='' pid
    printf -v hex ':%04X' "$1"
    inode=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { inode = $10 } END { print inode }')
    [[ -z $inode ]] || fd=$(find /proc/[0-9]*/fd -lname "socket:\\[$inode\\]" -print -quit 2>/dev/null) || true
    pid=${fd#/proc/} pid=${pid%%/*}
    if [[ -n $pid ]]; then printf '%s (pid %s)' "$(process_program "$pid")" "$pid"; else printf 'another program'; fi
}

# Below the range of ports that the kernel gives to outgoing connections, so that no connection takes the port first.
port_find_free() {
    local port tries=200
    while ((tries-- > 0)); do
        port=$((20000 + RANDOM % 12000))
        port_is_busy "$port" || { printf '%s' "$port"; return; }
    done
    return 1
}

# port_check VERB PORT
port_check() {
    [[ $2 =~ ^[1-9][0-9]{0,4}$ && $2 -le 65535 ]] || fail "$1: --port wants a number from 1 to 65535, not '$2'"
}

# The first free port after $1.
port_next_free() {
    local port=$(($1 + 1))
    while ((port <= 65535)) && port_is_busy "$port"; do port=$((port + 1)); done
    ((port <= 65535)) || port=$(port_find_free)
    printf '%s' "$port"
}
