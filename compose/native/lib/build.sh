# Configures and builds a CMake preset. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

build_program() { printf '%s' "${LAB_PROGRAM:-$lab_root/build/$1/bank-api}"; }

# The other programs lie beside bank-api, also where LAB_PROGRAM names another one. build_beside PROGRAM
build_beside() {
    local program
    program=$(build_program release)
    printf '%s' "${program%/*}/$1"
}

build_explorer() { build_beside race-explore; }

# build_preset NAME WHAT: bank-api (with race-explore, which plays the page's lesson), race-explore, or everything
build_preset() {
    local preset=$1
    mkdir -p "$lab_root/build"
    exec 8>>"$lab_root/build/lock"
    locks_take 8 "$lab_root/build/lock"
    build_forget_if_moved "$preset"
    progress "Building ($preset)" "$lab_state/build-$preset.log" build_run "$preset" "$2" ||
        fail "the $preset build failed (whole log: $lab_state/build-$preset.log)"
    exec 8>&-
}

# Configures every time: it takes half a second, and the presets and the packages may have changed. To build the program
# alone, the packages of the tests are not needed, and the tests are not built.
build_run() (
    cd "$lab_root" || exit
    local tests=ON target=()
    if [[ $2 != everything ]]; then
        target=(--target "$2")
        [[ $2 != bank-api ]] || target+=(race-explore)
        pkg-config --exists cmocka || tests=OFF
    fi
    cmake --preset "$1" -DLLHTTP_ROOT="$lab_root/.lab/llhttp" -DLAB_TESTS="$tests" &&
        cmake --build --preset "$1" "${target[@]}"
)

# CMake refuses a build folder that was made for another path, as after a checkout was moved or copied.
build_forget_if_moved() {
    local cache="$lab_root/build/$1/CMakeCache.txt" home
    [[ -e $cache ]] || return 0
    home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$cache")
    [[ $home != "$lab_root" ]] || return 0
    say "build/$1 was made in $home: it is built again"
    rm -rf "${lab_root:?}/build/$1"
    mkdir -p "$lab_root/build/$1"
}

# build_prepare_tools INSTALL(true|false) PACKAGE_LIST...: the packages and the llhttp that a build needs.
build_prepare_tools() {
    packages_ensure "$@"
    llhttp_ensure "$1"
}

# build_prepare INSTALL(true|false) [PROGRAM]: installs what is missing, and builds bank-api or another program.
build_prepare() {
    if [[ -n ${LAB_PROGRAM:-} ]]; then
        packages_ensure "$1" "$packages_to_run"
        [[ -f $LAB_PROGRAM && -x $LAB_PROGRAM ]] || fail "LAB_PROGRAM: no program at $LAB_PROGRAM"
        return
    fi
    build_prepare_tools "$1" "$packages_to_run"
    build_preset release "${2:-bank-api}"
}
