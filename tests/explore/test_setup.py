"""--setup, logs that a real PostgreSQL wrote, the output of pg_dump, and the limits of a server's connections."""

import os
import subprocess

import pytest
from conftest import databases
from explorer import CASES, Explorer
from test_report import sessions as counters
from test_report import write_case

from cluster import Cluster, server_programs


@pytest.fixture(scope="module")
def small():
    """A PostgreSQL with 12 connections, which logs every statement."""
    cluster = Cluster()
    try:
        with open(cluster.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write("max_connections = 12\nsuperuser_reserved_connections = 2\nfsync = off\nautovacuum = off\n"
                       "logging_collector = on\nlog_destination = 'csvlog,jsonlog'\nlog_filename = 'all'\n")
        cluster.start()
        yield cluster
        assert databases(cluster) == []
    finally:
        cluster.remove()


def run(program, *arguments, **streams):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    outcome = subprocess.run([server_programs() / program, *arguments], check=False, text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=environment, timeout=60, **streams)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


# --- Logs ---

TABLES = "CREATE TABLE accounts (id integer PRIMARY KEY, balance integer);\nINSERT INTO accounts VALUES (1, 100), (2, 0);\n"
WITHDRAW = ("\\set amount 80\nBEGIN;\nSELECT balance FROM accounts WHERE id = 1;\n"
            "UPDATE accounts SET balance = 100 - :amount WHERE id = 1;\nCOMMIT;\n")
LONE = "\\set amount 80\nUPDATE accounts SET balance = balance - :amount WHERE (SELECT balance FROM accounts WHERE id = 1) >= :amount;\n"


def record(cluster, folder, script, suffix, mode="extended"):
    """The part of the log that two clients of pgbench wrote, which send their parameters through the extended
    protocol."""
    database = cluster.new_database()
    cluster.rows(database, TABLES)
    log = cluster.data / f"log/all.{suffix}"
    before = log.stat().st_size
    path = write_case(folder, script, "script.pgbench")
    cluster.rows(database, f"ALTER DATABASE {database} SET log_statement = 'all'")
    for _ in range(2):
        run("pgbench", "--no-vacuum", "--transactions=1", f"--protocol={mode}", "--file", path, cluster.url(database))
    cluster.rows(database, "SELECT 'the end'")
    lines = b""
    while b"the end" not in lines:  # a process of its own writes the log
        with open(log, "rb") as written:
            written.seek(before)
            lines = written.read()
    recorded = folder / f"recorded.{suffix}"
    recorded.write_bytes(b"".join(line for line in lines.splitlines(keepends=True) if b"the end" not in line))
    return recorded


@pytest.mark.parametrize("suffix", ["csv", "json"])
@pytest.mark.parametrize("mode", ["extended", "simple", "prepared"])
def test_a_recorded_log_is_explored_on_the_tables_of_the_setup(small, tmp_path, suffix, mode):
    log = record(small, tmp_path, WITHDRAW, suffix, mode)
    setup = write_case(tmp_path, TABLES, "tables.sql")
    found = Explorer(small.url("postgres")).run("--setup", setup, log)
    assert (found.status, found.err) == (1, "")
    assert found.numbers("orders", "anomalous") == {"rc": (50, 40), "rr": (50, 0), "ser": (50, 0)}
    assert "lost update" in found.out


@pytest.mark.parametrize("mode", ["extended", "simple"])
def test_a_race_inside_a_recorded_statement(small, tmp_path, mode):
    log = record(small, tmp_path, LONE, "csv", mode)
    setup = write_case(tmp_path, TABLES, "tables.sql")
    found = Explorer(small.url("postgres")).run("--levels", "rc", "--setup", setup, log)
    assert (found.status, found.err) == (1, "")
    assert found.levels["rc"].anomalous > 0 and found.levels["rc"].complete


def test_a_log_without_its_tables_asks_for_them(small, tmp_path):
    found = Explorer(small.url("postgres")).run(record(small, tmp_path, WITHDRAW, "csv"))
    assert found.status == 2 and found.err.count("\n") == 1
    assert 'relation "accounts" does not exist' in found.err and "--setup" in found.err


# --- Any file with --setup ---

def test_the_setup_runs_before_the_own_one_of_each_file(explorer, tmp_path):
    setup = write_case(tmp_path, "-- setup\nCREATE TABLE counters (id integer PRIMARY KEY, value integer);\n", "tables.sql")
    case = write_case(tmp_path, counters(2).replace("CREATE TABLE counters (id integer PRIMARY KEY, value integer);\n", ""))
    spec = write_case(tmp_path, 'setup { INSERT INTO counters VALUES (1, 1); }\nsession a\n'
                      'step one { UPDATE counters SET value = 2; }\nsession b\nstep two { TABLE counters; }\n', "case.spec")
    found = explorer.run("--setup", setup, "--levels", "rc", case, spec)
    assert (found.status, found.err) == (1, "")
    assert "lost update" in found.out and found.out.count("complete") >= 2


@pytest.mark.parametrize("text, line", [
    ("CREATE TABLE t (id integer);\nINSERT INTO u VALUES (1);\n", ':2: the setup fails: relation "u" does not exist'),
    ("-- session A\nSELECT 1;\n", ":1: a file of setup has no such marker: the sessions are in other files"),
    ("CREATE TABLE t (id integer);\nCOPY t (id) FROM stdin;\n1\n\\.\n", ":2: COPY ... FROM stdin cannot be used in a case"),
])
@pytest.mark.parametrize("kind", ["sql", "pgbench"])
def test_a_mistake_in_the_setup_names_its_file(explorer, tmp_path, kind, text, line):
    setup = write_case(tmp_path, text, "tables.sql")
    script = write_case(tmp_path, "SELECT 1;\n", "case.pgbench")
    arguments = ["--session", script] if kind == "pgbench" else [CASES / "now.sql"]
    found = explorer.run("--levels", "rc", "--setup", setup, *arguments)
    assert found.status == 2 and found.err.count("\n") == 1
    assert found.err.startswith(f"race-explore: {setup}{line}"), found.err


# --- pg_dump ---

SCHEMA = """CREATE EXTENSION pgcrypto;
CREATE TYPE state AS ENUM ('open', 'done');
CREATE TABLE hosts (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE visits (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, host integer NOT NULL REFERENCES hosts (id),
                     state state NOT NULL DEFAULT 'open', begins timestamptz, CHECK (begins > '2000-01-01'));
CREATE VIEW open_visits AS SELECT * FROM visits WHERE state = 'open';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.begins := coalesce(NEW.begins, now()); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT ON visits FOR EACH ROW EXECUTE FUNCTION touch();
CREATE SCHEMA app;
CREATE TABLE app.limits (host integer PRIMARY KEY, most integer NOT NULL);
COMMENT ON TABLE visits IS 'a comment; with a semicolon';
"""
# One visit a host at most; the look and the INSERT are two statements.
BOOK = """-- setup
INSERT INTO public.hosts (name) VALUES ('ann');
INSERT INTO app.limits VALUES (1, 1);
-- session A
SELECT (SELECT count(*) FROM open_visits WHERE host = 1) < most AS is_free FROM app.limits WHERE host = 1 \\gset
\\if :is_free
INSERT INTO visits (host) VALUES (1);
\\endif
-- session B like A
-- invariant one_visit
SELECT count(*) <= 1 FROM visits;
"""


def dump(cluster, *options):
    database = cluster.new_database()
    try:
        with cluster.session(database) as session:
            session.cursor().execute(SCHEMA)
        return run("pg_dump", "--schema-only", *options, cluster.url(database))
    finally:
        cluster.rows("postgres", f"DROP DATABASE {database} (FORCE)")


# The form in which pg_dump of release 18 writes, whatever the release here.
RELEASE_18 = ("--\n-- PostgreSQL database dump\n--\n\n\\restrict Qz8h0QYbC4\n\n"
              "-- Dumped from database version 18.1\n-- Dumped by pg_dump version 18.1\n\n"
              "SET statement_timeout = 0;\nSET lock_timeout = 0;\nSET idle_in_transaction_session_timeout = 0;\n{setting}"
              "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n"
              "SELECT pg_catalog.set_config('search_path', '', false);\nSET check_function_bodies = false;\n"
              "SET xmloption = content;\nSET client_min_messages = warning;\nSET row_security = off;\n\n"
              "CREATE SCHEMA app;\nCREATE TABLE public.hosts (id integer NOT NULL, name text NOT NULL);\n"
              "CREATE SEQUENCE public.hosts_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;\n"
              "ALTER SEQUENCE public.hosts_id_seq OWNED BY public.hosts.id;\n"
              "ALTER TABLE ONLY public.hosts ALTER COLUMN id SET DEFAULT nextval('public.hosts_id_seq'::regclass);\n"
              "CREATE TABLE public.visits (host integer NOT NULL);\n"
              "CREATE VIEW public.open_visits AS\n SELECT host\n   FROM public.visits;\n"
              "CREATE TABLE app.limits (host integer NOT NULL, most integer NOT NULL);\n"
              "ALTER TABLE ONLY public.hosts ADD CONSTRAINT hosts_pkey PRIMARY KEY (id);\n\n"
              "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict Qz8h0QYbC4\n")


def book(explorer, folder, schema):
    return explorer.run("--levels", "rc,ser", "--setup", write_case(folder, schema, "schema.sql"), write_case(folder, BOOK))


@pytest.mark.parametrize("options", [("--no-owner", "--no-privileges"), ()])
def test_the_schema_of_pg_dump_is_a_setup(cluster, explorer, tmp_path, options):
    found = book(explorer, tmp_path, dump(cluster, *options))
    assert found.err == "" and found.status == 1
    assert found.levels["rc"].invariant > 0 and found.levels["rc"].complete
    assert "one_visit fails" in found.out


def test_the_schema_of_pg_dump_18_is_a_setup(explorer, tmp_path):
    found = book(explorer, tmp_path, RELEASE_18.format(setting=""))
    assert found.err == "" and found.status == 1 and "one_visit fails" in found.out


@pytest.mark.parametrize("change, words", [
    (("SET lock_timeout = 0;", "SET lock_timeout = 0;\nSET transaction_timeout = 0;\nSET no_such_setting = 0;"),
     'unrecognized configuration parameter "'),
    (("\n--\n-- PostgreSQL database dump complete", "\nALTER TABLE public.hosts OWNER TO somebody_else;\n"
      "--\n-- PostgreSQL database dump complete"), 'role "somebody_else" does not exist: leave owners and privileges out (pg_dump --no-owner --no-privileges)'),
    (("\n--\n-- PostgreSQL database dump complete", "\nGRANT SELECT ON TABLE public.hosts TO somebody_else;\n"
      "--\n-- PostgreSQL database dump complete"), 'role "somebody_else" does not exist: leave owners and privileges out (pg_dump --no-owner --no-privileges)'),
    (("CREATE SCHEMA app;", "CREATE SCHEMA app;\nCREATE EXTENSION IF NOT EXISTS no_such WITH SCHEMA public;"), 'extension "no_such" is not available'),
    (("CREATE SCHEMA app;", "CREATE SCHEMA app;\nCOPY public.hosts (id, name) FROM stdin;\n1\tann\n\\.\n"),
     "COPY ... FROM stdin cannot be used in a case: write INSERT statements (pg_dump --inserts)"),
])
def test_a_dump_that_does_not_fit_here(explorer, tmp_path, change, words):
    schema = RELEASE_18.format(setting="").replace(*change)
    found = book(explorer, tmp_path, schema)
    assert found.status == 2 and found.err.count("\n") == 1
    assert words in found.err and f"{tmp_path}/schema.sql:" in found.err


# --- Connections ---

def test_fewer_databases_where_the_server_has_few_connections(small, tmp_path):
    found = Explorer(small.url("postgres")).run("--jobs", "8", "--levels", "rc", CASES / "vulnerable.sql")
    assert found.status == 1 and found.numbers("orders", "anomalous") == {"rc": (70, 40)}
    assert found.err == ("race-explore: 3 databases instead of 8 run orders side by side: each needs 3 connections, and "
                         "the server has room for 11; raise max_connections (12)\n")


def test_more_sessions_than_connections(small, tmp_path):
    names = "BCDEFGHIJKL"
    case = write_case(tmp_path, "-- session A\nSELECT 1;\n" + "".join(f"-- session {name} like A\n" for name in names))
    found = Explorer(small.url("postgres")).run(case)
    assert found.status == 4
    assert found.err == ("race-explore: the database cannot be used: 13 connections are needed, but the server has room "
                         "for 11: raise max_connections (12)\n")


LONG = """-- setup
CREATE TABLE visits (number integer);
{setup}
-- session A
INSERT INTO visits VALUES (1);
INSERT INTO visits VALUES (2);
INSERT INTO visits VALUES (3);
INSERT INTO visits VALUES (4);
{statement};
-- session B like A
"""


def test_a_setup_that_can_run_once_has_one_database(cluster, explorer, tmp_path):
    """A role belongs to the server, so the setup fails in another database."""
    try:
        found = explorer.run("--levels", "rc", "--no-reduction",
                             write_case(tmp_path, LONG.format(setup="CREATE ROLE explored_once;", statement="SELECT 1; SELECT 2")))
    finally:
        cluster.rows("postgres", "DROP ROLE IF EXISTS explored_once")
    assert (found.status, found.err) == (0, "") and found.numbers("orders") == {"rc": (924,)}, found.err


def test_a_value_that_shows_its_database_is_compared(explorer, tmp_path):
    case = write_case(tmp_path, LONG.format(setup="", statement="SELECT current_database()"))
    found = explorer.run("--levels", "rc", "--no-reduction", case)
    assert (found.status, found.err) == (0, "") and found.numbers("orders", "anomalous") == {"rc": (924, 0)}, found.out
    assert found.not_compared() == []


# --- Files are read before the program connects ---

def test_a_mistake_is_reported_without_a_server(tmp_path):
    nowhere = Explorer(f"host={tmp_path} dbname=postgres")
    wrong = write_case(tmp_path, "-- session A\nSELECT :x;\n", "wrong.sql")
    missing = tmp_path / "missing.sql"
    for options in [(), ("--catalogue",), ("--isolationtester",)]:
        found = nowhere.run(*options, missing)
        assert found.status == 2 and found.err.count("\n") == 1 and "missing.sql: " in found.err.replace("missing.sql:0", "missing.sql")
    found = nowhere.run(wrong, missing)
    assert found.status == 2 and [line.split(":")[1].strip() for line in found.err.splitlines()] == [str(wrong), str(missing)]
    found = nowhere.run(wrong, CASES / "now.sql")
    assert found.status == 4 and found.err.count("\n") == 2 and found.err.startswith(f"race-explore: {wrong}:2: ")
    spec = write_case(tmp_path, "session a\nstep one { SELECT 1; }\n", "case.spec")
    found = nowhere.run("--isolationtester", spec)
    assert found.status == 4 and found.err.startswith("race-explore: the database cannot be used: "), found.err
    found = nowhere.run("--replay", "A1 D1", CASES / "now.sql")
    assert found.status == 2 and found.err.endswith('the order names "D1", which is no step and no session\n')
    found = nowhere.run("--without", "X", CASES / "now.sql")
    assert found.status == 2 and found.err.count("\n") == 1 and '"X" is to be left out' in found.err
    assert nowhere.run("--case", "none", CASES / "now.sql").status == 2
