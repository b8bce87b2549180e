# Finds or fetches llhttp, the HTTP parser. Sourced by lab. It is, in this order:
#
#   1. the one that pkg-config finds, or that an earlier run unpacked;
#   2. the distribution's libllhttp-dev, where there is one (Debian 13 and later);
#   3. on Debian 12, Debian 13's package, unpacked below .lab/llhttp: it needs only an old libc6;
#   4. otherwise CMake fetches a release pinned by its hash (CMakeLists.txt).
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

llhttp_is_private() { [[ -e $lab_root/.lab/llhttp/usr/include/llhttp.h ]]; }

llhttp_is_found() { llhttp_is_private || pkg-config --exists libllhttp 2>/dev/null; }

llhttp_is_taken_from_debian_13() { [[ $distribution_id == debian && $distribution_version == 12 ]]; }

# packages_missing calls it before anything is fetched: it prints the packages that bring an llhttp, or that CMake needs
# to fetch one.
llhttp_missing() {
    ! llhttp_is_found && ! llhttp_is_taken_from_debian_13 || return 0
    if [[ $distribution_id == debian ]] || apt-cache show libllhttp-dev >/dev/null 2>&1; then
        printf 'libllhttp-dev\n'
    elif [[ ! -e /etc/ssl/certs/ca-certificates.crt ]]; then
        printf 'ca-certificates\n'
    fi
}

# llhttp_ensure INSTALL(true|false)
llhttp_ensure() {
    ! llhttp_is_found || return 0
    llhttp_is_taken_from_debian_13 || return 0
    if ! $1; then
        warn "llhttp is missing, and --no-install forbids fetching Debian 13's package: CMake will try its source." \
            "If it cannot, run without --no-install"
        return 0
    fi
    # It stands beside the build, which all states share: a LAB_STATE may be removed.
    mkdir -p "$lab_root/.lab" || return
    packages_fetch "$lab_root/.lab/llhttp" usr/include/llhttp.h \
        "Fetching llhttp from Debian 13, into .lab/llhttp" "$lab_root/.lab/llhttp.log" llhttp_fetch ||
        warn "no llhttp from Debian 13: CMake will fetch its source instead"
}

# The mirror that this machine's apt uses for its release, so that a proxy or a local mirror is used here too.
# shellcheck disable=SC2016 # apt expands its format, awk its program
llhttp_mirror() {
    apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v codename="$distribution_codename" '
            $3 == "main" && $1 ~ /^https?:/ && ($2 == codename || $2 ~ /^(old)*stable$/) { print $1; exit }'
}

# apt gets a sources list and a state folder of its own: it checks the signature and the hashes, and the system's
# sources and package lists stay as they are. The folder is below /tmp, because a checkout's path may have spaces, which
# gpgv, called by apt, does not accept. It is removed at the end. llhttp_fetch FOLDER
llhttp_fetch() (
    mirror=$(llhttp_mirror)
    [[ -n $mirror ]] || { echo "no Debian mirror found in the apt configuration"; exit 1; }
    work=$(mktemp -d /tmp/race-lab-apt.XXXXXX)
    terminal_on_exit "rm -rf '$work'"
    llhttp_download "$mirror" "$work" && llhttp_unpack "$work" "$1"
)

llhttp_download() {
    local mirror=$1 work=$2 keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    mkdir -p "$work"/lists/partial "$work"/cache/archives/partial "$work"/debs
    echo "deb [signed-by=$keyring] $mirror trixie main" >"$work/sources.list"
    # When root runs apt, its sandbox user could not write into this folder.
    local options=(
        -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache"
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    )
    apt-get "${options[@]}" --error-on=any update &&
        (cd "$work/debs" && apt-get "${options[@]}" download libllhttp-dev libllhttp9.2)
}

llhttp_unpack() {
    local deb
    for deb in "$1"/debs/*.deb; do dpkg -x "$deb" "$2" || return; done
}
