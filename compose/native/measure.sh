# The verbs compare and bench: they build, and hand over to the programs of loadtest/. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_compare() { measure_run compare "$packages_to_compare" "$@"; }
lab_bench() { measure_run bench "$packages_to_bench" "$@"; }

# measure_run NAME PACKAGES [OPTION...]: all options but --no-install are the program's.
measure_run() {
    local name=$1 packages=$2 install=true options=() option
    shift 2
    for option in "$@"; do
        if [[ $option == --no-install ]]; then install=false; else options+=("$option"); fi
    done
    mkdir -p "$lab_state"
    build_prepare "$install"
    build_prepare_tools "$install" "$packages"
    [[ $name != bench ]] || measure_find_nginx "$install"
    # pgbench stands beside the other server programs where no link in PATH leads to it.
    cluster_find_programs 14
    PATH=$PATH:$cluster_programs:$lab_state/nginx/usr/sbin BANK_API=$(build_program release) PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 "$lab_root/loadtest/$name.py" "${options[@]}"
}

# nginx' package would start a service on this machine: where there is none, it is unpacked below .lab instead.
measure_find_nginx() {
    if command -v nginx >/dev/null || [[ -x $lab_state/nginx/usr/sbin/nginx ]]; then return; fi
    $1 || fail "missing: nginx (install it, or run without --no-install)"
    packages_fetch "$lab_state/nginx" usr/sbin/nginx "Fetching nginx, into .lab/nginx" "$lab_state/nginx.log" \
        packages_unpack_privately nginx ||
        fail "nginx could not be fetched (whole log: $lab_state/nginx.log): install it, then run again"
}
