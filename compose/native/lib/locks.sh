# The locks between launchers: on the checkout, on a place below .lab, on a build and on a download.
# Sourced by lab and by tests/compose/run.
#
# A lock is a flock on an open file. The kernel releases it when the last process that has the file open ends, so a
# killed launcher leaves no stale lock. A server that outlives the launcher is started with these descriptors closed; a
# Docker engine that outlives tests/compose/run keeps them, because it uses .lab/compose.
#
#   6  .lab/checkout.lock: shared by every verb that uses the checkout, exclusive for clean
#   9  the lock of a place, such as .lab/demo/lock: one launcher at a time changes what runs there
#   8  a build or a download: one at a time
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# locks_use_checkout ROOT: `./lab clean` removes nothing as long as this process and its children live.
locks_use_checkout() {
    local file=$1/.lab/checkout.lock
    while true; do
        mkdir -p "$1/.lab"
        if ! { exec 6>>"$file"; } 2>/dev/null; then
            [[ ! -d $1/.lab ]] || fail "$file cannot be written: give it to $(id -un), or remove it"
            continue # clean has just removed the folder
        fi
        if ! flock -s -n 6; then
            say "Waiting for $(locks_holders "$file") to end"
            flock -s 6
        fi
        # clean removes the file while it holds the lock: then another file has taken its place.
        [[ ! /dev/fd/6 -ef $file ]] || return 0
    done
}

# locks_own_checkout ROOT: no other launcher uses the checkout, and none starts to, until this one ends.
locks_own_checkout() {
    local file=$1/.lab/checkout.lock
    mkdir -p "$1/.lab"
    exec 6>>"$file"
    flock -n 6 || fail "this checkout is in use by $(locks_holders "$file"): end it first, or wait for it"
    [[ /dev/fd/6 -ef $file ]] || fail "another ./lab clean has just ended: run this one again"
}

# locks_take DESCRIPTOR FILE: FILE is open as DESCRIPTOR. Waits for the launcher that has the lock.
locks_take() {
    flock -n "$1" && return
    say "Waiting for $(locks_holders "$2") to end"
    flock "$1"
}

# locks_holders FILE: "COMMAND (pid N)" of each process that has a lock on FILE and whose parent has not.
locks_holders() {
    local fd pid parent command list names=()
    local -A has_lock=()
    for fd in /proc/[0-9]*/fd/*; do
        [[ $fd -ef $1 ]] || continue
        pid=${fd#/proc/} pid=${pid%%/*}
        ! grep -q '^lock:' "/proc/$pid/fdinfo/${fd##*/}" 2>/dev/null || has_lock[$pid]=1
    done
    for pid in "${!has_lock[@]}"; do
        parent=$(locks_parent "$pid")
        command=$(locks_command "$pid")
        # A process without a command line has ended since.
        [[ -z $command || -n ${has_lock[${parent:-0}]:-} ]] || names+=("$command (pid $pid)")
    done
    ((${#names[@]} > 0)) || names=("another ./lab")
    printf -v list '%s, ' "${names[@]}"
    printf '%s' "${list%, }"
}

locks_parent() { sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null || true; }

# The command as a person typed it, without the shell that runs it.
locks_command() {
    local words=()
    { mapfile -d '' words <"/proc/$1/cmdline"; } 2>/dev/null || true
    [[ ${words[0]:-} != *bash ]] || words=("${words[@]:1}")
    [[ ${words[0]:-} != */lab ]] || words[0]=./lab
    printf '%.120s' "${words[*]}"
}

# locks_take_place PLACE: one launcher at a time changes what runs in a place.
locks_take_place() {
    mkdir -p "$1"
    exec 9>>"$1/lock"
    locks_take 9 "$1/lock"
}
