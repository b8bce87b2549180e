"""Every strategy in a race that is certain: the safe ones are right in every round, the wrong ones fail in every
round."""

import collections
import concurrent.futures
import json

import pytest

from client import JSON_TYPE
from pace import ROUNDS, eventually, scaled
from strategies import SAFE

pytestmark = pytest.mark.race

WRONG = {"vulnerable": ("double_spend", -600), "subselect_predicate": ("double_spend", -600),
         "absolute_update": ("lost_update", 200), "cte_snapshot": ("lost_update", 200)}


def send(client, to, amount=800, **fields):
    body = {"from_account": "alice", "to_account": to, "amount": amount, **fields}
    answer = client.request("POST", "/transfer", json.dumps(body), JSON_TYPE)
    assert answer.status == 200, answer
    return answer.json()


@pytest.fixture
def race(bank):
    """race() sends Alice's 800 to Bob and to Charlie, released together; returns both records."""
    with bank.client() as first, bank.client() as second, concurrent.futures.ThreadPoolExecutor(2) as threads:
        def run(**fields):
            racing = [threads.submit(send, first, "bob", **fields), threads.submit(send, second, "charlie", **fields)]
            return [each.result() for each in racing]
        yield run


COUNTERS = ("race_condition_hits_total", "double_spend_detected_total", "lost_updates_total",
            "barrier_releases_total", "barrier_timeouts_total", "transfer_retries_total")


def count(bank):
    scrape = bank.scrape()
    return {name: scrape.total(name) for name in COUNTERS}


def begin(bank, strategy, **settings):
    """Switches the barrier on; returns grown(), the increase of the counters since."""
    bank.set(strategy=strategy, barrier_enabled=True, **settings)
    before = count(bank)
    return lambda: {name: value - before[name] for name, value in count(bank).items()}


@pytest.mark.parametrize("strategy", SAFE)
def test_a_safe_strategy_holds_in_every_round(bank, race, strategy):
    grown = begin(bank, strategy)
    for _ in range(ROUNDS):
        bank.post("/reset")
        records = race()
        assert sorted(each["status"] for each in records) == ["failed_insufficient_funds", "success"], records
        assert [each["anomaly"] for each in records] == [None, None]
        assert bank.balance("alice") == 200
    assert bank.get("/audit").json()["consistent"] is True
    after = grown()
    assert (after["race_condition_hits_total"], after["barrier_releases_total"], after["barrier_timeouts_total"]) == \
        (0, ROUNDS, 0)


@pytest.mark.parametrize("strategy", WRONG)
def test_a_wrong_strategy_fails_in_every_round(bank, race, strategy):
    anomaly, left = WRONG[strategy]
    grown = begin(bank, strategy)
    rounds = max(1, ROUNDS // 5)
    for _ in range(rounds):
        bank.post("/reset")
        records = race()
        assert [each["status"] for each in records] == ["success", "success"], records
        assert sorted((each["anomaly"] for each in records), key=str) == [None, anomaly], records
        assert bank.balance("alice") == left
        audit = bank.get("/audit").json()
        assert audit["consistent"] is False
        kinds = {each["kind"] for each in audit["violations"]}
        assert ("overdrawn" if left < 0 else "account_drift") in kinds, audit
        # Both racers are named, in any order of recording.
        named = next(each for each in audit["violations"] if each.get("account") == "alice")["transfers"]
        assert sorted(named) == sorted(each["id"] for each in records)
    after = grown()
    assert (after["race_condition_hits_total"], after["barrier_timeouts_total"]) == (rounds, 0)
    assert after["double_spend_detected_total"] == (rounds if anomaly == "double_spend" else 0)
    assert after["lost_updates_total"] == (rounds if anomaly == "lost_update" else 0)


@pytest.mark.parametrize("strategy", SAFE)
@pytest.mark.parametrize("racers", [3, 12])
def test_more_racers_and_a_safe_strategy(bank, strategy, racers):
    begin(bank, strategy, barrier_count=racers)
    with concurrent.futures.ThreadPoolExecutor(racers) as threads:
        for _ in range(max(1, scaled(8))):
            bank.post("/reset")
            bodies = [json.dumps({"from_account": "alice", "to_account": "bob", "amount": 300})] * racers
            answers = list(threads.map(lambda body: bank.request("POST", "/transfer", body, JSON_TYPE), bodies))
            # The number of retries is limited: a transfer that lost too often gets 503, and no money was moved for it.
            assert {answer.status for answer in answers} <= {200, 503}
            won = [a.json() for a in answers if a.status == 200 and a.json()["status"] == "success"]
            assert 1 <= len(won) <= 3
            assert len(won) == 3 or any(answer.status == 503 for answer in answers)
            assert bank.balance("alice") == 1000 - 300 * len(won)
            assert bank.get("/audit").json()["consistent"] is True


@pytest.mark.parametrize("strategy", WRONG)
def test_more_racers_and_a_wrong_strategy(bank, strategy):
    racers = 5
    begin(bank, strategy, barrier_count=racers)
    with concurrent.futures.ThreadPoolExecutor(racers) as threads:
        for _ in range(max(1, scaled(8))):
            bank.post("/reset")
            records = list(threads.map(lambda _: send(bank, "bob", 400), range(racers)))
            assert all(each["status"] == "success" for each in records), records
            # At most one transfer found the row as it had read it: the last writer may have been overwritten itself.
            assert collections.Counter(each["anomaly"] for each in records)[None] <= 1
            assert bank.balance("alice") == (600 if WRONG[strategy][0] == "lost_update" else 1000 - 400 * racers)


@pytest.mark.parametrize("strategy", ["subselect_predicate", "cte_snapshot"])
def test_a_full_barrier_races_inside_one_statement(bank, strategy):
    """As many transfers as the barrier accepts: the transfer that has the row waits for each of the others."""
    racers = 28
    begun = len(bank.log())
    begin(bank, strategy, barrier_count=racers)
    with concurrent.futures.ThreadPoolExecutor(racers) as threads:
        records = list(threads.map(lambda _: send(bank, "bob", 100), range(racers)))
        assert all(each["status"] == "success" for each in records), records
        assert bank.balance("alice") == (900 if strategy == "cte_snapshot" else 1000 - 100 * racers)
        assert f"Holding the row of alice until {racers - 1} more stand behind it" in bank.log_since(begun)


def test_a_mutex_holds_in_one_server(bank, race):
    begin(bank, "process_mutex")
    for _ in range(max(1, ROUNDS // 5)):
        bank.post("/reset")
        records = race()
        assert sorted(each["status"] for each in records) == ["failed_insufficient_funds", "success"], records
        assert bank.balance("alice") == 200


def waiting_for_a_lock(session):
    with session.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


def test_a_mutex_falls_with_two_servers(bank, start_bank):
    """psql holds Alice's row for a moment: both servers have read and checked, each under its own mutex, when their
    writes wait for the row."""
    other = start_bank(database=bank.database).until_healthy()
    rounds = max(1, ROUNDS // 20)
    with bank.client() as first, other.client() as second, concurrent.futures.ThreadPoolExecutor(2) as threads, \
            bank.cluster.session(bank.database) as examiner, bank.cluster.session(bank.database) as onlooker:
        examiner.autocommit = False
        for _ in range(rounds):
            bank.post("/reset")
            with examiner.cursor() as cursor:
                cursor.execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
            racing = [threads.submit(send, first, "bob", strategy="process_mutex"),
                      threads.submit(send, second, "charlie", strategy="process_mutex")]
            eventually(lambda: waiting_for_a_lock(onlooker) == 2, "both servers wait for the row")
            examiner.commit()
            records = [each.result() for each in racing]
            assert [each["status"] for each in records] == ["success", "success"]
            assert sorted((each["anomaly"] for each in records), key=str) == [None, "double_spend"]
            assert bank.balance("alice") == -600


class TestTheRowIsHeld:
    """The barrier of a race inside one statement is at the row: it must never hold the row without need."""

    @pytest.mark.parametrize("strategy", ["subselect_predicate", "cte_snapshot"])
    def test_not_for_one_that_is_refused(self, bank, strategy):
        grown = begin(bank, strategy)
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            poor = threads.submit(send, bank, "charlie", 5000)
            assert send(bank, "bob")["status"] == "success"
            assert poor.result()["status"] == "failed_insufficient_funds"
        assert grown()["barrier_timeouts_total"] == 0

    @pytest.mark.parametrize("strategy", ["subselect_predicate", "cte_snapshot"])
    def test_not_for_another_account(self, bank, strategy):
        begun = len(bank.log())
        begin(bank, strategy)
        body = json.dumps({"from_account": "bob", "to_account": "charlie", "amount": 1})
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            other = threads.submit(bank.request, "POST", "/transfer", body, JSON_TYPE)
            assert send(bank, "charlie")["status"] == "success"
            assert other.result().json()["status"] == "success"
        assert "Holding the row" not in bank.log_since(begun)

    def test_not_longer_than_the_barrier_may(self, bank):
        """A rival that is blocked elsewhere never comes to the row: the holder waits for its timeout, and logs it."""
        bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('aaron', 0, 0)")
        begin(bank, "subselect_predicate", barrier_timeout_ms=300)
        with concurrent.futures.ThreadPoolExecutor(2) as threads, \
                bank.cluster.session(bank.database) as examiner:
            examiner.autocommit = False
            with examiner.cursor() as cursor:
                cursor.execute("SELECT FROM accounts WHERE id = 'aaron' FOR UPDATE")
            stuck = threads.submit(send, bank, "aaron", strategy="for_update")  # locks aaron before alice
            assert send(bank, "bob")["status"] == "success"
            examiner.commit()
            assert stuck.result()["status"] == "failed_insufficient_funds"
        assert "at the row of alice" in bank.log()
        bank.rows("DELETE FROM accounts WHERE id = 'aaron'")


@pytest.mark.parametrize("strategy, sqlstate", [("optimistic", "none"), ("repeatable_read", "40001"),
                                                ("serializable", "40001")])
def test_a_lost_transfer_is_repeated_and_counted(bank, race, strategy, sqlstate):
    before = bank.metric("transfer_retries_total", strategy=strategy, sqlstate=sqlstate)
    begin(bank, strategy)
    race()
    assert bank.metric("transfer_retries_total", strategy=strategy, sqlstate=sqlstate) == before + 1
    steps = [step for row in bank.rows("SELECT steps FROM transfers") for step in row["steps"]]
    assert [step["outcome"] for step in steps if step["step"] == "retry"] == \
        ["changed" if sqlstate == "none" else sqlstate]


@pytest.mark.parametrize("strategy", SAFE)
def test_opposite_directions_do_not_stand_in_each_others_way(bank, strategy):
    bank.set(strategy=strategy)
    count = scaled(200)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        def go(number):
            pair = ("alice", "bob") if number % 2 else ("bob", "alice")
            body = json.dumps({"from_account": pair[0], "to_account": pair[1], "amount": 0.01})
            return bank.request("POST", "/transfer", body, JSON_TYPE).status
        statuses = collections.Counter(threads.map(go, range(count)))
    assert set(statuses) <= {200, 503}  # 503: lost too often
    assert bank.metric("transfer_retries_total", strategy=strategy, sqlstate="40P01") == 0  # no deadlock
    assert bank.get("/audit").json()["consistent"] is True
    assert len(bank.recorded()) == statuses[200]
