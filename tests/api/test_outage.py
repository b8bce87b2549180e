"""PostgreSQL goes away and comes back: 503 meanwhile, recovery without a restart, and no answered success is lost."""

import os
import signal

import pytest

from cluster import running_cluster
from crowd import Crowd
from pace import HANG_GUARD, eventually
from problem import assert_problem


@pytest.fixture(scope="module")
def cluster():
    """A PostgreSQL of its own: it is stopped and broken here, and a small one is soon back."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def cluster_comes_back(cluster):
    """However a test ends, the next finds a running cluster."""
    yield
    cluster.resume()
    if not cluster.running():
        cluster.start()
    eventually(cluster.accepts, "the cluster takes connections")


def stop_fast(cluster, _):
    cluster.stop("fast")


def stop_immediate(cluster, _):
    """As good as a power cut."""
    cluster.stop("immediate")


def terminate_backends(cluster, bank):
    """An administrator ends the sessions, three times over."""
    for _ in range(3):
        cluster.end_sessions(bank.database)


def kill_a_backend(cluster, bank):
    """kill -9: the postmaster takes all sessions down and recovers. It has begun to when they are gone."""
    sessions = cluster.backends(bank.database)
    os.kill(sessions[0], signal.SIGKILL)
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in sessions), "no session is left")


SAFE = ["for_update", "atomic_update", "optimistic", "serializable", "batched"]


@pytest.mark.parametrize("strategy", ["vulnerable", *SAFE])
@pytest.mark.parametrize("blow", [stop_fast, stop_immediate, terminate_backends, kill_a_backend])
def test_under_load(bank, cluster, blow, strategy):
    """Clients see 200, 503 with Retry-After, 504 for an outcome nobody knows, or without a transaction 500 for one that
    was cut in two; every success is in the table; it goes on by itself; and in safe mode the table holds nothing that
    was refused, and the books balance."""
    bank.set(strategy=strategy)
    with Crowd(bank, size=8) as crowd:
        eventually(lambda: crowd.count(200) >= 50, "transfers before the outage")
        blow(cluster, bank)
        if not cluster.running():
            eventually(lambda: crowd.count(503) >= 10, "refusals during the outage")
            bank.until_unhealthy()
            cluster.start()
        bank.until_healthy()
        before = crowd.count(200)
        eventually(lambda: crowd.count(200) >= before + 50, "transfers after the outage")
    bank.until_in_progress(0)
    for answer in crowd.answers():
        if answer.status != 200:
            assert_problem(answer, 503, 504, *([] if strategy in SAFE else [500]))
        if answer.status == 500:
            assert "left half done" in answer.json()["detail"]
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) >= 1
    assert crowd.unanswered() == []
    successes, recorded = crowd.ids_of_successes(), bank.recorded()
    assert len(set(successes)) == len(successes)
    assert set(successes) <= set(recorded)
    if strategy in SAFE:
        assert len(successes) <= len(recorded) <= len(successes) + crowd.count(504)
        assert [row for row in bank.rows("TABLE account_audit") if row["drift"] != 0] == []
        assert bank.metric("transfers_total", strategy=strategy, status="success") >= len(successes)


def test_what_answers_while_the_database_is_away(bank, cluster):
    """/health says so, the administration and the metrics go on, everything else is 503 with Retry-After."""
    cluster.stop("fast")
    bank.until_unhealthy()
    health = bank.get("/health")
    assert health.json() == {"status": "degraded", "service": "bank-api", "database": "unreachable"}
    assert health.headers["Content-Type"].split(";")[0] == "application/json"
    assert bank.post("/admin/delay?enabled=false").status == 200
    assert bank.get("/admin/settings").status == 200
    assert bank.get("/metrics").status == 200
    for answer in (bank.get("/accounts"), bank.get("/accounts/alice"), bank.get("/transactions"), bank.post("/reset"),
                   bank.get("/audit"), bank.transfer("alice", "bob", "1")):
        assert_problem(answer, 503)
        assert int(answer.headers["Retry-After"]) >= 1
    cluster.start()
    bank.until_healthy()
    assert bank.get("/health").json() == {"status": "ok", "service": "bank-api", "database": "ok"}
    assert bank.balances() == {"alice": 1000, "bob": 500, "charlie": 200}


def test_balances_are_not_made_up_while_the_database_is_away(bank, cluster):
    """account_balance is as of the scrape, or not there at all."""
    bank.get("/metrics")
    cluster.stop("fast")
    bank.until_unhealthy()
    assert bank.scrape().values("account_balance") == []
    cluster.start()
    bank.until_healthy()
    assert bank.scrape().total("account_balance", account_id="alice") == 1000


@pytest.mark.parametrize("strategy", ["vulnerable", "for_update", "atomic_update", "batched"])
def test_sessions_that_died_at_rest_cost_nobody_a_transfer(bank, cluster, strategy):
    """All sessions were open and are dead: whoever comes first after the restart is served on a new one. A strategy
    that begins with a write cannot try again, so it must find out before."""
    bank.set(strategy=strategy)
    with Crowd(bank, size=28) as crowd:
        eventually(lambda: crowd.count(200) >= 200, "every worker has its session")
    cluster.stop("fast")
    cluster.start()
    bank.until_healthy()
    with Crowd(bank, size=28) as crowd:
        eventually(lambda: len(crowd.answers()) >= 200, "transfers on new sessions")
    assert {answer.status for answer in crowd.answers()} == {200}
    for _ in range(32):
        assert bank.get("/accounts").status == 200


def test_a_database_that_hangs(bank, cluster, background):
    """It takes connections and says nothing: /health and the administration answer, and notice; what waited for it is
    done when it goes on."""
    bank.set(use_transactions=True)
    bank.transfer("alice", "bob", "1")
    cluster.freeze()
    waiting = [background(bank.transfer, "alice", "bob", "1") for _ in range(4)]
    bank.until_unhealthy()
    assert bank.get("/admin/settings").status == 200
    cluster.resume()
    bank.until_healthy()
    assert [each.result(HANG_GUARD).status for each in waiting] == [200] * 4
    assert bank.balance("alice") == 995


def test_a_database_that_hung_is_well_beside_an_open_transaction(bank, cluster):
    """What it has was there before: nothing is made again, so nobody at psql has to end first."""
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("TABLE double_spends")
        cluster.freeze()
        bank.until_unhealthy()
        cluster.resume()
        bank.until_healthy()
        assert bank.transfer("alice", "bob", "1").status == 200


def test_a_locked_row_is_not_an_outage(bank, background):
    """psql holds Alice: her transfers wait (two at the row, the others before the pool), everything else goes on, and
    they are done when psql lets go."""
    bank.set(use_transactions=True)
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT * FROM accounts WHERE id = 'alice' FOR UPDATE")
        waiting = [background(bank.transfer, "alice", "bob", "1") for _ in range(8)]
        bank.until_in_progress(2)
        bank.until_queued(6)
        assert bank.transfer("bob", "charlie", "1").status == 200
        assert bank.get("/health").status == 200
        assert bank.get("/accounts").status == 200
        session.rollback()
    assert [each.result(HANG_GUARD).status for each in waiting] == [200] * 8
    assert bank.balance("alice") == 992


def test_a_table_that_is_gone(bank):
    """Not away, but wrong: an error that is told, not a crash and not an endless try."""
    bank.rows("ALTER TABLE transfers RENAME TO elsewhere")
    try:
        bank.set(use_transactions=True)
        assert_problem(bank.transfer("alice", "bob", "1"), 500, 503)
        assert bank.balance("alice") == 1000
        assert_problem(bank.get("/transactions"), 500, 503)
    finally:
        bank.rows("ALTER TABLE elsewhere RENAME TO transfers")
    assert bank.transfer("alice", "bob", "1").status == 200


def test_a_balance_at_the_edge_of_its_type(bank):
    """A credit that does not fit numeric(15,2) is refused whole; nobody's money is gone."""
    bank.rows("UPDATE accounts SET balance = 9999999999999.99 WHERE id = 'bob'")
    bank.set(use_transactions=True)
    answer = bank.transfer("alice", "bob", "1")
    assert 400 <= answer.status < 600 and answer.status != 503
    assert_problem(answer, answer.status)
    assert bank.balance("alice") == 1000
    assert bank.recorded() == []
