# A client of the bank API: requests, and the values in the answers. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

# api_get PATH
api_get() { server_curl --max-time 10 "$server_url$1" || api_has_no_answer; }

api_has_no_answer() {
    warn "no answer from the bank API (its log: $server_log)"
    return 1
}

# api_post PATH [JSON]
api_post() {
    if (($# > 1)); then
        server_curl --max-time 60 -X POST "$server_url$1" -H 'Content-Type: application/json' -d "$2"
    else
        server_curl --max-time 10 -X POST "$server_url$1"
    fi || api_has_no_answer
}

# api_setting PATH: changes a setting, and prints the command that does the same.
api_setting() {
    api_print_post "$1"
    api_post "$1" >/dev/null
}

# api_print_post PATH: the command, in two lines on a narrow terminal.
api_print_post() {
    local command="  \$ curl -X POST '$server_url$1'"
    ((${#command} <= terminal_columns)) || command="  \$ curl -X POST \\"$'\n'"      '${server_url#http://}$1'"
    say "$command"
}

# api_print_transfer FROM TO AMOUNT [&]: the command; with & it runs in the background, so that the next one starts at
# once.
api_print_transfer() {
    local command header="-H 'Content-Type: application/json'" data
    data="-d '$(api_transfer_json "${@:1:3}")'"
    command="  \$ curl -X POST $server_url/transfer \\"$'\n'"      $header \\"$'\n'
    # A JSON text may have spaces and line ends between its members.
    ((${#data} + 8 <= terminal_columns)) || data=${data/,\"to_account/,$'\n           '\"to_account}
    say "$command      $data${4:+ $4}"
}

# api_value KEY JSON: the scalar at that key. The server writes compact JSON, and the objects that are read here
# have no objects in them.
api_value() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" <<<"$2"; }

# Money with two decimals, however many the JSON number has, and the sign before the currency.
api_money() {
    local amount
    LC_ALL=C printf -v amount '%.2f' "$1"
    [[ $amount != -* ]] || printf -- '-'
    printf '$%s' "${amount#-}"
}

# api_balance ACCOUNT
api_balance() {
    local body
    body=$(api_get "/accounts/$1")
    api_money "$(api_value balance "$body")"
}

# api_metric NAME [LABEL="value"]: the sum of its samples; with a label, of the samples that have it.
api_metric() {
    api_get /metrics | awk -v name="$1" -v label="${2:-}" '
        { series = $1; sub(/\{.*/, "", series) }
        series == name && index($1, label) { sum += $2 }
        END { printf "%g", sum }'
}

api_transfer_json() { printf '{"from_account":"%s","to_account":"%s","amount":%s}' "$@"; }

# api_transfer FROM TO AMOUNT: the body of the answer, or "no answer".
api_transfer() { api_post /transfer "$(api_transfer_json "$@")" || printf 'no answer'; }

# api_outcome BODY: "success", "failed_insufficient_funds", or what went wrong.
api_outcome() {
    local status
    status=$(api_value status "$1")
    [[ ! $status =~ ^[0-9]+$ ]] || status="HTTP $status"
    printf '%s' "${status:-$1}"
}
