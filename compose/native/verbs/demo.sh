# The verb demo: a scenario of seven steps in a sandbox. A step says what it does, what must be seen and what was seen,
# and passes that to scenario_verdict. A step that failed does not keep the next ones from being run. Sourced by lab.
# shellcheck disable=SC2016 # dollars of money
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_demo() {
    local install=true started
    demo_step='' demo_pauses=false
    while (($#)); do
        case $1 in
            --no-install) install=false ;;
            --pause)      demo_pauses=true ;;
            --act)        lab_needs_value "$@"; demo_step=$2; shift ;;
            --act=*)      lab_needs_value --act "${1#*=}"; demo_step=${1#*=} ;;
            *)            fail "demo: no option '$1': './lab demo --help' lists them" ;;
        esac
        shift
    done
    [[ -z $demo_step || $demo_step =~ ^[1-7]$ ]] || fail "demo: --act wants a number from 1 to 7, not '$demo_step'"
    ! $demo_pauses || [[ -t 0 && -t 1 ]] ||
        fail "demo: --pause waits for Enter, so it needs a terminal: leave it out where there is none"
    started=$(terminal_now)
    sandbox_open "$lab_state/demo" 'the demo'
    packages_ensure "$install" "$packages_to_play"
    sandbox_start "$install"
    scenario_run
    sandbox_unfinished=false
    demo_close
    scenario_print_verdicts
    say ""
    ! $scenario_failed || fail "not every step showed what it must (logs: $sandbox_place)"
    demo_print_end "$(terminal_seconds_since "$started")"
}

# demo_print_end SECONDS
demo_print_end() {
    local verdict='The race, the barrier and the fix: all seen.'
    [[ -z $demo_step ]] || verdict="Step $demo_step showed what it must."
    printf '%s' "$terminal_green"
    say_wrapped "" "$verdict $1 s, and nothing is left running."
    printf '%s' "$terminal_plain"
    ((terminal_columns >= scenario_table_width)) || say "A terminal of 100 columns shows more beside each other."
}

# The last step: a server that gets SIGTERM answers the requests it has, and ends with status 0.
demo_close() {
    server_stop || true
    scenario_verdict 'the end' 'the server stops: exit status 0' "exit status ${server_exit_status:-unknown}" \
        "$(scenario_is [ "$server_exit_status" = 0 ])"
}

scenario_delay_ms=200

scenario_steps=(step_normal step_two_at_once step_delay step_barrier step_metrics step_fix step_log)

# All steps, or the one of --act after what the steps before it have left.
scenario_run() {
    local step
    scenario_rows=()
    scenario_failed=false
    scenario_double_spends=0
    if [[ -n $demo_step ]]; then
        scenario_prepare "$demo_step"
        "${scenario_steps[demo_step - 1]}"
        return
    fi
    for step in "${scenario_steps[@]}"; do
        [[ $step == step_normal ]] || scenario_pause
        "$step"
    done
}

# scenario_prepare STEP: the settings that the step needs, and the pair of transfers that it looks at.
scenario_prepare() {
    (($1 < 4)) || say $'\n'"Step $1 needs what the steps before it do:"
    (($1 < 4)) || api_setting "/admin/delay?enabled=true&ms=$scenario_delay_ms"
    (($1 < 5)) || api_setting '/admin/barrier?enabled=true&count=2'
    (($1 < 7)) || api_setting '/admin/transactions?enabled=true'
    case $1 in 5 | 7) scenario_pair ;; esac
}

# With --pause: waits for Enter, and removes the line that asks for it. After the end of the input nothing waits.
scenario_pause() {
    $demo_pauses || return 0
    printf '\n%sEnter: the next step. Ctrl-C: the end.%s ' "$terminal_bold" "$terminal_plain"
    if read -r -s; then
        printf '\r\e[K\e[A'
    else
        demo_pauses=false
        say ""
    fi
}

scenario_open() { printf '\n%s%s== %s%s\n' "$terminal_bold" "$terminal_cyan" "$1" "$terminal_plain"; }
scenario_do() { say_wrapped 'We do      ' "$1"; }
scenario_expect() { say_wrapped 'We expect  ' "$1"; }
scenario_saw() {
    printf '%s' "$terminal_bold"
    say_wrapped 'We saw     ' "$1"
    printf '%s' "$terminal_plain"
}

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
    if ((successes == 2)) && [[ $race_alice == '-$600.00' ]]; then
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
    api_print_transfer alice bob 800 '&'
    api_print_transfer alice charlie 800 '&'
    scenario_pair_again
}

scenario_pair_again() {
    scenario_race
    scenario_judge_pair
    say ""
    timeline_draw "${race_ids[@]}"
    say ""
}

step_normal() {
    scenario_open 'Step 1 of 7: one transfer, nothing special'
    scenario_do "reset (Alice \$1000, Bob \$500, Charlie \$200), then move \$100 from Alice to Bob"
    scenario_expect "Alice at \$900.00, Bob at \$600.00"
    api_post /reset >/dev/null
    local outcome alice bob good
    api_print_transfer alice bob 100
    outcome=$(api_outcome "$(api_transfer alice bob 100)")
    alice=$(api_balance alice)
    bob=$(api_balance bob)
    good=$(scenario_is [ "$outcome $alice $bob" = 'success $900.00 $600.00' ])
    scenario_saw "$outcome: Alice at $alice, Bob at $bob"
    scenario_verdict '1 one transfer' "success, Alice at \$900.00" "$outcome, Alice at $alice" "$good"
}

step_two_at_once() {
    scenario_open 'Step 2 of 7: two at once, without delay or barrier'
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
    scenario_expect "both read \$1000.00, both succeed: Alice at -\$600.00"
    local tries
    # On a busy machine the second request may arrive after the delay of the first: then the pair is tried again.
    scenario_pair
    for tries in 1 2 3; do
        ! $pair_raced || break
        ((tries < 3)) || break
        say_wrapped "" "The second transfer came after the first had ended: the pair is tried again."
        scenario_pair_again
    done
    scenario_saw "$pair_showed"
    scenario_verdict '3 the delay' "both succeed, Alice at -\$600.00" "$pair_showed" "$pair_raced"
}

step_barrier() {
    scenario_open 'Step 4 of 7: a barrier makes it certain'
    api_setting '/admin/barrier?enabled=true&count=2'
    scenario_do 'the same, but each waits at the barrier until both have read'
    scenario_expect "both read \$1000.00, both succeed: Alice at -\$600.00, every time"
    scenario_pair
    scenario_saw "$pair_showed: \$1600 were spent out of \$1000"
    scenario_verdict '4 the barrier' "both succeed, Alice at -\$600.00" "$pair_showed" "$pair_raced"
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
        grep -v ' 0$' | step_metrics_print || true
    good=$(scenario_is [ "$races $spends $alice" = "$scenario_double_spends $scenario_double_spends -600" ])
    scenario_saw "$races raced, $spends double spends, Alice at $alice"
    scenario_verdict '5 the metrics' "$scenario_double_spends raced, $scenario_double_spends double spends" \
        "$races raced, $spends double spends" "$good"
}

# A line for each sample; on a narrow terminal its labels have a line of their own.
step_metrics_print() {
    local line
    while IFS= read -r line; do
        if ((${#line} + 2 <= terminal_columns)); then
            say "  $line"
        else
            say "  ${line%%\{*}"
            say "    {${line#*\{}"
        fi
    done
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
    showed="$success success, $refused refused, drift $(api_money "$drift")"
    scenario_saw "$showed"
    scenario_verdict '7 the log' "$must" "$showed" "$(scenario_is [ "$showed" = "$must" ])"
}

step_log_print() {
    local record id from to amount before after status
    while IFS= read -r record; do
        id=$(api_value id "$record") from=$(api_value from_account "$record") to=$(api_value to_account "$record")
        amount=$(api_money "$(api_value amount "$record")") status=$(api_value status "$record")
        before=$(api_money "$(api_value from_balance_before "$record")")
        after=$(api_money "$(api_value from_balance_after "$record")")
        say_wrapped "  $id  " "$from -> $to $amount: read $before, left $after, $status"
    done <<<"$1"
}

scenario_table_width=95

# The table at the end of the demo; on a narrow terminal a few lines for each step.
scenario_print_verdicts() {
    local row step must showed good mark
    if ((terminal_columns >= scenario_table_width)); then
        printf '\n%s%-14s | %-33s | %-33s | %s%s\n' "$terminal_bold" step 'must show' showed verdict "$terminal_plain"
        printf '%s\n' '---------------+-----------------------------------+-----------------------------------+--------'
    else
        say ""
    fi
    for row in "${scenario_rows[@]}"; do
        IFS='|' read -r step must showed good <<<"$row"
        case $good in
            true | either) mark="${terminal_green}ok${terminal_plain}" ;;
            *)             mark="${terminal_red}WRONG${terminal_plain}" ;;
        esac
        if ((terminal_columns >= scenario_table_width)); then
            printf '%-14s | %-33s | %-33s | %s\n' "$step" "$must" "$showed" "$mark"
        else
            say "$terminal_bold$step$terminal_plain: $mark"
            say_wrapped '  must show  ' "$must"
            say_wrapped '  showed     ' "$showed"
        fi
    done
}

# Two transfers of $800 at the same time. Sets race_outcome_1, race_outcome_2, race_alice, her balance, and race_ids.
scenario_race() {
    local folder=$sandbox_place/answers number id
    mkdir -p "$folder"
    api_post /reset >/dev/null
    api_transfer alice bob 800 >"$folder/1" &
    local first=$!
    api_transfer alice charlie 800 >"$folder/2" &
    local second=$!
    wait "$first" "$second"
    race_ids=()
    for number in 1 2; do
        printf -v "race_outcome_$number" '%s' "$(api_outcome "$(<"$folder/$number")")"
        id=$(api_value id "$(<"$folder/$number")")
        [[ -z $id ]] || race_ids+=("$id")
    done
    race_alice=$(api_balance alice)
}
