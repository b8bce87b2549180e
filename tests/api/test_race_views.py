"""The views for a person at psql show a race correctly."""

import re
import signal

import pytest

from client import together
from pace import HANG_GUARD, eventually

pytestmark = pytest.mark.race

# Since the reset.
WAITS_OF_NOW = "SELECT step, waiter, holder FROM lock_waits WHERE waiter IN (SELECT id FROM transfers)"


@pytest.fixture
def race(bank):
    """The seed's race; returns the records, the one that overdrew last."""
    bank.set(barrier_enabled=True)
    answers = together(lambda: bank.transfer("alice", "bob"), lambda: bank.transfer("alice", "charlie"))
    return sorted((answer.json() for answer in answers), key=lambda record: -record["from_balance_after"])


def test_double_spends(bank, race):
    """Which transfer overdrew, how much, on which stale balance, against which other transfer."""
    row, = bank.rows("SELECT * FROM double_spends")
    assert (row["account"], row["transfer_id"], row["amount"]) == ("alice", race[1]["id"], 800)
    balances = [row[f"balance_{moment}"] for moment in ("read", "found", "after")]
    assert (*balances, row["overdrawn_by"]) == (1000, 200, -600, 600)
    assert row["racers"] == race[0]["id"]
    assert row["strategy"] == "vulnerable"
    assert row["trace_id"] == race[1]["trace_id"]


def test_race_timeline(bank, race):
    """Two columns, in time order: both read 1000, both leave the barrier, both deduct, the second from money that is
    gone."""
    rows = bank.rows("TABLE race_timeline")
    assert {row["account"] for row in rows} == {"alice"}
    assert [row["ms"] for row in rows] == sorted(row["ms"] for row in rows)
    assert all((row["racer_1"] is None) != (row["racer_2"] is None) for row in rows)
    shown = [row["ms"] for row in bank.rows("TABLE show_race") if (row["A"] or row["B"]).startswith("reads")]
    assert [round(row["ms"], 1) for row in rows if (row["racer_1"] or row["racer_2"]).startswith("reads")] == shown
    lines = [row["racer_1"] or row["racer_2"] for row in rows]
    for column in ("racer_1", "racer_2"):
        mine = [row[column] for row in rows if row[column]]
        assert [line.split()[0] for line in mine] == ["reads", "waits", "leaves", "checks", "deducts", "adds"], mine
        assert mine[0] == "reads alice: $1000.00"
        assert mine[2] == "leaves the barrier: released"
        assert mine[3] == "checks $1000.00 >= $800.00: enough"
    first, second = [line for line in lines if line.startswith("deducts")]
    assert re.fullmatch(r"deducts \$800\.00: alice is \$200\.00, committed within [\d.]+ ms", first)
    assert re.fullmatch(r"deducts \$800\.00: alice is -\$600\.00, committed within [\d.]+ ms "
                        r"\(racer [12] wrote \$200\.00 after this one had read\)", second)
    last_read = max(place for place, line in enumerate(lines) if line.startswith("reads"))
    assert last_read < min(place for place, line in enumerate(lines) if line.startswith("checks"))
    assert {row["transfer_id"] for row in rows} == {record["id"] for record in race}


def test_the_writes_are_shown_in_the_order_they_were_made_in(bank, background):
    """The program is stopped while PostgreSQL makes both writes, and then reads both answers at once."""
    bank.set(barrier_enabled=True)
    for _ in range(10):
        bank.post("/reset")
        with bank.cluster.session(bank.database) as session:
            session.autocommit = False
            session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
            racers = [background(bank.transfer, "alice", to) for to in ("bob", "charlie")]
            bank.until_waiting_for_locks(2)
            bank.signal(signal.SIGSTOP)
            try:
                session.rollback()
                eventually(lambda: bank.rows("SELECT balance FROM accounts WHERE id = 'alice'")[0]["balance"] == -600,
                           "both have written")
            finally:
                bank.signal(signal.SIGCONT)
        assert [racer.result(HANG_GUARD).status for racer in racers] == [200, 200]
        lines = [row["racer_1"] or row["racer_2"] for row in bank.rows("TABLE race_timeline")]
        assert [line.split(",")[0] for line in lines if line.startswith("deducts")] == \
            ["deducts $800.00: alice is $200.00", "deducts $800.00: alice is -$600.00"]


def test_the_steps_of_a_transfer(bank, race):
    """transfer_steps has the stale value that was read, and every moment in order."""
    rows = bank.rows("SELECT * FROM transfer_steps WHERE transfer_id = %s ORDER BY at, position", race[1]["id"])
    assert [(row["step"], row["moment"]) for row in rows] == [
        ("read", "end"), ("barrier", "begin"), ("barrier", "end"), ("check", "end"), ("deduct", "end"),
        ("credit", "end")]
    values = {row["step"]: (row["account"], row["value"]) for row in rows}
    assert values["read"] == ("alice", 1000)
    assert values["check"][1] == 1000
    assert values["deduct"] == ("alice", -600)
    assert values["credit"] == (race[1]["to_account"], race[1]["to_balance_after"])


def test_no_money_is_lost_but_one_balance_is_negative(bank, race):
    """account_audit and money_supply: no money is lost, Alice is overdrawn."""
    audit = {row["id"]: row for row in bank.rows("TABLE account_audit")}
    assert {row["drift"] for row in audit.values()} == {0}
    assert {name: row["expected"] for name, row in audit.items()} == bank.balances()
    assert {name: row["overdrawn"] for name, row in audit.items()} == {"alice": True, "bob": False, "charlie": False}
    assert (audit["alice"]["debits"], audit["bob"]["credits"], audit["charlie"]["credits"]) == (1600, 800, 800)
    assert bank.rows("TABLE money_supply") == [{"expected": 1700, "actual": 1700, "drift": 0}]


def test_the_audit_notices_a_theft(bank):
    """A balance that was changed without a transfer is drift, in both views."""
    bank.transfer("alice", "bob", "1")
    bank.rows("UPDATE accounts SET balance = balance - 0.01 WHERE id = 'bob'")
    bob, = (row for row in bank.rows("TABLE account_audit") if row["drift"] != 0)
    assert (bob["id"], bob["expected"], bob["balance"] - bob["expected"]) == ("bob", 501, bob["drift"])
    assert [str(row["drift"]) for row in bank.rows("TABLE money_supply")] == ["-0.01"]


def test_the_fix_leaves_no_race(bank):
    """Safe mode: the second waits for the lock, reads 200, and is refused; no race is recorded."""
    bank.set(barrier_enabled=True, use_transactions=True)
    answers = together(lambda: bank.transfer("alice", "bob"), lambda: bank.transfer("alice", "charlie"))
    records = [answer.json() for answer in answers]
    for view in ("double_spends", "races", "race_timeline"):
        assert bank.rows(f"TABLE {view}") == [], view
    refused, = (record["id"] for record in records if record["status"] != "success")
    lines = [row["description"] for row in bank.rows(
        "SELECT description FROM transfer_steps WHERE transfer_id = %s ORDER BY at, position", refused)]
    assert lines[0] == "waits at the barrier"
    assert lines[1] == "leaves the barrier: released"
    assert re.fullmatch(r"asks for the row locks of alice and (bob|charlie)", lines[2])
    assert re.fullmatch(r"has the locks after [\d.]+ ms, reads alice: \$200\.00", lines[3])
    assert lines[4] == "checks $200.00 >= $800.00: not enough, refused"
    assert len(lines) == 5


def test_the_delay_is_a_step(bank):
    bank.set(delay_enabled=True, delay_ms=30)
    bank.transfer("alice", "bob", "1")
    row, = bank.rows("SELECT * FROM transfer_steps WHERE step = 'delay'")
    assert row["took_us"] >= 30000
    assert re.fullmatch(r"sleeps \d+ ms \(debug delay\)", row["description"])


@pytest.mark.parametrize("racers", [3, 6])
def test_races_of_more_than_two(bank, racers):
    """Up to four have columns, the others are named in the last."""
    bank.set(barrier_enabled=True, barrier_count=racers)
    records = [answer.json() for answer in together(*[bank.transfer] * racers)]
    rows = bank.rows("TABLE race_timeline")
    alice = [row for row in rows if row["account"] == "alice"]
    assert {row["transfer_id"] for row in alice} == {record["id"] for record in records}
    for number in range(1, 5):
        assert any(row[f"racer_{number}"] for row in alice) == (number <= racers)
    assert any(row["other_racers"] for row in alice) == (racers > 4)
    assert len(bank.rows("TABLE double_spends")) == racers - 1


def test_two_races_are_two(bank):
    """One after the other, on one account: two numbers, two transfers each."""
    bank.set(barrier_enabled=True)
    for amount in ("1", "2"):
        together(lambda: bank.transfer("alice", "bob", amount), lambda: bank.transfer("alice", "charlie", amount))
    found = bank.rows("SELECT count(DISTINCT transfer_id) AS transfers FROM races "
                      "WHERE account = 'alice' GROUP BY race")
    assert [row["transfers"] for row in found] == [2, 2]


@pytest.mark.parametrize("strategy, step", [("for_update", "lock"), ("atomic_update", "deduct"), ("vulnerable", "deduct")])
def test_who_waited_for_whom(bank, cluster, background, strategy, step):
    """The row is held at psql, so both transfers wait; only the second one waits for the first one."""
    bank.set(strategy=strategy)
    with cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        sent = [background(bank.transfer, "alice", "bob", "1") for _ in range(2)]
        bank.until_waiting_for_locks(2)
        session.rollback()
        assert [answer.result().status for answer in sent] == [200, 200]
    waits = bank.rows(WAITS_OF_NOW)
    order = bank.rows("SELECT id FROM transfers ORDER BY from_balance_after DESC")
    assert waits == [{"step": step, "holder": order[0]["id"], "waiter": order[1]["id"]}]


def test_a_lock_that_was_asked_for_after_the_end_of_the_other_transfer(bank, background):
    """On a busy machine it takes long to get a free lock. Here the second transfer has it 5 ms later, after 4 ms."""
    bank.set(strategy="for_update", delay_enabled=True, delay_ms=100)
    together(*[lambda: bank.transfer("alice", "bob", "1")] * 2)
    assert len(bank.rows(WAITS_OF_NOW)) == 1
    bank.rows("""UPDATE transfers
                 SET steps = jsonb_set(jsonb_set(steps, '{0,took_us}', '4000'),
                                       '{0,at_us}', to_jsonb((steps -> 0 ->> 'at_us')::bigint + 5000))
                 WHERE from_balance_after = (SELECT min(from_balance_after) FROM transfers) RETURNING id""")
    assert not bank.rows(WAITS_OF_NOW)
