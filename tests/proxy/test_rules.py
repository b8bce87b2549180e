"""Rules hold statements at their places, and every way out of a hold works."""

import signal
import time

import psycopg2
import pytest
from application import at_once, make_accounts, paid_out, put_back
from proxy import Proxy, eventually
from messages import CANCEL, SYNC, Wire, bind, describe, execute, message, packet, parse, query

UPDATE = "UPDATE accounts SET balance = balance - 1"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
BARRIER = ("--rule", "before update accounts barrier 2")


@pytest.fixture(autouse=True)
def accounts(cluster, database):
    make_accounts(cluster, database)
    put_back(cluster, database)


@pytest.fixture
def start(start_proxy, cluster):
    """A proxy whose server asks for no password."""
    return lambda *options: start_proxy(*options, upstream=cluster.url("postgres"))


@pytest.fixture
def connect(database):
    """Starts a session through a proxy."""
    wires = []

    def start_session(proxy):
        wires.append(Wire(("127.0.0.1", proxy.port)))
        wires[-1].start("postgres", database)
        return wires[-1]

    yield start_session
    for wire in wires:
        wire.socket.close()


def balance(cluster, database):
    return cluster.rows(database, "SELECT balance FROM accounts")[0]["balance"]


def held(proxy, count=1):
    eventually(lambda: len(proxy.lines("is held")) >= count)


def kinds(messages):
    return "".join(kind for kind, _ in messages)


def test_a_write_without_a_read_is_not_forced(start, connect):
    proxy = start("--force")
    assert kinds(connect(proxy).send(query(UPDATE)).until("Z")) == "CZ"
    assert proxy.lines("is held") == []


@pytest.mark.parametrize("reset", ["ROLLBACK", "DISCARD ALL", "UPDATE accounts SET balance = 5"])
def test_a_unit_of_work_ends(start, connect, reset):
    proxy = start("--force", "--limit", "50")
    wire = connect(proxy)
    wire.send(query("SELECT * FROM accounts")).until("Z")
    wire.send(query(reset)).until("Z")
    before = len(proxy.lines("is held"))
    wire.send(query(UPDATE)).until("Z")
    assert len(proxy.lines("is held")) == before


def test_simple_queries_wait_for_each_other(start, connect, cluster, database):
    proxy = start(*BARRIER)
    first, second = connect(proxy), connect(proxy)
    first.send(query(UPDATE))
    held(proxy)
    assert first.is_silent(0.1) and balance(cluster, database) == 100
    second.send(query(UPDATE))
    assert kinds(first.until("Z")) == kinds(second.until("Z")) == "CZ"
    assert balance(cluster, database) == 98
    assert len(proxy.lines("released together")) == 1


def test_prepared_statements_are_held_when_they_are_bound(start, connect, cluster, database):
    proxy = start(*BARRIER)
    first, second = connect(proxy), connect(proxy)
    for wire in (first, second):
        assert kinds(wire.send(parse(UPDATE, "s1"), SYNC).until("Z")) == "1Z"
    assert proxy.lines("is held") == []
    first.send(bind("s1"), execute(), SYNC)
    held(proxy)
    assert first.is_silent(0.1)
    second.send(bind("s1"), execute(), SYNC)
    assert kinds(first.until("Z")) == kinds(second.until("Z")) == "2CZ"
    assert balance(cluster, database) == 98


def test_sql_prepare_is_not_held_and_its_execute_is(start, connect, cluster, database):
    proxy = start(*BARRIER)
    first, second = connect(proxy), connect(proxy)
    assert kinds(first.send(query(f"PREPARE s1 AS {UPDATE}")).until("Z")) == "CZ"
    assert proxy.lines("is held") == []
    first.send(query("SELECT 1; EXECUTE s1"))
    held(proxy)
    second.send(query(UPDATE))
    assert kinds(first.until("Z")) == "TDCCZ" and kinds(second.until("Z")) == "CZ"
    assert balance(cluster, database) == 98
    first.send(query("DEALLOCATE s1")).until("Z")
    assert kinds(first.send(query("EXECUTE s1")).until("Z")) == "EZ"


@pytest.mark.parametrize("forget", [message("C", b"Ss1\0") + SYNC, query("DEALLOCATE s1"), query("DISCARD ALL"),
                                    query("DEALLOCATE ALL")])
def test_a_name_that_was_closed_means_another_statement(start, connect, forget):
    proxy = start(*BARRIER)
    wire = connect(proxy)
    wire.send(parse(UPDATE, "s1"), SYNC).until("Z")
    wire.send(forget).until("Z")
    wire.send(parse("SELECT 1", "s1"), bind("s1"), execute(), SYNC)
    assert kinds(wire.until("Z")) == "12DCZ"
    assert proxy.lines("is held") == []


def test_answers_of_a_pipeline_pass_while_its_end_is_held(start, connect):
    proxy = start(*BARRIER)
    first, second = connect(proxy), connect(proxy)
    select = parse("SELECT balance FROM accounts") + bind() + describe() + execute() + SYNC
    first.send(select, parse(UPDATE), bind(), execute(), SYNC, select)
    assert kinds(first.until("Z")) == "12TDCZ"
    held(proxy)
    second.send(query(UPDATE))
    assert kinds(first.until("Z")) == "12CZ"
    assert kinds(first.until("Z")) == "12TDCZ"


def test_a_large_statement_is_held_whole_in_effect(start, connect, cluster, database):
    proxy = start(*BARRIER)
    first, second = connect(proxy), connect(proxy)
    sql = f"{UPDATE} WHERE id <> '{'x' * 200_000}'"
    first.send(query(sql))
    held(proxy)
    assert balance(cluster, database) == 100
    second.send(query(sql))
    assert kinds(first.until("Z")) == kinds(second.until("Z")) == "CZ"
    assert balance(cluster, database) == 98


def test_a_delay(start, connect):
    proxy = start("--rule", "before update accounts delay 50")
    assert kinds(connect(proxy).send(query(UPDATE)).until("Z")) == "CZ"
    assert len(proxy.lines("delayed after")) == 1


def test_a_gate_opens_at_a_signal(start, connect):
    proxy = start("--rule", "before write * gate", "--limit", "60000")
    wires = [connect(proxy) for _ in range(3)]
    for wire in wires:
        wire.send(query(UPDATE))
    held(proxy, 3)
    proxy.process.send_signal(signal.SIGUSR1)
    assert [kinds(wire.until("Z")) for wire in wires] == ["CZ"] * 3


def test_after_a_statement_the_next_one_is_held(start, connect, cluster, database):
    proxy = start("--rule", "after select accounts barrier 2")
    first, second = connect(proxy), connect(proxy)
    for wire in (first, second):
        assert kinds(wire.send(query("SELECT balance FROM accounts")).until("Z")) == "TDCZ"
    first.send(query(UPDATE))
    held(proxy)
    assert balance(cluster, database) == 100
    second.send(query("SELECT 1"))
    assert kinds(first.until("Z")) == "CZ" and kinds(second.until("Z")) == "TDCZ"


def test_only_the_nth_match(start, connect):
    proxy = start("--rule", "before update accounts nth 2 delay 1")
    wire = connect(proxy)
    for expected in (0, 1, 1):
        wire.send(query(UPDATE)).until("Z")
        assert len(proxy.lines("is held")) == expected


def test_other_tables_and_verbs_pass(start, connect, cluster, database):
    cluster.rows(database, "CREATE TABLE other (n integer)")
    proxy = start(*BARRIER)
    wire = connect(proxy)
    for sql in ("INSERT INTO other VALUES (1)", "UPDATE other SET n = 2", "SELECT 'UPDATE accounts' FROM accounts",
                "/* UPDATE accounts */ SELECT 1 -- UPDATE accounts", "SELECT * FROM accounts FOR UPDATE",
                "SELECT $$UPDATE accounts$$"):
        wire.send(query(sql)).until("Z")
    assert proxy.lines("is held") == []


def test_a_held_session_that_cancels_is_let_go(start, connect, cluster, database):
    proxy = start(*BARRIER, "--limit", "60000")
    wire = Wire(("127.0.0.1", proxy.port))
    key = dict(wire.start("postgres", database))["K"]
    wire.send(query("UPDATE accounts SET balance = balance - 1 FROM pg_sleep(60)"))
    held(proxy)
    with Wire(("127.0.0.1", proxy.port)) as other:
        assert other.send(packet(CANCEL, key)).rest() == b""
    assert len(proxy.lines("its client cancels it")) == 1
    if kinds(wire.until("Z")) != "EZ":
        pytest.fail("the statement was not cancelled")
    wire.socket.close()


def test_a_held_session_that_leaves_is_let_go(start, connect, cluster, database):
    proxy = start(*BARRIER, "--limit", "60000")
    wire = connect(proxy)
    wire.send(query(UPDATE))
    held(proxy)
    wire.socket.close()
    eventually(lambda: proxy.lines("its connection was closed"))
    eventually(lambda: balance(cluster, database) == 99)  # as without the proxy: the statement was sent


def test_a_held_session_whose_server_leaves(start, connect, cluster, database):
    proxy = start(*BARRIER, "--limit", "60000")
    wire = connect(proxy)
    wire.send(query(UPDATE))
    held(proxy)
    cluster.end_sessions(database)
    assert wire.message()[0] == "E" and wire.rest() == b""
    eventually(lambda: proxy.lines("its connection was closed"))


def test_the_stop_lets_go(start, connect):
    proxy = start(*BARRIER, "--limit", "60000")
    wire = connect(proxy)
    wire.send(query(UPDATE))
    held(proxy)
    proxy.ends_itself = True
    proxy.process.send_signal(signal.SIGTERM)
    assert kinds(wire.until("Z")) == "CZ"
    assert proxy.process.wait(30) == 0


def test_what_a_held_client_sends_is_bounded(start, connect):
    proxy = start(*BARRIER, "--limit", "60000")
    first, second = connect(proxy), connect(proxy)
    before = proxy.resident_kib()
    first.send(query(UPDATE))
    held(proxy)
    first.socket.settimeout(0.2)
    more, sent = query("SELECT 1") * 1000, 0
    with pytest.raises(TimeoutError):
        while sent < 1000:
            first.send(more)
            sent += 1
    assert proxy.resident_kib() - before < 1000
    second.send(query(UPDATE))
    second.until("Z")
    first.socket.settimeout(30)
    assert kinds(first.until("Z")) == "CZ" and kinds(first.until("Z")) == "TDCZ"


def test_three_at_a_barrier_of_three_with_a_lock(start, cluster, database):
    """Two wait for the lock of the first one; the second waits behind another waiter. All three queue behind a session
    without the proxy first, so that none comes when the others have ended."""
    proxy = start("--force=3")
    url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}"

    def lock():
        with psycopg2.connect(url) as session, session.cursor() as cursor:
            cursor.execute("SELECT * FROM accounts FOR UPDATE")
            cursor.execute(UPDATE)

    def let_go():
        try:
            eventually(lambda: len(cluster.rows(database, WAITING)) == 3)
        finally:
            session.rollback()

    with cluster.session(database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT * FROM accounts FOR UPDATE")
        at_once(lock, lock, lock, let_go)
    assert proxy.lines("time limit") == [], proxy.log()
    assert len(proxy.lines("protected by a lock")) == 1


def test_without_a_session_of_its_own_the_limit_ends_a_lock(start_proxy, cluster, database):
    put_back(cluster, database)
    proxy = start_proxy("--force", "--limit", "300", upstream=f"postgresql://127.0.0.1:{cluster.port}/postgres?user=nobody")
    assert paid_out(proxy.url(database), "FOR UPDATE") == 1
    assert proxy.lines("Cannot ask PostgreSQL for locks") and proxy.lines("time limit")


def test_a_stop_while_the_session_for_locks_connects(cluster, tmp_path):
    """The moment differs from start to start."""
    for number in range(20):
        proxy = Proxy(cluster.url_over_tcp("postgres"), tmp_path / f"stop-{number}", "--force")
        time.sleep(number / 2000)
        assert proxy.stop() == 0, proxy.log()
