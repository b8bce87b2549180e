# The verb demo: a scenario of seven steps in a sandbox. A step says what it does, what must be seen and what was seen,
# and passes that to scenario_verdict. A step that failed does not keep the next ones from being run. Sourced by lab.
# shellcheck disable=SC2016 # dollars of money
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
    sandbox_open "$lab_state/demo" 'the demo'
    sandbox_start "$install"
    scenario_run
    sandbox_unfinished=false
    demo_close
    scenario_print_verdicts
    say ""
    ! $scenario_failed || fail "not every step showed what it must (logs: $sandbox_place)"
    say "${terminal_green}The race, the barrier and the fix: all seen.${terminal_plain} $(terminal_seconds_since "$started") s, and nothing is left running."
}

# The last step: a server that gets SIGTERM answers the requests it has, and ends with status 0.
demo_close() {
    server_stop || true
    scenario_verdict 'the end' 'the server stops: exit status 0' "exit status ${server_exit_status:-unknown}" \
        "$(scenario_is [ "$server_exit_status" = 0 ])"
}

scenario_delay_ms=200

scenario_run() {
    scenario_rows=()
    scenario_failed=false
    scenario_double_spends=0
    step_normal
    step_two_at_once
    step_delay
    step_barrier
    step_metrics
    step_fix
    step_log
}

scenario_open() { printf '\n%s%s== %s%s\n' "$terminal_bold" "$terminal_cyan" "$1" "$terminal_plain"; }
scenario_do() { say "We do      $1"; }
scenario_expect() { say "We expect  $1"; }
scenario_saw() { say "${terminal_bold}We saw     $1${terminal_plain}"; }

# scenario_verdict STEP MUST SHOWED true|false|either
scenario_verdict() {
    scenario_rows+=("$1|$2|$3|$4")
    [[ $4 != false ]] || scenario_failed=true
}

scenario_is() { if "$@"; then printf true; else printf false; fi; }

# Puts the outcome of a pair of transfers into pair_showed, a line. Counts the double spends for the step of the
# metrics.
scenario_judge_pair() {
    local successes=0 outcome
    for outcome in "$race_outcome_1" "$race_outcome_2"; do
        [[ $outcome != success ]] || successes=$((successes + 1))
    done
    pair_raced=false pair_refused=false
    if ((successes == 2)) && [[ $race_alice == '$-600.00' ]]; then
        pair_raced=true
        scenario_double_spends=$((scenario_double_spends + 1))
        pair_showed="both succeed, Alice at $race_alice"
    elif ((successes == 1)) && [[ $race_outcome_1$race_outcome_2 == *failed_insufficient_funds* && $race_alice == '$200.00' ]]; then
        pair_refused=true
        pair_showed="one refused, Alice at $race_alice"
    else
        pair_showed="$race_outcome_1 / $race_outcome_2, Alice at $race_alice"
    fi
}

scenario_pair() {
    scenario_race
    scenario_judge_pair
    say ""
    timeline_draw
    say ""
}

step_normal() {
    scenario_open 'Step 1 of 7: one transfer, nothing special'
    scenario_do "reset (Alice \$1000, Bob \$500, Charlie \$200), then move \$100 from Alice to Bob"
    scenario_expect "Alice at \$900.00, Bob at \$600.00"
    api_post /reset >/dev/null
    local outcome alice bob good
    outcome=$(api_transfer_status alice bob 100)
    alice=$(api_balance alice)
    bob=$(api_balance bob)
    good=$(scenario_is [ "$outcome $alice $bob" = 'success $900.00 $600.00' ])
    scenario_saw "$outcome: Alice at $alice, Bob at $bob"
    scenario_verdict '1 one transfer' "success, Alice at \$900.00" "$outcome, Alice at $alice" "$good"
}

step_two_at_once() {
    scenario_open 'Step 2 of 7: two transfers at once, no help'
    scenario_do "two transfers of \$800 out of Alice's \$1000 at once, to Bob and to Charlie"
    scenario_expect 'nothing certain: each reads, checks, deducts; it depends on who reads when'
    scenario_pair
    local good=false
    if $pair_raced || $pair_refused; then good=either; fi
    scenario_saw "$pair_showed"
    scenario_verdict '2 two at once' 'not certain by design' "$pair_showed" "$good"
}

step_delay() {
    scenario_open "Step 3 of 7: a delay between the read and the check"
    api_setting "/admin/delay?enabled=true&ms=$scenario_delay_ms"
    scenario_do "the same, but each transfer sleeps $scenario_delay_ms ms after its read: the window is wide open"
    scenario_expect "both read \$1000.00, both succeed: Alice at \$-600.00"
    local tries
    # On a busy machine the second request may arrive after the delay of the first: then the pair is tried again.
    for tries in 1 2 3; do
        scenario_pair
        ! $pair_raced || break
        ((tries == 3)) || say "The second transfer came after the first had ended: the pair is tried again."
    done
    scenario_saw "$pair_showed"
    scenario_verdict '3 the delay' "both succeed, Alice at \$-600.00" "$pair_showed" "$pair_raced"
}

step_barrier() {
    scenario_open 'Step 4 of 7: a barrier makes it certain'
    api_setting '/admin/barrier?enabled=true&count=2'
    scenario_do 'the same, but nobody goes on to the check before both have read'
    scenario_expect "both read \$1000.00, both succeed: Alice at \$-600.00, every time"
    scenario_pair
    scenario_saw "$pair_showed: \$1600 were spent out of \$1000"
    scenario_verdict '4 the barrier' "both succeed, Alice at \$-600.00" "$pair_showed" "$pair_raced"
}

step_metrics() {
    scenario_open 'Step 5 of 7: the metrics saw it'
    scenario_do "ask /metrics how many transfers acted on a stale balance, and how many overdrew"
    scenario_expect "$scenario_double_spends of each, and Alice at -600"
    local races spends alice good
    races=$(api_metric race_condition_hits_total)
    spends=$(api_metric double_spend_detected_total)
    alice=$(api_metric account_balance 'account_id="alice"')
    api_get /metrics | grep -E '^(race_condition_hits_total|double_spend_detected_total|transfers_total|account_balance)' |
        grep -v ' 0$' | sed 's/^/  /' || true
    good=$(scenario_is [ "$races $spends $alice" = "$scenario_double_spends $scenario_double_spends -600" ])
    scenario_saw "$races raced, $spends double spends, Alice at $alice"
    scenario_verdict '5 the metrics' "$scenario_double_spends raced, $scenario_double_spends double spends" \
        "$races raced, $spends double spends" "$good"
}

step_fix() {
    scenario_open 'Step 6 of 7: the fix, with barrier and delay still on'
    api_setting '/admin/transactions?enabled=true'
    scenario_do 'the same two, each in a transaction that locks the rows it reads (SELECT ... FOR UPDATE)'
    scenario_expect "one succeeds, the other waits, reads \$200.00 and is refused: Alice at \$200.00"
    scenario_pair
    scenario_saw "$pair_showed"
    scenario_verdict '6 the fix' "one refused, Alice at \$200.00" "$pair_showed" "$pair_refused"
}

step_log() {
    scenario_open 'Step 7 of 7: the transaction log'
    scenario_do "ask /transactions?limit=5 for the records of the last pair"
    scenario_expect 'two records, one of them failed_insufficient_funds; no money made or lost (drift)'
    local records success refused drift must showed
    records=$(api_get '/transactions?limit=5' | sed 's/},{/}\n{/g')
    step_log_print "$records"
    success=$(grep -c '"status":"success"' <<<"$records" || true)
    refused=$(grep -c '"status":"failed_insufficient_funds"' <<<"$records" || true)
    drift=$(cluster_psql -X -q -At -c 'SELECT drift FROM money_supply')
    must='1 success, 1 refused, drift $0.00'
    showed="$success success, $refused refused, drift \$$drift"
    scenario_saw "$showed"
    scenario_verdict '7 the log' "$must" "$showed" "$(scenario_is [ "$showed" = "$must" ])"
}

step_log_print() {
    local record
    while IFS= read -r record; do
        printf '  %s  %-7s -> %-7s %8s  read %8s, left %8s  %s\n' \
            "$(api_value id "$record")" "$(api_value from_account "$record")" "$(api_value to_account "$record")" \
            "$(api_money "$(api_value amount "$record")")" \
            "$(api_money "$(api_value from_balance_before "$record")")" \
            "$(api_money "$(api_value from_balance_after "$record")")" "$(api_value status "$record")"
    done <<<"$1"
}

# The table at the end of the demo.
scenario_print_verdicts() {
    local row step must showed good mark
    printf '\n%s%-14s | %-33s | %-33s | %s%s\n' "$terminal_bold" step 'must show' showed verdict "$terminal_plain"
    printf '%s\n' '---------------+-----------------------------------+-----------------------------------+-----------'
    for row in "${scenario_rows[@]}"; do
        IFS='|' read -r step must showed good <<<"$row"
        case $good in
            true)   mark="${terminal_green}as it must${terminal_plain}" ;;
            either) mark="${terminal_green}fine${terminal_plain}" ;;
            *)      mark="${terminal_red}WRONG${terminal_plain}" ;;
        esac
        printf '%-14s | %-33s | %-33s | %s\n' "$step" "$must" "$showed" "$mark"
    done
}

# Two transfers of $800 at the same time. Sets race_outcome_1, race_outcome_2 and race_alice, her balance.
scenario_race() {
    local folder=$sandbox_place/answers
    mkdir -p "$folder"
    api_post /reset >/dev/null
    api_transfer_status alice bob 800 >"$folder/1" &
    local first=$!
    api_transfer_status alice charlie 800 >"$folder/2" &
    local second=$!
    wait "$first" "$second"
    race_outcome_1=$(<"$folder/1")
    race_outcome_2=$(<"$folder/2")
    race_alice=$(api_balance alice)
}
