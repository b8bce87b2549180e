"""Wrong files, options and databases: one line says why, and the exit status says which of them is wrong."""

import random

import pytest
from explorer import CASES, Explorer

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
    assert "needs a superuser" in one_line(found, 2)


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
