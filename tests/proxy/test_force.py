"""--force makes each round of an unchanged application race. The log gives the reason of a round that does not."""

import psycopg2
import psycopg2.errors
import pytest
from application import at_once, make_accounts, paid_out, put_back, withdraw

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


GUARDED = "UPDATE accounts SET balance = balance - 80 WHERE id = 'alice' AND balance >= 80"
RENAME = "UPDATE accounts SET id = 'bob'"
INSERT = "INSERT INTO accounts VALUES ('bob', 0)"


def read_and_write(url, begin, write):
    """Whether the write took place."""
    session = psycopg2.connect(url)
    try:
        with session, session.cursor() as cursor:
            cursor.execute(begin)
            cursor.execute("SELECT balance FROM accounts WHERE id = 'alice'")
            cursor.execute(write)
            return cursor.rowcount == 1
    except (psycopg2.errors.SerializationFailure, psycopg2.errors.UniqueViolation):
        return False
    finally:
        session.close()


@pytest.mark.parametrize("begin, write, reason", [
    ("SELECT 1", GUARDED, "changed no row after"),
    ("SELECT 1", INSERT, "got the error 23505 after"),
    ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", GUARDED, "got the error 40001 after"),
    ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", RENAME, "got the error 40001 after")])
def test_the_reason_of_a_refused_write_is_logged(forced, cluster, database, begin, write, reason):
    put_back(cluster, database)
    url = forced.url(database)
    assert sorted(at_once(*[lambda: read_and_write(url, begin, write)] * 2)) == [False, True]
    assert len(forced.lines(reason)) == 1
    assert len(forced.lines("changed no row")) + len(forced.lines("got the error")) == 1


def test_a_later_write_of_no_row_is_no_reason(forced, cluster, database):
    put_back(cluster, database)
    write = f"{GUARDED}; UPDATE accounts SET balance = 0 WHERE id = 'nobody'"
    at_once(*[lambda: read_and_write(forced.url(database), "SELECT 1", write)] * 2)
    assert len(forced.lines("changed no row")) == 1


def test_a_lone_session_is_let_go_at_the_limit(start_proxy, cluster, database):
    make_accounts(cluster, database)
    put_back(cluster, database)
    proxy = start_proxy("--force", "--limit", "100")
    assert withdraw(proxy.url(database))
    assert len(proxy.lines("time limit")) == 1
