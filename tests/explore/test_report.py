"""The reports of an exploration: the terminal's report, JSON, JUnit's XML, and the line of progress."""

import json
import os
import pty
import re
import shlex
import subprocess
import unicodedata
import xml.etree.ElementTree

import jsonschema
import pytest
from explorer import CASES, PROGRAM, ROOT

SCHEMA = json.loads((ROOT / "docs/explore.schema.json").read_text(encoding="utf-8"))
ALL = sorted(path.stem for path in CASES.glob("*.sql"))[::4 if "LAB_SHORT" in os.environ else 1]
# The narrowest terminal is the hardest. The others draw a race and a wait.
WIDTHS = [(60, name) for name in ALL] + [(width, name) for width in (80, 100) for name in ("vulnerable", "deadlock")]


def width(line):
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


def without_times(value):
    if isinstance(value, dict):
        return {name: without_times(each) for name, each in value.items() if name != "times"}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def document(explorer, folder, *arguments):
    explorer.run("--json", folder / "found.json", *arguments)
    found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    return found


def write_case(folder, text, name="case.sql"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


SESSIONS = """-- setup
CREATE TABLE counters (id integer PRIMARY KEY, value integer);
INSERT INTO counters VALUES (1, 0);
-- session A
SELECT value + 1 AS next FROM counters WHERE id = 1 \\gset
UPDATE counters SET value = :next WHERE id = 1;
"""


def sessions(count):
    return SESSIONS + "".join(f"-- session {name} like A\n" for name in "BCDEF"[:count - 1])


# --- The terminal ---

def test_a_column_that_changes_from_run_to_run_is_not_drawn(explorer):
    found = explorer.run("--levels", "rc", ROOT / "docs/explorer-example.sql")
    drawn = found.out[found.out.index("this order"):]
    assert "identities.changed" in found.not_compared()
    assert "ada@work.example" in drawn and "changed" not in drawn and not re.search(r"\d\d:\d\d:\d\d", drawn)


@pytest.mark.parametrize("columns, name", WIDTHS)
def test_no_line_is_wider_than_the_terminal(explorer, monkeypatch, name, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    out = explorer.case(name, "--levels", "rc").out
    assert [line for line in out.split("\n") if width(line) > columns and not line.startswith("  again: ")] == []


@pytest.mark.parametrize("count, columns, has_columns", [(2, 40, True), (3, 60, True), (4, 80, True), (4, 60, False),
                                                        (5, 200, False)])
def test_sessions_stand_side_by_side_where_they_have_room(explorer, monkeypatch, tmp_path, count, columns, has_columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    out = explorer.run("--levels", "rc", "--replay", "A1 B1", write_case(tmp_path, sessions(count))).out
    assert bool(re.search(r"^  A +\| B", out, re.MULTILINE)) == has_columns, out
    assert [line for line in out.split("\n") if width(line) > columns and not line.startswith("  again: ")] == []


def test_the_first_line_has_the_verdict(explorer):
    assert explorer.case("for_update", "--levels", "rc").out.startswith(
        "for_update, READ COMMITTED, complete: no anomaly in 36 orders\n")
    assert explorer.case("find_or_create", "--levels", "rc").out.startswith(
        "find_or_create, READ COMMITTED, complete: a new error\n")


def test_a_search_that_is_not_complete_is_no_pass(explorer):
    found = explorer.case("for_update", "--levels", "rc", "--max", "2")
    assert found.status == 3
    assert re.match(r"for_update, READ COMMITTED, NOT COMPLETE: no anomaly so far in \d orders?\n", found.out), found.out
    assert "not complete: the limit of orders was reached" in found.out
    assert re.search(r"READ COMMITTED .* NO$", found.out, re.MULTILINE), found.out


def test_a_clean_result_is_short(explorer):
    assert len(explorer.case("for_update").out.split("\n")) <= 11


def test_the_statements_have_their_values(explorer):
    out = explorer.case("vulnerable", "--levels", "rc", "--no-shrink").out
    assert "'charlie'" in out and ":'target'" not in out and "-> enough=t" in out


def test_a_case_that_always_fails_says_so(explorer, tmp_path):
    path = write_case(tmp_path, "-- session A\nSELECT 1 / 0;\n-- session B like A\n")
    out = re.sub(r"\s+", " ", explorer.run(path).out)
    assert "an error in a serial order too: A1: ERROR 22012 division by zero" in out


def test_a_statement_that_is_wrong_in_every_order_is_no_clean_case(explorer, tmp_path):
    path = write_case(tmp_path, "-- session A\nSELECT 1 FROM missing;\n-- session B like A\n")
    found = explorer.run(path)
    assert found.status == 2
    assert f'{path}:2: A1 fails in every serial order: relation "missing" does not exist' in found.err


def test_waits_are_drawn_where_they_begin_and_end(explorer):
    out = explorer.case("for_update", "--levels", "rc", "--replay", "A1 A2 B1 B2").out
    assert re.search(r"B2 SELECT.*waits for A\n.*A5 COMMIT.*B2 continues\n.*-> enough=f", out, re.DOTALL), out
    out = explorer.case("deadlock", "--levels", "rc", "--replay", "A1 A2 B1 B2").out
    assert out.count("ERROR 40P01 deadlock detected") == 2, "one drawing for each victim"
    assert "closes a circle" in out


def test_what_no_serial_order_shows_is_marked(explorer):
    out = explorer.case("vulnerable", "--levels", "rc").out
    assert re.search(r"^  \* alice, -600 +\|   alice, 200 +\|   alice, 200$", out, re.MULTILINE), out
    assert "this order" in out and "| A, then B" in out and "| B, then A" in out
    assert "invariant nobody_below_zero fails" in re.sub(r"\s+", " ", out)


def test_a_new_error_is_named(explorer):
    out = explorer.case("find_or_create", "--levels", "rc").out
    assert 'A2: ERROR 23505 duplicate key value violates unique constraint "users_pkey"' in out


def test_levels_with_the_same_story_have_one_drawing(explorer):
    out = explorer.case("vulnerable").out
    assert out.count("this order") == 1
    assert out.count("the same order, answers and rows as at READ COMMITTED") == 2
    assert [f"--levels {level} " in out for level in ("rc", "rr", "ser")] == [True] * 3


def test_masked_columns_and_left_out_races_are_named(explorer):
    assert "visits.at" in explorer.case("now").out
    assert "orders.id" in explorer.case("sequence").out
    assert "only invariants" in re.sub(r"\s+", " ", explorer.case("skip_locked").out)
    found = explorer.case("subselect_predicate", "--whole-statements")
    assert found.status == 0 and "left out by --whole-statements" in found.out


@pytest.mark.parametrize("name", ["plain.sql", "with space.sql", "it's $HOME; `x` \"q\".sql"])
def test_the_line_to_repeat_it_repeats_it(explorer, tmp_path, name):
    path = write_case(tmp_path, (CASES / "vulnerable.sql").read_text(encoding="utf-8"), name)
    out = explorer.run(path, "--levels", "rr").out
    line = next(line for line in out.split("\n") if line.startswith("  again: "))
    words = shlex.split(line.removeprefix("  again: "))
    assert words[:3] == ["./lab", "explore", str(path)]
    again = explorer.run(*words[2:])
    assert again.status == 1 and ", REPEATABLE READ, one order: not serializable" in again.out
    drawing = re.compile(r"^  A  .*?^  \* no serial", re.MULTILINE | re.DOTALL)
    assert drawing.search(again.out).group() == drawing.search(out).group()


HOSTILE = """-- setup
CREATE TABLE notes (id integer PRIMARY KEY, words text);
INSERT INTO notes VALUES (1, E'\\x1b[31mred\\x07\\n\\tnext\\u202edetrever'), (2, repeat('long ', 4000)), (3, '漢字');
-- session A
-- the next line is
SELECT words   -- a comment
  FROM notes
 ORDER BY id;
UPDATE notes SET words = words || 'a' || length('%s') WHERE id > (SELECT 0);
-- session B like A
""" % ("x" * 3000)


def test_no_value_reaches_the_terminal_as_it_is(explorer, tmp_path):
    path = write_case(tmp_path, HOSTILE)
    out = explorer.run("--levels", "rc", "--replay", "A1 B1", path).out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]", out), out
    assert r"\x1b[31mred\x07\n\tnext\u202edetrever" in re.sub(r"[|\s]+", "", out), out
    assert "SELECT words FROM notes ORDER BY id" in re.sub(r"[|\s]+", " ", out) and "comment" not in out
    assert "..." in out and len(out) < 20000
    assert all(width(line) <= 80 for line in out.split("\n") if not line.startswith("  again: "))


def on_a_terminal(server, *arguments, **environment):
    """All that the program writes to a terminal that is both its standard output and its standard error."""
    master, slave = pty.openpty()
    process = subprocess.Popen([PROGRAM, "--server", server, *map(str, arguments)], stdin=subprocess.DEVNULL,
                               stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm", **environment})
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the end of a terminal
            break
        if not part:
            break
        shown += part
    os.close(master)
    process.wait(timeout=60)
    return shown.decode()


def test_colour_and_progress_are_for_terminals(explorer, cluster):
    arguments = ("--levels", "rc", "--no-reduction", CASES / "skip_locked.sql", CASES / "vulnerable.sql")
    plain = explorer.run(*arguments)
    assert "\x1b" not in plain.out and plain.err == ""
    shown = on_a_terminal(cluster.url("postgres"), *arguments)
    assert "\x1b[31m" in shown and "\x1b[32m" in shown
    assert re.search(r"\r\d+ orders, \d+/s, \d+ wrong, \d+ known to run: \w+, READ COMMITTED\x1b\[K", shown), shown
    assert "\x1b[3" not in on_a_terminal(cluster.url("postgres"), *arguments, NO_COLOR="1")


# --- JSON ---

@pytest.mark.parametrize("name", ALL)
def test_the_document_fits_its_schema_and_is_the_same_again(explorer, tmp_path, name):
    one, other = (document(explorer, tmp_path, CASES / f"{name}.sql") for _ in range(2))
    assert without_times(one) == without_times(other)


def test_the_document_has_the_story(explorer, tmp_path):
    case, = document(explorer, tmp_path, "--levels", "rc", CASES / "vulnerable.sql")["cases"]
    found, = case["explorations"]
    assert (case["name"], case["problem"], case["invariants"]) == ("vulnerable", None, ["nobody_below_zero"])
    assert (found["level"], found["complete"], found["orders"], found["anomalous"], found["broken"]) == (
        "READ COMMITTED", True, 70, 40, 40)
    assert sum(outcome["count"] for outcome in found["outcomes"]) == 70
    worst = next(outcome for outcome in found["outcomes"] if outcome["kind"] == "anomaly")
    assert worst["invariants"] == ["nobody_below_zero"] and worst["preemptions"] == 1
    assert [step["step"] for step in worst["steps"]] == worst["order"]
    assert worst["steps"][0]["answers"][0]["rows"] == [["t"]]
    assert ["alice", "-600"] in next(table for table in worst["state"] if table["table"] == "accounts")["rows"]
    assert all(["alice", "200"] in table["rows"] for serial in found["serial"] for table in serial["state"][:1])


def test_the_document_has_waits_and_errors(explorer, tmp_path):
    found = document(explorer, tmp_path, "--levels", "rr", CASES / "for_update.sql")["cases"][0]["explorations"][0]
    steps = [step for outcome in found["outcomes"] for step in outcome["steps"]]
    waits = [step for step in steps if step["blocked_by"]]
    assert waits and all(step["blocked_by"] != [step["session"]] for step in waits)
    assert {answer["error"]["sqlstate"] for step in steps for answer in step["answers"] if "error" in answer} == {"40001"}


def test_the_document_has_what_cannot_be_run(explorer, tmp_path):
    bad = write_case(tmp_path, "-- session A\n\\if\n", "bad.sql")
    cases = document(explorer, tmp_path, "--levels", "rc", bad, CASES / "knex.sql")["cases"]
    assert [case["file"] for case in cases] == [str(bad), str(CASES / "knex.sql")]
    assert "bad.sql:2" in cases[0]["problem"] and cases[0]["explorations"] == []
    assert cases[1]["problem"] is None and len(cases[1]["explorations"]) == 1


def test_one_order_is_not_complete(explorer, tmp_path):
    found = document(explorer, tmp_path, "--levels", "rc", "--replay", "A1", CASES / "for_update.sql")
    assert found["cases"][0]["explorations"][0]["complete"] is False


def shown_first(found):
    """The outcome whose order was run at the other levels."""
    return next(outcome for outcome in found["outcomes"] if "beside" in outcome)


def test_the_smallest_order_is_run_at_the_other_levels(explorer, tmp_path):
    found, = document(explorer, tmp_path, "--levels", "rc", CASES / "absolute_update.sql")["cases"][0]["explorations"]
    shown = shown_first(found)
    assert shown["kind"] == "anomaly" and shown["preemptions"] == 1
    assert [each["level"] for each in shown["beside"]] == ["REPEATABLE READ", "SERIALIZABLE"]
    for each in shown["beside"]:
        waiting, = [step for step in each["steps"] if step["blocked_by"]]
        assert (each["kind"], waiting["step"], waiting["blocked_by"]) == ("serial", "B3", ["A"])
        assert waiting["answers"][0]["error"]["sqlstate"] == "40001"
        assert each["order"] == [name for name in shown["order"] if name != "B4"], "B has ended, so it is passed over"
    assert all("beside" not in outcome for outcome in found["outcomes"] if outcome is not shown)


def test_a_step_that_waits_at_another_level_is_launched_later(explorer, tmp_path):
    """At SERIALIZABLE nothing else waits; FOR UPDATE waits at each level, so the order itself has the wait."""
    found, = document(explorer, tmp_path, "--levels", "rc", "--replay", "A1 A2 B1 B2", CASES / "for_update.sql")["cases"][0]["explorations"]
    shown = shown_first(found)
    assert shown["kind"] == "serial", "an order that was asked for is shown although nothing is wrong with it"
    for each in shown["beside"]:
        assert sorted(set(shown["order"]) - set(each["order"]))[:1] == sorted(set(shown["order"]) - set(each["order"]))[:1]
        assert [step["step"] for step in each["steps"] if step["blocked_by"]] == ["B2"]


def test_a_deadlock_has_an_outcome_for_each_victim_at_the_other_levels(explorer, tmp_path):
    found = document(explorer, tmp_path, "--levels", "rc", "--replay", "A1 A2 B1 B2 B3 A3", CASES / "deadlock.sql")
    shown = shown_first(found["cases"][0]["explorations"][0])
    assert [(each["level"], each["deadlock"]) for each in shown["beside"]] == [
        ("REPEATABLE READ", True), ("REPEATABLE READ", True), ("SERIALIZABLE", True), ("SERIALIZABLE", True)]


def values(tables, name, column=-1):
    return [row[column] for table in tables if table["table"] == name for row in table["rows"]]


def test_the_rows_are_read_after_each_step(explorer, tmp_path):
    found, = document(explorer, tmp_path, "--levels", "rc", CASES / "absolute_update.sql")["cases"][0]["explorations"]
    shown = shown_first(found)
    committed = shown["committed"]
    assert len(committed) == len(shown["steps"]) + 1
    assert values(committed[0], "accounts") == ["1000", "500", "200"]
    commits = [number for number, step in enumerate(shown["steps"], 1) if step["sql"] == "COMMIT"]
    assert [number for number, tables in enumerate(committed) if tables and number > 0] == commits
    assert [values(committed[number], "accounts")[0] for number in commits] == ["900", "800"]
    assert committed[commits[-1]] == shown["state"]


def test_a_locked_table_is_not_waited_for(explorer, tmp_path):
    path = write_case(tmp_path, SESSIONS.replace("SELECT value", "BEGIN;\nLOCK TABLE counters;\nSELECT value")
                      + "COMMIT;\n-- session B\nSELECT 1;\nSELECT 2;\n")
    found = document(explorer, tmp_path, "--levels", "rc", "--replay", "A1 A2 B1 A3", path)
    shown = shown_first(found["cases"][0]["explorations"][0])
    locked = [step["step"] for step, tables in zip(shown["steps"], shown["committed"][1:]) if tables is None]
    assert locked and set(locked) <= {"A2", "B1", "A3", "A4", "B1c"} and shown["committed"][0] is not None


def test_many_rows_are_not_read_after_each_step(explorer, tmp_path):
    path = write_case(tmp_path, SESSIONS.replace("(1, 0)", "(1, 0), (2, 0);\nINSERT INTO counters SELECT i, 0 FROM generate_series(3, 501) i")
                      + "-- session B like A\n")
    shown = shown_first(document(explorer, tmp_path, "--levels", "rc", path)["cases"][0]["explorations"][0])
    assert shown["kind"] == "anomaly" and shown["committed"] == []
    assert len(shown["state"][0]["rows"]) == 501


def graph_of(explorer, folder, path):
    found, = document(explorer, folder, "--levels", "rc", path)["cases"][0]["explorations"]
    return shown_first(found)["graph"]


def in_cycle(graph):
    return [(edge["from"], edge["kind"], edge["to"], edge["table"], edge["row"], edge["from_step"], edge["to_step"])
            for edge in graph["edges"] if edge["in_cycle"]]


def test_the_graph_has_the_cycle_with_its_rows(explorer, tmp_path):
    graph = graph_of(explorer, tmp_path, CASES / "write_skew.sql")
    assert graph["cycle"] == ["A", "B"]
    assert in_cycle(graph) == [("A", "rw", "B", "doctors", "name=bob", "A2", "B3"), ("B", "rw", "A", "doctors", "name=alice", "B2", "A3")]
    graph = graph_of(explorer, tmp_path, CASES / "vulnerable_branch.sql")
    assert in_cycle(graph) == [("A", "rw", "B", "accounts", "id=alice", "A1", "B2"), ("B", "ww", "A", "accounts", "id=alice", "B2", "A2")]
    assert not [edge for edge in graph["edges"] if edge["kind"] == "ww" and edge["row"] == "a new row"], "two new rows are no conflict"
    graph = graph_of(explorer, tmp_path, CASES / "knex.sql")
    assert {(table, row) for _, _, _, table, row, _, _ in in_cycle(graph)} == {("migrations_lock", "a new row")}


def test_a_row_without_a_key_has_the_name_of_its_first_columns(explorer, tmp_path):
    path = write_case(tmp_path, SESSIONS.replace("id integer PRIMARY KEY, value integer", 'id integer, value integer, "%s" text')
                      .replace("VALUES (1, 0)", "VALUES (1, 0, 'x'), (2, NULL, '%s')") + "-- session B like A\n")
    assert {row for _, _, _, _, row, _, _ in in_cycle(graph_of(explorer, tmp_path, path))} == {"id=1, value=0"}


@pytest.mark.parametrize("arguments", [(), ("--levels", "rc", "--replay", "A1 B1")])
def test_the_page_holds_the_document(explorer, tmp_path, arguments):
    found = document(explorer, tmp_path, "--html", tmp_path / "found.html", *arguments, CASES / "write_skew.sql")
    html = (tmp_path / "found.html").read_text(encoding="utf-8")
    held = re.search(r'<script type="application/json" id="document">(.*?)</script>', html, re.DOTALL).group(1)
    assert "<" not in held and json.loads(held) == found


def test_three_documents_have_three_files(explorer, tmp_path):
    for one, other in (("--json", "--html"), ("--junit", "--html"), ("--json", "--junit")):
        found = explorer.run(one, tmp_path / "file", other, tmp_path / "file", CASES / "knex.sql")
        assert (found.status, found.out) == (2, "") and "give another file" in found.err
    found = explorer.run("--html", "-", "--levels", "rc", CASES / "knex.sql")
    assert found.out.startswith("<!doctype html>") and found.out.endswith("</html>\n")


# --- JUnit ---

def test_a_finding_is_a_failure_and_an_incomplete_search_an_error(explorer, tmp_path):
    bad = write_case(tmp_path, "\x01<&\"", "bad.sql")
    report = tmp_path / "junit.xml"
    explorer.run("--junit", report, "--levels", "rc,ser", CASES / "write_skew.sql", bad)
    suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    tests = {test.get("name"): [child.tag for child in test] for test in suite}
    assert tests == {"write_skew, READ COMMITTED": ["failure"], "write_skew, SERIALIZABLE": [], str(bad): ["error"]}
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["3", "1", "1"]
    failure = suite.find("testcase/failure")  # files that cannot be read come first
    assert "this order" in failure.text and "not serializable" in failure.get("message")
    explorer.run("--junit", report, "--levels", "rc", "--max", "2", CASES / "for_update.sql")
    error, = xml.etree.ElementTree.parse(report).getroot().find("testsuite")[0]
    assert error.tag == "error" and error.get("message") == "not complete: the limit of orders was reached"


def test_hostile_values_are_xml(explorer, tmp_path):
    explorer.run("--junit", tmp_path / "junit.xml", "--levels", "rc", write_case(tmp_path, HOSTILE))
    xml.etree.ElementTree.parse(tmp_path / "junit.xml")


# --- The files ---

def test_a_dash_is_the_standard_output(explorer):
    found = explorer.run("--json", "-", "--levels", "rc", CASES / "knex.sql")
    jsonschema.validate(json.loads(found.out), SCHEMA)
    found = explorer.run("--junit", "-", "--levels", "rc", CASES / "knex.sql")
    assert xml.etree.ElementTree.fromstring(found.out).tag == "testsuites"
    found = explorer.run("--json", "-", "--junit", "-", CASES / "knex.sql")
    assert (found.status, found.out) == (2, "")


@pytest.mark.parametrize("option", ["--json", "--junit", "--html"])
def test_a_path_that_cannot_be_written_is_refused_before_any_work(tmp_path, option):
    for path in (tmp_path / "none" / "file", tmp_path, "/proc/none"):
        # A server that does not exist would be noticed by any work.
        outcome = subprocess.run([PROGRAM, "--server", f"host={tmp_path}", option, path, CASES / "knex.sql"],
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert (outcome.returncode, outcome.stdout, outcome.stderr.count("\n")) == (2, "", 1), outcome
        assert outcome.stderr.startswith(f"race-explore: {option} {path}: "), outcome.stderr
    assert os.listdir(tmp_path) == []


def test_a_file_is_replaced_as_a_whole(explorer, tmp_path):
    target, link = tmp_path / "found.json", tmp_path / "link.json"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    explorer.run("--json", link, "--levels", "rc", CASES / "knex.sql")
    assert json.loads(target.read_text())["version"] == 1
    assert link.is_symlink() and target.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ["found.json", "link.json"]
    assert explorer.run("--json", "/dev/null", "--levels", "rc", CASES / "knex.sql").err == ""
    assert not os.path.isfile("/dev/null")


# --- One case of several ---

def test_a_case_is_chosen_by_its_name(explorer):
    found = explorer.run("--case", "knex", "--levels", "rc", CASES / "knex.sql", CASES / "write_skew.sql")
    assert "knex, " in found.out and "write_skew, " not in found.out
    found = explorer.run("--case", "none", CASES / "knex.sql")
    assert (found.status, found.err) == (2, "race-explore: --case none: there is no case of this name\n")
