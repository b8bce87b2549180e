"""A database with objects of another program under the lab's names, or with a role that lacks a privilege: nothing is
changed, and one line gives the reason. A schema of the lab's own solves it."""

import pytest

from pace import eventually
from problem import assert_problem

FOREIGN_ACCOUNTS = "CREATE TABLE accounts (id serial PRIMARY KEY, email text NOT NULL, balance integer); " \
                   "COMMENT ON TABLE accounts IS 'customers of the shop'; " \
                   "INSERT INTO accounts (email, balance) VALUES ('a@b.example', 10)"
LAB_ACCOUNTS = """CREATE TABLE accounts (
    id text {collation} PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 64), balance {money} NOT NULL,
    version bigint NOT NULL DEFAULT 0, initial_balance {money} NOT NULL) WITH (fillfactor = 50)"""
STEPS_TOLD = "steps_told(steps jsonb, received timestamptz, from_account text, to_account text, from_before numeric, " \
             "from_after numeric, to_after numeric)"

# The script of the other program, and the name that the line must contain.
FOREIGN = {
    "another_table": (FOREIGN_ACCOUNTS, "public.accounts"),
    "a_table_without_a_comment": ("CREATE TABLE accounts (id serial PRIMARY KEY, email text NOT NULL)", "public.accounts"),
    "whole_units": (LAB_ACCOUNTS.format(collation='COLLATE "C"', money="numeric(10,0)"), "public.accounts"),
    "floating_point": (LAB_ACCOUNTS.format(collation='COLLATE "C"', money="double precision"), "public.accounts"),
    "another_collation": (LAB_ACCOUNTS.format(collation='COLLATE "POSIX"', money="numeric(15,2)"), "public.accounts"),
    "the_same_columns_and_another_comment": (LAB_ACCOUNTS.format(collation='COLLATE "C"', money="numeric(15,2)") +
                                             "; COMMENT ON TABLE accounts IS 'customers of the shop'", "public.accounts"),
    "one_column_more": (LAB_ACCOUNTS.format(collation='COLLATE "C"', money="numeric(15,2)") +
                        "; ALTER TABLE accounts ADD email text", "public.accounts"),
    "unlogged": (LAB_ACCOUNTS.format(collation='COLLATE "C"', money="numeric(15,2)") +
                 "; ALTER TABLE accounts SET UNLOGGED", "public.accounts"),
    "transfers": ("CREATE TABLE transfers (id integer)", "public.transfers"),
    "past_transfers": ("CREATE TABLE past_transfers (id integer)", "public.past_transfers"),
    "lab_totals": ("CREATE TABLE lab_totals (single boolean PRIMARY KEY DEFAULT true, experiments bigint)",
                   "public.lab_totals"),
    "partitioned": ("CREATE TABLE transfers (id integer) PARTITION BY RANGE (id)", "public.transfers"),
    "a_view_for_a_table": ("CREATE VIEW accounts AS SELECT 'alice' AS id, 1.00 AS balance", "public.accounts"),
    "a_table_for_a_view": ("CREATE TABLE races (id integer)", "public.races"),
    "a_materialized_view": ("CREATE MATERIALIZED VIEW money_supply AS SELECT 1 AS drift", "public.money_supply"),
    "a_view_of_their_own": ("CREATE TABLE horses (id integer); CREATE VIEW races AS SELECT id FROM horses", "public.races"),
    "a_view_of_nothing": ("CREATE VIEW running_totals AS SELECT 1 AS transfers", "public.running_totals"),
    "a_sequence": ("CREATE SEQUENCE transfers", "public.transfers"),
    "an_index": ("CREATE TABLE horses (id integer); CREATE INDEX transfers ON horses (id)", "public.transfers"),
    "a_type": ("CREATE TYPE accounts AS ENUM ('checking', 'savings')", "accounts"),
    "a_function": (f"CREATE FUNCTION {STEPS_TOLD} RETURNS integer LANGUAGE sql AS 'SELECT 1'", "public.steps_told"),
    "an_earlier_schema": ("CREATE SCHEMA postgres; SET search_path = postgres; " + FOREIGN_ACCOUNTS, "postgres.accounts"),
    "a_later_schema": ("CREATE SCHEMA postgres; SET search_path = public; " + FOREIGN_ACCOUNTS, "public.accounts"),
    "another_table_in_a_later_schema": ("CREATE SCHEMA postgres; CREATE TABLE public.transfers (id integer)",
                                        "public.transfers"),
    "a_lab_and_a_stranger": (LAB_ACCOUNTS.format(collation='COLLATE "C"', money="numeric(15,2)") +
                             "; CREATE SCHEMA postgres; CREATE VIEW postgres.races AS SELECT 1 AS id", "postgres.races"),
}

# Everything that a change would alter: rows of the catalogue with the transaction that wrote them, comments, the rows
# of the tables.
EVERYTHING = """
    SELECT 'pg_class' AS kind, oid::text, xmin::text FROM pg_class WHERE relnamespace IN (
        SELECT oid FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|lab$)')
    UNION ALL SELECT 'pg_attribute', attrelid::text || '.' || attnum, xmin::text FROM pg_attribute WHERE attrelid IN (
        SELECT oid FROM pg_class WHERE relnamespace IN (
            SELECT oid FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|lab$)'))
    UNION ALL SELECT 'pg_proc', oid::text, xmin::text FROM pg_proc WHERE pronamespace IN (
        SELECT oid FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|lab$)')
    UNION ALL SELECT 'pg_namespace', nspname, xmin::text FROM pg_namespace WHERE nspname !~ '^(pg_|lab$)'
    UNION ALL SELECT 'pg_description', objoid::text, description FROM pg_description WHERE objoid >= 16384
      AND description NOT LIKE 'bank-api schema %'"""


def everything(cluster, database):
    found = [tuple(row.values()) for row in cluster.rows(database, EVERYTHING)]
    tables = cluster.rows(database, "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND oid >= 16384 "
                                    "AND relnamespace::regnamespace::text NOT IN ('lab', 'information_schema', 'pg_catalog')")
    for table in tables:
        found += [(table["name"], str(row)) for row in cluster.rows(database, f"SELECT xmin, * FROM {table['name']}")]
    return sorted(found)


@pytest.fixture
def clean_database(cluster):
    """A database that no later test uses again, because it has schemas."""
    name = cluster.unused_database_name()
    cluster.rows("postgres", f"CREATE DATABASE {name}")
    return name


def refused_line(bank):
    """The last line of a refused start; it is the only one about the database."""
    assert bank.ends_by_itself() == 2
    line = bank.log().splitlines()[-1]
    assert line.startswith("bank-api: ")
    assert bank.log().count(line.removeprefix("bank-api: ")) == 1
    return line


@pytest.mark.parametrize("script, name", FOREIGN.values(), ids=FOREIGN.keys())
def test_another_programs_object_is_left_alone(start_bank, cluster, clean_database, script, name):
    """The start ends with a line that says what is wrong; with a schema of its own the lab works beside it."""
    cluster.rows(clean_database, script)
    before = everything(cluster, clean_database)
    line = refused_line(start_bank(database=clean_database, ready=False))
    assert name in line and "DATABASE_URL" in line and "BANK_API_SCHEMA" in line
    assert everything(cluster, clean_database) == before
    bank = start_bank(database=clean_database, BANK_API_SCHEMA="lab")
    assert bank.transfer("alice", "bob", "1").status == 200
    assert bank.post("/reset").status == 200
    assert bank.get("/races").status == 200
    assert everything(cluster, clean_database) == before


def test_a_refusal_in_many_words(start_bank, cluster, clean_database):
    """PostgreSQL's words are in the line whole."""
    words = "nobody makes tables here " * 20 + "but me"
    cluster.rows(clean_database, f"""
        CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE insufficient_privilege USING MESSAGE = '{words}'; END $$;
        CREATE EVENT TRIGGER refuse_tables ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION refuse()""")
    try:
        assert words in refused_line(start_bank(database=clean_database, ready=False))
    finally:
        cluster.rows(clean_database, "DROP EVENT TRIGGER refuse_tables; DROP FUNCTION refuse()")


ALTERED = {
    "numeric(5,2)": "ALTER TABLE lab_totals ALTER money_drift TYPE numeric(5,2)",
    "DEFAULT": "ALTER TABLE accounts ALTER version DROP DEFAULT",
    "NOT NULL": "ALTER TABLE accounts ALTER balance DROP NOT NULL",
    "PRIMARY KEY": "ALTER TABLE accounts DROP CONSTRAINT accounts_pkey",
    "strategy": "ALTER TABLE transfers DROP strategy CASCADE",
    "email": "ALTER TABLE accounts ADD email text NOT NULL DEFAULT ''; ALTER TABLE accounts ALTER email DROP DEFAULT",
    "unlogged": "ALTER TABLE accounts SET UNLOGGED",
    "row security": "ALTER TABLE accounts ENABLE ROW LEVEL SECURITY",
    "rule mine": "CREATE RULE mine AS ON UPDATE TO accounts DO INSTEAD NOTHING",
    "savings": "CREATE TABLE savings () INHERITS (accounts)",
    "trigger mine": "CREATE FUNCTION doubled() RETURNS trigger LANGUAGE plpgsql AS "
                    "'BEGIN NEW.balance := NEW.balance * 2; RETURN NEW; END'; "
                    "CREATE TRIGGER mine BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION doubled()",
}


@pytest.mark.parametrize("word, script", ALTERED.items(), ids=ALTERED.keys())
def test_a_table_of_the_lab_altered_by_hand(start_bank, cluster, word, script):
    """The next start finds every change that would make answers wrong, or transfers impossible."""
    first = start_bank()
    first.stop()
    if "lab_totals" in script or "balance" in script:  # their views would prevent a change of the column
        cluster.rows(first.database, "DROP VIEW running_totals, money_supply, account_audit, audit_violations CASCADE")
    cluster.rows(first.database, script)
    before = everything(cluster, first.database)
    line = refused_line(start_bank(database=first.database, ready=False))
    assert word in line and "is not as the lab needs it" in line
    assert everything(cluster, first.database) == before


def test_another_programs_table_found_later(start_bank, cluster):
    """The database was unavailable at the start: /health and the log give the reason once; no request touches the
    table."""
    name = cluster.unused_database_name()
    bank = start_bank(database=name, ready=False).until_unhealthy()
    cluster.rows("postgres", f"CREATE DATABASE {name} CONNECTION LIMIT 0")
    cluster.rows(name, "CREATE TABLE accounts (id text, balance numeric(15,2), version bigint, initial_balance numeric); "
                       "INSERT INTO accounts VALUES ('alice', 1000, 0, 0), ('bob', 0, 0, 0)")
    before = everything(cluster, name)
    cluster.rows("postgres", f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    eventually(lambda: "public.accounts" in bank.log(), "the log says why")
    assert bank.get("/health").json() == {"status": "degraded", "service": "bank-api", "database": "unavailable"}
    for answer in (bank.get("/accounts"), bank.get("/accounts/alice"), bank.post("/reset"), bank.get("/transactions"),
                   bank.get("/audit"), bank.get("/races"), bank.transfer("alice", "bob", "1"),
                   bank.transfer("alice", "bob", "1", "batched")):
        assert_problem(answer, 503)
        assert int(answer.headers["Retry-After"]) >= 1
    assert everything(cluster, name) == before
    cluster.rows(name, "DROP TABLE accounts")
    bank.until_healthy()
    assert bank.log().count("public.accounts") == 1
    assert bank.transfer("alice", "bob", "1").status == 200


def test_another_programs_table_in_place_of_the_labs(start_bank, cluster):
    """The table was put there while the sessions were closed: the next session checks before it uses the table."""
    bank = start_bank()
    cluster.rows(bank.database, "DROP TABLE accounts CASCADE; CREATE TABLE accounts "
                                "(id text, balance numeric(15,2), version bigint, initial_balance numeric); "
                                "INSERT INTO accounts VALUES ('alice', 1000, 0, 0), ('bob', 0, 0, 0)")
    cluster.end_sessions(bank.database)
    before = everything(cluster, bank.database)
    for answer in (bank.transfer("alice", "bob", "1"), bank.get("/accounts"), bank.post("/reset")):
        assert_problem(answer, 503)
    bank.until_unhealthy()
    eventually(lambda: "public.accounts" in bank.log(), "the log says why")
    assert everything(cluster, bank.database) == before


# A schema of the lab's own

@pytest.mark.parametrize("schema", ["lab", "user", "_2nd_bank"])
def test_a_schema_of_its_own(start_bank, cluster, clean_database, schema):
    """The schema is made; nothing is made elsewhere; a restart finds it."""
    first = start_bank(database=clean_database, BANK_API_SCHEMA=schema)
    assert first.transfer("alice", "bob", "100").status == 200
    first.stop()
    second = start_bank(database=clean_database, BANK_API_SCHEMA=schema)
    assert second.balance("alice") == 900
    found = cluster.rows(clean_database, "SELECT DISTINCT relnamespace::regnamespace::text AS schema FROM pg_class "
                                         "WHERE oid >= 16384 AND relkind IN ('r', 'v')")
    assert [row["schema"].strip('"') for row in found] == [schema]


def test_two_labs_in_one_database(start_bank, clean_database):
    """One is found by the search_path, one is named by the variable: each has its own money."""
    one, other = start_bank(database=clean_database), start_bank(database=clean_database, BANK_API_SCHEMA="lab")
    assert one.transfer("alice", "bob", "100").status == 200
    assert (one.balance("alice"), other.balance("alice")) == (900, 1000)


def test_the_search_path_of_the_role_does_not_lead_elsewhere(start_bank, cluster, clean_database):
    """Another schema is put before the lab's later: the lab stays where its tables are."""
    first = start_bank(database=clean_database)
    assert first.transfer("alice", "bob", "100").status == 200
    cluster.rows(clean_database, "CREATE SCHEMA postgres")
    cluster.end_sessions(clean_database)
    first.until_healthy()
    second = start_bank(database=clean_database)
    assert (first.balance("alice"), second.balance("alice")) == (900, 900)
    assert cluster.rows(clean_database, "SELECT oid FROM pg_class WHERE relnamespace = 'postgres'::regnamespace") == []


@pytest.mark.parametrize("schema", ["Lab", "pg_lab", "a-b", "1a", "information_schema", "x" * 64, 'a"b', "a,b"])
def test_a_name_that_is_none(start_bank, schema):
    bank = start_bank(ready=False, BANK_API_SCHEMA=schema)
    assert bank.ends_by_itself() == 2
    line, = bank.log().splitlines()
    assert "BANK_API_SCHEMA" in line and schema in line and "a-z" in line


# A role that lacks privileges

@pytest.fixture
def teller(cluster):
    """A role without any privilege of its own, and its URL for a database."""
    cluster.rows("postgres", "DROP ROLE IF EXISTS teller; CREATE ROLE teller LOGIN")
    yield lambda database: cluster.url(database).replace("user=postgres", "user=teller")
    for database in cluster.rows("postgres", "SELECT datname FROM pg_database WHERE datallowconn"):
        cluster.rows(database["datname"], "DROP OWNED BY teller")
    cluster.rows("postgres", "DROP ROLE teller")


def test_a_role_that_may_not_create(start_bank, cluster, clean_database, teller):
    cluster.rows(clean_database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # PostgreSQL 14 grants it to every role
    line = refused_line(start_bank(database=clean_database, ready=False, DATABASE_URL=teller(clean_database)))
    assert "permission denied" in line and "public" in line and "DATABASE_URL" in line


def test_a_role_that_may_not_create_a_schema(start_bank, clean_database, teller):
    line = refused_line(start_bank(database=clean_database, ready=False, DATABASE_URL=teller(clean_database),
                                   BANK_API_SCHEMA="lab"))
    assert "permission denied" in line and "lab" in line


def test_a_role_without_a_schema(start_bank, cluster, clean_database, teller):
    cluster.rows(clean_database, "DROP SCHEMA public")
    line = refused_line(start_bank(database=clean_database, ready=False, DATABASE_URL=teller(clean_database)))
    assert "search_path" in line and "BANK_API_SCHEMA" in line


def test_a_role_that_may_only_read(start_bank, cluster, clean_database, teller):
    """The tables exist, made by their owner. After the missing privileges are granted, the same start succeeds."""
    start_bank(database=clean_database)
    cluster.rows(clean_database, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO teller")
    line = refused_line(start_bank(database=clean_database, ready=False, DATABASE_URL=teller(clean_database)))
    assert "teller" in line and "UPDATE on accounts" in line and "GRANT" in line
    cluster.rows(clean_database, "GRANT ALL ON ALL TABLES IN SCHEMA public TO teller")
    bank = start_bank(database=clean_database, DATABASE_URL=teller(clean_database))
    assert bank.transfer("alice", "bob", "1").status == 200
    assert bank.post("/reset").status == 200
