# The verb test: builds the presets and runs their tests with CTest. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# The tests of `./lab test --fast`: unit tests, style without clang-tidy, the page's modules, and the API tests of the
# race, the fix and the main endpoints, with fewer rounds.
tests_fast=(-R '^(unit\.|tidy\.|page\.units$|api\.(accounts|race|races|strategies|transfer)$)' -E '^tidy\.(lint|selftest)$')

lab_test() {
    local install=true fast=false compose=false postgres='' presets=() regex=() preset
    while (($#)); do
        case $1 in
            --no-install) install=false ;;
            --fast)       fast=true ;;
            --preset)     lab_needs_value "$@"; presets=("$2"); shift ;;
            --preset=*)   lab_needs_value --preset "${1#*=}"; presets=("${1#*=}") ;;
            --compose)    compose=true ;;
            --postgres)   lab_needs_value "$@"; postgres=$2; shift ;;
            --postgres=*) lab_needs_value --postgres "${1#*=}"; postgres=${1#*=} ;;
            -R)           lab_needs_value "$@"; regex=(-R "$2"); shift ;;
            *)            fail "test: no option '$1': './lab test --help' lists them" ;;
        esac
        shift
    done
    for preset in "${presets[@]}"; do
        [[ $preset =~ ^(release|debug|asan|tsan)$ ]] || fail "test: no preset '$preset': release, asan, tsan or debug"
    done
    [[ -z $postgres || " $(postgres_majors) all " == *" $postgres "* ]] ||
        fail "test: no PostgreSQL '$postgres': $(postgres_majors) or all"
    [[ -z $postgres || ${#presets[@]} == 0 ]] || fail "test: --postgres is for the release build: leave --preset out"
    ! $compose || [[ -z $postgres && ${#presets[@]} == 0 && ${#regex[@]} == 0 ]] ||
        fail "test: --compose runs all of its tests: leave --preset, --postgres and -R out"
    ! $fast || [[ $compose == false && -z $postgres && ${#presets[@]} == 0 && ${#regex[@]} == 0 ]] ||
        fail "test: --fast chooses its tests: leave --compose, --preset, --postgres and -R out"
    if $fast; then
        presets=(release) regex=("${tests_fast[@]}")
        export LAB_ROUNDS=20
        build_prepare_tools "$install" "$packages_to_run" "$packages_to_test"
        tests_run_all
        return
    fi
    if $compose; then
        tests_run_compose "$install"
        return
    elif [[ -n $postgres ]]; then
        tests_run_postgres "$install" "$postgres"
        return
    fi
    ((${#presets[@]} > 0)) || presets=(release asan tsan)
    build_prepare_tools "$install" "$packages_to_run" "$packages_to_play" "$packages_to_shop" "$packages_to_test" \
        "$packages_to_compare" "$packages_to_fail_over" "$(packages_browser)" "$(packages_grammar)"
    test_tools_find "$install"
    tests_run_all
}

# Starts the whole lab with Docker Compose and plays every block of the runbook on it. It uses the lab's ports.
tests_run_compose() {
    local install=()
    build_prepare_tools "$1" "$packages_to_run" "$packages_to_play" "$packages_to_shop"
    ! $1 || install=(--install)
    "$lab_root/tests/compose/run" "${install[@]}" -- "$lab_root/lab" runbook --compose --no-install
}

# Two runs of one preset write the same logs, so the second waits for the first.
tests_lock_preset() {
    mkdir -p "$lab_root/build"
    exec 9>>"$lab_root/build/test-$1.lock"
    locks_take 9 "$lab_root/build/test-$1.lock"
}

# Uses presets and regex of lab_test. A preset that fails does not keep the next from being run.
tests_run_all() {
    local preset results=() failed=false matched=false started verdict
    for preset in "${presets[@]}"; do
        tests_lock_preset "$preset"
        started=$(terminal_now)
        build_preset "$preset" everything
        if ! tests_match "$preset"; then
            results+=("$(printf '%-8s no test matches' "$preset")")
            exec 9>&-
            continue
        fi
        matched=true
        say ""
        say "${terminal_bold}== Tests of the $preset build${terminal_plain}"
        verdict="${terminal_green}passed${terminal_plain}"
        if ! tests_run_preset "$preset"; then
            verdict="${terminal_red}FAILED${terminal_plain}"
            failed=true
        fi
        results+=("$(printf '%-8s %s  %s (%s s)' "$preset" "$verdict" \
            "$(tests_closing_line "$preset")" "$(terminal_seconds_since "$started")")")
        exec 9>&-
    done
    $matched || tests_fail_unmatched
    tests_print_summary "$failed" "${results[@]}"
}

# tests_match PRESET [CTEST_OPTION...]: whether -R leaves a test of this build. The tsan preset has few of the tests.
tests_match() {
    local preset=$1
    shift
    ((${#regex[@]} > 0)) || return 0
    (cd "$lab_root" && ctest --preset "$preset" -N "$@" "${regex[@]}" 2>&1) | grep -Eq '^Total Tests: [1-9]'
}

tests_fail_unmatched() {
    fail "test: -R '${regex[1]}' matches no test: 'ctest --preset ${presets[0]:-release} -N' lists their names"
}

# tests_print_summary FAILED(true|false) LINE...
tests_print_summary() {
    printf '\n%sSummary%s\n' "$terminal_bold" "$terminal_plain"
    printf '  %s\n' "${@:2}"
    ! $1 || fail "not every test passed (whole output: $lab_state/ctest-*.log)"
}

tests_run_preset() (
    cd "$lab_root" || exit
    PATH=${test_tools_path:+$test_tools_path:}$PATH
    export AXE_CORE=$lab_state/axe-core/axe.min.js
    local wrapper=()
    ! tests_needs_fixed_addresses "$1" || wrapper=(setarch -R)
    "${wrapper[@]}" ctest --preset "$1" --output-on-failure --no-tests=error "${regex[@]}" 2>&1 | tee "$lab_state/ctest-$1.log"
)

# ThreadSanitizer of GCC up to 13 fails under the address randomisation that some kernels, such as Ubuntu 24.04's, use
# by default.
tests_needs_fixed_addresses() {
    local bits=0
    [[ ! -r /proc/sys/vm/mmap_rnd_bits ]] || bits=$(</proc/sys/vm/mmap_rnd_bits)
    [[ $1 == tsan ]] && ((bits > 28)) && setarch -R true 2>/dev/null
}

tests_closing_line() { grep -E '^[0-9]+% tests passed' "$lab_state/ctest-$1.log" | tail -n 1 || true; }

# tests_run_postgres INSTALL(true|false) MAJOR|all: the release build's tests of the API and the proxy. Uses regex of
# lab_test.
tests_run_postgres() {
    local may_install=$1 majors=("$2") major results=() failed=false started verdict
    [[ $2 != all ]] || tests_choose_all_postgres
    for major in "${majors[@]}"; do postgres_check "$may_install" "$major"; done
    build_prepare_tools "$may_install" "$packages_to_run" "$packages_to_test"
    for major in "${majors[@]}"; do postgres_fetch "$major"; done
    tests_lock_preset release
    build_preset release bank-api
    build_preset release race-proxy
    tests_match release -L "$tests_on_postgres" ||
        fail "test: -R '${regex[1]}' matches no test of these: ctest --preset release -N -L '$tests_on_postgres'"
    for major in "${majors[@]}"; do
        started=$(terminal_now)
        say ""
        say "${terminal_bold}== Tests on PostgreSQL $major${terminal_plain}"
        verdict="${terminal_green}passed${terminal_plain}"
        if ! tests_run_on_postgres "$major"; then
            verdict="${terminal_red}FAILED${terminal_plain}"
            failed=true
        fi
        results+=("PostgreSQL $major $verdict  $(tests_closing_line "postgres-$major") ($(terminal_seconds_since "$started") s)")
    done
    tests_print_summary "$failed" "${results[@]}"
}

# Sets majors of tests_run_postgres to the releases that npm has for this machine.
tests_choose_all_postgres() {
    majors=()
    for major in $(postgres_majors); do
        postgres_read_release "$major"
        if [[ $postgres_sha256 == none ]]; then
            warn "npm has no PostgreSQL $major for this machine ($(uname -m)): it is left out"
        else
            majors+=("$major")
        fi
    done
    ((${#majors[@]} > 0)) || fail "npm has no PostgreSQL for this machine ($(uname -m))"
}

# The labels of the tests that run on another PostgreSQL.
tests_on_postgres='^(api|proxy)$'

tests_run_on_postgres() (
    postgres_read_release "$1"
    cd "$lab_root" || exit
    export LAB_POSTGRES_BIN=$postgres_folder/bin
    ctest --preset release -L "$tests_on_postgres" --output-on-failure --no-tests=error "${regex[@]}" 2>&1 |
        tee "$lab_state/ctest-postgres-$1.log"
)
