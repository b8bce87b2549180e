"""Races that no barrier forces: the report of each missed write must match the order of the read, the write and its
commit. PostgreSQL shows a write to others when it is committed, which with fsync is long after the write."""

import pytest

from client import together
from pace import HANG_GUARD, eventually, scaled

CLIENTS = 8
WRONG = ["vulnerable", "absolute_update", "subselect_predicate", "cte_snapshot"]


def all_details(bank):
    """Every race among the newest."""
    listed = bank.get("/races?limit=100").json()["races"]
    return [bank.get(f"/races/{race['id']}").json() for race in listed]


def transfers_at_will(bank, number):
    with bank.client() as client:
        for turn in range(scaled(5)):
            answer = client.transfer("alice", ("bob", "charlie")[(number + turn) % 2], "1")
            assert answer.status == 200, answer


@pytest.mark.race
@pytest.mark.parametrize("delay_ms", [0, 3])
@pytest.mark.parametrize("strategy", WRONG)
def test_the_report_of_a_missed_write_matches_the_order(bank, strategy, delay_ms):
    bank.set(strategy=strategy, delay_enabled=delay_ms > 0, delay_ms=max(1, delay_ms))
    together(*[lambda number=number: transfers_at_will(bank, number) for number in range(CLIENTS)])
    current = {record["id"]: record for record in bank.transactions(1000)}
    for details in all_details(bank):
        records = {transfer["id"]: transfer for transfer in details["transfers"]}
        for missed in details["missed_writes"]:
            if missed["reader"] in current:
                check_missed(missed, records)
    for row in bank.rows("SELECT * FROM missed_writes"):
        assert row["committed_by_us"] > row["read_at_us"], row
        assert row["uncommitted_at_read"] == (row["written_at_us"] <= row["read_at_us"]), row


def check_missed(missed, records):
    reader = records[missed["reader"]]
    sent_us = min(step["at_us"] - step["took_us"] for step in reader["steps"] if step["step"] in ("read", "deduct"))
    assert missed["committed_by_us"] > missed["read_at_us"] >= sent_us, missed
    assert missed["committed_by_us"] >= missed["written_at_us"], missed
    assert missed["uncommitted_at_read"] == (missed["written_at_us"] <= missed["read_at_us"]), missed
    if reader["anomaly"] == "lost_update":  # the write overwrote the row without reading it
        own_us = [step["at_us"] for step in reader["steps"] if step["step"] == "deduct"][-1]
        if missed["account"] == "alice" and missed["committed_by_us"] <= own_us:
            between = [step["at_us"] for record in records.values() for step in record["steps"]
                       if step["step"] == "deduct" and missed["written_at_us"] < step["at_us"] < own_us]
            assert between == [], missed
    else:
        assert missed["value_written"] == reader["from_balance_after"] + reader["amount"], missed
    writer = records.get(missed["writer"])
    for step in writer["steps"] if writer else ():
        if step.get("account") == missed["account"] and step["step"] in ("deduct", "credit"):
            assert step["at_us"] == missed["written_at_us"]
            # in a transaction the commit time is unknown when the record is made
            known = step.get("committed_at_us", step["at_us"])
            assert known >= step["at_us"]


@pytest.fixture
def held_commits(bank):
    """held_commits(True): from now on no commit of a write ends, until held_commits(False)."""
    def hold(on):
        # A COMMIT waits for a standby that does not exist: the write is flushed and not yet visible to others.
        bank.rows(f"ALTER SYSTEM SET synchronous_standby_names = '{'nobody' if on else ''}'")
        bank.rows("SELECT pg_reload_conf()")
        eventually(lambda: bank.rows("SHOW synchronous_standby_names")[0]["synchronous_standby_names"] ==
                   ("nobody" if on else ""), "the setting is in force")
    yield hold
    hold(False)


def until_a_commit_is_held(bank):
    eventually(lambda: bank.rows("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"), "a commit is held")


@pytest.mark.parametrize("strategy", ["vulnerable", "absolute_update"])
def test_a_write_that_was_made_but_not_committed(bank, background, held_commits, strategy):
    """The reader reads between the writer's write and the end of its commit."""
    bank.set(strategy=strategy)
    held_commits(True)
    writer = background(bank.transfer, "alice", "bob", "800")
    until_a_commit_is_held(bank)
    reader = background(bank.transfer, "alice", "charlie", "800")
    bank.until_waiting_for_locks(1)
    held_commits(False)
    writer, reader = [each.result(HANG_GUARD).json() for each in (writer, reader)]
    details = bank.get(f"/races/{reader['id']}").json()
    missed, = details["missed_writes"]
    assert (missed["reader"], missed["writer"], missed["account"]) == (reader["id"], writer["id"], "alice")
    assert (missed["value_read"], missed["value_written"]) == (1000, 200)
    assert missed["written_at_us"] < missed["read_at_us"] < missed["committed_by_us"]
    assert missed["uncommitted_at_read"] is True
    lines = [row["racer_1"] or row["racer_2"] for row in bank.rows("SELECT * FROM race_timeline")]
    assert sum("had written $200.00 but not committed when this one read, so it could not be seen" in line
               for line in lines) == 1
    assert not any("after this one had read" in line for line in lines)


def test_a_lost_update_of_the_receiving_account(bank):
    """Two transfers pay bob from different accounts, each with a computed balance of bob's: the later one
    overwrites."""
    bank.set(strategy="absolute_update", barrier_enabled=True)
    records = [answer.json() for answer in together(lambda: bank.transfer("alice", "bob", "10"),
                                                    lambda: bank.transfer("charlie", "bob", "20"))]
    late, = (record for record in records if record["anomaly"] == "lost_update")
    early, = (record for record in records if record["anomaly"] is None)
    missed, = bank.get(f"/races/{late['id']}").json()["missed_writes"]
    assert (missed["reader"], missed["writer"], missed["account"]) == (late["id"], early["id"], "bob")
    assert (missed["value_read"], missed["value_written"]) == (500, early["to_balance_after"])


def test_the_end_is_a_commit_only_where_there_is_one(bank):
    """A strategy without a transaction ends with its record: each of its statements has committed on its own."""
    listed = bank.get("/strategies").json()["strategies"]
    for strategy in (each for each in listed if each["available"]):
        bank.set(strategy=strategy["name"])
        record = bank.transfer("alice", "bob", "1").json()
        end = bank.get(f"/races/{record['id']}").json()["transfers"][-1]["steps"][-1]
        is_one_commit = "each statement commits" not in strategy["isolation"]
        assert (end["step"], end["outcome"]) == ("commit", "committed" if is_one_commit else "recorded")
