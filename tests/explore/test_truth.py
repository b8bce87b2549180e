"""Cases that are not clean or not complete, the reduction against all orders, and the fixes that are tried."""

import json
import re

import pytest
from explorer import CASES
from test_report import document, write_case

# A plain INSERT reads nothing by itself. Here a function of the schema reads the table for it.
HIDDEN = """-- setup
CREATE TABLE seats (id integer, taken_by text);
CREATE FUNCTION seats_taken() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM seats';
{change}
-- session A who=a
INSERT INTO seats VALUES (1, :'who');
-- session B like A who=b
-- invariant one_seat
SELECT count(*) <= 1 FROM seats;
"""


@pytest.mark.parametrize("change", [
    "ALTER TABLE seats ADD CHECK (seats_taken() < 1);",
    "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF seats_taken() > 0 THEN RETURN NULL; END IF;"
    " RETURN NEW; END';\nCREATE TRIGGER guard BEFORE INSERT ON seats FOR EACH ROW EXECUTE FUNCTION guard();",
])
def test_code_that_a_statement_hides_is_raced(explorer, tmp_path, change):
    found = explorer.run(write_case(tmp_path, HIDDEN.format(change=change)), "--levels", "rc")
    assert found.status == 1
    assert "invariant one_seat fails" in re.sub(r"\s+", " ", found.out)


def test_the_reduction_says_of_all_orders_what_they_say(explorer):
    found = explorer.run(*sorted(CASES.glob("*.sql")), "--verify", "--levels", "rc,rr")
    assert found.out.count("  verify: ") >= 30
    assert "differs" not in found.out


# A reads what B overwrites, and B reads what C overwrites. SSI refuses B only if C has committed before A has begun,
# although A and C have no row in common.
PIVOT = """-- setup
CREATE TABLE counters (id integer PRIMARY KEY, value integer);
INSERT INTO counters VALUES (1, 0), (2, 0);
-- session A
SELECT value FROM counters WHERE id = 1;
-- session B
BEGIN;
UPDATE counters SET value = value + 1 WHERE id = 1;
SELECT value FROM counters WHERE id = 2;
COMMIT;
-- session C
UPDATE counters SET value = value + 1 WHERE id = 2;
"""

# The third query of B adds no conflict to those of the first two.
REPEATED = """-- setup
CREATE TABLE counters (id integer PRIMARY KEY, value integer);
INSERT INTO counters VALUES (1, 0), (2, 0);
-- session A
BEGIN;
UPDATE counters SET value = value + 1 WHERE id = 1;
SELECT value FROM counters WHERE id = 2;
COMMIT;
-- session B
BEGIN;
SELECT value FROM counters WHERE id = 1;
SELECT value FROM counters WHERE id = 2;
SELECT value FROM counters WHERE id = 1;
COMMIT;
-- session C
UPDATE counters SET value = value + 1 WHERE id = 2;
"""


@pytest.mark.parametrize("text", [PIVOT, REPEATED])
def test_the_reduction_keeps_orders_that_ssi_distinguishes(explorer, tmp_path, text):
    found = explorer.run(write_case(tmp_path, text), "--verify", "--levels", "ser")
    assert "  verify: " in found.out and "differs from" not in found.out, found.out


# A block that runs outside of a transaction, one that is a whole transaction, and one in a transaction that fails.
SPECS = ["""setup { CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0), (2, 0); }
teardown { DROP TABLE t; }
session s1
step a { SELECT v FROM t WHERE id = 1; }
step b { UPDATE t SET v = v + 1 WHERE id = 1; }
session s2
step c { UPDATE t SET v = v * 2 + 5 WHERE id = 1; }
step d { SELECT v FROM t WHERE id = 1; }
""", """setup { CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0), (2, 0); }
teardown { DROP TABLE t; }
session s1
step a { BEGIN; UPDATE t SET v = v + 1 WHERE id = 1; COMMIT; }
step b { SELECT v FROM t WHERE id = 1; }
session s2
setup { BEGIN; }
step c { UPDATE t SET v = v * 2 + 5 WHERE id = 1; }
step d { SELECT v FROM t WHERE id = 1; UPDATE t SET v = 9 WHERE id = 2; COMMIT; }
session s3
step e { SELECT v FROM t WHERE id = 2; }
"""]


@pytest.mark.parametrize("text", SPECS)
def test_the_reduction_knows_what_a_block_of_a_spec_touches(explorer, tmp_path, text):
    found = explorer.run(write_case(tmp_path, text, "case.spec"), "--verify", "--levels", "rc,rr,ser")
    assert found.out.count("  verify: ") == 3 and "differs from" not in found.out, found.out
    assert found.status == 1, found.out


# The levels stand in the statements. PostgreSQL shows no reads of a READ ONLY transaction.
NAMED = """-- setup
CREATE TABLE pots (id integer PRIMARY KEY, coins integer);
INSERT INTO pots VALUES (1, 10), (2, 20);
-- session A
BEGIN ISOLATION LEVEL {a};
SELECT sum(coins) FROM pots;
UPDATE pots SET coins = coins - 5 WHERE id = 1;
COMMIT;
-- session B
BEGIN{b};
SELECT coins FROM pots WHERE id = 1;
{b_write}SELECT sum(coins) FROM pots;
COMMIT;
"""
WRITE = "UPDATE pots SET coins = coins + 7 WHERE id = 2;\n"


@pytest.mark.parametrize("a, b, b_write, is_reduced", [
    ("SERIALIZABLE", " ISOLATION LEVEL SERIALIZABLE", WRITE, True),
    ("REPEATABLE READ", " ISOLATION LEVEL READ COMMITTED", WRITE, True),
    ("SERIALIZABLE", "", WRITE, True),
    ("SERIALIZABLE", " READ ONLY", "", False),
])
def test_levels_that_statements_name_are_reduced_rightly(explorer, tmp_path, a, b, b_write, is_reduced):
    found = explorer.run(write_case(tmp_path, NAMED.format(a=a, b=b, b_write=b_write)), "--verify")
    runs = re.search(r"verify: (\d+) runs say of the (\d+) orders", found.out)
    assert runs and "differs from" not in found.out, found.out
    assert (int(runs.group(1)) < int(runs.group(2))) == is_reduced, found.out


READ_TWICE = """-- setup
CREATE TABLE pots (id integer PRIMARY KEY, coins integer);
INSERT INTO pots VALUES (1, 10), (2, 20);
-- session A
BEGIN;
SELECT coins FROM pots WHERE id = 1;
SELECT coins FROM pots WHERE id = 2;
COMMIT;
-- session B
BEGIN;
UPDATE pots SET coins = 12 WHERE id = 1;
UPDATE pots SET coins = 18 WHERE id = 2;
COMMIT;
"""


# Each of the two serial orders runs three times. Three orders stand for all: A takes its snapshot before the first
# write of B, behind it, or behind the COMMIT of B.
def test_no_order_is_begun_that_another_one_stands_for(hasty, tmp_path):
    found = hasty.run(write_case(tmp_path, READ_TWICE), "--levels", "rr", "--verify")
    assert "verify: 9 runs say of the 70 orders what 74 runs say" in found.out, found.out


def test_a_recorded_statement_with_parameters_is_raced_inside(explorer, tmp_path):
    entries = []
    for session, amount in ("a1", 5), ("b2", 7):
        for sql, values in (("UPDATE t SET v = (SELECT max(v) FROM t) + $1 WHERE id = $2", (amount, 1)),
                            ("SELECT v FROM t WHERE id = $1", (1,))):
            detail = ", ".join(f"${number} = '{value}'" for number, value in enumerate(values, 1))
            entries.append(json.dumps({"session_id": f"6b096fb4.{session}", "dbname": "d", "error_severity": "LOG",
                                       "message": f"execute <unnamed>: {sql}", "detail": f"parameters: {detail}"}))
    log = write_case(tmp_path, "\n".join(entries) + "\n", "log.json")
    setup = write_case(tmp_path, "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0);", "t.sql")
    found = explorer.run(log, "--setup", setup, "--verify", "--levels", "rc")
    assert (found.status, found.err) == (1, ""), found.out
    assert "A1c" in found.out and "differs from" not in found.out, found.out


def test_a_case_without_tables_is_explored(explorer, tmp_path):
    case = write_case(tmp_path, "-- session A\nSELECT 1 AS a;\n-- session B\nSELECT 2 AS b;\n")
    found = explorer.run(case)
    assert (found.status, found.err) == (0, ""), found.err
    assert found.numbers("orders") == {"rc": (2,), "rr": (2,), "ser": (2,)}


def fixes(found):
    """The lines of --fix: (change, level) -> verdict."""
    verdicts, change = {}, None
    for line in found.out.partition("Which fix ends it?")[2].split("\n"):
        row = re.match(r"^    (READ COMMITTED|REPEATABLE READ|SERIALIZABLE|as written) +(still wrong|ends it|not known)", line)
        change = line.strip() if re.match(r"^  \S", line) else change
        if row:
            verdicts[change, row[1]] = row[2]
    return verdicts


GUARD = "the check in the WHERE of the UPDATE, the rest only if it finds the row"
LOCKS = "SELECT ... FOR UPDATE in a transaction"


def test_a_fix_is_called_one_only_where_it_ends_the_anomaly(explorer):
    found = fixes(explorer.case("vulnerable_branch", "--fix"))
    assert found["no change but the level", "SERIALIZABLE"] == "still wrong"
    assert found["BEGIN ... COMMIT", "READ COMMITTED"] == "still wrong"
    assert found["BEGIN ... COMMIT", "REPEATABLE READ"] == "ends it"
    assert found[LOCKS, "READ COMMITTED"] == "ends it"
    assert [found[GUARD, level] for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")] == ["ends it"] * 3


def test_a_guard_leaves_a_lost_update_that_it_does_not_prevent(explorer, tmp_path):
    text = (CASES / "in_transaction_branch.sql").read_text()
    text = text.replace("SELECT balance >=", "SELECT balance AS old, balance >=").replace("= balance - 800", "= :old - 800")
    found = explorer.run("--fix", "--levels", "rc", write_case(tmp_path, text.replace(">= 800", ">= 100")))
    assert fixes(found)[GUARD, "READ COMMITTED"] == "still wrong"
    assert "+\\endif\n" in found.out and "+\\if :{?enough_holds}\n" in found.out


def test_the_changed_lines_are_shown(explorer, tmp_path):
    case, = document(explorer, tmp_path, "--fix", "--levels", "rc", CASES / "vulnerable_branch.sql")["cases"]
    fix = {each["change"]: each for each in case["fixes"]}
    assert fix["BEGIN ... COMMIT"]["diff"] == "@@ session A, B @@\n+BEGIN;\n ...\n+COMMIT;\n"
    assert "+\\if :{?enough}\n" in fix[GUARD]["diff"] and "AND balance >= 800 RETURNING true AS enough" in fix[GUARD]["diff"]
    assert [(level["level"], level["ends_it"], level["wrong"], level["orders"]) for level in fix["BEGIN ... COMMIT"]["levels"]
            ] == [("READ COMMITTED", False, 134, 148), ("REPEATABLE READ", True, 0, 148), ("SERIALIZABLE", True, 0, 148)]
    out = explorer.case("vulnerable_branch", "--fix", "--levels", "rc").out
    assert all(f"      {line}\n" in out for each in fix.values() for line in each["diff"].splitlines())


def test_a_changed_case_shows_what_the_diff_says(explorer, tmp_path):
    text = (CASES / "vulnerable_branch.sql").read_text()
    changed = text.replace("""SELECT balance >= 800 AS enough FROM accounts WHERE id = 'alice' \\gset
\\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
""", """UPDATE accounts SET balance = balance - 800 WHERE id = 'alice' AND balance >= 800 RETURNING true AS enough \\gset
\\if :{?enough}
""")
    assert changed != text
    found = explorer.run(write_case(tmp_path, changed))
    assert found.status == 0 and found.numbers("orders", "anomalous", "aborted") == dict.fromkeys(("rc", "rr", "ser"), (6, 0, 0))


def test_a_fix_that_cannot_be_placed_says_why(explorer):
    out = re.sub(r"\s+", " ", explorer.case("write_skew", "--fix").out)
    assert "FOR UPDATE is not allowed with aggregate functions" in out


def test_a_clean_case_needs_no_fix(explorer):
    out = explorer.case("for_update", "--fix").out
    assert "Which fix" not in out and "--fix: nothing was found, so there is nothing to change\n" in out
