"""A database that answers but cannot serve: read-only, or full. That is the server's state, not the request's fault:
503 with Retry-After, /health reports it, and service resumes by itself."""

import shutil

import pytest

from bank import Bank
from cluster import running_cluster
from pace import eventually
from problem import assert_problem
from small_disk import small_disk_cluster
from strategies import SAFE, WRONG
from truth import Truth

DEGRADED = {"status": "degraded", "service": "bank-api", "database": "unavailable"}


@pytest.fixture(scope="module")
def cluster():
    """A PostgreSQL of this module's own, because it becomes a standby here."""
    with running_cluster() as cluster:
        yield cluster


def turn_read_only(cluster):
    """Restarts the cluster as a standby without a primary: it accepts only reads."""
    cluster.stop("fast")
    signal = cluster.data / "standby.signal"
    signal.touch()
    shutil.chown(signal, cluster.data.stat().st_uid)
    cluster.start()


def promote(cluster):
    cluster.rows("postgres", "SELECT pg_promote()")


def assert_unavailable(answer):
    """Nothing was transferred, and the client may try again."""
    assert "nothing was transferred" in assert_problem(answer, 503)["detail"]
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_read_only_server(bank, cluster):
    """Reads are served; transfers and resets are refused until the server is the primary again."""
    bank.transfer("alice", "bob", "1")
    turn_read_only(cluster)
    eventually(lambda: bank.get("/health").json() == DEGRADED, "/health says unavailable")
    assert int(bank.get("/health").headers["Retry-After"]) >= 1
    for strategy in SAFE + WRONG:
        assert_unavailable(bank.transfer("alice", "bob", "1", strategy))
    assert_problem(bank.post("/reset"), 503)
    assert bank.balance("alice") == 999
    assert len(bank.transactions()) == 1
    assert bank.get("/health").json() == DEGRADED
    assert bank.metric("database_available") == 0
    promote(cluster)
    bank.until_healthy()
    assert bank.metric("database_available") == 1
    for strategy in SAFE + WRONG:
        assert bank.transfer("alice", "bob", "1", strategy).status == 200


def test_a_server_that_is_read_only_at_the_start(cluster, start_bank):
    """The program starts, reports the reason, and serves when the server accepts writes."""
    database = cluster.new_database()
    first = start_bank(database)
    assert first.transfer("alice", "bob", "1").status == 200
    turn_read_only(cluster)
    second = start_bank(database, ready=False).until_serving()
    eventually(lambda: second.get("/health").json() == DEGRADED, "/health says unavailable")
    assert_unavailable(second.transfer("alice", "bob", "1"))
    promote(cluster)
    second.until_healthy()
    assert second.transfer("alice", "bob", "1").status == 200


def test_a_writable_server_is_looked_for(cluster, start_bank):
    """The first host of the URL becomes a standby: target_session_attrs leads to the second."""
    with running_cluster() as other:
        database = other.new_database(cluster.new_database("failover"))
        start_bank(database, DATABASE_URL=other.url(database)).stop()  # the standby has the tables as well
        bank = start_bank(DATABASE_URL=f"postgresql://postgres@/{database}?host={cluster.folder},{other.folder}"
                                       f"&port={cluster.port},{other.port}&target_session_attrs=read-write")
        for strategy in SAFE + WRONG:
            assert bank.transfer("alice", "bob", "1", strategy).status == 200
        turn_read_only(cluster)
        try:
            bank.until_healthy()
            eventually(lambda: bank.transfer("alice", "bob", "1").status == 200, "the other server serves")
            assert other.rows(database, "SELECT count(*) AS count FROM transfers")[0]["count"] == 1
        finally:
            promote(cluster)
            eventually(lambda: cluster.rows("postgres", "SHOW transaction_read_only")[0]["transaction_read_only"] ==
                       "off", "the cluster takes writes again")


def test_a_session_that_idles_too_long_in_a_transaction(bank, cluster):
    """PostgreSQL ends a session that sleeps in its transaction: it is certain that nothing was committed."""
    bank.rows("ALTER DATABASE " + bank.database + " SET idle_in_transaction_session_timeout = '200ms'")
    try:
        cluster.end_sessions(bank.database)
        bank.set(strategy="for_update", delay_enabled=True, delay_ms=600)
        truth = Truth(bank)
        answer = bank.transfer("alice", "bob", "1")
        truth.holds_for(answer)
        assert answer.status in (200, 503), answer
    finally:
        bank.rows("ALTER DATABASE " + bank.database + " RESET idle_in_transaction_session_timeout")
        cluster.end_sessions(bank.database)


@pytest.mark.parametrize("strategy", ["vulnerable", "for_update", "atomic_update", "optimistic", "batched"])
def test_a_full_disk(tmp_path, strategy):
    """Every answer is true while the disk fills up and when it is full, and /health recovers when there is room."""
    with small_disk_cluster() as cluster:
        bank = Bank(cluster, cluster.new_database(), tmp_path / "log", {"USE_TRANSACTIONS": "false"})
        try:
            bank.until_healthy()
            bank.set(strategy=strategy)
            cluster.fill_disk()

            def refused():
                truth = Truth(bank)
                answer = bank.transfer("alice", "bob", "1")
                truth.holds_for(answer)
                return answer if answer.status != 200 else None
            assert_problem(eventually(refused, "the disk is full"), 500 if strategy == "vulnerable" else 503)
            eventually(lambda: bank.get("/health").status == 503, "/health is degraded")
            cluster.free_disk()
            if not cluster.accepts():  # a write-ahead log without room ends the server
                cluster.stop("immediate")
                cluster.start()
            bank.until_healthy()
            assert bank.transfer("alice", "bob", "1").status == 200
        finally:
            cluster.free_disk()
            bank.stop()
