"""The pooler is killed, paused, emptied and exhausted under load: every answer stays true, and nothing is posted
twice."""

import itertools
import re

import pytest

import crash_rounds
from client import together
from crowd import Crowd
from pace import eventually
from pooler import running_pooler


def kill_the_pooler(pooler, _bank, _crowd):
    """kill -9 while COMMITs are on their way, and a start."""
    pooler.kill()
    pooler.start()


def end_all_clients(pooler, bank, _crowd):
    """The pooler ends all sessions of the database, on both sides."""
    pooler.admin(f"KILL {bank.database}")
    pooler.admin(f"RESUME {bank.database}")


def pause_and_resume(pooler, bank, _crowd):
    """PAUSE lets transactions end, and makes the next ones wait."""
    pooler.admin(f"PAUSE {bank.database}")
    pooler.admin(f"RESUME {bank.database}")


def new_servers(pooler, _bank, _crowd):
    """RECONNECT replaces the server connections, with all that was prepared there."""
    pooler.admin("RECONNECT")


def end_the_backends(pooler, bank, _crowd):
    """pg_terminate_backend behind the pooler's back."""
    for _ in range(3):
        pooler.cluster.end_sessions(bank.database)


BLOWS = [kill_the_pooler, end_all_clients, pause_and_resume, new_servers, end_the_backends]


@pytest.mark.parametrize("kind, mode", [("current", "transaction"), ("old", "session")])
def test_no_answer_is_untrue(cluster, start_bank, kind, mode):
    strategies = itertools.cycle(crash_rounds.STRATEGIES)
    with running_pooler(cluster, mode, kind) as pooler:
        database = cluster.new_database()
        bank = start_bank(database=database, DATABASE_URL=pooler.url(database), LOG_LEVEL="warn")
        for strategy, blow in zip(strategies, BLOWS * 2):
            if blow is pause_and_resume and mode == "session":
                continue  # it would wait until the bank closes its sessions
            strike = lambda _cluster, bank, crowd, blow=blow: blow(pooler, bank, crowd)  # noqa: E731
            _, untrue = crash_rounds.play_round(cluster, bank, strategy, strike)
            assert untrue == [], (strategy, blow.__name__)


def test_a_pool_with_fewer_servers_than_workers(cluster, start_bank):
    """The transactions of 28 workers wait for two servers; each answer is a posted transfer, or none at all."""
    database = cluster.new_database()
    with running_pooler(cluster, "transaction", default_pool_size=2) as pooler:
        bank = start_bank(database=database, DATABASE_URL=pooler.url(database), LOG_LEVEL="warn")
        bank.set(strategy="for_update")
        with Crowd(bank, size=32, amounts=("0.01",)) as crowd:
            eventually(lambda: crowd.count(200) >= 300, "transfers through two servers")
        bank.until_in_progress(0)
        assert crash_rounds.Audit(bank, crowd).untrue == []
        assert bank.get("/audit").json()["consistent"] is True


def test_a_pool_without_a_free_server(cluster, start_bank):
    """query_wait_timeout ends the wait for a server. No transaction has begun then: the answer is a plain 503."""
    database = cluster.new_database()
    with running_pooler(cluster, "transaction", default_pool_size=1, query_wait_timeout=1) as pooler:
        bank = start_bank(database=database, DATABASE_URL=pooler.url(database), LOG_LEVEL="warn")
        bank.set(strategy="for_update", delay_enabled=True, delay_ms=4000)
        before = len(bank.recorded())
        answers = together(*[lambda: bank.transfer("alice", "bob", "1")] * 6)
        assert {answer.status for answer in answers} <= {200, 503}, answers
        posted = sum(answer.status == 200 for answer in answers)
        bank.set(delay_enabled=False)
        bank.until_healthy()
        assert posted >= 1 and bank.balance("alice") == 1000 - posted
        assert len(bank.recorded()) - before == posted


def test_a_pooler_that_dies_at_a_commit(cluster, start_bank):
    """The COMMIT waits for a standby that does not exist while the pooler is killed: the outcome is unknown, and the
    record, once it can be read, decides."""
    database = cluster.new_database()
    with running_pooler(cluster, "transaction") as pooler:
        bank = start_bank(database=database, DATABASE_URL=pooler.url(database), LOG_LEVEL="warn")
        bank.set(strategy="for_update")
        crash_rounds.set_standby(cluster, bank, "nobody")
        try:
            def strike():
                eventually(lambda: bank.rows("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"), "it commits")
                pooler.kill()
            answer, _ = together(lambda: bank.transfer("alice", "bob", "1"), strike)
        finally:
            crash_rounds.set_standby(cluster, bank, "")
        assert answer.status == 504, answer
        pooler.start()
        bank.until_healthy()
        transfer_id = re.search(r"transfer (\w+)", answer.json()["detail"])[1]
        assert bank.get(f"/transfers/{transfer_id}").status in (200, 404)
        assert bank.get("/audit").json()["consistent"] is True
