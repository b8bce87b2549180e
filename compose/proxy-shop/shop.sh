#!/usr/bin/env bash
# The shop and the proxy without Docker, for docs/RUNBOOK.md: shop.sh start | log | stop. It needs a running lab
# (./lab up), python3-django and python3-psycopg2.
#
# The environment can name another folder (SHOP_PLACE), port (SHOP_PORT) and server (SHOP_UPSTREAM and SHOP_PASSWORD).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
place=${SHOP_PLACE:-${LAB_STATE:-$root/.lab}/shop}
port=${SHOP_PORT:-8001}
url=http://localhost:$port

fail() {
    printf 'shop: %s\n' "$*" >&2
    exit 1
}

answers() { curl -q --noproxy '*' -sf -o /dev/null "$url/state"; }

# wait_for WHAT PID COMMAND...
wait_for() {
    local what=$1 pid=$2 tries=600
    shift 2
    until "$@"; do
        kill -0 "$pid" 2>/dev/null || fail "$what has ended (log: $place)"
        ((tries-- > 0)) || fail "$what does not answer (log: $place)"
        sleep 0.1
    done
}

proxy_port() { sed -n 's/.*Listening on 127\.0\.0\.1:\([0-9]*\),.*/\1/p' "$place/proxy.log"; }
proxy_listens() { [[ -n $(proxy_port) ]]; }

start() {
    if answers; then
        echo "The shop answers on $url."
        return
    fi
    /usr/bin/python3 -c 'import django, psycopg2' 2>/dev/null ||
        fail "missing: python3-django or python3-psycopg2 (apt-get install python3-django python3-psycopg2)"
    mkdir -p "$place"
    # A password in a command line would be visible to every user of this machine.
    (umask 077; printf '*:*:*:*:%s\n' "${SHOP_PASSWORD:-}" >"$place/pgpass")
    # The descriptors 6, 8 and 9 are the launcher's locks.
    setsid "$root/lab" proxy --no-install --force --listen 127.0.0.1:0 \
        ${SHOP_UPSTREAM:+--upstream "$SHOP_UPSTREAM passfile='$place/pgpass'"} >"$place/proxy.log" 2>&1 </dev/null 6>&- 8>&- 9>&- &
    echo $! >"$place/proxy.pid"
    wait_for "the proxy" $! proxy_listens
    local file
    file=$(sed -n 's/.*(password: \(.*\))$/\1/p' "$place/proxy.log")
    [[ -z $file ]] || SHOP_PASSWORD=$(<"$file")
    DATABASE_URL="postgresql://bank:${SHOP_PASSWORD:-}@127.0.0.1:$(proxy_port)/bank" PYTHONUNBUFFERED=1 \
        setsid /usr/bin/python3 -B "$root/compose/proxy-shop/shop.py" runserver --noreload "127.0.0.1:$port" \
        >"$place/shop.log" 2>&1 </dev/null 6>&- 8>&- 9>&- &
    echo $! >"$place/shop.pid"
    wait_for "the shop" $! answers
    echo "The shop answers on $url. Its proxy listens on port $(proxy_port)."
}

# In Docker the log is the container's.
log() {
    if [[ -r $place/proxy.log ]]; then
        tail -n 40 "$place/proxy.log"
    else
        docker compose logs --no-log-prefix --tail 40 lab21-proxy
    fi
}

stop() {
    local name pid
    for name in shop proxy; do
        [[ -r $place/$name.pid ]] || continue
        pid=$(<"$place/$name.pid")
        # The number may belong to another process by now.
        ! grep -qsa -e shop.py -e race-proxy "/proc/$pid/cmdline" || kill "$pid"
        while grep -qsa -e shop.py -e race-proxy "/proc/$pid/cmdline"; do sleep 0.05; done
        rm -f "$place/$name.pid"
    done
    rm -f "$place/proxy.log" "$place/pgpass"
    echo "The shop has no process left on this machine."
}

case ${1:-} in
    start | log | stop) "$1" ;;
    *) fail "shop.sh start | log | stop" ;;
esac
