# The verb races: draws a race of a running lab, or lists its races. Sourced by lab.
# shellcheck disable=SC2016 # the filters are jq's
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_races() {
    local id='' port='' list=false install=true
    while (($#)); do
        case $1 in
            --list)       list=true ;;
            --no-install) install=false ;;
            --port)       lab_needs_value "$@"; port=$2; shift ;;
            --port=*)     port=${1#*=}; port_check races "$port" ;;
            -*)           fail "races: no option '$1': './lab races --help' lists them" ;;
            *)
                [[ -z $id ]] || fail "races: one race at a time: leave '$1' out"
                id=$1
                ;;
        esac
        shift
    done
    [[ -z $port ]] || port_check races "$port"
    ! $list || [[ -z $id ]] || fail "races: --list shows all races: leave '$id' out"
    [[ -z $id || $id =~ ^[0-9a-f]{8}$ ]] ||
        fail "races: the id of a transfer has 8 characters from 0 to 9 and a to f, unlike '$id': './lab races --list' lists the races"
    races_find_server races "$port"
    packages_ensure "$install" "$packages_to_play"
    if $list; then races_list; else races_draw "$id"; fi
}

# races_find_server VERB [PORT]: sets server_url to that of the lab that is up, or to a server on this machine.
races_find_server() {
    server_use "$lab_state"
    if [[ -n $2 ]]; then
        server_url=http://127.0.0.1:$2
    else
        server_is_running || fail "$1: the lab does not run: './lab up' starts it (or name another server's port with --port)"
    fi
    server_curl --max-time 10 -o /dev/null "$server_url/health" 2>/dev/null || fail "$1: no bank API answers on $server_url"
}

# races_ask PATH: the answer; if it is a problem, a line with its detail ends the verb.
races_ask() {
    races_answer=$(server_curl --max-time 10 "$server_url$1" 2>/dev/null) || fail "races: no answer from $server_url"
    local detail
    detail=$(jq -r 'if type == "object" and (.status | type) == "number" then .detail else empty end' <<<"$races_answer" 2>/dev/null) ||
        fail "races: the answer of $server_url is not that of a bank API"
    [[ -z $detail ]] || fail "races: $detail"
}

races_list() {
    races_ask '/races?limit=20'
    if [[ $(jq '.races | length' <<<"$races_answer") == 0 ]]; then
        say "No transfers have raced yet."
    else
        timeline_run 'list_of_races' <<<"$races_answer"
    fi
}

# races_draw [ID]
races_draw() {
    local id=$1
    if [[ -z $id ]]; then
        races_ask '/races?limit=1'
        id=$(jq -r '.races[0].id // empty' <<<"$races_answer")
        if [[ -z $id ]]; then
            say_wrapped "" "No transfers have raced yet. './lab up' prints the commands of two that do."
            return
        fi
    fi
    races_ask "/races/$id"
    timeline_run '[.] | model | headed' <<<"$races_answer"
}
