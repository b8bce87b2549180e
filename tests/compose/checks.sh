# The checks after `docker compose up -d --wait` has returned. Sourced by run.
# shellcheck shell=bash disable=SC2154 # the parts share their variables

bank=http://localhost:8000

checks_run() {
    check_all_healthy
    check_loopback_only
    check_confinement
    check_image_size
    check_race
    check_eventually "Prometheus has counted it" prometheus_counts_a_double_spend
    check_eventually "Jaeger has the traces of all four transfers" jaeger_has_every_transfer
    check_traces
    check_restart
}

check() {
    say "holds: $1"
}

# check_eventually TITLE COMMAND: waits, because metrics are scraped and traces exported a moment later.
check_eventually() {
    local tries=120
    until "$2"; do
        ((tries-- > 0)) || fail "not within 60 s: $1"
        sleep 0.5
    done
    check "$1"
}

check_all_healthy() {
    local service
    for service in $(docker compose config --services); do
        [[ $(docker inspect --format '{{.State.Health.Status}}' "$(docker compose ps --quiet "$service")") == healthy ]] ||
            fail "$service is not healthy though --wait returned"
    done
    check "every service is healthy: $(docker compose config --services | sort | paste -sd ' ')"
}

check_loopback_only() {
    local published
    published=$(docker compose ps --format '{{range .Publishers}}{{if .PublishedPort}}{{.URL}}:{{.PublishedPort}} {{end}}{{end}}')
    [[ -n $published ]] || fail "nothing is published"
    if grep -qvE '^(127\.0\.0\.1:[0-9]+ *)*$' <<<"$published"; then fail "published beyond 127.0.0.1: $published"; fi
    check "published on 127.0.0.1 only: $(tr -s ' \n' ' ' <<<"$published")"
}

check_confinement() {
    local container facts
    container=$(docker compose ps --quiet lab21-bank-api)
    facts=$(docker inspect --format '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}' "$container")
    [[ $facts == '10001:10001 true [ALL]' ]] || fail "bank-api is not confined: $facts"
    facts=$(docker exec "$container" cat /proc/1/status | grep -E '^(CapEff|CapBnd|NoNewPrivs):' | tr -s '[:space:]' ' ')
    [[ $facts == 'CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 ' ]] ||
        fail "bank-api has capabilities, or may gain privileges: $facts"
    check "bank-api runs as 10001, read-only, without capabilities and without gaining any"
}

check_image_size() {
    local megabytes
    megabytes=$(($(docker image inspect --format '{{.Size}}' race-conditions-lab/bank-api) / 1000000))
    ((megabytes < 120)) || fail "the image of bank-api has $megabytes MB"
    check "the image of bank-api has $megabytes MB"
}

post() { curl --fail --silent --show-error --max-time 60 -X POST "$bank$1" "${@:2}"; }

pay() {
    post /transfer -H 'Content-Type: application/json' \
        -d "{\"from_account\": \"alice\", \"to_account\": \"$1\", \"amount\": 800}" >/dev/null
}

alice_has() { curl --fail --silent "$bank/accounts/alice" | grep -q "\"balance\": *$1[,}]"; }

check_race() {
    post /reset >/dev/null
    post '/admin/barrier?enabled=true&count=2' >/dev/null
    pay bob &
    pay charlie
    wait $!
    alice_has -600.0 || fail "no double spend: $(curl --silent "$bank/accounts")"
    check "two transfers at the barrier leave Alice at -600"
    post '/admin/transactions?enabled=true' >/dev/null
    post /reset >/dev/null
    pay bob &
    pay charlie
    wait $!
    alice_has 200.0 || fail "the fix does not hold: $(curl --silent "$bank/accounts")"
    check "in safe mode the same two leave Alice at 200"
    post '/admin/barrier?enabled=false' >/dev/null
    post '/admin/transactions?enabled=false' >/dev/null
    post /reset >/dev/null
}

# Answers other than {"result":[]} hold a value.
prometheus_counts_a_double_spend() {
    curl --silent --get 'http://localhost:9090/api/v1/query' \
        --data-urlencode 'query=sum(double_spend_detected_total) > 0' | grep -q '"value":'
}

# jaeger_traces [TAGS]: the traces of service bank-api, operation transfer.
jaeger_traces() {
    curl --silent --get 'http://localhost:16686/api/traces' --data-urlencode 'service=bank-api' \
        --data-urlencode 'operation=transfer' --data-urlencode "tags=${1:-{\}}"
}

jaeger_has_every_transfer() { (($(jaeger_traces | jq '.data | length') == 4)); }

# One of the four transfers raced. The tag finds only that one, and its link leads to the other racer.
check_traces() {
    local racer other
    racer=$(jaeger_traces '{"race_condition.detected":"true"}' | jq -r '.data[].traceID')
    [[ $racer =~ ^[0-9a-f]{32}$ ]] || fail "not one trace has race_condition.detected=true, but: ${racer:-none}"
    check "race_condition.detected=true finds the racer, and nothing of safe mode"
    other=$(curl --silent "http://localhost:16686/api/traces/$racer" | jq -r --arg racer "$racer" '
        .data[].spans[] | select(.operationName == "transfer") | .references[].traceID | select(. != $racer)')
    [[ $(curl --silent "http://localhost:16686/api/traces/$other" |
        jq -r '[.data[].spans[].operationName] | index("transfer") != null') == true ]] ||
        fail "the racer's trace $racer does not lead to the other's: ${other:-no link}"
    check "its link opens the other racer's trace"
}

bank_is_healthy() { curl --silent "$bank/health" | grep -q '"status":"ok"'; }

# A stop within the grace period ends with status 0; the restart brings it back.
check_restart() {
    local container
    container=$(docker compose ps --quiet lab21-bank-api)
    docker compose stop lab21-bank-api >/dev/null 2>&1
    [[ $(docker inspect --format '{{.State.ExitCode}}' "$container") == 0 ]] || fail "bank-api did not stop in order"
    docker compose start lab21-bank-api >/dev/null 2>&1
    check_eventually "bank-api stops with status 0 and comes back" bank_is_healthy
}
