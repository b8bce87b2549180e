"""Verdicts: no false alarm, and nothing that is called clean and is not."""

import re

import pytest
from test_report import write_case

ACCOUNTS = """-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL, version integer NOT NULL DEFAULT 1);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);
CREATE TABLE log (words text);
CREATE FUNCTION repeat_it() RETURNS void LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''repeat'' USING ERRCODE = ''serialization_failure''; END';
"""

OPTIMISTIC = ACCOUNTS + """-- session A target=bob
{first}
SELECT balance >= 800 AS enough, version FROM accounts WHERE id = 'alice' \\gset
\\if :enough
{begin}
UPDATE accounts SET balance = balance - 800, version = version + 1
 WHERE id = 'alice' AND version = :version RETURNING true AS paid \\gset
\\if :{{?paid}}
{commit}
\\else
{rollback}
SELECT repeat_it();
\\endif
\\endif
-- session B like A target=charlie
"""


def optimistic(first="", in_transaction=False):
    begin, commit, rollback = ("BEGIN;", "COMMIT;", "ROLLBACK;") if in_transaction else ("", "", "")
    return OPTIMISTIC.format(first=first, begin=begin, commit=commit, rollback=rollback)


@pytest.mark.parametrize("in_transaction", [False, True])
def test_an_attempt_that_must_be_repeated_and_wrote_nothing_is_forgotten(explorer, tmp_path, in_transaction):
    found = explorer.run(write_case(tmp_path, optimistic(in_transaction=in_transaction)))
    assert found.status == 0, found.out
    assert all(level.aborted > 0 and level.anomalous == 0 for level in found.levels.values()), found.out


@pytest.mark.parametrize("first", ["INSERT INTO log VALUES (:'target');",
                                   "WITH made AS (INSERT INTO log VALUES (:'target') RETURNING 1) SELECT 1 FROM made;"])
def test_an_attempt_that_has_left_something_keeps_its_answers(explorer, tmp_path, first):
    found = explorer.run("--levels", "rc", write_case(tmp_path, optimistic(first)))
    assert found.status == 1 and found.levels["rc"].anomalous > 0, found.out


@pytest.mark.parametrize("first", ["BEGIN;\nINSERT INTO log VALUES (:'target');\nROLLBACK;",
                                   "SELECT pg_advisory_lock(1), pg_advisory_unlock(1);",
                                   "SELECT id FROM accounts FOR SHARE;", "UPDATE accounts SET balance = 0 WHERE id = 'dora';"])
def test_what_leaves_nothing_is_no_write(explorer, tmp_path, first):
    found = explorer.run("--levels", "rc", write_case(tmp_path, optimistic(first)))
    assert found.status == 0, found.out


def test_a_transaction_that_is_a_unit_keeps_its_answers(explorer, tmp_path):
    text = ACCOUNTS + """-- session A
BEGIN;
SELECT balance FROM accounts WHERE id = 'alice';
SELECT balance FROM accounts WHERE id = 'alice';
COMMIT;
SELECT repeat_it();
-- session B
UPDATE accounts SET balance = 0 WHERE id = 'alice';
"""
    case = write_case(tmp_path, text)
    assert explorer.run("--levels", "rc", "--unit", "transaction", case).status == 1
    assert explorer.run("--levels", "rc", case).status == 0


COUNTER = """-- setup
CREATE TABLE counters (id integer PRIMARY KEY, value integer);
INSERT INTO counters VALUES (1, 0);
-- session A
BEGIN;
SELECT value + 1 AS next FROM counters WHERE id = 1 \\gset
UPDATE counters SET value = :next WHERE id = 1;
COMMIT;
-- session B like A
-- invariant both_have_counted
SELECT value = 2 FROM counters;
"""


def test_an_invariant_is_not_broken_by_work_that_is_to_be_repeated(explorer, tmp_path):
    found = explorer.run(write_case(tmp_path, COUNTER))
    assert found.numbers("anomalous", "invariant") == {"rc": (40, 40), "rr": (0, 0), "ser": (0, 0)}, found.out


BOTH = """-- setup
CREATE TABLE flags (id text PRIMARY KEY, up boolean);
INSERT INTO flags VALUES ('A', false), ('B', false);
CREATE FUNCTION refuse(boolean) RETURNS void LANGUAGE plpgsql AS
    'BEGIN IF $1 THEN RAISE EXCEPTION ''busy''; END IF; END';
-- session A me=A other=B
UPDATE flags SET up = true WHERE id = :'me';
SELECT refuse(up) FROM flags WHERE id = :'other';
-- session B like A me=B other=A
"""


def test_two_refusals_that_no_serial_order_has_together(explorer, tmp_path):
    found = explorer.run("--levels", "rc", write_case(tmp_path, BOTH))
    assert found.status == 1 and found.levels["rc"].error == 4, found.out
    assert "errors that no serial order raises together" in found.out


ON_CONFLICT = """-- setup
CREATE TABLE users (name text PRIMARY KEY, visits integer);
-- session A
INSERT INTO users VALUES ('alice', 1) ON CONFLICT (name) {action};
-- session B like A
"""


@pytest.mark.parametrize("action", ["DO NOTHING", "DO UPDATE SET visits = users.visits + 1"])
def test_inserts_of_one_key_wait_and_are_refused(explorer, tmp_path, action):
    found = explorer.run("--verify", write_case(tmp_path, ON_CONFLICT.format(action=action)))
    assert found.numbers("orders", "blocked", "aborted") == {"rc": (4, 2, 0), "rr": (4, 2, 2), "ser": (4, 2, 2)}
    assert found.status == 0 and "differs" not in found.out


def test_a_write_of_a_row_by_its_key_says_what_it_does_not_show(explorer, tmp_path):
    text = COUNTER.replace("BEGIN;\n", "").replace("COMMIT;\n", "")
    assert "not shown: a lone UPDATE" in explorer.run("--levels", "rr", write_case(tmp_path, text)).out
    assert "not shown" not in explorer.run("--levels", "rc", write_case(tmp_path, text)).out


# --- Work at the COMMIT ---

SEATS = """-- setup
CREATE TABLE seats (id integer PRIMARY KEY);
CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN IF (SELECT count(*) FROM seats) > 1 THEN RAISE EXCEPTION ''full''; END IF; RETURN NULL; END';
CREATE CONSTRAINT TRIGGER guard AFTER INSERT ON seats DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION guard();
-- session A seat=1
{begin}INSERT INTO seats VALUES (:seat);
{commit}-- session B like A seat=2
-- invariant one_seat
SELECT count(*) <= 1 FROM seats;
"""


@pytest.mark.parametrize("begin, commit, orders", [("BEGIN;\n", "COMMIT;\n", (70, 40)), ("", "", (20, 12))])
def test_a_deferred_trigger_is_raced(explorer, tmp_path, begin, commit, orders):
    case = write_case(tmp_path, SEATS.format(begin=begin, commit=commit))
    found = explorer.run("--levels", "rc,ser", "--verify", case)
    assert found.numbers("orders", "invariant")["rc"] == orders, found.out
    assert found.levels["rc"].complete and found.levels["ser"].anomalous == 0 and "differs" not in found.out, found.out
    assert "SET CONSTRAINTS ALL IMMEDIATE" in found.out and "phantom" not in found.out, found.out
    again = explorer.run("--levels", "rc", "--replay", found.replay(), case)
    assert again.status == 1 and "invariant one_seat fails" in re.sub(r"\s+", " ", again.out)


def test_a_deferred_foreign_key_is_not_lost_in_the_reduction(explorer, tmp_path):
    text = """-- setup
CREATE TABLE parents (id integer PRIMARY KEY);
INSERT INTO parents VALUES (1);
CREATE TABLE children (parent integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
-- session A
BEGIN;
INSERT INTO children VALUES (1);
COMMIT;
-- session B
BEGIN;
DELETE FROM parents WHERE id = 1;
COMMIT;
"""
    found = explorer.run("--verify", write_case(tmp_path, text))
    assert found.status == 0 and "differs" not in found.out, found.out
    assert [level.blocked for level in found.levels.values()] == [20, 20, 20]


# --- Statements that are more than one act ---

DRAWN = """-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000);
CREATE PROCEDURE draw() LANGUAGE sql AS
    'UPDATE accounts SET balance = balance - 800 WHERE (SELECT balance FROM accounts) >= 800';
CREATE PROCEDURE draw_and_commit() LANGUAGE plpgsql AS 'BEGIN CALL draw(); COMMIT; END';
-- session A
{statement};
-- session B like A
-- invariant not_below_zero
SELECT every(balance >= 0) FROM accounts;
"""


@pytest.mark.parametrize("statement", [
    "UPDATE accounts SET balance = balance - 800 WHERE (SELECT balance FROM accounts) >= 800;\nCOMMENT ON TABLE accounts IS 'x'",
    "DO $$ BEGIN UPDATE accounts SET balance = balance - 800 WHERE (SELECT balance FROM accounts) >= 800; END $$",
    "CALL draw()",
])
def test_a_step_that_changes_the_schema_hides_no_race(explorer, tmp_path, statement):
    text = DRAWN.replace("CREATE PROCEDURE draw_and_commit() LANGUAGE plpgsql AS 'BEGIN CALL draw(); COMMIT; END';\n", "")
    found = explorer.run("--levels", "rc", write_case(tmp_path, text.format(statement=statement)))
    assert found.status == 1 and found.levels["rc"].invariant > 0, found.out


@pytest.mark.parametrize("statement", ["CALL draw_and_commit()", "DO $$ BEGIN CALL draw(); COMMIT; END $$"])
def test_a_procedure_that_commits_is_not_called_complete(explorer, tmp_path, statement):
    found = explorer.run("--levels", "rc", write_case(tmp_path, DRAWN.format(statement=statement)))
    assert found.status == 3 and "ends transactions" in found.out, found.out


def test_a_command_that_needs_a_transaction_is_no_race(explorer, tmp_path):
    text = "-- setup\nCREATE TABLE t (n integer);\n-- session A\nLOCK TABLE t;\nSELECT n FROM t;\n-- session B like A\n"
    found = explorer.run(write_case(tmp_path, text))
    assert found.status == 2 and "A1 fails in every serial order" in found.err, found.out


# --- The reduction ---

CURSOR = """-- setup
CREATE TABLE t (id integer PRIMARY KEY, n integer);
INSERT INTO t VALUES (1, 0), (2, 0);
-- session A
BEGIN{mode};
{declare}SELECT n FROM t WHERE id = 2;
{fetch}COMMIT;
-- session B
BEGIN;
UPDATE t SET n = 1 WHERE id = 1;
COMMIT;
"""


@pytest.mark.parametrize("mode, declare, fetch", [
    ("", "DECLARE c CURSOR FOR SELECT n FROM t WHERE id = 1;\n", "FETCH 1 FROM c;\n"),
    (" READ ONLY DEFERRABLE", "", ""),
])
def test_the_snapshot_of_a_cursor_and_the_wait_for_a_safe_one(explorer, tmp_path, mode, declare, fetch):
    case = write_case(tmp_path, CURSOR.format(mode=mode, declare=declare, fetch=fetch))
    assert "differs" not in explorer.run("--verify", case).out


def test_numbers_of_orders_do_not_overflow(hasty, tmp_path):
    text = "-- setup\nCREATE TABLE t (n integer);\n-- session A\n" + "SELECT 1;\n" * 17
    text += "".join(f"-- session {name} like A\n" for name in "BCD")
    assert hasty.run("--levels", "rc", "--max", "1", write_case(tmp_path, text)).levels["rc"].orders == 2 ** 64 - 1


def test_the_numbers_of_the_first_rows_distinguish_them(explorer, tmp_path):
    text = """-- setup
CREATE TABLE seats (id serial PRIMARY KEY, taken integer NOT NULL);
INSERT INTO seats (taken) VALUES (0), (0), (0);
-- session A first=1 then=2
UPDATE seats SET taken = 1 WHERE id = CASE WHEN (SELECT max(taken) FROM seats) = 0 THEN :first ELSE :then END;
-- session B like A first=2 then=3
"""
    found = explorer.run("--levels", "rc", write_case(tmp_path, text))
    assert found.levels["rc"].anomalous == 4 and found.not_compared() == ["seats.id"], found.out


def test_a_statement_may_touch_other_rows_than_in_the_serial_orders(explorer, tmp_path):
    text = """-- setup
CREATE TABLE counters (id integer PRIMARY KEY, value integer);
INSERT INTO counters VALUES (1, 0);
CREATE TABLE t (id integer PRIMARY KEY, value integer);
INSERT INTO t VALUES (0, 0), (1, 0), (2, 0), (3, 0);
-- session A
UPDATE counters SET value = 1 WHERE id = 1;
-- session B
SELECT value AS x FROM counters \\gset
SELECT value AS y FROM counters \\gset
UPDATE t SET value = value + 1 WHERE id = 2 * :y + :x;
-- session C
UPDATE t SET value = value * 2 + 7 WHERE id = 2;
"""
    # Only between A and B can x differ from y, and only then B and C write the same row.
    assert "differs" not in explorer.run("--levels", "rc", "--verify", write_case(tmp_path, text)).out
