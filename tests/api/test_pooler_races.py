"""Every strategy in a race that is certain, behind a pooler: as certain as without one."""

import concurrent.futures

import pytest

from client import together
from pace import ROUNDS
from pooler import running_pooler
from strategies import SAFE
from test_strategy_races import WRONG

pytestmark = pytest.mark.race

FIT = [("old", "session"), ("current", "session"), ("current", "transaction")]
EACH = max(2, ROUNDS // 20)


@pytest.fixture(scope="module", params=FIT, ids="-".join)
def pooler(cluster, request):
    kind, mode = request.param
    with running_pooler(cluster, mode, kind) as running:
        yield running


@pytest.fixture
def bank(cluster, start_bank, pooler):
    database = cluster.new_database()
    return start_bank(database=database, DATABASE_URL=pooler.url(database))


def race(bank, strategy):
    bank.post("/reset")
    answers = together(lambda: bank.transfer("alice", "bob", "800", strategy),
                       lambda: bank.transfer("alice", "charlie", "800", strategy))
    assert [answer.status for answer in answers] == [200, 200], answers
    return [answer.json() for answer in answers]


def rounds_at_the_barrier(bank, strategy):
    bank.set(barrier_enabled=True)
    for _ in range(EACH):
        yield race(bank, strategy)
    scrape = bank.scrape()
    assert (scrape.total("barrier_releases_total"), scrape.total("barrier_timeouts_total")) == (EACH, 0)


@pytest.mark.parametrize("strategy", SAFE)
def test_a_safe_strategy_holds_in_every_round(bank, strategy):
    for records in rounds_at_the_barrier(bank, strategy):
        assert sorted(each["status"] for each in records) == ["failed_insufficient_funds", "success"], records
        assert bank.balance("alice") == 200
    assert bank.get("/audit").json()["consistent"] is True


@pytest.mark.parametrize("strategy", WRONG)
def test_a_wrong_strategy_fails_in_every_round(bank, strategy):
    anomaly, left = WRONG[strategy]
    for records in rounds_at_the_barrier(bank, strategy):
        assert sorted((each["anomaly"] for each in records), key=str) == [None, anomaly], records
        assert bank.balance("alice") == left


@pytest.mark.parametrize("strategy", ["subselect_predicate", "cte_snapshot"])
def test_a_full_barrier_races_inside_one_statement(bank, strategy):
    """The transfer that has the row waits for the backends of the running transactions, not for those before."""
    racers = 28
    bank.set(barrier_enabled=True, barrier_count=racers)
    with concurrent.futures.ThreadPoolExecutor(racers) as threads:
        answers = list(threads.map(lambda _: bank.transfer("alice", "bob", "800", strategy), range(racers)))
    assert [answer.json()["status"] for answer in answers] == ["success"] * racers
    assert bank.metric("barrier_timeouts_total") == 0
