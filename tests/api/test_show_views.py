"""The views for a person fit a terminal of 80 columns, measured with the real psql, and have the newest first."""

import os
import re
import shutil
import subprocess

import pytest

from client import together
from strategies import SAFE, WRONG

pytestmark = pytest.mark.race

WIDTH = 78
VIEWS = ("show_race", "show_races", "show_transfers", "show_double_spends", "show_missed_writes", "show_lock_waits",
         "show_violations", "show_accounts", "show_totals")


def shown(bank, view):
    """The lines that psql prints, without the last one, the count of rows."""
    outcome = subprocess.run([shutil.which("psql"), "-X", "--dbname", bank.cluster.url(bank.database), "-c",
                              f"TABLE {view}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, check=False, env={"PATH": os.environ["PATH"], "PAGER": "cat", "LC_ALL": "C.UTF-8"})
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout.rstrip("\n").splitlines()[:-1]


def assert_fits(bank, view):
    lines = shown(bank, view)
    assert max(map(len, lines)) <= WIDTH, "\n".join(lines)
    return lines


def two_of_800(bank):
    answers = together(lambda: bank.transfer("alice", "bob"), lambda: bank.transfer("alice", "charlie"))
    return [answer.json() for answer in answers]


@pytest.mark.parametrize("strategy", [*SAFE, *WRONG])
def test_every_view_fits_after_a_race_of_each_strategy(bank, strategy):
    bank.set(barrier_enabled=True, delay_enabled=True, delay_ms=20, strategy=strategy)
    records = two_of_800(bank)
    for view in VIEWS:
        assert_fits(bank, view)
    lines = "\n".join(shown(bank, "show_race"))
    assert all(record["id"] in lines for record in records), lines
    assert strategy in shown(bank, "show_races")[2]


def test_every_view_fits_while_the_bank_is_empty(bank):
    for view in VIEWS:
        assert_fits(bank, view)


def cells(bank, column):
    """Without the wait in the queue, which has a line if it took 2 ms."""
    return [re.sub(r"\s+", " ", row[column]) for row in bank.rows("TABLE show_race")
            if row[column] and row[column] != "waits in the queue"]


def test_the_race(bank):
    """A and B beside each other in time order: both have read 1000 before either has written."""
    bank.set(barrier_enabled=True)
    records = two_of_800(bank)
    rows = bank.rows("TABLE show_race")
    times = [row["ms"] for row in rows if row["ms"] is not None]
    assert times == sorted(times) and min(times) >= 0 and len(times) == len(rows) - 2
    last = max(records, key=lambda record: -record["from_balance_after"])
    column = {"bob": "A", "charlie": "B"}[last["to_account"]]
    other, = {"A", "B"} - {column}
    found = cells(bank, column)
    assert found[0] == f"{last['id']}: $800.00 to {last['to_account']}, vulnerable"
    assert found[1:5] == ["reads alice: $1000.00", "waits at the barrier", "leaves the barrier: released",
                          "checks $1000.00 >= $800.00: enough"]
    assert found[5] == f"writes alice: -$600.00 (it had read $1000.00; {other} wrote $200.00)"
    assert found[6:] == [f"writes {last['to_account']}: ${last['to_balance_after']:.2f}", "done"]


def test_the_race_under_the_fix(bank):
    """The fixed pair is shown as well: the second waits for the locks and reads what the first has left."""
    bank.set(barrier_enabled=True, use_transactions=True, delay_enabled=True, delay_ms=50)  # the lock is held so long
    two_of_800(bank)
    refused = next(name for name in "AB" if any("refused" in cell for cell in cells(bank, name)))
    assert "to bob" in cells(bank, "A")[0] and "to charlie" in cells(bank, "B")[0]
    found = [re.sub(r"sleeps \d+ ms", "sleeps", cell) for cell in cells(bank, refused)]
    assert found[1:] == ["waits at the barrier", "leaves the barrier: released", "asks for the row locks",
                         "has them, reads alice: $200.00", "sleeps (delay)",
                         "checks $200.00 >= $800.00: not enough, refused", "ends: refused"]
    row = bank.rows("TABLE show_races")[0]
    assert (row["strategy"], row["n"], row["verdict"]) == ("for_update", 2, "clean")
    wait = bank.rows("TABLE show_lock_waits")[0]
    assert (wait["strategy"], wait["account"], wait["who"]) == ("for_update", "alice", refused)
    assert wait["whom"] in {"A", "B"} - {refused} and wait["from_ms"] <= wait["to_ms"]


def test_more_than_two_share_two_columns(bank):
    bank.set(barrier_enabled=True, barrier_count=5)
    together(*[lambda: bank.transfer("alice", "bob", "300")] * 5)
    lines = "\n".join(assert_fits(bank, "show_race"))
    for letter in "CDE":
        assert f"{letter}: " in lines
    assert not any(cell.startswith(("D: ", "B: ")) for cell in cells(bank, "A"))


def test_the_newest_is_first(bank):
    """Also if a reset has removed the older one from the transfers table."""
    bank.set(barrier_enabled=True)
    first = {record["id"] for record in two_of_800(bank)}
    bank.post("/reset")
    bank.set(strategy="absolute_update")
    second = {record["id"] for record in two_of_800(bank)}
    races = bank.rows("TABLE show_races")
    assert races[0]["id"] in second and races[1]["id"] in first
    assert races[0]["started_at"].tzinfo is not None and races[0]["started_at"] >= races[1]["started_at"]
    transfers = [row["id"] for row in bank.rows("TABLE show_transfers")]
    assert set(transfers[:2]) == second and set(transfers[2:4]) == first
    missed = bank.rows("TABLE show_missed_writes")
    assert [row["strategy"] for row in missed[:2]] == ["absolute_update", "vulnerable"]
    assert re.fullmatch(r"[AB]\sread\s\$1000\.00\sat\s[\d.]+\sms,\s[AB]\swrote\s\$200\.00\sat\s[\d.]+\sms,"
                        r"\scommitted\sby\s[\d.]+\sms", missed[0]["what"])
    spend = bank.rows("TABLE show_double_spends")[0]
    assert (spend["account"], spend["read"], spend["found"], spend["after"]) == ("alice", 1000, 200, -600)


def test_the_violations(bank):
    bank.set(barrier_enabled=True)
    two_of_800(bank)
    lines = assert_fits(bank, "show_violations")
    assert any("overdrawn" in line for line in lines)
    bank.rows("UPDATE accounts SET balance = balance - 800 WHERE id = 'charlie'")
    assert {"money_drift", "account_drift", "overdrawn"} <= {row["kind"] for row in bank.rows("TABLE show_violations")}
    assert_fits(bank, "show_violations")
    charlie, = (row for row in bank.rows("TABLE show_accounts") if row["account"] == "charlie")
    assert charlie["drift"] == -800
    assert {row["what"] for row in bank.rows("TABLE show_totals")} >= {"transfers", "money created or lost"}
