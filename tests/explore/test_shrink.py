"""The smallest order: sessions, transactions and steps that it does not need are left out, and it can be repeated."""

import json
import re
import shlex

import jsonschema
import pytest
from explorer import CASES, ROOT
from test_report import SCHEMA, document, write_case

CATALOGUE = ROOT / "sql/cases"
SKEW = (CASES / "write_skew_branch.sql").read_text()
THREE = SKEW.replace("-- invariant", """-- session C
BEGIN;
SELECT count(*) FROM doctors;
UPDATE doctors SET on_call = on_call WHERE name = 'carol';
COMMIT;

-- invariant""")
TWO_TRANSACTIONS = SKEW.replace("-- session A name=alice\n", """-- session A name=alice
BEGIN;
UPDATE doctors SET on_call = true WHERE name = 'nobody';
COMMIT;
""")
LONG = """-- setup
CREATE TABLE counters (id integer PRIMARY KEY, value integer);
INSERT INTO counters VALUES (1, 0), (2, 0);
CREATE TABLE words (word text);
-- session A word=a
SELECT value AS other FROM counters WHERE id = 2 \\gset
\\set words 'counters ' :other
SELECT value AS unused FROM counters WHERE id = 2 \\gset
\\if :other
INSERT INTO words VALUES (:'words');
\\else
INSERT INTO words VALUES (:'word');
\\endif
SELECT value AS old FROM counters WHERE id = 1 \\gset
SELECT 1;
SELECT :old + 1 AS new \\gset
UPDATE counters SET value = :new WHERE id = 1;
INSERT INTO words VALUES ('end');
-- session B like A word=b
"""


def flat(text):
    return re.sub(r"\s+", " ", text)


def left_out(found):
    """The parts that the report names."""
    text = re.search(r"left out: (.*?)\n(?! {4})", found.out, re.DOTALL)
    return flat(text.group(1)) if text else ""


def again(explorer, found):
    """The run of the line that repeats the first story."""
    line = next(line for line in found.out.split("\n") if line.startswith("  again: "))
    return explorer.run(*shlex.split(line.removeprefix("  again: "))[2:])


def drawing(found):
    return re.search(r"^  A  .*?(?=^  again)", found.out, re.MULTILINE | re.DOTALL).group()


def verdict(found):
    return flat(re.search(r": (not serializable.*?|a new error.*?|invariant.*?)\n(?! {4})", found.out, re.DOTALL).group(1))


@pytest.mark.parametrize("text, names", [
    (THREE, "session C"),
    (TWO_TRANSACTIONS, "A1 to A3, B1 to B3"),
    (LONG, "A1 to A4, A6, A9, B1 to B4, B6, B9"),
])
def test_what_the_order_does_not_need_is_left_out(explorer, tmp_path, text, names):
    found = explorer.run("--levels", "rc", "--max", "2000", write_case(tmp_path, text))
    assert left_out(found) == names, found.out
    repeated = again(explorer, found)
    assert (repeated.status, repeated.err) == (1, "")
    assert (drawing(repeated), verdict(repeated)) == (drawing(found), verdict(found))


def test_nothing_is_left_out_on_request(explorer, tmp_path):
    found = explorer.run("--levels", "rc", "--max", "2000", "--no-shrink", write_case(tmp_path, THREE))
    assert left_out(found) == "" and "C1 BEGIN" in found.out and "--without" not in found.out


def test_a_lock_that_does_not_help_stays(explorer):
    found = explorer.run("--levels", "rc", CATALOGUE / "lock_released_early.wrong.sql")
    assert "pg_advisory_lock(1)" in found.out and "pg_advisory_unlock(1)" in found.out


@pytest.mark.parametrize("name", ["vulnerable_branch", "in_transaction", "knex", "subselect_predicate", "find_or_create",
                                  "write_skew"])
def test_the_smallest_order_goes_wrong_in_the_same_way(explorer, tmp_path, name):
    for found in document(explorer, tmp_path, CASES / f"{name}.sql")["cases"][0]["explorations"]:
        bad = [outcome for outcome in found["outcomes"] if outcome["kind"] != "serial"]
        if not bad or found["smallest"] is None:
            continue
        worst, = found["smallest"]["outcomes"]
        whole = min(bad, key=lambda outcome: (outcome["preemptions"], len(outcome["order"])))
        same = ("kind", "name", "anomalous", "new_error", "invariants")
        assert [worst[key] for key in same] == [whole[key] for key in same]
        assert worst["preemptions"] <= whole["preemptions"] and len(worst["order"]) < len(whole["order"])
        assert set(found["smallest"]["left_out"]) & set(worst["order"]) == set()
        assert worst["replay"] == found["replay"]


def test_an_error_keeps_its_code(explorer, tmp_path):
    text = (CASES / "find_or_create.sql").read_text().replace("-- session A\n", "-- session A\nSELECT 1;\n")
    found = explorer.run("--levels", "rc", write_case(tmp_path, text))
    assert "SELECT 1" in text and left_out(found) == "A1, B1" and "23505" in found.out, found.out


def test_a_session_without_a_part_can_be_explored(explorer, tmp_path):
    path = write_case(tmp_path, THREE)
    found = explorer.run("--levels", "rc", "--without", "C", path)
    assert found.numbers("orders", "anomalous") == explorer.case("write_skew", "--levels", "rc").numbers("orders", "anomalous")
    assert "left out by --without: session C" in found.out
    case, = document(explorer, tmp_path, "--levels", "rc", "--without", "C", path)["cases"]
    assert case["explorations"][0]["left_out"] == ["C"]


@pytest.mark.parametrize("names, problem", [
    ("A1", "case.sql:6: A1 cannot be left out, because a later step reads a variable that it sets"),
    ("A2,D", 'case.sql: "D" is to be left out, but it is no step and no session'),
])
def test_a_part_that_cannot_be_left_out_is_named(explorer, tmp_path, names, problem):
    found = explorer.run("--without", names, write_case(tmp_path, LONG))
    assert found.status == 2 and problem in found.err and found.err.count("\n") == 1, found.err


def test_a_search_for_a_smaller_order_that_has_ended_early_says_so(explorer, tmp_path):
    # The statement that sleeps cannot be left out, and the one that can makes all of them run again.
    text = SKEW.replace("WHERE name = ", "WHERE pg_sleep(1) IS NOT NULL AND name = ").replace("BEGIN;", "BEGIN;\nSELECT 1;")
    found = explorer.run("--levels", "rc", "--preemptions", "1", write_case(tmp_path, text))
    assert "a smaller one may exist: the limit of time was reached" in flat(found.out), found.out


def test_the_document_of_a_case_that_cannot_be_run_is_valid(explorer, tmp_path):
    text = json.loads(explorer.run("--json", "-", "--without", "X", write_case(tmp_path, LONG)).out)
    jsonschema.validate(text, SCHEMA)
    assert text["cases"][0]["explorations"] == [] and "X" in text["cases"][0]["problem"]
