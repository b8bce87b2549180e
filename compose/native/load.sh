# The verb load: runs a k6 script of loadtest/ against the running lab. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

load_k6_version=v1.8.1

lab_load() {
    if [[ ${1:-} == --install ]]; then
        shift
        load_install_k6
        (($#)) || return 0
    fi
    if (($# == 0)); then
        load_list
        return
    fi
    local script=$lab_root/loadtest/$1.js
    [[ $1 != -* && $1 != */* && -e $script ]] || fail "load: no script '$1': './lab load' lists them"
    shift
    load_find_k6 || fail "k6 is not installed: './lab load --install' builds it into .lab/k6 (that needs go)," \
        "or put a k6 into your PATH"
    load_find_lab
    K6_NO_USAGE_REPORT=true NO_PROXY="localhost,127.0.0.1,${NO_PROXY:-}" \
        exec "$load_k6" run "$@" "$script"
}

load_list() {
    local script
    say "Usage: ./lab load NAME [k6's options]. There are:"
    say ""
    for script in "$lab_root"/loadtest/*.js; do
        printf '  %-22s %s\n' "$(basename "$script" .js)" "$(sed -n '1s|^// ||p' "$script")"
    done
    say ""
    load_find_k6 || say "k6 is not installed: './lab load --install' builds it into .lab/k6 (that needs go)."
}

load_find_k6() {
    load_k6=$(command -v k6) || load_k6=$lab_state/k6/k6
    [[ -x $load_k6 ]]
}

# Somebody else's bank is named in BASE_URL; otherwise it is the one of `lab up`.
load_find_lab() {
    [[ -z ${BASE_URL:-} ]] || return 0
    server_use "$lab_state"
    server_is_running || fail "the lab does not run: './lab up' starts it (or name another bank in BASE_URL)"
    export BASE_URL=$server_url
}

# k6 is a Go program and no distribution packages it: Go builds it from its own module.
load_install_k6() {
    if load_find_k6; then
        say "k6 is there: $load_k6"
        return
    fi
    command -v go >/dev/null ||
        fail "no go here to build k6 with: install Go 1.21 or later, or put a k6 into your PATH"
    mkdir -p "$lab_state"
    packages_fetch "$lab_state/k6" k6 "Building k6 $load_k6_version, into .lab/k6 (some minutes)" "$lab_state/k6.log" \
        load_build_k6 || fail "k6 could not be built (whole log: $lab_state/k6.log)"
}

# load_build_k6 FOLDER
load_build_k6() { GOBIN=$1 nice go install "go.k6.io/k6@$load_k6_version"; }
