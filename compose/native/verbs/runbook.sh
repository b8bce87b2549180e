# The verb runbook: plays the blocks of docs/RUNBOOK.md one after another, and compares the output of each with what the
# runbook says (expect.sh). It plays natively in a sandbox, or on the compose lab. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_runbook() {
    local install=true compose=false port='' file=$lab_root/docs/RUNBOOK.md started
    while (($#)); do
        case $1 in
            --compose)    compose=true ;;
            --port)       lab_needs_value "$@"; port=$2; shift ;;
            --port=*)     port=${1#*=}; port_check runbook "$port" ;;
            --file)       lab_needs_value "$@"; file=$2; shift ;;
            --file=*)     lab_needs_value --file "${1#*=}"; file=${1#*=} ;;
            --no-install) install=false ;;
            *)            fail "runbook: no option '$1': './lab runbook --help' lists them" ;;
        esac
        shift
    done
    [[ -z $port ]] || port_check runbook "$port"
    [[ -r $file && ! -d $file ]] || fail "runbook: cannot read '$file': --file wants a file such as docs/RUNBOOK.md"
    file=$(realpath -- "$file") # awk reads NAME=VALUE as an assignment
    started=$(terminal_now)
    if $compose; then
        [[ -z $port ]] || fail "runbook: --port is for the native lab; the compose lab has port 8000"
        runbook_open_compose "$install" "$file"
    else
        runbook_open_native "$install" "$file" "$port"
    fi
    runbook_play
    sandbox_unfinished=false
    runbook_print_table
    say ""
    ! $runbook_failed || fail "not every block did what it must (what they showed: $runbook_place/output)"
    say "${terminal_green}Every block played did what it must.${terminal_plain} $(terminal_seconds_since "$started") s."
}

# runbook_open_native INSTALL(true|false) FILE [PORT]: another port than 8000 replaces it in the blocks.
runbook_open_native() {
    local port=${3:-8000}
    runbook_place=$lab_state/runbook runbook_has_engine=false runbook_seconds=120
    sandbox_open "$runbook_place" 'the runbook'
    runbook_unpack "$2"
    packages_ensure "$1" "$packages_to_play" "$packages_to_shop" "$(packages_grammar)"
    if port_is_busy "$port"; then
        [[ -z $3 ]] || fail "port $port is taken by $(port_holder "$port"): end it, or use './lab runbook --port $(port_next_free "$port")'"
        port=$(port_find_free)
        say "Port 8000 is taken: the runbook is played on port $port, also in its blocks."
    fi
    build_prepare "$1" race-proxy
    sandbox_also_stop=runbook_stop_shop
    sandbox_start "$1" "$port"
    runbook_port=$port
    export SHOP_PLACE=$runbook_place/shop SHOP_PORT=8001 SHOP_PASSWORD
    export SHOP_UPSTREAM="host=127.0.0.1 port=$cluster_port user=$cluster_user dbname=$cluster_database"
    SHOP_PASSWORD=$(<"$cluster_home/password")
    # With --port another runbook may be played at the same time.
    [[ -z $3 ]] && ! port_is_busy 8001 || SHOP_PORT=$(port_find_free)
}

runbook_stop_shop() { SHOP_PLACE=$runbook_place/shop "$lab_root/compose/proxy-shop/shop.sh" stop >/dev/null; }

# runbook_open_compose INSTALL(true|false) FILE: the blocks start the lab and remove it too. Building takes minutes, so
# a block may take an hour.
runbook_open_compose() {
    runbook_place=$lab_state/runbook-compose runbook_has_engine=true runbook_port=8000 runbook_seconds=3600
    # tests/compose/run calls this verb and has the lock already.
    [[ /dev/fd/9 -ef $lab_root/.lab/compose/lock ]] || locks_take_place "$lab_root/.lab/compose"
    runbook_unpack "$2"
    packages_ensure "$1" "$packages_to_play"
    command -v curl >/dev/null || fail "the blocks need curl"
    docker compose version >/dev/null 2>&1 || fail "no Docker with Compose here: './lab runbook' plays without"
    sandbox_unfinished=false
}

runbook_play() {
    local name
    runbook_rows=() runbook_failed=false
    say ""
    while IFS= read -r name; do
        if ! $runbook_has_engine && runbook_needs_engine "$name"; then
            runbook_rows+=("$name|-|skipped: it talks to the Docker engine")
        else
            runbook_play_block "$name"
        fi
    done <"$runbook_place/names"
}

runbook_needs_engine() { grep -Eq '(^|[|&;(])[[:space:]]*docker[[:space:]]' "$runbook_place/blocks/$1"; }

runbook_play_block() {
    local name=$1 output=$runbook_place/output/$1 status=0 missing verdict=held
    progress "$name" "$output" runbook_run_block "$name" || status=$?
    if [[ -e $runbook_place/expected/$name ]]; then
        missing=$(expect_missing "$runbook_place/expected/$name" "$output")
    else
        missing='' verdict='played, nothing to compare'
    fi
    [[ -z $missing ]] || verdict="NOT SEEN: ${missing//$'\n'/; }"
    runbook_rows+=("$name|$status|$verdict")
    [[ $status != 0 || -n $missing ]] || return 0
    runbook_failed=true
    [[ -n $missing ]] || return 0
    printf '  not seen:\n'
    printf '    %s\n' "${missing//$'\n'/$'\n    '}"
    if ((status == 0)); then
        printf '  what it showed (the end of %s):\n' "$output"
        tail -n 30 "$output" | sed 's/^/    /'
    fi
}

# Each block runs in its own shell, from the root of the checkout, as in Runme.
runbook_run_block() (
    cd "$lab_root" || exit
    export NO_PROXY="localhost,127.0.0.1,${NO_PROXY:-}"
    exec timeout -k 10 "$runbook_seconds" bash \
        <(sed "s/localhost:8000/localhost:$runbook_port/g; s/localhost:8001/localhost:${SHOP_PORT:-8001}/g" \
            "$runbook_place/blocks/$1")
)

# Splits the runbook: each block is a file in blocks/, each expectation a file in expected/. names has their order.
runbook_unpack() {
    rm -rf "${runbook_place:?}"/{blocks,expected,output,names}
    mkdir -p "$runbook_place"/{blocks,expected,output}
    runbook_unpack_place=$runbook_place awk "$runbook_unpack_program" "$1" >&2 || fail "nothing was played: $1 is not in order"
    [[ -s $runbook_place/names ]] || fail "no named block in $1: docs/RUNBOOK.md shows how one looks"
}

# A block is ```bash {"name": "NAME"}, its expectation is ```text {"expect": "NAME"}. Each name has one block.
# Only the exit status is judged of a block without an expectation.
# shellcheck disable=SC2016 # awk's own variables
runbook_unpack_program='
BEGIN { place = ENVIRON["runbook_unpack_place"] } # -v would read a backslash as an escape
function name_in(line) {
    sub(/"[^"]*$/, "", line)
    sub(/^.*"/, "", line)
    return line
}
function complain(text) { print "lab: " FILENAME ":" FNR ": " text; wrong = 1 }
function take(kind, name) {
    if (name !~ /^[a-z0-9][a-z0-9-]*$/) { complain("no name for a block: " name); return }
    if ((kind, name) in seen)           { complain("a second one of " name); return }
    seen[kind, name] = 1
    target = place "/" kind "/" name
    lines = 0
    printf "" >target
}
target != "" && /^```[[:space:]]*$/ {
    if (!lines) complain("nothing in it: " target)
    close(target)
    target = ""
    next
}
target != "" { if (NF) lines++; print >target; next }
/^```bash \{"name": "[^"]*"\}[[:space:]]*$/   { name = name_in($0); names[++count] = name; take("blocks", name); next }
/^```text \{"expect": "[^"]*"\}[[:space:]]*$/ {
    name = name_in($0)
    if (!(("blocks", name) in seen)) complain("before it there is no block " name)
    take("expected", name)
    next
}
/^```[a-z]+ *\{/                         { complain("neither a block nor an expectation: " $0) }
END {
    if (target != "") complain("the last block does not end")
    for (i = 1; i <= count; i++) print names[i] >(place "/names")
    exit wrong
}'

runbook_print_table() {
    local row name status verdict color
    printf '\n%s%-22s | %4s | %s%s\n' "$terminal_bold" block exit expectation "$terminal_plain"
    printf '%s\n' '-----------------------+------+--------------------------------------------'
    for row in "${runbook_rows[@]}"; do
        IFS='|' read -r name status verdict <<<"$row"
        case $status:$verdict in
            0:held | 0:played*) color=$terminal_green ;;
            -:*)                color=$terminal_dim ;;
            *)                  color=$terminal_red ;;
        esac
        printf '%-22s | %4s | %s%s%s\n' "$name" "$status" "$color" "$verdict" "$terminal_plain"
    done
}
