# k6, which runs the load tests. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

k6_version=v1.8.1

k6_find() {
    k6_program=$(command -v k6) || k6_program=$lab_state/k6/k6
    [[ -x $k6_program ]]
}

# No distribution has a package of k6. Go builds it from its module.
k6_install() {
    if k6_find; then
        say "k6 is installed: $k6_program"
        return
    fi
    command -v go >/dev/null ||
        fail "k6 is built with go, which is missing: install Go 1.21 or later, or put a k6 into your PATH"
    mkdir -p "$lab_state"
    packages_fetch "$lab_state/k6" k6 "Building k6 $k6_version, into .lab/k6 (some minutes)" "$lab_state/k6.log" \
        k6_build || fail "k6 could not be built (whole log: $lab_state/k6.log)"
}

# k6_build FOLDER
k6_build() { GOBIN=$1 nice go install "go.k6.io/k6@$k6_version"; }
