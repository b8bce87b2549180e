"""Variables that psql and pgbench set: a file leaves the same rows with race-explore as with the real program."""

import json
import os
import subprocess

from test_report import write_case

from cluster import server_programs

SEEN = "CREATE TABLE t (id integer, v text);\nCREATE TABLE seen (what text, value text);\n"


def saw(what, value):
    return f"INSERT INTO seen VALUES ('{what}', {value});\n"


VARIABLES = [
    "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');\n", saw("insert", ":'ROW_COUNT'"),
    "UPDATE t SET v = 'x' WHERE id > 1;\n", saw("update", ":'ROW_COUNT' || :'ERROR' || :'SQLSTATE'"),
    "\\if :ERROR\n", saw("branch", "'wrong'"), "\\endif\n",
    "UPDATE t SET v = 'x' WHERE id > 9;\n", "SELECT :ROW_COUNT = 0 AS none \\gset\n", "\\if :none\n",
    saw("none", ":'ROW_COUNT'"), "\\endif\n", "BEGIN;\n", saw("begin", ":'ROW_COUNT'"), "SELECT * FROM t;\n",
    saw("select", ":'ROW_COUNT'"), "SELECT 1\\; SELECT id FROM t WHERE id < 3;\n", saw("two statements", ":'ROW_COUNT'"),
    "DECLARE c CURSOR FOR SELECT * FROM t;\nFETCH 2 FROM c;\n", saw("fetch", ":'ROW_COUNT'"),
    "SELECT NULL AS nothing, 2 AS two \\gset\n", saw("null", ":{?nothing} || :'two'"),
    "SELECT 7 AS two WHERE false \\gset\n", saw("no row", ":'two' || :'ROW_COUNT' || :'ERROR'"),
    "SELECT id AS two FROM t \\gset\n", saw("three rows", ":'two' || :'ROW_COUNT' || :'ERROR'"),
    "COMMIT;\n", saw("commit", ":'ROW_COUNT' || :'LAST_ERROR_SQLSTATE' || :'LAST_ERROR_MESSAGE' || '.'"),
    "DELETE FROM t WHERE id = 1 RETURNING id AS gone \\gset\n", saw("delete", ":'ROW_COUNT' || :'gone'"),
]


def rows_of(explorer, folder, *arguments):
    """The rows of the table `seen` when the only order has ended."""
    found = explorer.run("--levels", "rc", "--json", folder / "found.json", *arguments)
    assert (found.status, found.err) == (0, "")
    document = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    outcome, = document["cases"][0]["explorations"][0]["outcomes"]
    return sorted(tuple(row) for table in outcome["state"] if table["table"] == "seen" for row in table["rows"])


def rows_of_real(cluster, setup, command, *arguments):
    database = cluster.new_database()
    for statement in filter(None, map(str.strip, setup.split(";"))):
        cluster.rows(database, statement)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    outcome = subprocess.run([server_programs() / command, *arguments, cluster.url(database)], check=False, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, timeout=60)
    assert outcome.returncode == 0, outcome.stdout
    return sorted((row["what"], row["value"]) for row in cluster.rows(database, "TABLE seen"))


def test_the_variables_are_those_of_psql(cluster, explorer, tmp_path):
    case = write_case(tmp_path, f"-- setup\n{SEEN}-- session A\n{''.join(VARIABLES)}")
    real = write_case(tmp_path, "".join(VARIABLES), "real.sql")
    expected = rows_of_real(cluster, SEEN, "psql", "--no-psqlrc", "--quiet", "--file", real)
    assert len(expected) == 12 and rows_of(explorer, tmp_path, case) == expected


def test_before_the_first_statement(cluster, explorer, tmp_path):
    names = "".join(f"\\if :{{?{name}}}\n{saw(name, repr('set'))}\\else\n{saw(name, repr('not set'))}\\endif\n"
                    for name in ["LAST_ERROR_SQLSTATE"])
    first = "\\if :{?ROW_COUNT}\n" + saw("set", "''") + "\\else\n" + saw("not set", ":'LAST_ERROR_SQLSTATE'") + "\\endif\n"
    case = write_case(tmp_path, f"-- setup\n{SEEN}-- session A\n{first}{names}")
    real = write_case(tmp_path, first + names, "real.sql")
    expected = rows_of_real(cluster, SEEN, "psql", "--no-psqlrc", "--quiet", "--file", real)
    assert rows_of(explorer, tmp_path, case) == expected == [("LAST_ERROR_SQLSTATE", "set"), ("not set", "00000")]


def test_null_becomes_an_empty_value_as_in_pgbench(cluster, explorer, tmp_path):
    script = write_case(tmp_path, "SELECT NULL AS nothing, 2 AS two \\gset\n" + saw("null", "'<:nothing:two>'")
                        + "\\if :two = 2\n" + saw("two", "'<:two>'") + "\\endif\n", "case.pgbench")
    setup = write_case(tmp_path, SEEN, "setup.sql")
    expected = rows_of_real(cluster, SEEN, "pgbench", "--no-vacuum", "--transactions=1", "--file", script)
    assert rows_of(explorer, tmp_path, "--session", script, "--setup", setup) == expected
    assert expected == [("null", "<2>"), ("two", "<2>")]


def test_a_session_that_ends_at_its_first_error_cannot_ask_for_another_rule(explorer, tmp_path):
    case = write_case(tmp_path, "\\set ON_ERROR_STOP off\n-- session A\nSELECT 1;\n")
    found = explorer.run(case)
    assert found.status == 2 and found.err.endswith(
        "case.sql:1: \\set ON_ERROR_STOP may only be on in a case: a session ends at its first error\n")
