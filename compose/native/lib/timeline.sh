# Draws races: what each transfer did and when. The picture is made by race.jq. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# timeline_run FILTER [JQ_OPTION...]: runs a filter that uses race.jq on the answers of the bank at its standard input.
timeline_run() {
    local filter=$1 colors='{}'
    shift
    if terminal_has_color; then
        printf -v colors '{"negative":"%s","stale":"%s","waiting":"%s","head":"%s","plain":"%s"}' "$terminal_red" \
            "$terminal_yellow" "$terminal_dim" "$terminal_bold" "$terminal_plain"
        colors=${colors//$'\e'/\\u001b}
    fi
    jq -r -L "$lab_root/compose/native/lib" --argjson width "$terminal_columns" --argjson color "$colors" "$@" \
        "include \"race\"; $filter"
}

# shellcheck disable=SC2016 # jq's own
timeline_together='map(select(.transfers)) | if . == [] then "  (nothing was recorded)" else model | drawn end'

# timeline_draw TRANSFER_ID...: draws these transfers together, also where they did not meet.
timeline_draw() {
    local id
    if (($# == 0)); then
        say "  (nothing was recorded)"
        return
    fi
    for id in "$@"; do api_get "/races/$id"; done | timeline_run "$timeline_together" --slurp
}
