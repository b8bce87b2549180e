# The verb prove: runs race-proxy prove, before the database of `./lab up` or another one. Sourced by lab.
#
# The launcher writes to standard error: standard output is race-proxy's, which may print JSON on it.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_prove() {
    local install=true arguments=() own=true explores=false program explorer
    exec 5>&1 1>&2
    terminal_setup
    while (($# > 0)) && [[ $1 != -- ]]; do
        case $1 in
            --no-install) install=false; shift; continue ;;
            --upstream | --upstream=* | --version) own=false ;;
            --explore | --explore=*) explores=true ;;
        esac
        arguments+=("$1")
        shift
    done
    (($# > 1)) || [[ " ${arguments[*]} " == *' --version '* ]] ||
        fail "prove: give a command behind --, such as: ./lab prove -- curl -sf -X POST http://127.0.0.1:3000/withdraw"
    cluster_use "$lab_state"
    ! $own || cluster_is_running || fail "prove: the lab's database does not run: './lab up' starts it, or name another one with --upstream"
    [[ $install == false || -n ${LAB_PROGRAM:-} ]] || packages_ensure true "$(packages_grammar)"
    build_prepare "$install" race-proxy
    program=$(build_beside race-proxy)
    [[ -x $program ]] || fail "LAB_PROGRAM: no race-proxy beside it: there is no $program"
    ! $own || prove_use_lab
    if $explores; then # it explores on a PostgreSQL of its own, which its verb starts and stops
        printf -v explorer '%q explore' "$lab_root/lab"
        $install || explorer+=' --no-install'
        arguments=(--explorer "$explorer" "${arguments[@]}")
    fi
    exec "$program" prove "${arguments[@]}" "$@" >&5 5>&- 6>&- 8>&- 9>&-
}

# By TCP and with the password, as the clients of the proxy connect.
prove_use_lab() {
    export PGPASSWORD
    PGPASSWORD=$(<"$cluster_home/password")
    arguments=(--upstream "host=127.0.0.1 port=$cluster_port user=$cluster_user dbname=$cluster_database" "${arguments[@]}")
}
