# The verbs compare and bench: they build, and run the programs of loadtest/. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_compare() { measure_run compare "$packages_to_compare" "$@"; }
lab_bench() { measure_run bench "$packages_to_bench" "$@"; }

# measure_run NAME PACKAGES [OPTION...]: all options but --no-install are passed to the program.
measure_run() {
    local name=$1 packages=$2 install=true options=() option
    shift 2
    measure_check_options "$name" "$@"
    for option in "$@"; do
        if [[ $option == --no-install ]]; then install=false; else options+=("$option"); fi
    done
    mkdir -p "$lab_state"
    build_prepare "$install"
    build_prepare_tools "$install" "$packages"
    [[ $name != bench ]] || measure_find_nginx "$install"
    # pgbench is beside the other server programs; PATH may have no link to it.
    cluster_find_programs 14
    PATH=$PATH:$cluster_programs:$lab_state/nginx/usr/sbin BANK_API=$(build_program release) PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 "$lab_root/loadtest/$name.py" "${options[@]}"
}

# measure_check_options NAME [OPTION...]: the program checks its options too, but only after minutes of installing and
# building. An option that the help text does not describe is refused here.
measure_check_options() {
    local name=$1 known option value
    known=$(lab_help "$name")
    shift
    while (($#)); do
        option=${1%%=*} value=''
        # The help text has a capital word behind an option that takes a value.
        if [[ ! $option =~ ^--[a-z-]+$ ]] || ! grep -Eq -- "^  $option( |$)" <<<"$known"; then
            fail "$name: no option '$1': './lab $name --help' lists them"
        elif grep -Eq -- "^  $option [A-Z]+" <<<"$known"; then
            if [[ $1 == *=* ]]; then value=${1#*=}; else value=${2:-}; shift; fi
            [[ -n $value ]] || fail "$name: $option wants a value: './lab $name --help' describes it"
            [[ ! $option =~ ^--(rounds|runs|seconds)$ || $value =~ ^[1-9][0-9]*$ ]] ||
                fail "$name: $option wants a number of at least 1, not '$value'"
            [[ $option != --clients || $value =~ ^[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*$ ]] ||
                fail "$name: --clients wants numbers with commas between them, such as 2,8,32, not '$value'"
            [[ $option != --only || $value =~ ^(transfers|reads|health)$ ]] ||
                fail "$name: --only wants transfers, reads or health, not '$value'"
        fi
        shift
    done
}

# Installing nginx' package would start a service on this machine. So it is unpacked below .lab.
measure_find_nginx() {
    if command -v nginx >/dev/null || [[ -x $lab_state/nginx/usr/sbin/nginx ]]; then return; fi
    $1 || fail "missing: nginx (install it, or run without --no-install)"
    packages_fetch "$lab_state/nginx" usr/sbin/nginx "Fetching nginx, into .lab/nginx" "$lab_state/nginx.log" \
        packages_unpack_privately nginx ||
        fail "nginx could not be fetched (whole log: $lab_state/nginx.log): install it, then run again"
}
