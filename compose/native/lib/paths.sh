# Checks the paths that the lab uses. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# PostgreSQL keeps paths in buffers of 1,024 bytes. The names that the lab adds to its folder fit into the rest.
paths_longest=900

# paths_resolve: sets lab_state, and makes LAB_PROGRAM absolute. Tests and second labs name the folder of the state in
# LAB_STATE, and in LAB_PROGRAM a program to run instead of building one. Stops with one line if a path cannot be used.
paths_resolve() {
    paths_check "the checkout's folder" "$lab_root"
    paths_check LAB_STATE "${LAB_STATE:-}"
    paths_check LAB_PROGRAM "${LAB_PROGRAM:-}"
    lab_state=$(realpath -m -- "${LAB_STATE:-$lab_root/.lab}")
    [[ -z ${LAB_PROGRAM:-} ]] || LAB_PROGRAM=$(realpath -m -- "$LAB_PROGRAM")
    paths_check LAB_STATE "$lab_state"
    paths_check LAB_PROGRAM "${LAB_PROGRAM:-}"
}

# paths_check_writable PLACE: stops with one line that names the owner, or says that the place is read-only.
paths_check_writable() {
    local owner
    [[ ! -w $1 ]] || return 0
    owner=$(stat -c %U -- "$1")
    if ((EUID == 0)) || [[ -O $1 ]]; then
        fail "$1 is read-only: make it writable, or copy the checkout to a folder that is"
    fi
    # Root's PostgreSQL runs as the user postgres.
    [[ $owner != "$cluster_owner" ]] || owner=root
    fail "$1 belongs to $owner: run ./lab as that user"
}

paths_make_state() {
    mkdir -p "$lab_state" 2>/dev/null || fail "the folder $lab_state cannot be made: name another one in LAB_STATE"
}

# paths_check NAME PATH: files of the lab have one path a line, so a path must be one line.
paths_check() {
    local LC_ALL=C
    [[ $2 != *$'\n'* ]] || fail "$1 has a line break in its path, which the lab cannot use: rename that folder"
    ((${#2} <= paths_longest)) ||
        fail "$1 has a path of ${#2} bytes, and PostgreSQL has room for $paths_longest: use a shorter one"
}

# Characters that CMake or the assembler's .incbin treats specially, wherever they are in the path of a build.
paths_refused_by_cmake='[][;#"\\|<>]|\$\{'

# paths_check_build VERB [OPTION...]: stops with one line if VERB would build in a path that CMake cannot build in.
paths_check_build() {
    local path
    case $1 in
        demo | up | bench | compare | explore | proxy | prove | cluster | runbook) [[ -z ${LAB_PROGRAM:-} && " $* " != *' --compose '* ]] || return 0 ;;
        test) ;;
        *) return 0 ;;
    esac
    for path in "$lab_root" "$lab_state"; do
        [[ ! $path =~ $paths_refused_by_cmake ]] ||
            fail "CMake cannot build where a path has the character '${BASH_REMATCH[0]}': move $path, or name a built program in LAB_PROGRAM"
        # Folders of .lab are put into PATH, where a colon separates two folders.
        [[ $1 != @(test|bench) || $path != *:* ]] || fail "$1 cannot use tools in a path with the character ':': move $path"
    done
}
