# The acts of the demo: what is done, what has to be seen, what was seen. Sourced by lab.
# An act reports itself to story_verdict, and the acts after it go on whatever it showed.
# shellcheck disable=SC2016 # dollars of money
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

story_delay_ms=200

story_play() {
    story_rows=()
    story_failed=false
    story_double_spends=0
    act_normal
    act_two_at_once
    act_delay
    act_barrier
    act_metrics
    act_fix
    act_log
}

story_open() { printf '\n%s%s== %s%s\n' "$terminal_bold" "$terminal_cyan" "$1" "$terminal_plain"; }
story_do() { say "We do      $1"; }
story_expect() { say "We expect  $1"; }
story_saw() { say "${terminal_bold}We saw     $1${terminal_plain}"; }

# story_verdict ACT MUST SHOWED true|false|either
story_verdict() {
    story_rows+=("$1|$2|$3|$4")
    [[ $4 != false ]] || story_failed=true
}

story_is() { if "$@"; then printf true; else printf false; fi; }

# What a pair of transfers came to, in a line. Counts the double spends, for the metrics act.
story_judge_pair() {
    local successes=0 outcome
    for outcome in "$bank_outcome_1" "$bank_outcome_2"; do
        [[ $outcome != success ]] || successes=$((successes + 1))
    done
    pair_raced=false pair_refused=false
    if ((successes == 2)) && [[ $bank_alice == '$-600.00' ]]; then
        pair_raced=true
        story_double_spends=$((story_double_spends + 1))
        pair_showed="both succeed, Alice at $bank_alice"
    elif ((successes == 1)) && [[ $bank_outcome_1$bank_outcome_2 == *failed_insufficient_funds* && $bank_alice == '$200.00' ]]; then
        pair_refused=true
        pair_showed="one refused, Alice at $bank_alice"
    else
        pair_showed="$bank_outcome_1 / $bank_outcome_2, Alice at $bank_alice"
    fi
}

story_pair() {
    bank_race
    story_judge_pair
    say ""
    timeline_draw
    say ""
}

act_normal() {
    story_open 'Act 1 of 7: one transfer, nothing special'
    story_do "reset (Alice \$1000, Bob \$500, Charlie \$200), then move \$100 from Alice to Bob"
    story_expect "Alice at \$900.00, Bob at \$600.00"
    bank_post /reset >/dev/null
    local outcome alice bob good
    outcome=$(bank_transfer_status alice bob 100)
    alice=$(bank_balance alice)
    bob=$(bank_balance bob)
    good=$(story_is [ "$outcome $alice $bob" = 'success $900.00 $600.00' ])
    story_saw "$outcome: Alice at $alice, Bob at $bob"
    story_verdict '1 one transfer' "success, Alice at \$900.00" "$outcome, Alice at $alice" "$good"
}

act_two_at_once() {
    story_open 'Act 2 of 7: two transfers at once, no help'
    story_do "two transfers of \$800 out of Alice's \$1000 at once, to Bob and to Charlie"
    story_expect 'nothing certain: each reads, checks, deducts; it depends on who reads when'
    story_pair
    local good=false
    if $pair_raced || $pair_refused; then good=either; fi
    story_saw "$pair_showed"
    story_verdict '2 two at once' 'not certain by design' "$pair_showed" "$good"
}

act_delay() {
    story_open "Act 3 of 7: a delay between the read and the check"
    bank_setting "/admin/delay?enabled=true&ms=$story_delay_ms"
    story_do "the same, but each transfer sleeps $story_delay_ms ms after its read: the window is wide open"
    story_expect "both read \$1000.00, both succeed: Alice at \$-600.00"
    local tries
    # On a machine busy enough the second request may come after the window: that is no fault of the bank.
    for tries in 1 2 3; do
        story_pair
        ! $pair_raced || break
        ((tries == 3)) || say "The second one came after the first had ended: once more."
    done
    story_saw "$pair_showed"
    story_verdict '3 the delay' "both succeed, Alice at \$-600.00" "$pair_showed" "$pair_raced"
}

act_barrier() {
    story_open 'Act 4 of 7: a barrier makes it certain'
    bank_setting '/admin/barrier?enabled=true&count=2'
    story_do 'the same, but nobody goes on to the check before both have read'
    story_expect "both read \$1000.00, both succeed: Alice at \$-600.00, every time"
    story_pair
    story_saw "$pair_showed: \$1600 were spent out of \$1000"
    story_verdict '4 the barrier' "both succeed, Alice at \$-600.00" "$pair_showed" "$pair_raced"
}

act_metrics() {
    story_open 'Act 5 of 7: the metrics saw it'
    story_do "ask /metrics how many transfers acted on a stale balance, and how many overdrew"
    story_expect "$story_double_spends of each, and Alice at -600"
    local races spends alice good
    races=$(bank_metric race_condition_hits_total)
    spends=$(bank_metric double_spend_detected_total)
    alice=$(bank_metric account_balance 'account_id="alice"')
    bank_get /metrics | grep -E '^(race_condition_hits_total|double_spend_detected_total|transfers_total|account_balance)' |
        grep -v ' 0$' | sed 's/^/  /' || true
    good=$(story_is [ "$races $spends $alice" = "$story_double_spends $story_double_spends -600" ])
    story_saw "$races races, $spends double spends, Alice at $alice"
    story_verdict '5 the metrics' "$story_double_spends races, $story_double_spends double spends" \
        "$races races, $spends double spends" "$good"
}

act_fix() {
    story_open 'Act 6 of 7: the fix, with barrier and delay still on'
    bank_setting '/admin/transactions?enabled=true'
    story_do 'the same two, each in a transaction that locks the rows it reads (SELECT ... FOR UPDATE)'
    story_expect "one succeeds, the other waits, reads \$200.00 and is refused: Alice at \$200.00"
    story_pair
    story_saw "$pair_showed"
    story_verdict '6 the fix' "one refused, Alice at \$200.00" "$pair_showed" "$pair_refused"
}

act_log() {
    story_open 'Act 7 of 7: the transaction log'
    story_do "ask /transactions?limit=5 what the fix left behind"
    story_expect 'two records, one of them failed_insufficient_funds; no money made or lost (drift)'
    local records success refused drift must showed
    records=$(bank_get '/transactions?limit=5' | sed 's/},{/}\n{/g')
    act_log_print "$records"
    success=$(grep -c '"status":"success"' <<<"$records" || true)
    refused=$(grep -c '"status":"failed_insufficient_funds"' <<<"$records" || true)
    drift=$(cluster_psql -X -q -At -c 'SELECT drift FROM money_supply')
    must='1 success, 1 refused, drift $0.00'
    showed="$success success, $refused refused, drift \$$drift"
    story_saw "$showed"
    story_verdict '7 the log' "$must" "$showed" "$(story_is [ "$showed" = "$must" ])"
}

act_log_print() {
    local record
    while IFS= read -r record; do
        printf '  %s  %-7s -> %-7s %8s  read %8s, left %8s  %s\n' \
            "$(bank_value id "$record")" "$(bank_value from_account "$record")" "$(bank_value to_account "$record")" \
            "$(bank_money "$(bank_value amount "$record")")" \
            "$(bank_money "$(bank_value from_balance_before "$record")")" \
            "$(bank_money "$(bank_value from_balance_after "$record")")" "$(bank_value status "$record")"
    done <<<"$1"
}

# The table the demo ends with.
story_print_verdicts() {
    local row act must showed good mark
    printf '\n%s%-14s | %-33s | %-33s | %s%s\n' "$terminal_bold" act 'must show' showed verdict "$terminal_plain"
    printf '%s\n' '---------------+-----------------------------------+-----------------------------------+-----------'
    for row in "${story_rows[@]}"; do
        IFS='|' read -r act must showed good <<<"$row"
        case $good in
            true)   mark="${terminal_green}as it must${terminal_plain}" ;;
            either) mark="${terminal_green}fine${terminal_plain}" ;;
            *)      mark="${terminal_red}WRONG${terminal_plain}" ;;
        esac
        printf '%-14s | %-33s | %-33s | %s\n' "$act" "$must" "$showed" "$mark"
    done
}
