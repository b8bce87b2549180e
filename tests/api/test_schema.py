"""The program makes or alters its tables and views only if that is needed, and blocks no other session if they
exist."""

import contextlib
import decimal
import pathlib
import re

import pytest

from pace import eventually

OTHER_MARK = "bank-api schema 1"

# Everything that the scripts make, and its comment.
MARKS = """SELECT relname, relkind, obj_description(oid, 'pg_class') AS mark FROM pg_class
           WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"""

# The compared properties of a table, and the definitions of the views and of the function.
SHAPES = """
    SELECT c.relname::text AS object, a.attname::text AS part,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), l.collname, a.attnotnull, a.attidentity,
                     pg_get_expr(d.adbin, d.adrelid)) AS shape
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
    UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL SELECT relname, reloptions::text, concat(relkind, relpersistence)
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT viewname, 'view', definition FROM pg_views WHERE schemaname = 'public'
    UNION ALL SELECT proname, 'function', prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"""

OLDER_SCHEMAS = sorted((pathlib.Path(__file__).parent / "schemas").glob("*.sql"))

A_RECORD = """INSERT INTO transfers (id, "timestamp", from_account, to_account, amount, from_balance_before,
                  from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy,
                  race_detected, steps)
              VALUES ('0123abcd', now(), 'zoe', '\u00e4nne', 0.01, 5, 4.99, 9999999999999.98, 9999999999999.99, 'success',
                      'worker-1', 1.5, 'vulnerable', false, '[]')"""


def marks(bank):
    return {row["mark"] for row in bank.rows(MARKS)}


def made_by_another(bank):
    """Marks the objects as if a program with other scripts had started last."""
    for row in bank.rows(MARKS):
        bank.rows(f"COMMENT ON {'VIEW' if row['relkind'] == 'v' else 'TABLE'} {row['relname']} IS '{OTHER_MARK}'")


@contextlib.contextmanager
def reading(bank, relation):
    """An open transaction at psql that has read `relation`."""
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute(f"SELECT * FROM {relation}")
        yield


def test_everything_that_is_made_is_marked(start_bank):
    bank = start_bank()
    assert {"accounts", "lab_totals", "money_supply", "running_totals"} <= {row["relname"] for row in bank.rows(MARKS)}
    assert all(re.fullmatch(r"bank-api schema -?\d+ [0-9a-f]{32}", mark) for mark in marks(bank))


@pytest.mark.parametrize("relation", ["transfers", "double_spends"])
def test_a_start_does_not_wait_for_readers(start_bank, relation):
    """The second comes up beside an open transaction, and meanwhile the first still writes."""
    first = start_bank()
    with reading(first, relation):
        second = start_bank(database=first.database)
        assert [bank.transfer("alice", "bob", "1").status for bank in (first, second)] == [200, 200]
    assert "lock timeout" not in second.log()


def test_a_start_does_not_wait_for_changes_of_seeded_rows(start_bank):
    """An existing account need not be made, even if another session is changing it."""
    first = start_bank()
    with first.cluster.session(first.database) as session:
        session.autocommit = False
        session.cursor().execute("UPDATE lab_totals SET resets = resets; UPDATE accounts SET balance = balance")
        start_bank(database=first.database)
        session.rollback()


def test_another_version_leaves_the_log_alone(start_bank):
    """It makes its own views, but does not lock the transfers table, which has all columns already."""
    first = start_bank()
    ours = marks(first)
    made_by_another(first)
    with reading(first, "transfers"):
        second = start_bank(database=first.database)
        assert [bank.transfer("alice", "bob", "1").status for bank in (first, second)] == [200, 200]
    assert marks(first) == ours


def test_another_version_waits_for_readers_of_its_views(start_bank):
    """It comes up when the readers have ended; meanwhile the running one serves, and its transfers too."""
    first = start_bank()
    made_by_another(first)
    with reading(first, "double_spends"):
        second = start_bank(database=first.database, ready=False).until_unhealthy()
        assert first.transfer("alice", "bob", "1").status == 200
        assert first.get("/health").status == 200
        assert marks(first) == {OTHER_MARK}
    second.until_healthy()
    assert OTHER_MARK not in marks(first)


@pytest.mark.parametrize("gone", ["VIEW double_spends", "VIEW money_supply", "TABLE past_transfers", "TABLE transfers",
                                  "TABLE lab_totals", "TABLE accounts"])
def test_what_was_dropped_is_made_again(start_bank, gone):
    first = start_bank()
    there = len(first.rows(MARKS))
    first.rows(f"DROP {gone} CASCADE")
    second = start_bank(database=first.database)
    assert len(second.rows(MARKS)) == there
    assert second.transfer("alice", "bob", "1").status == 200
    assert second.get("/races").status == 200


@pytest.fixture
def older_database(cluster):
    """A database that an older version made and used, with its rows."""
    def make(script):
        database = cluster.new_database()
        cluster.rows(database, script)
        cluster.rows(database, A_RECORD + """;
            INSERT INTO accounts (id, balance, version, initial_balance)
            VALUES ('\u00e4nne', 9999999999999.99, 7, 9999999999999.98), ('zoe', 4.99, 3, 5)""")
        if cluster.rows(database, "SELECT to_regclass('lab_totals') IS NOT NULL AS there")[0]["there"]:
            cluster.rows(database, """DELETE FROM lab_totals; INSERT INTO lab_totals VALUES (true, 4, 3, 2, 1, 0, -0.01);
                INSERT INTO past_transfers (seq, id, "timestamp", from_account, to_account, amount, from_balance_before,
                    from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy,
                    race_detected, anomaly, trace_id, steps, reset)
                SELECT seq, id, "timestamp", from_account, to_account, amount, from_balance_before, from_balance_after,
                       to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy, race_detected,
                       anomaly, trace_id, steps, 3 FROM transfers""")
        return database
    return make


def kept(cluster, database):
    """The rows that must survive in the existing tables; a column that an older version does not have counts as
    empty."""
    def rows(table):
        if not cluster.rows(database, "SELECT FROM pg_class WHERE oid = to_regclass(%s)", table):
            return None
        return sorted(str(sorted((key, str(value)) for key, value in row.items() if value is not None))
                      for row in cluster.rows(database, f"TABLE {table}"))
    return {table: found for table in ("accounts", "transfers", "past_transfers", "lab_totals")
            if (found := rows(table)) is not None}


def shapes(bank):
    return {(row["object"], row["part"], row["shape"]) for row in bank.rows(SHAPES)}


@pytest.mark.parametrize("script", OLDER_SCHEMAS, ids=lambda path: path.stem)
def test_a_database_of_an_older_version(start_bank, bank, cluster, older_database, script):
    """It becomes like a new one and keeps its rows; a second start changes nothing."""
    database = older_database(script.read_text())
    before = kept(cluster, database)
    altered = start_bank(database=database)
    after = kept(cluster, database)
    assert {table: after[table] for table in before} == before
    assert shapes(altered) == shapes(bank)
    assert altered.transfer("\u00e4nne", "zoe", "1").status == 200
    assert altered.post("/reset").status == 200
    made = cluster.rows(database, "SELECT xmin, oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    start_bank(database=database)
    assert made == cluster.rows(database, "SELECT xmin, oid, relname FROM pg_class "
                                          "WHERE relnamespace = 'public'::regnamespace")


def test_the_schema_of_today_will_be_an_older_one(bank, cluster):
    """The last of schemas/ makes the current tables, so that every change of the tables has a test of the upgrade."""
    database = cluster.new_database()
    cluster.rows(database, OLDER_SCHEMAS[-1].read_text())
    tables = {row["relname"] for row in bank.rows(MARKS) if row["relkind"] == "r"}
    last = {tuple(row.values()) for row in cluster.rows(database, SHAPES) if row["object"] in tables}
    assert last == {shape for shape in shapes(bank) if shape[0] in tables}, \
        "sql/schema.sql has changed: put it, with views.sql, into schemas/ as the next number"


def test_two_at_once_on_a_database_of_an_older_version(start_bank, cluster, older_database):
    database = older_database(OLDER_SCHEMAS[0].read_text())
    banks = [start_bank(database=database, ready=False, WORKER_THREADS=4) for _ in range(4)]
    for bank in banks:
        bank.until_healthy()
        assert "ERROR" not in bank.log()


def test_a_log_from_before_anomalies(start_bank):
    first = start_bank()
    first.rows("ALTER TABLE transfers DROP COLUMN anomaly CASCADE")
    second = start_bank(database=first.database)
    assert second.transfer("alice", "bob", "1").status == 200
    assert second.rows("SELECT anomaly FROM transfers") == [{"anomaly": None}]


@pytest.mark.parametrize("change, name", [
    ("CREATE OR REPLACE VIEW money_supply AS SELECT 0::numeric AS expected, 0::numeric AS actual, 0::numeric AS drift",
     "money_supply"),
    ("CREATE OR REPLACE VIEW money_supply AS SELECT 0::numeric AS expected, 0::numeric AS actual, 0::numeric AS drift, "
     "'by hand' AS note", "money_supply"),
    ("ALTER VIEW account_audit RENAME COLUMN drift TO difference", "account_audit"),
    ("ALTER FUNCTION steps_told COST 100; CREATE OR REPLACE FUNCTION steps_told(steps jsonb, received timestamptz, "
     "from_account text, to_account text, from_before numeric, from_after numeric, to_after numeric) "
     "RETURNS TABLE (\"position\" bigint, step text, account text, value numeric, at_us bigint, took_us bigint, "
     "parties integer, outcome text) LANGUAGE sql STABLE AS "
     "$$ SELECT 1, 'read', 'x', 0, 0, 0, 0, 'x' WHERE false $$", "steps_told")],
    ids=["definition", "columns", "name_of_a_column", "function"])
def test_a_view_or_function_altered_by_hand_is_made_anew(start_bank, change, name):
    """An answer is read from it, so the answer would be wrong."""
    first = start_bank()
    wanted = shapes(first)
    first.rows(change)
    assert shapes(first) != wanted
    second = start_bank(database=first.database)
    assert shapes(second) == wanted, name


def test_what_a_person_adds_is_left(start_bank):
    """Optional columns, constraints, indexes, triggers that change no row, and views of other owners."""
    first = start_bank()
    first.rows("""ALTER TABLE accounts ADD note text DEFAULT 'mine', ADD CHECK (balance > -1000000);
        CREATE INDEX mine ON transfers (from_account);
        CREATE FUNCTION heard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER mine AFTER INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION heard();
        CREATE VIEW my_view AS SELECT * FROM money_supply JOIN races ON true""")
    wanted = shapes(first)
    second = start_bank(database=first.database)
    assert shapes(second) == wanted
    assert second.transfer("alice", "bob", "1").status == 200
    assert second.post("/reset").status == 200


def test_a_view_of_a_person_that_is_in_the_way(start_bank, cluster, older_database):
    """The older view that it reads cannot be dropped; the reason names it."""
    database = older_database(OLDER_SCHEMAS[-3].read_text())
    cluster.rows(database, "CREATE VIEW my_view AS SELECT drift FROM money_supply")
    bank = start_bank(database=database, ready=False)
    assert bank.ends_by_itself() == 2
    assert "my_view" in bank.log().splitlines()[-1]


def test_an_emptied_bank_is_filled_at_a_start(start_bank):
    """The tables exist, so nothing is made; but the initial rows are inserted."""
    first = start_bank()
    first.rows("DELETE FROM accounts; DELETE FROM lab_totals")
    second = start_bank(database=first.database)
    assert second.balances() == {"alice": 1000, "bob": 500, "charlie": 200}
    assert len(second.rows("TABLE lab_totals")) == 1


def test_two_at_once_on_an_emptied_bank(start_bank):
    """psql is about to insert the same accounts: the second session finds them, and that is no error."""
    first = start_bank()
    first.rows("DELETE FROM accounts")
    with first.cluster.session(first.database) as session:
        session.autocommit = False
        session.cursor().execute("INSERT INTO accounts (id, balance, initial_balance) "
                                 "VALUES ('alice', 1000, 1000), ('bob', 500, 500), ('charlie', 200, 200)")
        second = start_bank(database=first.database, ready=False)
        eventually(lambda: first.rows("SELECT pid FROM pg_locks WHERE NOT granted"), "the second waits")
        session.commit()
    second.until_healthy()
    assert second.balances() == {"alice": 1000, "bob": 500, "charlie": 200}
    assert "ERROR" not in second.log()


def test_a_reset_after_a_drift_of_any_size(start_bank):
    """Sums of sums have more digits than a balance; the reset that adds them up succeeds again and again."""
    bank = start_bank()
    for _ in range(3):
        bank.rows("DELETE FROM accounts; INSERT INTO accounts (id, balance, initial_balance) "
                  "SELECT 'x' || i, 9999999999999.99, 0 FROM generate_series(1, 101) i")
        assert bank.get("/audit").status == 200
        assert bank.post("/reset").status == 200
        assert bank.get("/races").status == 200
    assert bank.rows("SELECT money_drift FROM lab_totals")[0]["money_drift"] == 303 * decimal.Decimal("9999999999999.99")
