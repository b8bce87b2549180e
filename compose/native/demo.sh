# The verb demo: has the story played on a stage of its own. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_demo() {
    local install=true started
    while (($#)); do
        case $1 in
            --no-install) install=false ;;
            *)            fail "demo: no option '$1': './lab demo --help' lists them" ;;
        esac
        shift
    done
    started=$(terminal_now)
    stage_open "$lab_state/demo" 'the story'
    stage_set "$install"
    story_play
    stage_plays=false
    demo_close
    story_print_verdicts
    say ""
    ! $story_failed || fail "the story did not go as it must (logs: $stage_place)"
    say "${terminal_green}The race, the barrier and the fix: all seen.${terminal_plain} $(terminal_seconds_since "$started") s, and nothing is left running."
}

# The last thing to be seen: a server that is told to stop finishes, and ends with status 0.
demo_close() {
    server_stop || true
    story_verdict 'the end' 'the server stops: exit status 0' "exit status ${server_exit_status:-unknown}" \
        "$(story_is [ "$server_exit_status" = 0 ])"
}
