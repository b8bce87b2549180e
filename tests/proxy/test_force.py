"""--force makes each round of an unchanged application race, and a lock protects it."""

import pytest
from application import make_accounts, paid_out, put_back, withdraw
from proxy import eventually

ROUNDS = 20


@pytest.fixture
def forced(start_proxy, cluster, database):
    make_accounts(cluster, database)
    return start_proxy("--force")


def rounds(cluster, database, proxy, lock=""):
    """The number of rounds that raced."""
    raced = 0
    for _ in range(ROUNDS):
        put_back(cluster, database)
        raced += paid_out(proxy.url(database), lock) == 2
    return raced


def test_each_round_races(forced, cluster, database):
    assert rounds(cluster, database, forced) == ROUNDS
    assert len(forced.lines("released together")) == ROUNDS


def test_for_update_protects(forced, cluster, database):
    assert rounds(cluster, database, forced, "FOR UPDATE") == 0
    assert len(forced.lines("protected by a lock")) == ROUNDS
    assert forced.lines("time limit") == []


def test_a_lone_session_is_let_go_at_the_limit(start_proxy, cluster, database):
    make_accounts(cluster, database)
    put_back(cluster, database)
    proxy = start_proxy("--force", "--limit", "100")
    assert withdraw(proxy.url(database))
    assert len(proxy.lines("time limit")) == 1


