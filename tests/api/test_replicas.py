"""Several programs on one database that share their settings and the barrier: BANK_API_REPLICA."""

import concurrent.futures
import contextlib
import json

import pytest

import replica_rounds
from bank import run_to_the_end
from client import together
from pace import BEYOND_THE_HANG_GUARD_MS, ROUNDS, eventually
from replica_rounds import replicas, until_all_have
from stream import Stream

pytestmark = pytest.mark.race

LINK = "SELECT backend FROM lab_replicas WHERE name = %s"


@pytest.fixture
def two(cluster):
    with replicas(cluster, 2) as banks:
        yield banks


def barrier_outcomes(bank):
    return [row["outcome"] for row in bank.rows(
        "SELECT s ->> 'outcome' AS outcome FROM transfers, jsonb_array_elements(steps) AS s "
        "WHERE s ->> 'step' = 'barrier' ORDER BY seq")]


def at_the_barrier(banks, timeout_ms=BEYOND_THE_HANG_GUARD_MS, **settings):
    chosen = {"barrier_enabled": True, "barrier_count": 2, "barrier_timeout_ms": timeout_ms, **settings}
    banks[0].set(**chosen)
    until_all_have(banks, **chosen)


@pytest.mark.parametrize("count", [2, 3])
def test_races_across_replicas(cluster, count):
    """Each transfer is on another replica: all pass the check in vulnerable mode, and one in safe mode."""
    rounds = max(ROUNDS // 20, 5)
    with replicas(cluster, count) as banks:
        assert replica_rounds.play(banks, rounds, strategy="vulnerable") == (rounds, 0)
        assert replica_rounds.play(banks, rounds, strategy="for_update") == (0, rounds)
        assert replica_rounds.play(banks, rounds, strategy="advisory_lock") == (0, rounds)


def test_process_mutex_is_convicted(two):
    """A mutex in one process says nothing to the other one. The delay holds the window open."""
    both, _ = replica_rounds.play(two, 5, strategy="process_mutex", delay_enabled=True, delay_ms=50)
    assert both == 5
    races = two[0].get("/races").json()["races"]
    assert {race["verdict"] for race in races} == {"double_spend"}


def test_more_waiters_than_a_round(two):
    """Four transfers for rounds of two: each waits for one other, wherever that one is, and nobody waits longer."""
    at_the_barrier(two)
    answers = together(*[lambda bank=bank: bank.transfer(amount="1") for bank in (*two, *two)])
    assert [answer.status for answer in answers] == [200] * 4
    assert barrier_outcomes(two[0]) == ["released"] * 4
    assert sum(bank.metric("barrier_releases_total") for bank in two) >= 2


def test_settings_of_all(two):
    """A change on one is in force on the other, and two changes at once are both kept."""
    first, second = two
    for number in range(10):
        together(lambda: first.set(delay_ms=1000 + number), lambda: second.set(barrier_timeout_ms=2000 + number))
        until_all_have(two, delay_ms=1000 + number, barrier_timeout_ms=2000 + number)
    second.set(strategy="for_update")
    until_all_have(two, strategy="for_update", use_transactions=True)
    row, = first.rows("SELECT version, changed_by FROM lab_settings")
    assert row == {"version": 22, "changed_by": "b"}


def test_a_wrong_change_changes_nothing(two):
    answer = two[0].post("/admin/settings", {"delay_ms": 60001})
    assert answer.status == 422
    assert two[0].rows("SELECT version FROM lab_settings") == [{"version": 1}]


def test_a_replica_takes_the_settings_that_are_there(cluster, start_bank):
    first = start_bank(BANK_API_REPLICA="a", DEBUG_DELAY_MS=7)
    assert first.get("/admin/settings").json()["delay_ms"] == 7
    first.set(barrier_count=3)
    second = start_bank(database=first.database, BANK_API_REPLICA="b", DEBUG_DELAY_MS=9)
    settings = second.get("/admin/settings").json()
    assert (settings["delay_ms"], settings["barrier_count"]) == (7, 3)
    assert first.get("/admin/settings").json() == settings


def test_two_with_one_name(cluster, start_bank):
    """The second one stops with one line. A name whose owner was killed is free."""
    first = start_bank(BANK_API_REPLICA="a")
    outcome = run_to_the_end(DATABASE_URL=cluster.url(first.database), BANK_API_PORT=0, BANK_API_REPLICA="a")
    assert outcome.returncode == 2
    assert 'bank-api: BANK_API_REPLICA="a" cannot be used: another program with this name' in outcome.stderr
    first.kill()
    start_bank(database=first.database, BANK_API_REPLICA="a")


@pytest.mark.parametrize("name", ["A", "a_b", "x" * 33, "ä"])
def test_a_name_that_cannot_be_used(name):
    outcome = run_to_the_end(BANK_API_REPLICA=name)
    assert outcome.returncode == 2
    assert "BANK_API_REPLICA=" in outcome.stderr and "a-z, 0-9 and -" in outcome.stderr


def test_a_replica_killed_at_the_barrier(cluster, start_bank):
    """Its waiter is not counted any more: the others wait for another one, or until their time is over."""
    first = start_bank(BANK_API_REPLICA="a")
    second = start_bank(database=first.database, BANK_API_REPLICA="b")
    at_the_barrier([first, second])
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        lost = threads.submit(second.transfer, "alice", "bob", "1")
        second.until_waiting_at_the_barrier(1)
        eventually(lambda: first.rows("SELECT id FROM lab_arrivals"), "the arrival")
        second.kill()
        with pytest.raises(OSError):
            lost.result()
        eventually(lambda: not first.get("/replicas").json()["replicas"][1]["present"], "PostgreSQL has noticed")
        waiting = threads.submit(first.transfer, "alice", "bob", "1")
        first.until_waiting_at_the_barrier(1)
        assert threads.submit(first.transfer, "alice", "bob", "1").result().status == 200
        assert waiting.result().status == 200
    assert barrier_outcomes(first) == ["released"] * 2
    at_the_barrier([first], timeout_ms=50)
    assert first.transfer(amount="1").status == 200
    assert barrier_outcomes(first)[-1] == "timed out"


def test_a_lost_session(two):
    """The waiter arrives again when the session is open again."""
    first, second = two
    at_the_barrier(two)
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(first.transfer, "alice", "bob", "800")
        eventually(lambda: first.rows("SELECT id FROM lab_arrivals"), "the arrival")
        before = first.rows(LINK, "a")[0]["backend"]
        first.rows("SELECT pg_terminate_backend(%s)", before)
        eventually(lambda: first.rows(LINK, "a")[0]["backend"] != before, "another session")
        assert second.transfer("alice", "charlie", "800").status == 200
        assert waiting.result().status == 200
    assert barrier_outcomes(first) == ["released"] * 2
    assert first.balance("alice") == -600


def test_a_reset_releases_the_waiters_of_all(two):
    first, second = two
    at_the_barrier(two, barrier_count=3)
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(bank.transfer, "alice", "bob", "1") for bank in two]
        eventually(lambda: len(first.rows("SELECT id FROM lab_arrivals")) == 2, "both wait")
        assert second.post("/reset").status == 200
        assert [each.result().status for each in waiting] == [200, 200]
    assert barrier_outcomes(first) == ["reset"] * 2


def test_without_a_database_nothing_changes(cluster, start_bank):
    bank = start_bank(BANK_API_REPLICA="a")
    cluster.rows("postgres", "ALTER DATABASE " + bank.database + " ALLOW_CONNECTIONS false")
    try:
        cluster.end_sessions(bank.database)
        bank.until_unhealthy()
        answer = bank.post("/admin/settings", {"delay_ms": 5})
        assert (answer.status, answer.json()["title"]) == (503, "Service Unavailable")
        assert bank.get("/admin/settings").json()["delay_ms"] == 100
    finally:
        cluster.rows("postgres", "ALTER DATABASE " + bank.database + " ALLOW_CONNECTIONS true")
    bank.until_healthy()
    eventually(lambda: bank.post("/admin/settings", {"delay_ms": 5}).status == 200, "the settings can be changed again")


def test_who_is_there(two):
    answer = two[1].get("/replicas").json()
    assert [(each["name"], each["is_self"], each["present"]) for each in answer["replicas"]] == [
        ("a", False, True), ("b", True, True)]
    assert [each["url"] for each in answer["replicas"]] == [f"http://127.0.0.1:{bank.port}" for bank in two]
    two[0].set(delay_ms=1)
    eventually(lambda: {each["settings_version"] for each in two[0].get("/replicas").json()["replicas"]} == {2},
               "both report the version")
    two[0].stop()
    left, = two[1].get("/replicas").json()["replicas"]
    assert left["name"] == "b"


def test_a_program_that_is_alone(bank):
    """It is the one entry, without a name; nothing is written, and no session listens."""
    entry, = bank.get("/replicas").json()["replicas"]
    assert (entry["name"], entry["is_self"], entry["present"]) == (None, True, True)
    assert "replica" not in bank.transfer().json()
    for table in ("lab_settings", "lab_replicas", "lab_arrivals"):
        assert bank.rows(f"SELECT 1 AS one FROM {table}") == []
    assert "bank_replica_info" not in bank.get("/metrics").text()


def test_everything_names_its_replica(cluster, start_bank):
    bank = start_bank(BANK_API_REPLICA="left", LOG_FORMAT="json")
    with contextlib.closing(Stream(bank.port)) as stream:
        record = bank.transfer().json()
        assert record["replica"] == "left"
        events = stream.until("transfer")
        assert {event.data["replica"] for event in (stream.hello, *events)} == {"left"}
        assert {event.name for event in events} == {"admitted", "step", "transfer"}
    assert bank.get(f"/transfers/{record['id']}").json()["replica"] == "left"
    assert bank.metric("bank_replica_info", replica="left") == 1
    lines = [json.loads(line) for line in bank.log().splitlines()]
    assert {line.get("replica") for line in lines} == {"left"}
    bank.post("/reset")
    assert bank.rows("SELECT replica FROM past_transfers") == [{"replica": "left"}]


def test_psql_names_the_replicas(two):
    at_the_barrier(two)
    together(*[lambda bank=bank: bank.transfer(amount="800") for bank in two])
    words = [row["racer_1"] or row["racer_2"] for row in two[0].rows("SELECT * FROM race_timeline")]
    assert {word.split(" ")[0] for word in words} == {"[a]", "[b]"}
    first, second = two[0].rows('SELECT "A", "B" FROM show_race LIMIT 2')
    assert "replica" in " ".join((first["A"] or first["B"], second["A"] or second["B"]))


def test_each_counts_its_own(two):
    """The metrics of all replicas together are the sums of the records."""
    at_the_barrier(two)
    together(*[lambda bank=bank: bank.transfer(amount="800") for bank in two])
    assert [bank.metric("transfers_total") for bank in two] == [1, 1]
    assert sum(bank.metric("double_spend_detected_total") for bank in two) == 1
