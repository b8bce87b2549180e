# The verb proxy: runs race-proxy in the foreground, before the database of `./lab up` or another one. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_proxy() {
    local install=true arguments=() own=true listen=127.0.0.1:6432 http=127.0.0.1:6433 argument previous='' program
    for argument in "$@"; do
        case $argument in
            --no-install) install=false; continue ;;
            --upstream | --upstream=* | --version) own=false ;;
            --listen=*) listen=${argument#*=} ;;
            --http=*) http=${argument#*=} ;;
        esac
        [[ $previous != --listen ]] || listen=$argument
        [[ $previous != --http ]] || http=$argument
        previous=$argument
        arguments+=("$argument")
    done
    cluster_use "$lab_state"
    ! $own || cluster_is_running || fail "proxy: the lab's database does not run: './lab up' starts it, or name another one with --upstream"
    [[ $install == false || -n ${LAB_PROGRAM:-} ]] || packages_ensure true "$(packages_grammar)"
    build_prepare "$install" race-proxy
    program=$(build_beside race-proxy)
    [[ -x $program ]] || fail "LAB_PROGRAM: no race-proxy beside it: there is no $program"
    ! $own || proxy_use_lab "$listen"
    proxy_show_to_prometheus "$http"
    exec "$program" "${arguments[@]}" 6>&- 8>&- 9>&-
}

# The proxy connects by TCP, as its clients do: by the socket, every client would be let in without a password. Its own
# session, which asks for locks, has the password from the environment, where other users cannot read it.
proxy_use_lab() {
    export PGPASSWORD
    PGPASSWORD=$(<"$cluster_home/password")
    arguments=(--upstream "host=127.0.0.1 port=$cluster_port user=$cluster_user dbname=$cluster_database" "${arguments[@]}")
    say "  For the application   DATABASE_URL=postgresql://$cluster_user:PASSWORD@$1/$cluster_database"
    say "                        (password: $cluster_home/password)"
    say "  Ctrl-C ends the proxy; the lab stays up"
}

# The Prometheus of `lab up --observe` scrapes the proxy from now on. The target stays when the proxy has ended.
proxy_show_to_prometheus() {
    local address=$1
    observe_use "$lab_state"
    if observe_is_running && [[ $address != off ]]; then
        [[ $address == *:* ]] || address=127.0.0.1:$address
        observe_write_target race-proxy "$address"
    fi
}
