"""The core of the lab: the race that is certain, its exact detection, and the fix."""

import concurrent.futures
from decimal import Decimal

import pytest

from client import together
from pace import ROUNDS, scaled

pytestmark = pytest.mark.race

HITS = "race_condition_hits_total"
DOUBLE_SPENDS = "double_spend_detected_total"


@pytest.fixture
def two_racers(bank):
    """race() sends Alice's 800 to Bob and to Charlie at the same time, each on its own connection; returns both
    records."""
    with bank.client() as first, bank.client() as second, concurrent.futures.ThreadPoolExecutor(2) as threads:
        def race(amount="800"):
            racing = [threads.submit(first.transfer, "alice", "bob", amount),
                      threads.submit(second.transfer, "alice", "charlie", amount)]
            answers = [each.result() for each in racing]
            assert [answer.status for answer in answers] == [200, 200], answers
            return [answer.json() for answer in answers]
        yield race


def counters(bank):
    scrape = bank.scrape()
    return {name: scrape.total(name) for name in
            (HITS, DOUBLE_SPENDS, "barrier_releases_total", "barrier_timeouts_total", "transfers_total")}


def growth(before, after):
    return {name: after[name] - before[name] for name in before}


def test_race_with_barrier(bank, two_racers):
    """The seed's guaranteed race: both succeed, Alice is at -600, one hit, one double spend, one release."""
    before = counters(bank)
    bank.post("/admin/delay?enabled=true&ms=20")
    bank.post("/admin/barrier?enabled=true&count=2")
    records = two_racers()
    assert [record["status"] for record in records] == ["success", "success"]
    assert [record["from_balance_before"] for record in records] == [1000, 1000]
    assert sorted(record["from_balance_after"] for record in records) == [-600, 200]
    assert sorted(record["race_detected"] for record in records) == [False, True]
    assert bank.balances() == {"alice": -600, "bob": 1300, "charlie": 1000}
    assert growth(before, counters(bank)) == {HITS: 1, DOUBLE_SPENDS: 1, "barrier_releases_total": 1,
                                              "barrier_timeouts_total": 0, "transfers_total": 2}


def test_with_fix(bank, two_racers):
    """The seed's fix with barrier and delay: one succeeds, one is refused, Alice is at 200, and no race is counted."""
    before = counters(bank)
    bank.set(delay_enabled=True, delay_ms=20, barrier_enabled=True)
    bank.post("/admin/transactions?enabled=true")
    records = two_racers()
    assert sorted(record["status"] for record in records) == ["failed_insufficient_funds", "success"]
    refused, = (record for record in records if record["status"] != "success")
    assert refused["from_balance_before"] == refused["from_balance_after"] == 200
    assert bank.balance("alice") == 200
    assert sum(bank.balances().values()) == 1700
    assert growth(before, counters(bank)) == {HITS: 0, DOUBLE_SPENDS: 0, "barrier_releases_total": 1,
                                              "barrier_timeouts_total": 0, "transfers_total": 2}


def test_race_with_delay_only(bank, two_racers):
    """The seed's third part: a long delay makes the race almost certain; its result is reported correctly."""
    bank.set(delay_enabled=True, delay_ms=200)
    records = two_racers()
    overdrawn = sum(record["from_balance_after"] < 0 for record in records)
    assert bank.balance("alice") == (-600 if overdrawn else 200)
    assert sum(record["race_detected"] for record in records) == overdrawn


def test_many_rounds_of_the_race(bank, two_racers):
    """Every round is a double spend: it is certain, not only likely."""
    before = counters(bank)
    bank.set(barrier_enabled=True)
    with bank.client() as client:
        for number in range(ROUNDS):
            assert client.post("/reset").status == 200
            records = two_racers()
            left = sorted(record["from_balance_after"] for record in records)
            assert left == [-600, 200], f"round {number}: {records}"
    assert growth(before, counters(bank)) == {HITS: ROUNDS, DOUBLE_SPENDS: ROUNDS, "barrier_releases_total": ROUNDS,
                                              "barrier_timeouts_total": 0, "transfers_total": 2 * ROUNDS}


def test_many_rounds_of_the_fix(bank, two_racers):
    """No round is a double spend: one success and one refusal every time."""
    before = counters(bank)
    bank.set(barrier_enabled=True, use_transactions=True)
    with bank.client() as client:
        for number in range(ROUNDS):
            assert client.post("/reset").status == 200
            records = two_racers()
            statuses = sorted(record["status"] for record in records)
            assert statuses == ["failed_insufficient_funds", "success"], f"round {number}: {records}"
            assert [record["from_balance_after"] for record in records] == [200, 200], f"round {number}: {records}"
    assert growth(before, counters(bank)) == {HITS: 0, DOUBLE_SPENDS: 0, "barrier_releases_total": ROUNDS,
                                              "barrier_timeouts_total": 0, "transfers_total": 2 * ROUNDS}


@pytest.mark.parametrize("racers", range(2, 17))
def test_any_number_of_racers(bank, racers):
    """N transfers have all read 1000 before any of them writes: N successes, N - 1 of them on a stale read and
    overdrawn."""
    before = counters(bank)
    bank.set(barrier_enabled=True, barrier_count=racers)
    records = [answer.json() for answer in together(*[bank.transfer] * racers)]
    assert [record["from_balance_before"] for record in records] == [1000] * racers
    left = sorted((record["from_balance_after"] for record in records), reverse=True)
    assert left == [1000 - 800 * number for number in range(1, racers + 1)]
    assert bank.balance("alice") == 1000 - 800 * racers
    assert len({record["thread_id"] for record in records}) == racers
    assert growth(before, counters(bank)) == {HITS: racers - 1, DOUBLE_SPENDS: racers - 1,
                                              "barrier_releases_total": 1,
                                              "barrier_timeouts_total": 0, "transfers_total": racers}


@pytest.mark.parametrize("racers", [2, 7, 16])
def test_any_number_of_racers_with_the_fix(bank, racers):
    """One of N succeeds."""
    bank.set(barrier_enabled=True, barrier_count=racers, use_transactions=True)
    records = [answer.json() for answer in together(*[bank.transfer] * racers)]
    assert [record["status"] for record in records].count("success") == 1
    assert bank.balance("alice") == 200


def test_a_stale_read_is_not_yet_a_double_spend(bank, two_racers):
    """There is enough money for both: a hit, because the second acted on 1000 while the balance was 900, but no balance
    is negative."""
    before = counters(bank)
    bank.set(barrier_enabled=True)
    records = two_racers("100")
    late, = (record for record in records if record["race_detected"])
    assert (late["from_balance_before"], late["from_balance_after"]) == (1000, 800)
    assert bank.balance("alice") == 800
    grown = growth(before, counters(bank))
    assert (grown[HITS], grown[DOUBLE_SPENDS]) == (1, 0)
    assert bank.rows("SELECT * FROM double_spends") == []


def test_strangers_do_not_race(bank):
    """At one barrier but on different accounts: no stale read, no hit."""
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('dora', 5, 5)")
    try:
        before = counters(bank)
        bank.set(barrier_enabled=True)
        together(lambda: bank.transfer("alice", "bob", "1"), lambda: bank.transfer("charlie", "dora", "1"))
        assert growth(before, counters(bank))[HITS] == 0
        assert not any(record["race_detected"] for record in bank.transactions())
    finally:
        bank.rows("DELETE FROM accounts WHERE id = 'dora'")


def test_one_after_another_is_no_race(bank):
    before = counters(bank)
    with bank.client() as client:
        for _ in range(20):
            client.transfer("alice", "bob", "100")
    assert [record["status"] for record in bank.transactions()] == ["success"] * 10 + ["failed_insufficient_funds"] * 10
    assert growth(before, counters(bank)) == {HITS: 0, DOUBLE_SPENDS: 0, "barrier_releases_total": 0,
                                              "barrier_timeouts_total": 0, "transfers_total": 20}


def test_a_change_behind_the_back_is_seen(bank, background):
    """Money arrives between read and write, from outside the bank: the read is stale all the same, and the record says
    so."""
    bank.set(barrier_enabled=True)
    waiting = background(bank.transfer, "alice", "bob", "100")
    bank.until_waiting_at_the_barrier(1)
    bank.rows("UPDATE accounts SET balance = balance + 50 WHERE id = 'alice'")
    bank.post("/admin/barrier?enabled=false")
    record = waiting.result().json()
    assert (record["from_balance_before"], record["from_balance_after"], record["race_detected"]) == (1000, 950, True)


def test_detection_is_exact_under_load(bank):
    """Under vulnerable load the flag, the counters and the view agree with the arithmetic of every record."""
    before = counters(bank)
    bank.set(delay_enabled=True, delay_ms=1)

    def client_of(number):
        pairs = [("alice", "bob"), ("bob", "charlie"), ("charlie", "alice"), ("alice", "charlie")]
        with bank.client() as client:
            return [client.transfer(*pairs[(number + turn) % 4], "60.5").json() for turn in range(scaled(40))]

    clients = [lambda number=number: client_of(number) for number in range(8)]
    records = [record for each in together(*clients) for record in each]
    for record in records:
        stale = record["status"] == "success" and \
            record["from_balance_after"] + record["amount"] != record["from_balance_before"]
        assert record["race_detected"] == stale, record
    hits = [record for record in records if record["race_detected"]]
    overdrawn = [record for record in hits if record["from_balance_after"] < 0]
    assert hits, "this load was meant to race"
    grown = growth(before, counters(bank))
    assert (grown[HITS], grown[DOUBLE_SPENDS]) == (len(hits), len(overdrawn))
    assert bank.rows("SELECT count(*) AS n FROM transfers WHERE race_detected") == [{"n": len(hits)}]
    shown = {row["transfer_id"] for row in bank.rows("SELECT transfer_id FROM double_spends")}
    assert shown == {each["id"] for each in overdrawn}
    assert sum(bank.balances().values(), Decimal(0)) == 1700
