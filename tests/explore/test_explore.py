"""The cases of tests/explore/cases: how many orders there are, go wrong, wait, and are aborted, at each level."""

import re

import pytest
from explorer import CASES

# orders, anomalous, blocked, aborted, deadlocks at READ COMMITTED, REPEATABLE READ and SERIALIZABLE
COLUMNS = ("orders", "anomalous", "blocked", "aborted", "deadlocks")
EXPECTED = {
    "vulnerable": (1, (70, 40, 0, 0, 0), (70, 40, 0, 0, 0), (70, 40, 0, 0, 0)),
    "vulnerable_branch": (1, (46, 40, 0, 0, 0), (46, 40, 0, 0, 0), (46, 40, 0, 0, 0)),
    "in_transaction": (1, (92, 80, 50, 0, 0), (92, 0, 50, 80, 0), (92, 0, 50, 80, 0)),
    "in_transaction_branch": (1, (92, 80, 50, 0, 0), (92, 0, 50, 80, 0), (92, 0, 50, 80, 0)),
    "for_update": (0, (36, 0, 24, 0, 0), (36, 0, 24, 24, 0), (36, 0, 24, 24, 0)),
    "for_update_branch": (0, (36, 0, 24, 0, 0), (36, 0, 24, 24, 0), (36, 0, 24, 24, 0)),
    "write_skew": (1, (70, 60, 0, 0, 0), (70, 60, 0, 0, 0), (70, 0, 0, 60, 0)),
    "write_skew_branch": (1, (70, 60, 0, 0, 0), (70, 60, 0, 0, 0), (70, 0, 0, 60, 0)),
    "absolute_update": (1, (50, 40, 20, 0, 0), (50, 0, 20, 40, 0), (50, 0, 20, 40, 0)),
    "atomic_update": (0, (4, 0, 0, 0, 0), (4, 0, 0, 0, 0), (4, 0, 0, 0, 0)),
    "deadlock": (0, (42, 0, 32, 24, 24), (42, 0, 32, 32, 24), (42, 0, 32, 32, 24)),
    "subselect_predicate": (1, (14, 6, 6, 0, 0), (10, 0, 2, 2, 0), (10, 0, 2, 2, 0)),
    "subselect_predicate_branch": (1, (12, 6, 6, 0, 0), (8, 0, 2, 2, 0), (8, 0, 2, 2, 0)),
    "knex": (1, (20, 12, 0, 0, 0), (20, 12, 0, 0, 0), (20, 0, 0, 12, 0)),
    "find_or_create": (1, (6, 0, 0, 0, 0), (6, 0, 0, 0, 0), (6, 0, 0, 0, 0)),
    "find_or_create_fixed": (0, (4, 0, 2, 0, 0), (4, 0, 2, 2, 0), (4, 0, 2, 2, 0)),
    "two_updates": (1, (6, 2, 0, 0, 0), (6, 2, 0, 0, 0), (6, 2, 0, 0, 0)),
    "sequence": (0, (2, 0, 0, 0, 0), (2, 0, 0, 0, 0), (2, 0, 0, 0, 0)),
    "now": (0, (6, 0, 0, 0, 0), (6, 0, 0, 0, 0), (6, 0, 0, 0, 0)),
    "skip_locked": (0, (252, 0, 0, 0, 0), (252, 0, 0, 0, 0), (252, 0, 0, 0, 0)),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_order_is_run_and_judged(explorer, name):
    status, *rows = EXPECTED[name]
    found = explorer.case(name)
    assert found.numbers(*COLUMNS) == dict(zip(("rc", "rr", "ser"), rows)), found.out
    assert (found.status, found.err) == (status, ""), found.out
    assert all(level.complete for level in found.levels.values()), found.out


def test_the_smallest_order_of_the_vulnerable_transfer(explorer):
    found = explorer.case("vulnerable", "--levels", "rc")
    assert found.preemptions() == 1
    assert "-600" in found.out


def test_each_member_of_a_deadlock_is_its_victim_once(explorer):
    runs = [explorer.case("deadlock", "--levels", "rc") for _ in range(10)]
    assert [found.numbers(*COLUMNS)["rc"] for found in runs] == [(42, 0, 32, 24, 24)] * 10
    assert len({found.without_times() for found in runs}) == 1


def test_an_order_that_is_repeated_ends_alike(explorer):
    order = explorer.case("vulnerable", "--levels", "rc").replay()
    found = explorer.run("--levels", "rc", "--replay", order, *[CASES / "vulnerable.sql"] * 100)
    reports = re.split(r"^(?=vulnerable)", found.without_times(), flags=re.MULTILINE)[1:]
    assert len(reports) == 100 and len(set(reports)) == 1, sorted(set(reports))
    assert (found.status, found.err) == (1, "") and "-600" in reports[0]


@pytest.mark.parametrize("order, line", [
    ("A1 A2 B1 B2 B3", "for_update.sql: step 5 of the order cannot be launched: B2 waits for A"),
    ("A1 A2 A3 A4 A5 A", "for_update.sql: step 6 of the order cannot be launched: session A has no further step"),
    ("A1 D1", 'for_update.sql: the order names "D1", which is no step and no session'),
])
def test_an_order_that_cannot_be_run_names_the_step_and_its_blocker(explorer, order, line):
    found = explorer.case("for_update", "--levels", "rc", "--replay", order)
    assert found.status == 2
    assert found.err.endswith(f"{line}\n") and found.err.count("\n") == 1


def test_whole_statements_hide_a_race_inside_a_statement(explorer):
    found = explorer.case("subselect_predicate", "--whole-statements")
    assert found.status == 0
    assert found.numbers("anomalous") == {"rc": (0,), "rr": (0,), "ser": (0,)}


def test_an_error_that_no_serial_order_raises(explorer):
    found = explorer.case("find_or_create", "--levels", "rc")
    assert found.status == 1
    assert "a new error" in found.out and "23505" in found.out


@pytest.mark.parametrize("name, column", [("sequence", "orders.id"), ("now", "visits.at")])
def test_a_column_that_is_not_compared_is_named(explorer, name, column):
    assert explorer.case(name, "--levels", "rc").not_compared() == [column]


def test_an_invariant_alone_judges_a_case_that_need_not_be_serial(explorer, tmp_path):
    text = (CASES / "skip_locked.sql").read_text().replace(" SKIP LOCKED", "").replace(" FOR UPDATE", "")
    case = tmp_path / "no_lock.sql"
    case.write_text(text)
    found = explorer.run("--levels", "rc", case)
    assert found.status == 1
    assert found.numbers("anomalous") == {"rc": (0,)}
    assert "invariant" in found.out


def test_a_limit_is_not_complete_and_no_pass(explorer):
    found = explorer.case("skip_locked", "--levels", "rc", "--max", "10")
    assert found.status == 3
    assert found.says_incomplete()
    assert not found.levels["rc"].complete and 10 <= found.levels["rc"].orders < 252


def test_a_bound_of_preemptions_is_not_complete(explorer):
    found = explorer.case("for_update", "--levels", "rc", "--preemptions", "0")
    assert found.status == 3
    assert found.says_incomplete()


def test_an_anomaly_counts_more_than_a_limit(explorer):
    found = explorer.case("write_skew", "--levels", "rc", "--preemptions", "1")
    assert found.status == 1
    assert found.says_incomplete()


def test_three_sessions_that_do_not_touch_each_other_are_complete(explorer, tmp_path):
    case = tmp_path / "three.sql"
    case.write_text("-- setup\nCREATE TABLE visits (who text);\n-- session A who=a\nINSERT INTO visits VALUES (:'who');\n"
                    "INSERT INTO visits VALUES (:'who');\n-- session B like A who=b\n-- session C like A who=c\n")
    found = explorer.run(case)
    assert (found.status, found.err) == (0, "")
    assert found.numbers("orders", "anomalous", "complete") == dict.fromkeys(("rc", "rr", "ser"), (90, 0, True))


# A session of several transactions need not look atomic as a whole: each of its transactions must.
UNITS = {"vulnerable": (0, (70, 0), (70, 0), (70, 0)), "in_transaction": (1, (92, 80), (92, 0), (92, 0)),
         "write_skew": (1, (70, 60), (70, 60), (70, 0)), "absolute_update": (1, (50, 40), (50, 0), (50, 0)),
         "subselect_predicate": (1, (14, 6), (10, 0), (10, 0)), "knex": (1, (20, 12), (20, 12), (20, 0))}


@pytest.mark.parametrize("name", UNITS)
def test_each_transaction_must_look_atomic(explorer, name):
    status, *rows = UNITS[name]
    found = explorer.case(name, "--unit", "transaction")
    assert found.numbers("orders", "anomalous") == dict(zip(("rc", "rr", "ser"), rows)), found.out
    assert (found.status, found.err) == (status, ""), found.out
    assert all(level.complete for level in found.levels.values()), found.out
    assert found.out.count("--unit transaction") >= 1


def test_a_session_that_leaves_its_transaction_open_is_named(explorer, tmp_path):
    case = tmp_path / "open.sql"
    case.write_text("-- setup\nCREATE TABLE t (id integer);\nINSERT INTO t VALUES (1);\n-- session A\nUPDATE t SET id = 2;\n"
                    "-- session B\nBEGIN;\nUPDATE t SET id = 3;\n")
    found = explorer.run("--levels", "rc", case)
    assert found.status == 2 and found.err.count("\n") == 1
    assert found.err.endswith("open.sql:8: B: the session ends inside a transaction: end it with COMMIT or ROLLBACK\n")
