# The verb load: runs a k6 script of loadtest/ against the running lab. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_load() {
    if [[ ${1:-} == --install ]]; then
        shift
        k6_install
        (($#)) || return 0
    fi
    if (($# == 0)); then
        load_list
        return
    fi
    local script=$lab_root/loadtest/$1.js
    [[ $1 != -* && $1 != */* && -e $script ]] || fail "load: no script '$1': './lab load' lists them"
    shift
    k6_find || fail "k6 is not installed: './lab load --install' builds it into .lab/k6 (that needs go)," \
        "or put a k6 into your PATH"
    load_find_lab
    K6_NO_USAGE_REPORT=true NO_PROXY="localhost,127.0.0.1,${NO_PROXY:-}" \
        exec "$k6_program" run "$@" "$script"
}

load_list() {
    local script
    say "Usage: ./lab load NAME [k6's options]. There are:"
    say ""
    for script in "$lab_root"/loadtest/*.js; do
        printf '  %-22s %s\n' "$(basename "$script" .js)" "$(sed -n '1s|^// ||p' "$script")"
    done
    say ""
    k6_find || say "k6 is not installed: './lab load --install' builds it into .lab/k6 (that needs go)."
}

# BASE_URL names another bank than that of `lab up`.
load_find_lab() {
    [[ -z ${BASE_URL:-} ]] || return 0
    server_use "$lab_state"
    server_is_running || fail "the lab does not run: './lab up' starts it (or name another bank in BASE_URL)"
    export BASE_URL=$server_url
}
