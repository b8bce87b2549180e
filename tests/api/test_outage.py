"""PostgreSQL becomes unavailable and comes back: 503 meanwhile, recovery without a restart, and no answered success is
lost."""

import os
import signal

import pytest

from cluster import running_cluster
from crowd import Crowd
from pace import HANG_GUARD, eventually
from problem import assert_problem


@pytest.fixture(scope="module")
def cluster():
    """A PostgreSQL of this module's own, because it is stopped and damaged here. It is small, so that it starts
    soon."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def cluster_comes_back(cluster):
    """After every end of a test the next one finds a running cluster."""
    yield
    cluster.resume()
    if not cluster.running():
        cluster.start()
    eventually(cluster.accepts, "the cluster takes connections")


def stop_fast(cluster, _):
    cluster.stop("fast")


def stop_immediate(cluster, _):
    """Stops the cluster like a power cut."""
    cluster.stop("immediate")


def terminate_backends(cluster, bank):
    """Ends the sessions three times, as an administrator does."""
    for _ in range(3):
        cluster.end_sessions(bank.database)


def kill_a_backend(cluster, bank):
    """kill -9: the postmaster ends all sessions and recovers. Waits until the sessions are gone, so that the recovery
    has begun."""
    sessions = cluster.backends(bank.database)
    os.kill(sessions[0], signal.SIGKILL)
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in sessions), "no session is left")


SAFE = ["for_update", "atomic_update", "optimistic", "serializable", "batched"]


@pytest.mark.parametrize("strategy", ["vulnerable", *SAFE])
@pytest.mark.parametrize("blow", [stop_fast, stop_immediate, terminate_backends, kill_a_backend])
def test_under_load(bank, cluster, blow, strategy):
    """Clients get 200, 503 with Retry-After, 504 for an unknown outcome, or without a transaction 500 for a transfer
    that was cut in two. Every success is in the table, and the program recovers by itself. In safe mode the table holds
    no refused transfer, and the books balance."""
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
            assert "left partially applied" in answer.json()["detail"]
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


def test_what_answers_while_the_database_is_unavailable(bank, cluster):
    """/health reports it, the administration and the metrics still answer, everything else is 503 with Retry-After."""
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


def test_balances_are_not_made_up_while_the_database_is_unavailable(bank, cluster):
    """account_balance is the balance of this scrape, or missing."""
    bank.get("/metrics")
    cluster.stop("fast")
    bank.until_unhealthy()
    assert bank.scrape().values("account_balance") == []
    cluster.start()
    bank.until_healthy()
    assert bank.scrape().total("account_balance", account_id="alice") == 1000


@pytest.mark.parametrize("strategy", ["vulnerable", "for_update", "atomic_update", "batched"])
def test_idle_sessions_that_died_fail_no_transfer(bank, cluster, strategy):
    """All sessions were open and are dead: the first transfer after the restart is served on a new session. A strategy
    that begins with a write cannot try again, so the program must notice the dead session before."""
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
    """The database accepts connections and never answers: /health and the administration answer, and report it. The
    waiting requests are done when the database continues."""
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
    """Its tables were there before: nothing is made again, so the program need not wait for open transactions at
    psql."""
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("TABLE double_spends")
        cluster.freeze()
        bank.until_unhealthy()
        cluster.resume()
        bank.until_healthy()
        assert bank.transfer("alice", "bob", "1").status == 200


def test_a_locked_row_is_not_an_outage(bank, background):
    """psql holds Alice: her transfers wait (two at the row, the others before the pool), everything else is served, and
    they are done when psql releases the row."""
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
    """The database is available but wrong: one error in the log, no crash and no endless retry."""
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
    """A credit that does not fit numeric(15,2) is refused as a whole; no money is lost."""
    bank.rows("UPDATE accounts SET balance = 9999999999999.99 WHERE id = 'bob'")
    bank.set(use_transactions=True)
    answer = bank.transfer("alice", "bob", "1")
    assert 400 <= answer.status < 600 and answer.status != 503
    assert_problem(answer, answer.status)
    assert bank.balance("alice") == 1000
    assert bank.recorded() == []
