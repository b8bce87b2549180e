# Packages of Debian 13, whatever release this machine runs. Sourced by run.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror this machine's apt uses for its own release: a proxy or a local mirror serves us too. Empty where it is
# not a Debian.
# shellcheck disable=SC2016 # apt expands its format, awk its program
debian_mirror() {
    [[ -r $debian_keyring ]] || return
    apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v codename="$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")" '
            $3 == "main" && $1 ~ /^https?:/ && ($2 == codename || $2 ~ /^(old)*stable$/) { print $1; exit }'
}

# debian_download MIRROR FOLDER PACKAGE...: into FOLDER/debs, with a sources list and a state folder of its own, so
# that apt checks signature and hashes and the system's lists stay as they are.
debian_download() {
    local mirror=$1 work=$2
    shift 2
    mkdir -p "$work"/lists/partial "$work"/cache/archives/partial "$work"/debs
    echo "deb [signed-by=$debian_keyring] $mirror trixie main" >"$work/sources.list"
    local options=(
        -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache"
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none
    )
    apt-get "${options[@]}" --error-on=any update && (cd "$work/debs" && apt-get "${options[@]}" download "$@")
}
