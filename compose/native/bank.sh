# The demo's client of the bank API: requests, and the values in its answers. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# bank_get PATH
bank_get() { server_curl --max-time 10 "$server_url$1" || bank_has_no_answer; }

bank_has_no_answer() {
    warn "no answer from the bank API (its log: $server_log)"
    return 1
}

# bank_post PATH [JSON]
bank_post() {
    if (($# > 1)); then
        server_curl --max-time 60 -X POST "$server_url$1" -H 'Content-Type: application/json' -d "$2"
    else
        server_curl --max-time 10 -X POST "$server_url$1"
    fi || bank_has_no_answer
}

# bank_setting PATH: changes a setting, and shows the command that does it.
bank_setting() {
    say_dim "  \$ curl -X POST '$server_url$1'"
    bank_post "$1" >/dev/null
}

# bank_value KEY JSON: the scalar at that key. The server writes compact JSON, and what is
# asked for here is flat.
bank_value() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" <<<"$2"; }

# As people write money: two decimals, whatever the JSON number has.
bank_money() { LC_ALL=C printf '$%.2f' "$1"; }

# bank_balance ACCOUNT
bank_balance() {
    local body
    body=$(bank_get "/accounts/$1")
    bank_money "$(bank_value balance "$body")"
}

# bank_metric NAME [LABEL="value"]: the sum of its samples, those with the label only.
bank_metric() {
    bank_get /metrics | awk -v name="$1" -v label="${2:-}" '
        { series = $1; sub(/\{.*/, "", series) }
        series == name && index($1, label) { sum += $2 }
        END { printf "%g", sum }'
}

bank_transfer_json() { printf '{"from_account":"%s","to_account":"%s","amount":%s}' "$@"; }

# bank_transfer_status FROM TO AMOUNT: "success", "failed_insufficient_funds", or what went wrong instead.
bank_transfer_status() {
    local body status
    body=$(bank_post /transfer "$(bank_transfer_json "$@")") || { printf 'no answer'; return; }
    status=$(bank_value status "$body")
    [[ ! $status =~ ^[0-9]+$ ]] || status="HTTP $status"
    printf '%s' "${status:-$body}"
}

# Two transfers of $800 at the same time; the outcomes go to bank_outcome_1 and bank_outcome_2.
bank_race() {
    local folder=$stage_place/answers
    mkdir -p "$folder"
    bank_post /reset >/dev/null
    bank_transfer_status alice bob 800 >"$folder/1" &
    local first=$!
    bank_transfer_status alice charlie 800 >"$folder/2" &
    local second=$!
    wait "$first" "$second"
    bank_outcome_1=$(<"$folder/1")
    bank_outcome_2=$(<"$folder/2")
    bank_alice=$(bank_balance alice)
}
