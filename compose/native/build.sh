# Configures and builds a CMake preset. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

build_program() { printf '%s' "${LAB_PROGRAM:-$lab_root/build/$1/bank-api}"; }

# build_preset NAME WHAT(program|everything)
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

# Configures every time: half a second, and the presets and the packages may have changed. Who only
# wants to see the lab run need not have, nor wait for, what the tests are made of.
build_run() (
    cd "$lab_root" || exit
    local tests=ON target=()
    if [[ $2 == program ]]; then
        target=(--target bank-api)
        pkg-config --exists cmocka || tests=OFF
    fi
    cmake --preset "$1" -DLLHTTP_ROOT="$lab_state/llhttp" -DLAB_TESTS="$tests" &&
        cmake --build --preset "$1" "${target[@]}"
)

# CMake refuses a build folder that was made for another path: a checkout that was moved or copied.
build_forget_if_moved() {
    local cache="$lab_root/build/$1/CMakeCache.txt" home
    [[ -e $cache ]] || return 0
    home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$cache")
    [[ $home != "$lab_root" ]] || return 0
    say "build/$1 was made in $home: building it anew"
    rm -rf "${lab_root:?}/build/$1"
    mkdir -p "$lab_root/build/$1"
}

# What has to be there before anything can be built. build_prepare_tools INSTALL(true|false) PACKAGE_LIST...
build_prepare_tools() {
    packages_ensure "$@"
    llhttp_ensure "$1"
}

# build_prepare INSTALL(true|false): from a bare machine to the built program.
build_prepare() {
    if [[ -n ${LAB_PROGRAM:-} ]]; then
        packages_ensure "$1" "$packages_to_run"
        [[ -f $LAB_PROGRAM && -x $LAB_PROGRAM ]] || fail "LAB_PROGRAM: no program at $LAB_PROGRAM"
        return
    fi
    build_prepare_tools "$1" "$packages_to_run"
    build_preset release program
}
