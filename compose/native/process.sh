# Processes and TCP ports, read from /proc: present on every Linux, unlike ps, ss or lsof.
# Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# The first word of a process's command line; empty if it is gone. Readable for any user's process.
process_program() {
    local program=''
    [[ ! -r /proc/$1/cmdline ]] || IFS= read -r -d '' program 2>/dev/null <"/proc/$1/cmdline" || true
    printf '%s' "$program"
}

# A pid file outlives its process, and the number may since belong to another one.
# process_is PID PROGRAM
process_is() { [[ $1 =~ ^[0-9]+$ && $(process_program "$1") == "$2" ]]; }

# process_wait_end WHAT SECONDS CHECK...: waits until the command CHECK fails. A wait of more than two seconds says
# what it is for. Status 1 if CHECK still holds after SECONDS.
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

# Whether anything listens on a TCP port, at whatever local address (state 0A is LISTEN).
port_is_busy() {
    local hex
    printf -v hex ':%04X' "$1"
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { busy = 1 } END { exit !busy }'
}

# Below the range the kernel gives to outgoing connections, so that none of them takes it meanwhile.
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
