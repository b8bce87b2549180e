"""The host names of --upstream. Each proxy has its own /etc/hosts and /etc/resolv.conf, in a namespace of mounts."""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading

import psycopg2
import pytest

from messages import Wire, startup
from proxy import eventually
from cluster import PASSWORD, USER

ADDRESS, HOST_TYPE = "127.0.0.1", 1
END_OF_THE_SESSION_FOR_LOCKS = ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                "WHERE query LIKE '%%pg_blocking_pids%%' AND pid <> pg_backend_pid()")
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or subprocess.run(["unshare", "--mount", "true"]).returncode != 0,
    reason="only root may replace /etc/hosts for one program, with unshare (Debian: util-linux)")


class NameServer:
    """Answers each question about an address with 127.0.0.1, or keeps the answers back."""

    def __init__(self):
        self.address = f"127.{os.getpid() % 250 + 1}.{os.getpid() // 250 % 250}.53"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.address, 53))
        self._answers = threading.Event()
        self._answers.set()
        self.kept = 0  # questions without an answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            question, client = self._socket.recvfrom(512)
            if not question:
                return
            self.kept += not self._answers.is_set()
            self._answers.wait()
            end = question.index(0, 12) + 5
            is_host = struct.unpack("!H", question[end - 4:end - 2]) == (HOST_TYPE,)
            answer = struct.pack("!HHHIH", 0xC00C, HOST_TYPE, 1, 0, 4) + socket.inet_aton(ADDRESS)
            self._socket.sendto(question[:2] + struct.pack("!HHHHH", 0x8180, 1, is_host, 0, 0) + question[12:end]
                                + answer * is_host, client)

    @contextlib.contextmanager
    def silent(self):
        self.kept = 0
        self._answers.clear()
        try:
            yield
        finally:
            self._answers.set()

    def close(self):
        self._answers.set()
        self._socket.sendto(b"", (self.address, 53))
        self._thread.join(30)
        self._socket.close()


@pytest.fixture
def name_server():
    server = NameServer()
    yield server
    server.close()


@pytest.fixture
def within(tmp_path):
    """The program that runs a proxy with these two files."""
    def make(hosts="", resolver=""):
        (tmp_path / "hosts").write_text(hosts)
        (tmp_path / "resolv.conf").write_text(resolver)
        script = 'mount --bind "$1" /etc/hosts; mount --bind "$2" /etc/resolv.conf; shift 2; exec "$@"'
        return ["unshare", "--mount", "sh", "-ec", script, "sh", tmp_path / "hosts", tmp_path / "resolv.conf"]
    return make


def url(cluster, host, database="postgres"):
    return f"postgresql://{USER}:{PASSWORD}@{host}:{cluster.port}/{database}"


def answers(proxy, database):
    with contextlib.closing(psycopg2.connect(proxy.url(database))) as session:
        session.cursor().execute("SELECT 1")
    return True


def test_a_name_that_changes(start_proxy, cluster, database, within, tmp_path):
    proxy = start_proxy("--force", upstream=url(cluster, "db.lab"), within=within(f"{ADDRESS} db.lab\n"))
    assert answers(proxy, database)
    (tmp_path / "hosts").write_text("127.0.0.3 db.lab\n")
    with pytest.raises(psycopg2.OperationalError, match=f"server at 127.0.0.3:{cluster.port}: connection refused"):
        answers(proxy, database)
    (tmp_path / "hosts").write_text("")
    with pytest.raises(psycopg2.OperationalError, match=f'server at db.lab:{cluster.port}: the host "db.lab" cannot be'):
        answers(proxy, database)
    (tmp_path / "hosts").write_text(f"127.0.0.3 db.lab\n{ADDRESS} db.lab\n")
    assert answers(proxy, database)


def test_a_cancel_request_goes_to_the_server_of_its_session(start_proxy, cluster, database, within, tmp_path):
    proxy = start_proxy(upstream=url(cluster, "db.lab"), within=within(f"{ADDRESS} db.lab\n"))
    with contextlib.closing(psycopg2.connect(proxy.url(database))) as session:
        (tmp_path / "hosts").write_text("127.0.0.3 db.lab\n")  # no server listens there
        cancel = threading.Timer(0.5, session.cancel)
        cancel.start()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            session.cursor().execute("SELECT pg_sleep(20)")
        cancel.join(30)


def test_a_server_without_an_address_is_left_out(start_proxy, cluster, database, within):
    upstream = url(cluster, f"none.lab,127.0.0.3:{cluster.port},db.lab")
    proxy = start_proxy("--force", upstream=upstream, within=within(f"{ADDRESS} db.lab\n"))
    assert answers(proxy, database)
    assert not proxy.lines("Cannot ask PostgreSQL for locks")


def test_an_address_that_does_not_answer_leaves_time_for_the_next(start_proxy, cluster, database):
    with socket.socket() as full:
        full.bind(("127.0.0.3", cluster.port))
        full.listen(0)
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        upstream = url(cluster, f"127.0.0.3:{cluster.port},{ADDRESS}")
        assert answers(start_proxy(upstream=upstream), database)
        for other in others:
            other.close()


def test_a_silent_name_server_stops_nothing_else(start_proxy, cluster, database, within, name_server):
    """Neither a new session nor the session for locks, which has to connect again, delays the others."""
    cluster.rows(database, "CREATE TABLE accounts (id int)")
    resolver = f"nameserver {name_server.address}\noptions timeout:30 attempts:1\n"
    proxy = start_proxy("--rule", "before insert * gate", upstream=url(cluster, "db.lab"), within=within(resolver=resolver))
    with contextlib.closing(psycopg2.connect(proxy.url(database))) as session, \
            contextlib.closing(psycopg2.connect(proxy.url(database))) as other:
        session.autocommit = other.autocommit = True
        held = threading.Thread(target=other.cursor().execute, args=("INSERT INTO accounts VALUES (1)",))
        with name_server.silent():
            held.start()
            eventually(lambda: cluster.rows("postgres", END_OF_THE_SESSION_FOR_LOCKS))
            eventually(lambda: name_server.kept > 0)
            session.cursor().execute("SELECT 1")
            late = threading.Thread(target=answers, args=(proxy, database))
            late.start()
            session.cursor().execute("SELECT 2")
            assert held.is_alive() and late.is_alive()
        late.join(30)
        assert not late.is_alive()
        proxy.process.send_signal(signal.SIGUSR1)
        held.join(30)
        assert not held.is_alive()


def test_a_stop_does_not_wait_for_the_name_server(start_proxy, cluster, within, name_server):
    resolver = f"nameserver {name_server.address}\noptions timeout:30 attempts:1\n"
    proxy = start_proxy(upstream=url(cluster, "db.lab"), within=within(resolver=resolver))
    with name_server.silent():
        with Wire(("127.0.0.1", proxy.port)) as wire:
            wire.send(startup("a", "b"))
            eventually(lambda: name_server.kept > 0)
            proxy.ends_itself = True
            assert proxy.stop() == 0
