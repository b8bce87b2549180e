"""The program's clock and the database's may differ, and a clock may be set while the program runs. Under every clock
no step begins before its transfer, ends after it, or lasts longer than it. The program runs under libfaketime,
PostgreSQL does not."""

import glob

import pytest

from client import together
from pace import HANG_GUARD
from test_races import detail

FOUND = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
pytestmark = pytest.mark.skipif(not FOUND, reason="no libfaketime (apt install faketime)")

HOUR_S = 3600


def faked(**settings):
    return {"LD_PRELOAD": FOUND[0], "FAKETIME_DONT_FAKE_MONOTONIC": 1, "FAKETIME_NO_CACHE": 1,
            # The sanitizer's library asks to be loaded first, but works anyway.
            "ASAN_OPTIONS": "verify_asan_link_order=0", **settings}


def strategies(bank):
    return [each["name"] for each in bank.get("/strategies").json()["strategies"] if each["available"]]


def check_steps(bank, answer):
    """The steps lie between the arrival and the answer of the transfer, as the client received them."""
    transfer, = (each for each in detail(bank, answer["id"])["transfers"] if each["id"] == answer["id"])
    row, = bank.rows("""SELECT duration_ms, (extract(epoch FROM "timestamp") * 1000000)::bigint AS received_us
                        FROM transfers WHERE id = %s""", answer["id"])
    assert 0 <= row["duration_ms"] <= answer["duration_ms"], (answer, row)
    over_us = row["received_us"]
    for step in transfer["steps"]:
        assert step["at_us"] >= over_us, transfer
        assert step["at_us"] - row["received_us"] <= answer["duration_ms"] * 1000 + 1, transfer
        assert 0 <= step["took_us"] <= answer["duration_ms"] * 1000 + 1, transfer
        over_us = step["at_us"]
    record, = (each for each in bank.transactions(1000) if each["id"] == answer["id"])
    assert 0 <= record["duration_ms"] <= answer["duration_ms"], record


def race_under_every_strategy(bank, check):
    for strategy in strategies(bank):
        bank.post("/reset")
        bank.set(strategy=strategy, barrier_enabled=True)
        for answer in together(lambda: bank.transfer("alice", "bob"), lambda: bank.transfer("alice", "charlie")):
            assert answer.status == 200, answer
            check(bank, answer.json())
        for missed in bank.rows("TABLE missed_writes"):
            assert missed["read_at_us"] < missed["committed_by_us"], missed


@pytest.mark.parametrize("apart_s", [-HOUR_S, HOUR_S, "-0.030", "+0.030"])
def test_clocks_apart(start_bank, apart_s):
    bank = start_bank(**faked(FAKETIME=apart_s if isinstance(apart_s, str) else f"{apart_s:+d}"))
    if abs(float(apart_s)) == HOUR_S:
        bank.transfer("alice", "bob", "1")
        row, = bank.rows("SELECT abs(extract(epoch FROM now() - \"timestamp\")) AS apart FROM transfers")
        assert abs(float(row["apart"]) - HOUR_S) < HOUR_S / 2, "the clock is faked"
    race_under_every_strategy(bank, check_steps)


@pytest.mark.parametrize("apart_s", [-HOUR_S, HOUR_S])
def test_the_first_statement_of_all_posts_a_transfer(start_bank, apart_s):
    """No statement before the posting shows the difference of the clocks."""
    bank = start_bank(**faked(FAKETIME=f"{apart_s:+d}"))
    bank.set(strategy="atomic_update")
    for amount in ("800", "800"):
        check_steps(bank, bank.transfer("alice", "bob", amount).json())


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S])
def test_a_clock_that_is_set_while_transfers_run(start_bank, background, tmp_path, jump_s):
    shown = tmp_path / "clock"
    shown.write_text("+0\n")
    bank = start_bank(**faked(FAKETIME_TIMESTAMP_FILE=shown))
    for strategy in strategies(bank):
        shown.write_text("+0\n")
        bank.post("/reset")
        bank.set(strategy=strategy, barrier_enabled=True)
        first = background(bank.transfer, "alice", "bob")
        bank.until_waiting_at_the_barrier(1)
        shown.write_text(f"{jump_s:+d}\n")
        second = background(bank.transfer, "alice", "charlie")
        for answer in (first, second):
            check_steps(bank, answer.result(HANG_GUARD).json())


def test_a_duration_that_an_older_version_recorded_as_negative(bank):
    """An older version measured a batch by the wall clock, which was set back meanwhile."""
    record = bank.transfer("alice", "bob", "1").json()
    bank.rows("UPDATE transfers SET duration_ms = -5 WHERE id = %s", record["id"])
    assert bank.transactions()[-1]["duration_ms"] == 0
    assert detail(bank, record["id"])["race"]["transfer_count"] == 1
