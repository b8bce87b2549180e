# The verb watch: the balances, the settings and the last races of a running lab, drawn again after every event.
# Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_watch() {
    local port='' install=true
    while (($#)); do
        case $1 in
            --no-install) install=false ;;
            --port)       lab_needs_value "$@"; port=$2; shift ;;
            --port=*)     port=${1#*=}; port_check watch "$port" ;;
            *)            fail "watch: no option '$1': './lab watch --help' lists them" ;;
        esac
        shift
    done
    [[ -z $port ]] || port_check watch "$port"
    watch_keys=''
    races_find_server watch "$port"
    packages_ensure "$install" "$packages_to_play"
    if [[ -t 0 ]] && $terminal_is_tty; then
        watch_live
    else
        watch_screen || fail "watch: no bank API answers on $server_url"
        say "$watch_picture"
    fi
}

watch_live() {
    watch_events_pid='' watch_keys='q: the end' watch_status=''
    watch_modes=$(stty -g)
    trap watch_restore EXIT
    # The loop ends after its read: bash sets the modes of the terminal back at the end of a read that was interrupted,
    # which may be after watch_restore.
    trap 'watch_status=0' INT
    trap 'watch_status=143' TERM
    trap 'watch_status=129' HUP
    trap 'watch_is_stale=true' WINCH
    stty -echo -icanon
    printf '\e[?1049h\e[?25l' # the alternate screen, without a cursor
    watch_is_stale=true
    watch_loop
}

# On every way out: the terminal is as it was before.
watch_restore() {
    local status=$?
    trap '' INT TERM HUP WINCH
    printf '\e[?25h\e[?1049l'
    stty "$watch_modes" 2>/dev/null || true
    [[ -z $watch_events_pid ]] || kill -- "-$watch_events_pid" 2>/dev/null || true
    exit "$status"
}

watch_loop() {
    local key asked=0
    while true; do
        [[ -n $watch_events_pid ]] || watch_subscribe
        if $watch_is_stale || ((SECONDS - asked >= 5)); then
            watch_is_stale=false asked=$SECONDS
            watch_draw
        fi
        key=''
        read -r -s -n 1 -t 0.2 key || true
        [[ $key != [qQ] ]] || return 0
        [[ -z $watch_status ]] || exit "$watch_status"
        watch_take_events
    done
}

# A process reads the event stream and prints one line for all events of a quarter of a second. It is in a group of its
# own, so that it can be ended with its children.
watch_subscribe() {
    exec 4< <(exec setsid bash -c "$watch_reader" watch "$server_url/events" 2>/dev/null)
    watch_events_pid=$!
}

# shellcheck disable=SC2016 # expanded by that shell
watch_reader='curl -q --noproxy "*" -sN "$1" |
    while size=$(dd bs=65536 count=1 status=none | wc -c); ((size > 0)); do echo event; sleep 0.25; done'

# Notes whether an event has arrived. At the end of the stream the server has stopped: it is asked again a second later.
watch_take_events() {
    local line
    while read -r -t 0 -u 4; do
        if read -r line <&4; then
            watch_is_stale=true
        else
            exec 4<&-
            watch_events_pid=''
            watch_is_stale=true
            sleep 1
            return
        fi
    done
}

watch_draw() {
    local line
    terminal_measure
    watch_screen || watch_picture="No answer from $server_url. It is asked again every second."$'\n\n'"q: the end"
    printf '\e[H'
    while IFS= read -r line; do printf '%s\e[K\n' "$line"; done <<<"$watch_picture"
    printf '\e[J'
}

# Puts the picture into watch_picture. Status 1 if the server does not answer.
# shellcheck disable=SC2016 # the variables are jq's
watch_screen() {
    local answers
    bank_state_read || return 1
    answers=$(server_curl --max-time 5 "$server_url/accounts" "$server_url/races?limit=20" 2>/dev/null) || return 1
    watch_picture=$(timeline_run 'watched($rows; $url; $settings; $keys)' --slurp --argjson rows "$terminal_rows" --arg url "$server_url" \
        --arg settings "$(watch_settings)" --arg keys "$watch_keys" <<<"$answers" 2>/dev/null)
}

watch_settings() {
    local text
    text="strategy $(bank_state_strategy); delay $(bank_state_delay); barrier $(bank_state_barrier)"
    say "$text; ${bank_state[running]} in progress"
}
