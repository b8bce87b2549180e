# The state of a running bank API: version, uptime, settings, barrier and strategy. It is read from /metrics and
# /strategies, which need no token, and without jq. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# bank_state_read: asks the server at server_url. Status 1 if it does not answer.
bank_state_read() {
    local metrics strategies
    metrics=$(server_curl --max-time 5 "$server_url/metrics" 2>/dev/null) || return 1
    strategies=$(server_curl --max-time 5 "$server_url/strategies" 2>/dev/null) || return 1
    declare -gA bank_state=()
    local name value
    while read -r name value; do bank_state[$name]=$value; done < <(awk '
        { split($1, parts, "\"") }
        /^lab_setting\{/                { print parts[2], $2 }
        /^bank_api_build_info\{/        { print "version", parts[2] }
        /^process_start_time_seconds /  { print "started", $2 }
        /^barrier_waiting_count /       { print "waiting", $2 }
        /^concurrent_transfers /        { print "running", $2 }' <<<"$metrics")
    bank_state[strategy]=$(sed -n '/"selected":true/s/^"\([^"]*\)".*/\1/p' <<<"${strategies//'{"name":'/$'\n'}")
    [[ -n ${bank_state[version]:-} && -n ${bank_state[barrier_count]:-} && -n ${bank_state[strategy]} ]]
}

bank_state_uptime() {
    local seconds
    seconds=$(awk -v now="$EPOCHSECONDS" -v started="${bank_state[started]}" \
        'BEGIN { printf "%d", (now > started) ? now - started : 0 }')
    if ((seconds < 60)); then
        say "$seconds s"
    elif ((seconds < 3600)); then
        say "$((seconds / 60)) min $((seconds % 60)) s"
    else
        say "$((seconds / 3600)) h $((seconds / 60 % 60)) min"
    fi
}

bank_state_strategy() {
    if ((bank_state[use_transactions])); then
        say "${bank_state[strategy]} (safe)"
    else
        say "${bank_state[strategy]} (not safe)"
    fi
}

bank_state_delay() {
    if ((bank_state[delay_enabled])); then say "${bank_state[delay_ms]} ms"; else say "off"; fi
}

bank_state_barrier() {
    local text=off
    if ((bank_state[barrier_enabled])); then
        text="for ${bank_state[barrier_count]} transfers, ${bank_state[waiting]} waiting"
        text+=" (at most $(awk -v ms="${bank_state[barrier_timeout_ms]}" 'BEGIN { print ms / 1000 }') s)"
    fi
    say "$text"
}
