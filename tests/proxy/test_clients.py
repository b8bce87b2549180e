"""Drivers do more than plain statements: COPY, cursors, notifications, replication, pipelines."""

import io
import select
import signal
import subprocess

import psycopg
import psycopg2
import psycopg2.extras
import pytest
from cluster import running_cluster
from proxy import eventually
from messages import Wire, query

ROWS = 200_000


@pytest.fixture
def session(proxy, database):
    session = psycopg2.connect(proxy.url(database))
    session.autocommit = True
    yield session
    session.close()


def test_copy_both_ways(session):
    with session.cursor() as cursor:
        cursor.execute("CREATE TABLE many (id integer, word text)")
        rows = "".join(f"{i}\tword {i}\n" for i in range(ROWS))
        cursor.copy_expert("COPY many FROM STDIN", io.StringIO(rows))
        out = io.StringIO()
        cursor.copy_expert("COPY (SELECT * FROM many ORDER BY id) TO STDOUT", out)
        assert out.getvalue() == rows
        cursor.execute("SELECT count(*) FROM many")
        assert cursor.fetchone() == (ROWS,)


def running_query(cluster, start):
    """The wait event of the query that begins so."""
    rows = cluster.rows("postgres", "SELECT wait_event FROM pg_stat_activity WHERE starts_with(query, %s)"
                        " AND state = 'active'", start)
    return rows and rows[0]["wait_event"]


def test_ctrl_c_in_psql(proxy, cluster, database):
    command = ["psql", "-X", "-At", proxy.url(database), "-c", "SELECT pg_sleep(60)"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(lambda: running_query(cluster, "SELECT pg_sleep(60)"))
    process.send_signal(signal.SIGINT)
    assert "canceling statement due to user request" in process.communicate(timeout=30)[1]


def test_a_cursor_on_the_server(session):
    session.autocommit = False
    with session.cursor("many") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT generate_series(1, 1000)")
        assert [row[0] for row in cursor] == list(range(1, 1001))


def test_notifications_come_to_an_idle_client(proxy, database, session):
    with session.cursor() as cursor:
        cursor.execute("LISTEN news")
    with psycopg2.connect(proxy.url(database)) as other, other.cursor() as cursor:
        cursor.execute("NOTIFY news, 'hello'")
    assert select.select([session], [], [], 30)[0]
    session.poll()
    assert [(each.channel, each.payload) for each in session.notifies] == [("news", "hello")]


def test_replication(proxy, database):
    url = proxy.url(database, options="?replication=database")
    found = subprocess.run(["psql", "-X", "-At", url, "-c", "IDENTIFY_SYSTEM"], capture_output=True, text=True,
                           timeout=60)
    assert found.stdout.strip().endswith(database), found


@pytest.mark.parametrize("mode, words", [("prefer", None), ("disable", None),
                                         ("require", "server does not support SSL")])
def test_tls_is_refused_first(proxy, database, mode, words):
    url = proxy.url(database, options=f"?sslmode={mode}&gssencmode={'disable' if words else 'prefer'}")
    if words is None:
        psycopg2.connect(url).close()
    else:
        with pytest.raises(psycopg2.OperationalError, match=words):
            psycopg2.connect(url)


def test_a_pipeline_of_psycopg_3(proxy, database):
    with psycopg.connect(proxy.url(database), autocommit=True) as session:
        session.execute("CREATE TABLE numbers (n integer)")
        with session.pipeline():
            for n in range(300):
                session.execute("INSERT INTO numbers VALUES (%s)", (n,))
            found = session.execute("SELECT count(*), sum(n) FROM numbers")
        assert found.fetchone() == (300, 44850)


def test_a_scram_user(proxy, cluster, database):
    cluster.rows("postgres", "DROP ROLE IF EXISTS scram; CREATE ROLE scram LOGIN PASSWORD 'secret'")
    with psycopg2.connect(proxy.url(database, user="scram", password="secret")) as session:
        assert session.info.user == "scram"


def test_a_client_that_never_reads_stops_only_itself(start_proxy, cluster, database):
    proxy = start_proxy(upstream=cluster.url("postgres"))  # by the socket, which needs no password
    with Wire(("127.0.0.1", proxy.port)) as wire:
        wire.start("postgres", database)
        wire.send(query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"))
        before = proxy.resident_kib()
        for _ in range(20):
            with psycopg2.connect(proxy.url(database)) as session, session.cursor() as cursor:
                cursor.execute("SELECT 1")
        assert proxy.resident_kib() - before < 2000
        eventually(lambda: running_query(cluster, "SELECT repeat") == "ClientWrite")


def test_a_thousand_idle_sessions(start_proxy):
    with running_cluster() as cluster:
        cluster.rows("postgres", "ALTER SYSTEM SET max_connections = 1100")
        cluster.stop()
        cluster.start()
        proxy = start_proxy(upstream=cluster.url("postgres"))
        before = proxy.resident_kib(), proxy.descriptors()
        wires = []
        for _ in range(1000):
            wires.append(Wire(("127.0.0.1", proxy.port)))
            wires[-1].start("postgres", "postgres")
        assert proxy.resident_kib() - before[0] < 1000 * 48
        for wire in wires:
            wire.send(query("SELECT 1"))
        for wire in wires:
            assert wire.until("Z")[1][0] == "D"
            wire.socket.close()
        eventually(lambda: proxy.descriptors() == before[1])
