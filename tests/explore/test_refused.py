"""Wrong files, options and databases: one line says why, and the exit status says which of them is wrong."""

import os
import random
import signal

import pytest
from explorer import CASES, Explorer

from cluster import running_cluster

FORBIDDEN = "\x00\x1b"  # no line may carry them to a terminal


def one_line(found, status):
    assert found.status == status, (found.out, found.err)
    assert found.err.startswith("race-explore: ") and found.err.count("\n") == 1, found.err
    assert not set(FORBIDDEN) & set(found.err)
    return found.err


@pytest.fixture
def file(tmp_path):
    """Makes a file: file(name, bytes)."""
    def make(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return make


@pytest.mark.parametrize("suffix", ["sql", "pgbench"])
def test_a_file_that_is_not_there(hasty, tmp_path, suffix):
    path = tmp_path / f"missing.{suffix}"
    assert str(path) in one_line(hasty.run(path), 2)


def test_a_folder(hasty, tmp_path):
    folder = tmp_path / "folder.sql"
    folder.mkdir()
    assert str(folder) in one_line(hasty.run(folder), 2)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"-- only a comment\n", b"SELECT 1;\n"])
def test_a_file_without_sessions(hasty, file, content):
    one_line(hasty.run(file("empty.sql", content)), 2)


def test_a_file_of_20_megabytes(hasty, file):
    assert "large" in one_line(hasty.run(file("large.sql", b"-- session A\n" + b"SELECT 1;\n" * 2_000_000)), 2)


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes(hasty, file, seed):
    one_line(hasty.run(file("random.sql", random.Random(seed).randbytes(100_000))), 2)


def test_a_suffix_that_says_nothing(hasty, file):
    one_line(hasty.run(file("case.txt", b"SELECT 1;\n")), 2)


def test_a_wrong_case_does_not_keep_the_others_from_being_explored(hasty, tmp_path):
    found = hasty.run("--levels", "rc", tmp_path / "missing.sql", CASES / "vulnerable.sql")
    one_line(found, 2)
    assert found.numbers("orders") == {"rc": (70,)}


@pytest.mark.parametrize("text, line, words", [
    ("-- setup\nCREATE TABLE t (id integer);\nINSERT INTO u VALUES (1);\n-- session A\nTABLE t;\n", 3, '"u"'),
    ("-- setup\nCREATE TABLE t (id integer);\nSELECT pg_catalog.set_config('search_path', '', false);\n"
     "INSERT INTO t VALUES (1);\n-- session A\nTABLE t;\n", 4, "SET search_path = public"),
    ("-- setup\nCREATE TABLE t (id integer);\n-- session A\nTABLE t;\n-- invariant some\nTABLE t;\n", 5, "invariant"),
])
def test_sql_that_the_server_refuses(hasty, file, text, line, words):
    path = file("refused.sql", text.encode())
    message = one_line(hasty.run("--levels", "rc", path), 2)
    assert words in message and f"{path}:{line}" in message


def test_a_user_who_is_no_superuser(cluster):
    cluster.rows("postgres", "CREATE ROLE plain LOGIN CREATEDB")
    found = Explorer(f"host={cluster.folder} port={cluster.port} user=plain dbname=postgres").case("write_skew")
    assert "connect as a superuser" in one_line(found, 4)


@pytest.mark.parametrize("options", [
    ("--bogus",), ("--levels", "rx"), ("--levels",), ("--unit", "step"), ("--jobs", "many"), ("--jobs", "9"),
    ("--max", "-1"), ("--max", ""), ("--preemptions", "1x"), ("--time", "1h")])
def test_an_option_that_cannot_be_used(hasty, options):
    found = hasty.run(CASES / "now.sql", *options)
    assert found.status == 2 and found.out == ""
    assert "race-explore: " in found.err and found.err.count("\n") <= 2, found.err


def test_no_file(hasty):
    one_line(hasty.run(), 2)


def test_a_server_that_does_not_answer(tmp_path):
    one_line(Explorer(f"host={tmp_path} dbname=postgres").run(CASES / "now.sql"), 4)


def test_a_server_that_cannot_be_named():
    one_line(Explorer("no=such").run(CASES / "now.sql"), 4)


def test_a_database_of_another_name_is_left_alone(cluster, hasty):
    database = cluster.new_database()
    cluster.rows(database, "CREATE TABLE kept (id integer)")
    line = one_line(hasty.run("--url", cluster.url(database), CASES / "now.sql"), 4)
    assert f'"{database}"' in line and "explore_" in line
    assert cluster.rows(database, "TABLE kept") == []


def test_a_database_that_is_named_for_it_is_used_and_stays(cluster):
    database = cluster.new_database("explore_own")
    try:
        found = Explorer("host=/nonexistent").run("--url", cluster.url(database), "--levels", "rc",
                                                     CASES / "vulnerable.sql")
        assert (found.status, found.err) == (1, "")
        assert found.numbers("orders", "anomalous") == {"rc": (70, 40)}
        assert cluster.rows(database, "SELECT 1 AS still_there") == [{"still_there": 1}]
    finally:
        cluster.rows("postgres", f"DROP DATABASE {database}")


# --- Files as a stranger may give them ---

STATEMENTS = b"-- setup\nCREATE TABLE t (id integer);\nINSERT INTO t VALUES (1), (2);\n"


def refused(program, file, content, words, name="case.sql", options=("--levels", "rc")):
    message = one_line(program.run(*options, file(name, content)), 2)
    assert words in message, message


@pytest.mark.parametrize("content, words", [
    ("-- session A\nSELECT 1;\n".encode("utf-16"), "NUL byte"),
    ("-- session A\nSELECT 1;\n".encode("utf-16-le"), "NUL byte"),
    (b"-- session A\nSELECT '\xe9';\n", ":2: the byte 0xE9 is not UTF-8"),
    (b"-- session A\nSELECT 'x\0';\n", ":2: there is a NUL byte"),
    (b"-- session A like B\n-- session B like A\n", "in a circle"),
    (b"-- session A like A\n", "in a circle"),
    (b"-- session A like C\n-- session B\nSELECT 1;\n", "there is no session C"),
    (b"-- session A\nSELECT :x;\n", ':2: nothing sets the variable "x"'),
    (b"-- session A\nSELECT 'x;\n", ":2: "), (b"-- session A\nSELECT \"x;\n", ":2: "),
    (b"-- session A\nSELECT $x$x;\n", ":2: "), (b"-- session A\nSELECT /* 1;\n", ":2: "),
    (b"-- session A\nSELECT (1;\n", ":3: the statement that begins in line 2 has no closing parenthesis"),
    (b"-- session A\nSELECT 1;\n-- session A\nSELECT 1;\n", ":3: there is a session A in line 1 already"),
    (b"".join(b"-- session S%c\nSELECT 1;\n" % letter for letter in b"abcdefghijklmnopq"), ":33: a case has at most 16"),
    (b"-- session A\n" + b"SELECT 1;\n" * 1001, "more than 1000 instructions"),
    (b"-- session A\n\\if true\nSELECT 1;\n", ":2: this \\if of session A has no \\endif"),
    (b"-- session A\nSELECT 1 AS x \\gset\n\\if :x = 1\nSELECT 1;\n\\endif\n", ":3: psql's \\if takes one boolean"),
    (b"-- session A\n\\i other.sql\n", ":2: \\i cannot be used in a case"),
    (b"-- invariant some\nSELECT true;\n", "has no session"),
    (b"-- session A\nSELECT 1;\n-- invariant some\n", ":3: the invariant some has no query")])
def test_a_file_with_a_mistake(hasty, file, content, words):
    refused(hasty, file, content, words)


def test_a_file_of_100_megabytes(hasty, tmp_path):
    path = tmp_path / "large.sql"
    with open(path, "wb") as large:
        large.truncate(100 * 1024 * 1024)
    assert "larger than 16 MiB" in one_line(hasty.run(path), 2)


def test_a_pipe_is_not_waited_for(hasty, tmp_path):
    path = tmp_path / "pipe.sql"
    os.mkfifo(path)
    assert "is not a regular file" in one_line(hasty.run(path), 2)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ["case.sql", "case.spec", "case.md", "case.csv", "case.json"])
def test_random_text(hasty, file, name, seed):
    words = random.Random(seed)
    text = "".join(words.choice(["-- session A\n", "-- setup\n", "\\if ", ":x ", "';", "\"", "{", "}", "step a ", "SELECT 1;\n",
                                 "session ", "```sql\n", ",", "\n", "é", "\\"]) for _ in range(500))
    found = hasty.run("--levels", "rc", file(name, text.encode()))
    if found.status != 0:
        one_line(found, 2)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + STATEMENTS, STATEMENTS.replace(b"\n", b"\r\n")])
def test_the_line_ends_and_the_mark_of_windows(hasty, file, content):
    line_end = b"\r\n" if b"\r\n" in content else b"\n"
    case = content + line_end.join([b"-- session A", b"SELECT count(*) = 2 AS two FROM t \\gset", b"\\if :two",
                                    b"INSERT INTO t VALUES (3);", b"\\endif", b"-- session B like A", b""])
    found = hasty.run("--levels", "rc", file("windows.sql", case))
    assert (found.status, found.err) == (1, "") and found.levels["rc"].complete


def test_one_session_alone_has_one_order(hasty, file):
    found = hasty.run("--levels", "rc", file("one.sql", STATEMENTS + b"-- session A\nUPDATE t SET id = id + 1;\n"))
    assert (found.status, found.err) == (0, "") and found.numbers("orders") == {"rc": (1,)}


def test_200_statements(hasty, file):
    case = STATEMENTS + b"-- session A\n" + b"SELECT count(*) FROM t;\n" * 200 + b"-- session B like A\n"
    found = hasty.run("--levels", "rc", "--max", "5", file("long.sql", case))
    assert found.err == "" and found.status in (0, 3)


@pytest.mark.parametrize("rows", ["WHERE false", ""])
def test_a_variable_that_gset_did_not_set(hasty, file, rows):
    case = STATEMENTS + f"-- session A\nSELECT id AS x FROM t {rows} \\gset\nUPDATE t SET id = :x;\n".encode()
    refused(hasty, file, case, ':6: A: the variable "x" is not set')
    count = "0 rows" if rows else "2 rows"
    refused(hasty, file, case, f"(the \\gset in line 5 had {count}")


@pytest.mark.parametrize("query, words", [
    ("SELECT true UNION ALL SELECT true", "an invariant is a query with one row"), ("SELECT 'maybe'", "true or false"),
    ("SELECT NULL::boolean", "true or false"), ("SELECT id FROM t WHERE false", "one row"), ("VACUUM", "VACUUM"),
    ("SELECT 1 / 0", "division by zero"), ("SELECT no_such FROM t", "no_such"), ("SELECT 1; SELECT 2", "has its query already")])
def test_an_invariant_that_is_none(hasty, file, query, words):
    case = STATEMENTS + f"-- session A\nSELECT 1;\n-- invariant some\n{query};\n".encode()
    refused(hasty, file, case, words)


@pytest.mark.parametrize("options", [("--levels", "rc,nonsense"), ("--levels", ""), ("--levels", ","), ("--replay", ""),
                                     ("--json", "/"), ("--json", "/no/such/file"), ("--junit", "/"), ("--jobs", "0")])
def test_a_value_of_an_option_that_means_nothing(hasty, options):
    one_line(hasty.run(*options, CASES / "now.sql"), 2)


@pytest.mark.parametrize("option", ["--json", "--junit"])
def test_a_report_on_a_full_disk(hasty, option):
    found = hasty.run("--levels", "rc", option, "/dev/full", CASES / "now.sql")
    assert f"{option} /dev/full: the file cannot be written: No space left on device" in one_line(found, 2)


# --- A server that goes, and rights that are missing ---

@pytest.fixture
def long_case(file):
    return file("long.sql", STATEMENTS + b"-- session A\n" + b"INSERT INTO t VALUES (1);\n" * 5
                + b"-- session B like A\n-- session C like A\n")


def test_a_backend_that_is_ended(cluster, explorer, long_case):
    def ends():  # the setup has run: its INSERT is the control connection's
        rows = cluster.rows("postgres", r"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'explore\_%%'"
                            " AND query LIKE 'INSERT INTO t VALUES (1)%%' AND EXISTS (SELECT 1 FROM pg_stat_database d"
                            " WHERE d.datname = pg_stat_activity.datname AND d.xact_commit > 300)")
        return rows != []

    found = explorer.interrupt(0, ends, "--no-reduction", long_case)
    assert "the session's connection ended" in one_line(found, 2) or "connection" in found.err


def kill_a_session(cluster):
    """The server restarts. A killed session sees the end of its connection before the others see theirs."""
    rows = cluster.rows("postgres", "SELECT pid FROM pg_stat_activity WHERE query LIKE 'INSERT INTO t VALUES (1)%%'")
    if rows != []:
        os.kill(rows[0]["pid"], signal.SIGKILL)
    return rows != []  # none: all of them are at another statement now


@pytest.mark.parametrize("end", [lambda cluster: cluster.stop("immediate") or True,
                                 lambda cluster: cluster.stop("fast") or True, kill_a_session],
                         ids=["immediate", "fast", "killed"])
def test_a_server_that_goes(long_case, end):
    with running_cluster() as cluster:
        def goes():
            if not any(row["xact_commit"] > 300 for row in cluster.rows(
                    "postgres", r"SELECT xact_commit FROM pg_stat_database WHERE datname LIKE 'explore\_%%'")):
                return False
            return end(cluster)

        found = Explorer(cluster.url("postgres")).interrupt(0, goes, "--no-reduction", long_case)
    one_line(found, 4)


@pytest.mark.parametrize("rights, words", [
    ("", "permission denied to create database"),
    ("CREATEDB", "deadlock_timeout")])
def test_a_role_without_rights(cluster, explorer, rights, words):
    cluster.rows("postgres", f"CREATE ROLE limited LOGIN {rights}")
    try:
        url = cluster.url("postgres").replace("user=postgres", "user=limited")
        found = Explorer(url).run("--levels", "rc", CASES / "vulnerable.sql")
        assert words in one_line(found, 4)
    finally:
        cluster.rows("postgres", "DROP ROLE limited")
