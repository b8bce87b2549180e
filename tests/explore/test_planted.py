"""Faults that are planted into the reduction: --verify must report each of them, and end with its exit status."""

import os
import pathlib

import pytest
from explorer import PROGRAM, Explorer
from test_report import write_case

PLANTED = pathlib.Path(
    os.environ.get("RACE_EXPLORE_PLANTED", PROGRAM.parent / "tests/explore/race-explore-planted")).resolve()

# Hermitage's G1b. The second query of B reads the rows of the first one again, so it takes no new predicate lock.
REPEATED_READ = """-- serializable: no
-- setup
CREATE TABLE test (id integer PRIMARY KEY, value integer);
INSERT INTO test VALUES (1, 10), (2, 20);
-- session A
BEGIN;
UPDATE test SET value = 101 WHERE id = 1;
UPDATE test SET value = 11 WHERE id = 1;
COMMIT;
-- session B
BEGIN;
SELECT * FROM test;
SELECT * FROM test;
COMMIT;
"""

# The transactions read and write different rows. A sequential scan locks the whole table, and one of them is refused.
# This database's setting makes the planner prefer it, as other statistics would.
OTHER_ROWS = """-- setup
CREATE TABLE test (id integer PRIMARY KEY, value integer);
INSERT INTO test VALUES (1, 10), (2, 20);
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET random_page_cost = 100000', current_database()); END $$;
-- session A id=1
BEGIN;
SELECT value FROM test WHERE id = :id;
UPDATE test SET value = value + 1 WHERE id = :id;
COMMIT;
-- session B like A id=2
"""

FAULTS = {"reads not accumulated": (REPEATED_READ, "rc"), "plan not pinned": (OTHER_ROWS, "ser")}


@pytest.fixture
def planted(cluster, monkeypatch):
    """Explores with a fault."""
    if not PLANTED.is_file():
        pytest.skip(f"no program at {PLANTED}: it is built with LAB_TESTS")

    def explore(fault, *arguments):
        monkeypatch.setenv("EXPLORE_PLANTED_FAULT", fault)
        return Explorer(cluster.url("postgres"), "--jobs", "1", program=PLANTED).run(*arguments)
    return explore


@pytest.mark.parametrize("fault", FAULTS)
def test_verify_finds_a_planted_fault(planted, explorer, tmp_path, fault):
    text, level = FAULTS[fault]
    case = write_case(tmp_path, text)
    right = explorer.run(case, "--verify", "--levels", level)
    assert (right.status, right.err) == (0, "") and "  verify: " in right.out and "differs" not in right.out, right.out
    wrong = planted(fault, case, "--verify", "--levels", level)
    assert (wrong.status, wrong.err) == (1, ""), wrong.out
    assert "verify: the reduced run differs from all orders" in wrong.out
    assert "orders when reduced and" in wrong.out


def test_without_a_fault_the_planted_program_is_the_program(planted, tmp_path):
    for text, level in FAULTS.values():
        found = planted("", write_case(tmp_path, text), "--verify", "--levels", level)
        assert found.status == 0 and "differs" not in found.out, found.out
