"""A signal at any moment, and a reader or a server that goes: the program ends soon, and nothing is left."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time

import pytest
from conftest import databases
from explorer import CASES, PROGRAM, ROOT, SIGNALS, Explorer
from silence import program_that_sees, silent_name_server
from test_report import write_case

CATALOGUE = ROOT / "sql/cases"
MOMENTS = int(os.environ.get("LAB_MOMENTS", "30"))
STEPS = "".join(f"INSERT INTO visits VALUES (:'who', {number});\n" for number in range(5))
LONG = ("-- setup\nCREATE TABLE visits (who text, number integer);\n"
        f"-- session A who=a\n{STEPS}-- session B like A who=b\n-- session C like A who=c\n")
INTERRUPTED = "race-explore: interrupted: what was found so far is not complete\n"


@pytest.fixture
def long_case(tmp_path):
    """A case with 756,756 orders, none of which goes wrong."""
    return write_case(tmp_path, LONG)


def sessions(cluster):
    """The sessions of race-explore, without those of this test."""
    return cluster.rows("postgres", "SELECT datname, state, query FROM pg_stat_activity"
                                    " WHERE backend_type = 'client backend' AND query NOT LIKE '%FROM pg_%'")


def nothing_is_left(cluster):
    """A backend ends a moment after its client. One with a running statement would stay for a minute."""
    for _ in range(1000):
        left = sessions(cluster)
        if not left:
            break
        time.sleep(0.02)
    assert left == [] and databases(cluster) == []


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_the_middle(cluster, explorer, long_case, number):
    def explores():
        rows = cluster.rows("postgres", r"SELECT xact_commit FROM pg_stat_database WHERE datname LIKE 'explore\_%%'")
        return any(row["xact_commit"] > 1000 for row in rows)

    found = explorer.interrupt(number, explores, "--no-reduction", long_case, CASES / "now.sql")
    assert (found.status, found.err) == (130, INTERRUPTED), found.out
    assert found.says_incomplete() and "interrupted" in found.out
    nothing_is_left(cluster)


# The work that the signal meets: the text of the case, the name of its file, and options.
SLEEP = "SELECT pg_sleep(60);\n"
SPEC = ("setup { CREATE TABLE slow (id integer); }\nteardown { DROP TABLE slow; }\n"
        "session a\nstep begin { BEGIN; LOCK TABLE slow; }\nstep commit { COMMIT; }\n"
        "session b\nstep insert { INSERT INTO slow VALUES (1); }\nstep sleep { SELECT pg_sleep(60); }\n"
        "permutation begin insert commit sleep\n")
MODES = {
    "explore": (LONG, "case.sql", "--no-reduction"),
    "explore, reduced": (LONG, "case.sql"),
    "a short case": ((CASES / "now.sql").read_text(), "case.sql"),
    "setup": (LONG.replace("-- session A", SLEEP + "-- session A"), "case.sql"),
    "a statement": (LONG + "-- session D\n" + SLEEP, "case.sql"),
    "a wait": ("-- setup\nCREATE TABLE t (id integer);\n-- session A\nBEGIN; LOCK TABLE t; SELECT pg_sleep(1); COMMIT;\n"
               "-- session B like A\n", "case.sql"),
    "changes of the schema": (LONG.replace("-- session A who=a\n", "-- session A who=a\nCREATE TABLE IF NOT EXISTS u ();\n"),
                              "case.sql"),
    "catalogue": ("-- expect rc: clean\n" + LONG, "case.sql", "--no-reduction", "--catalogue"),
    "verify": ((CASES / "write_skew.sql").read_text(), "case.sql", "--verify"),
    "fix": ((CASES / "vulnerable.sql").read_text(), "case.sql", "--fix"),
    "replay": ((CASES / "vulnerable.sql").read_text(), "case.sql", "--replay", "A1 B1 B2 A2"),
    "html": ((CASES / "write_skew.sql").read_text(), "case.sql", "--html", os.devnull),
    "isolationtester": (SPEC, "case.spec", "--isolationtester"),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_signal_at_any_moment(cluster, explorer, tmp_path, mode):
    text, name, *options = MODES[mode]
    case = write_case(tmp_path, text, name)
    moments = random.Random(mode)
    tables = cluster.rows("postgres", "SELECT relname FROM pg_class WHERE oid >= 16384")
    for _ in range(MOMENTS):
        number = moments.choice([*SIGNALS, signal.SIGHUP])
        end = time.monotonic() + moments.uniform(0, 1)
        try:
            found = explorer.interrupt(number, lambda end=end: time.monotonic() > end, *options, "--json",
                                       tmp_path / "found.json", *[case] * 3)
        except AssertionError:
            continue  # it had ended before
        if found.status == 130:
            assert found.err == INTERRUPTED
        else:
            assert found.status in (-number, 0, 1, 2), found.err  # before it watches signals, or when all was done
        nothing_is_left(cluster)
        assert {path.name for path in tmp_path.iterdir()} <= {name, "found.json"}
        assert cluster.rows("postgres", "SELECT relname FROM pg_class WHERE oid >= 16384") == tables


@contextlib.contextmanager
def silent_server(folder):
    """A server that accepts connections and never answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / ".s.PGSQL.5432"))
        listener.listen()
        yield f"host={folder} dbname=postgres user=nobody"


@pytest.mark.parametrize("options", [(), ("--catalogue",), ("--isolationtester",)])
def test_a_signal_while_the_server_does_not_answer(tmp_path, options):
    case = write_case(tmp_path, SPEC, "case.spec") if options == ("--isolationtester",) else CATALOGUE / "vulnerable.sql"
    with silent_server(tmp_path) as server:
        end = time.monotonic() + 0.5
        found = Explorer(server).interrupt(signal.SIGINT, lambda: time.monotonic() > end, *options, case)
    assert found.status == 130 and found.err == INTERRUPTED


@pytest.fixture
def never_resolved(tmp_path):
    """The program, where a name server never answers."""
    with silent_name_server() as server:
        files = {"resolv.conf": f"nameserver {server}\noptions timeout:30 attempts:5\n"}
        yield program_that_sees(tmp_path, files, PROGRAM)


@pytest.mark.parametrize("option", ["--server", "--url"])
def test_a_signal_while_a_name_server_says_nothing(never_resolved, option):
    end = time.monotonic() + 0.5
    url = "postgres://nobody.test/explore_x"
    found = Explorer(url, option, url, program=never_resolved).interrupt(
        signal.SIGINT, lambda: time.monotonic() > end, CASES / "now.sql")
    assert found.status == 130 and found.err == INTERRUPTED


def test_the_limit_of_time_to_connect_holds_for_a_name_server(never_resolved):
    found = Explorer("host=nobody.test connect_timeout=2", program=never_resolved).run(CASES / "now.sql")
    assert found.status == 4 and "the name server did not answer within connect_timeout" in found.err, found.err


def test_a_name_with_several_addresses(cluster, tmp_path):
    program = program_that_sees(tmp_path, {"hosts": "127.0.0.2 twofold.test\n127.0.0.1 twofold.test\n"}, PROGRAM)
    server = cluster.url_over_tcp("postgres").replace("127.0.0.1", "twofold.test")
    found = Explorer(server, program=program).case("now")
    assert (found.status, found.err) == (0, "")
    nothing_is_left(cluster)


def test_the_limit_of_time_to_connect_is_kept(tmp_path):
    with silent_server(tmp_path) as server:
        found = Explorer(server + " connect_timeout=2").run(CASES / "now.sql")
    assert found.status == 4
    assert found.err == "race-explore: the database cannot be used: the server did not answer within connect_timeout\n"


# --- The standard output ---

def start(cluster, *arguments, **streams):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return subprocess.Popen([PROGRAM, "--server", cluster.url("postgres"), *map(str, arguments)], env=environment,
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **streams)


@pytest.mark.parametrize("options", [("--no-reduction",), ("--no-reduction", "--catalogue")])
def test_a_reader_that_goes(cluster, explorer, long_case, options):
    catalogue = "--catalogue" in options
    first = CATALOGUE / "vulnerable.sql" if catalogue else CASES / "vulnerable.sql"
    if catalogue:
        long_case.write_text("-- expect rc: clean\n" + LONG)
    process = start(cluster, *options, first, *[first] * 20, *[] if catalogue else [long_case], stdout=subprocess.PIPE)
    assert process.stdout.readline() != ""
    process.stdout.close()
    _, err = process.communicate(timeout=120)
    assert process.returncode in (1, 3) and err == ""  # something was found, or not
    nothing_is_left(cluster)


@pytest.mark.parametrize("options", [("--levels", "rc"), ("--catalogue",), ("--help",), ("--version",)])
def test_a_full_disk(cluster, explorer, options):
    case = CATALOGUE / "vulnerable.sql"
    with open("/dev/full", "w", encoding="utf-8") as full:
        process = start(cluster, *options, case, stdout=full)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err == "race-explore: the standard output cannot be written: No space left on device\n"
    nothing_is_left(cluster)


@pytest.mark.parametrize("closed, status", [(">&-", 2), ("<&-", 0), ("2>&-", 0)])
def test_a_closed_standard_descriptor(cluster, explorer, closed, status):
    """The next socket does not become the standard output."""
    outcome = subprocess.run(["sh", "-c", f'exec "$0" "$@" {closed}', PROGRAM, "--server", cluster.url("postgres"),
                              CASES / "for_update.sql"], check=False, timeout=120, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert outcome.returncode == status
    assert (outcome.stdout == "") == (status == 2)
    if status == 2:
        assert outcome.stderr.startswith("race-explore: the standard output is closed") and outcome.stderr.count("\n") == 1
    nothing_is_left(cluster)


# --- A run that is killed ---

def test_a_killed_run_leaves_nothing_to_the_next_one(cluster, explorer, long_case):
    moments = random.Random(9)
    for _ in range(5):
        process = start(cluster, "--jobs", "3", "--no-reduction", long_case, stdout=subprocess.PIPE)
        try:
            while len(databases(cluster)) < moments.randint(1, 3):
                time.sleep(0.01)
            time.sleep(moments.uniform(0, 0.2))
        finally:
            process.kill()
            process.communicate()
        while sessions(cluster):
            time.sleep(0.02)
        assert databases(cluster) != []
        found = explorer.run("--levels", "rc", CASES / "now.sql")
        assert (found.status, found.err) == (0, "")
        nothing_is_left(cluster)


def test_databases_of_others_stay(cluster, explorer, long_case):
    """A run that is alive keeps its databases, and people keep what they have made or marked."""
    process = start(cluster, "--no-reduction", long_case, stdout=subprocess.PIPE)
    while len(databases(cluster)) < 2:
        time.sleep(0.01)
    alive = set(databases(cluster))
    people = ["explore_own", "explore_1_2_3", "explore_1_0123456789a_2"]
    try:
        for name in people:
            cluster.rows("postgres", f"CREATE DATABASE {name}")
        cluster.rows("postgres", f"COMMENT ON DATABASE {people[2]} IS 'keep it'")
        assert explorer.run("--levels", "rc", CASES / "now.sql").status == 0
        assert set(databases(cluster)) == alive | set(people)
    finally:
        process.terminate()
        process.communicate()
        for name in people:
            cluster.rows("postgres", f"DROP DATABASE {name}")
    assert process.returncode == 130
    nothing_is_left(cluster)
