"""The program follows the leader: DATABASE_URL names two servers, and another one takes the writes after a while."""

import contextlib

import pytest

from cluster import PASSWORD, USER, running_cluster
from crowd import Crowd
from pace import eventually
from standby import running_standby


@pytest.fixture
def pair():
    """A primary and its standby."""
    with running_cluster() as primary, running_standby(primary) as standby:
        yield primary, standby


@pytest.fixture
def bank(pair, start_bank):
    """A bank with an open session on the primary for every worker, and with tables that the standby has too."""
    primary, standby = pair
    name = primary.new_database()
    url = (f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/{name}"
           "?target_session_attrs=read-write&connect_timeout=1")
    bank = start_bank(database=name, DATABASE_URL=url)
    bank.set(strategy="for_update")
    with Crowd(bank, size=28) as crowd:
        eventually(lambda: crowd.count(200) >= 200, "every worker has its session")
    done = len(primary.rows(name, "SELECT id FROM transfers"))
    eventually(lambda: len(records(standby, name)) == done, "the standby has the transfers")
    yield bank
    bank.stop()


def records(cluster, database):
    with contextlib.suppress(Exception):  # the database may not be there yet
        return cluster.rows(database, "SELECT id FROM transfers")
    return []


def test_the_leader_hangs(pair, bank, background):
    """Its machine hangs with all connections open, and the standby takes over. The transfers that wait for an answer
    of the former leader get one of the program, and the next ones are made on the new leader."""
    primary, standby = pair
    primary.freeze()
    waiting = [background(bank.transfer, "alice", "bob", "1") for _ in range(4)]
    bank.until_unhealthy()
    standby.promote()
    bank.until_healthy()
    for each in waiting:
        assert each.result().status in (200, 503, 504)
    before = len(records(standby, bank.database))
    for _ in range(40):
        assert bank.transfer("alice", "bob", "1").status == 200
    assert len(records(standby, bank.database)) == before + 40


def test_the_former_leader_comes_back(pair, bank):
    """It does not know yet that it has lost its place, takes writes, and comes first in the list of hosts. Sessions
    that are opened now go to the new leader."""
    primary, standby = pair
    primary.freeze()
    bank.until_unhealthy()
    standby.promote()
    bank.until_healthy()
    primary.resume()
    before = len(records(primary, bank.database))
    standby.end_sessions(bank.database)
    bank.until_healthy()
    for _ in range(40):
        assert bank.transfer("alice", "bob", "1").status == 200
    assert len(records(primary, bank.database)) == before
    assert "another host takes the writes" in bank.log()


def test_a_leader_that_steps_down(pair, bank):
    """The primary ends in order, and the standby is promoted: nothing that was answered with 200 is missing there."""
    primary, standby = pair
    with Crowd(bank, size=8) as crowd:
        eventually(lambda: crowd.count(200) >= 100, "transfers before")
        primary.stop("fast")
        bank.until_unhealthy()
        standby.promote()
        bank.until_healthy()
        before = crowd.count(200)
        eventually(lambda: crowd.count(200) >= before + 100, "transfers on the new leader")
    found = {row["id"] for row in records(standby, bank.database)}
    assert set(crowd.ids_of_successes()) <= found


def test_no_server_takes_writes(pair, start_bank):
    """The only server that is left is a standby: the program says that its database is unavailable, and nothing is
    transferred. After the promotion it serves without a restart."""
    primary, standby = pair
    name = primary.new_database()
    start_bank(database=name, DATABASE_URL=primary.url(name)).stop()
    done = primary.rows("postgres", "SELECT pg_current_wal_lsn()::text AS lsn")[0]["lsn"]
    eventually(lambda: standby.rows("postgres", "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn AS has", done)[0]["has"],
               "the standby has the tables")
    bank = start_bank(database=name, DATABASE_URL=standby.url(name), ready=False).until_serving().until_unhealthy()
    assert bank.transfer("alice", "bob", "1").status == 503
    assert records(standby, name) == []
    standby.promote()
    bank.until_healthy()
    assert bank.transfer("alice", "bob", "1").status == 200
    bank.stop()
