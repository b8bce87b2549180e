# The output of the launcher: colour, one-line errors, the progress of slow commands. Warnings and errors go to standard
# error, everything else to standard output. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

terminal_setup() {
    terminal_set_colors
    terminal_measure
}

# Colour is used on a terminal that has it, unless NO_COLOR is set (no-color.org).
terminal_set_colors() {
    terminal_bold='' terminal_dim='' terminal_red='' terminal_green='' terminal_yellow='' terminal_cyan='' terminal_plain=''
    terminal_is_tty=false
    [[ -t 1 ]] || return 0
    terminal_is_tty=true
    [[ -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]] || return 0
    terminal_bold=$'\e[1m' terminal_dim=$'\e[2m' terminal_plain=$'\e[0m'
    terminal_red=$'\e[31m' terminal_green=$'\e[32m' terminal_yellow=$'\e[33m' terminal_cyan=$'\e[36m'
}

terminal_has_color() { [[ -n $terminal_plain ]]; }

# Puts the size of the terminal into terminal_columns and terminal_rows. The columns are 100 where the output is no
# terminal, and at most 120, because longer lines are hard to read. A terminal that does not know its size has 80.
terminal_measure() {
    local size=''
    terminal_columns=100 terminal_rows=40
    $terminal_is_tty || return 0
    { size=$(stty size <&3 2>/dev/null) || true; } 3>&1
    terminal_columns=${size#* }
    terminal_rows=${size% *}
    [[ $terminal_rows =~ ^[1-9][0-9]*$ ]] || terminal_rows=24
    [[ $terminal_columns =~ ^[1-9][0-9]*$ ]] || terminal_columns=80
    ((terminal_columns >= 40)) || terminal_columns=40
    ((terminal_columns <= 120)) || terminal_columns=120
}

say() { printf '%s\n' "$*"; }

# say_wrapped PREFIX TEXT: the prefix, and beside it the text, broken at its spaces to the width of the terminal.
say_wrapped() {
    local line=$1 indent word words is_empty=true
    printf -v indent '%*s' "${#1}" ''
    read -r -d '' -a words <<<"$2" || true
    for word in "${words[@]}"; do
        if $is_empty; then
            line+=$word
        elif ((${#line} + 1 + ${#word} <= terminal_columns)); then
            line+=" $word"
        else
            say "$line"
            line=$indent$word
        fi
        is_empty=false
    done
    say "$line"
}

say_dim() { printf '%s%s%s\n' "$terminal_dim" "$*" "$terminal_plain"; }

warn() { terminal_complain "$terminal_yellow" "$*"; }

# terminal_complain COLOUR TEXT: one line on standard error; on a terminal it is broken at spaces.
terminal_complain() {
    local text="lab: $2"
    [[ ! -t 2 ]] || text=$(say_wrapped '' "$text")
    printf '%s%s%s\n' "$1" "$text" "$terminal_plain" >&2
}

# Prints one line and exits. Never call it inside $(...): the exit would end only the subshell.
fail_status=1
fail() {
    terminal_complain "$terminal_red" "$*"
    exit "$fail_status"
}

# Seconds since the epoch with decimals; no program is started for it.
terminal_now() { printf '%s' "${EPOCHREALTIME/,/.}"; }

terminal_seconds_since() {
    local now
    now=$(terminal_now)
    awk -v a="$1" -v b="$now" 'BEGIN { printf "%.1f", b - a }'
}

# terminal_on_exit COMMAND: for a subshell that makes temporary files; COMMAND runs on every way out of it.
terminal_on_exit() {
    # shellcheck disable=SC2064 # expanded now: it names what exists now
    trap "$1" EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
}

# progress TITLE LOGFILE COMMAND... Runs COMMAND in the foreground, so that Ctrl-C reaches it. Its output goes to
# LOGFILE, and a ticker shows that it still runs. If it fails, the end of the log is shown. Returns COMMAND's status.
progress() {
    local title=$1 log=$2 started status=0
    shift 2
    started=$(terminal_now)
    $terminal_is_tty || say "$title ..."
    exec 7> >(terminal_ticker "$title")
    terminal_ticker_pid=$!
    # A subshell, because here 7>&- would only put the ticker's pipe aside, and keep it open.
    ("$@") >"$log" 2>&1 </dev/null 7>&- || status=$?
    terminal_stop_ticker
    if ((status == 0)); then
        say "${terminal_green}done${terminal_plain}  $title ($(terminal_seconds_since "$started") s)"
        return 0
    fi
    say "${terminal_red}failed${terminal_plain}  $title: exit status $status; the end of $log:"
    tail -n 30 "$log" | sed 's/^/    /'
    return "$status"
}

# Runs beside one slow command until its standard input ends. So it needs no signal, and if the launcher is killed, the
# ticker ends too.
terminal_ticker() {
    local title=$1 marks="|/-\\" tick=0 seconds status
    while true; do
        seconds=$((tick / 5))
        if $terminal_is_tty; then
            printf '\r\e[K%s %s (%d s)' "${marks:tick%4:1}" "$title" "$seconds"
        elif ((tick > 0 && tick % 50 == 0)); then
            say "  still running: $title ($seconds s)"
        fi
        status=0
        read -r -t 0.2 || status=$?
        ((status > 128)) || break # not a timeout: the end of the input
        tick=$((tick + 1))
    done
}

terminal_stop_ticker() {
    [[ -n ${terminal_ticker_pid:-} ]] || return 0
    exec 7>&-
    wait "$terminal_ticker_pid" || true
    terminal_ticker_pid=
    ! $terminal_is_tty || printf '\r\e[K'
}
