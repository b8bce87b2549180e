"""A server that cannot be reached or dies, clients that send garbage, and the end of the proxy."""

import os
import signal
import socket
import subprocess

import psycopg2
import pytest
from cluster import free_port
from proxy import PROGRAM, eventually
from messages import CANCEL, GSS, SSL, TERMINATE, Wire, field, packet, query, startup


@pytest.fixture
def by_socket(start_proxy, cluster):
    """A proxy whose server asks for no password."""
    return start_proxy(upstream=cluster.url("postgres"))


def address(proxy):
    return "127.0.0.1", proxy.port


@pytest.mark.parametrize("upstream", ["postgresql://127.0.0.1:{port}/x", "host=/nonexistent"])
def test_a_server_that_refuses(start_proxy, upstream):
    proxy = start_proxy(upstream=upstream.format(port=free_port()))
    with Wire(address(proxy)) as wire:
        kind, body = wire.send(startup("a", "b")).message()
        assert (kind, field(body, "S"), field(body, "C")) == ("E", "FATAL", "08001")
        assert wire.rest() == b""
    assert len(proxy.lines("cannot connect to the server")) == 1
    with pytest.raises(psycopg2.OperationalError, match="the proxy cannot connect to the server"):
        psycopg2.connect(proxy.url("x"))


def test_a_server_that_does_not_accept(start_proxy):
    """The listening socket is full: no answer to the SYN. The client leaves, and nothing is left of it."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        proxy = start_proxy(upstream=f"postgresql://127.0.0.1:{full.getsockname()[1]}/x")
        before = proxy.descriptors()
        with Wire(address(proxy)) as wire:
            wire.send(startup("a", "b"))
            assert wire.is_silent(0.2)
        eventually(lambda: proxy.descriptors() == before)
        for other in others:
            other.close()


def test_an_administrators_command_passes(by_socket, cluster, database):
    with Wire(address(by_socket)) as wire:
        wire.start("postgres", database)
        cluster.end_sessions(database)
        kind, body = wire.message()
        assert (kind, field(body, "C")) == ("E", "57P01")
        assert wire.rest() == b""
    assert by_socket.lines("has closed the connection") == []


def kill_backend(cluster, database):
    for pid in cluster.backends(database):
        os.kill(pid, signal.SIGKILL)


def test_a_killed_server_gives_an_error_between_messages(by_socket, cluster, database):
    with Wire(address(by_socket)) as wire:
        wire.start("postgres", database)
        kill_backend(cluster, database)
        kind, body = wire.message()
        assert (kind, field(body, "S"), field(body, "C")) == ("E", "FATAL", "08006")
        assert wire.rest() == b""
    eventually(cluster.accepts)
    assert len(by_socket.lines("the server has closed the connection")) == 1


def test_a_server_killed_in_a_row_ends_the_connection(by_socket, cluster, database):
    with Wire(address(by_socket)) as wire:
        wire.start("postgres", database)
        wire.send(query("SELECT repeat('x', 100000000)"))
        assert wire.message()[0] == "T"
        wire.exactly(1000)
        kill_backend(cluster, database)
        assert set(wire.rest()) <= set(b"xD\0" + bytes(range(32)))  # nothing but the row
    eventually(cluster.accepts)
    assert len(by_socket.lines("in the middle of a message")) == 1


@pytest.mark.parametrize("bytes_", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\0", b"\xff" * 20, packet(SSL)[:-1],
                                    startup("a", "b")[:-3], packet(CANCEL, b"\0" * 3), b"\x16\x03\x01\x02\0"])
def test_garbage_ends_the_connection_and_nothing_else(by_socket, database, bytes_):
    before = by_socket.descriptors()
    with Wire(address(by_socket)) as wire:
        wire.send(bytes_)
        wire.socket.shutdown(socket.SHUT_WR)
        wire.rest()
    with psycopg2.connect(by_socket.url(database)):
        pass
    eventually(lambda: by_socket.descriptors() <= before)


def test_a_tls_hello_is_named_in_the_log(by_socket):
    with Wire(address(by_socket)) as wire:
        assert wire.send(b"\x16\x03\x01\x02\x00\x01").rest() == b""
    assert len(by_socket.lines("begins with TLS")) == 1


def test_requests_for_encryption_are_answered_no(by_socket, database):
    with Wire(address(by_socket)) as wire:
        assert wire.send(packet(GSS)).exactly(1) == b"N"
        assert wire.send(packet(SSL)).exactly(1) == b"N"
        wire.start("postgres", database)


def test_a_packet_in_single_bytes(by_socket, database):
    with Wire(address(by_socket)) as wire:
        for byte in packet(SSL) + startup("postgres", database) + query("SELECT 42"):
            wire.send(bytes([byte]))
        assert wire.exactly(1) == b"N"
        wire.until("Z")
        assert wire.until("Z")[1] == ("D", b"\0\x01\0\0\0\x0242")


def test_a_client_that_closes_its_half_gets_its_answer(by_socket, database):
    with Wire(address(by_socket)) as wire:
        wire.start("postgres", database)
        wire.send(query("SELECT pg_sleep(0.1)"))
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.until("Z")[1][0] == "D"
        assert wire.rest() == b""


def test_a_client_that_terminates_frees_both_sockets(by_socket, database):
    before = by_socket.descriptors()
    with Wire(address(by_socket)) as wire:
        wire.start("postgres", database)
        assert by_socket.descriptors() == before + 2
        wire.send(TERMINATE)
        assert wire.rest() == b""
    eventually(lambda: by_socket.descriptors() == before)


def test_the_stop_closes_idle_sessions_and_waits_for_a_transaction(by_socket, database):
    with Wire(address(by_socket)) as idle, Wire(address(by_socket)) as busy:
        idle.start("postgres", database)
        busy.start("postgres", database)
        busy.send(query("BEGIN")).until("Z")
        by_socket.ends_itself = True
        by_socket.process.send_signal(signal.SIGTERM)
        kind, body = idle.message()
        assert (kind, field(body, "C")) == ("E", "57P01")
        assert idle.rest() == b""
        assert busy.send(query("SELECT 1")).until("Z")[1][0] == "D"
        busy.send(query("COMMIT")).until("Z")
        assert field(busy.message()[1], "C") == "57P01"
    assert by_socket.process.wait(30) == 0


@pytest.mark.parametrize("arguments, words", [
    (["--listen", "here"], "--listen here"), (["--rule", "before"], "the second word must be a verb"),
    (["--limit", "0"], "--limit 0"), (["--force=1"], "--force=1"), (["nonsense"], "nonsense"),
    (["--upstream", "host=no.such.host.invalid"], "no.such.host.invalid"),
    (["--rule", "before update accounts barrier 1"], "barrier N"),
    (["--rule", "before update accounts gate now"], "words behind")])
def test_wrong_options(arguments, words):
    found = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30)
    assert found.returncode == 2 and words in found.stderr


def test_a_port_that_is_taken(start_proxy, by_socket):
    found = subprocess.run([PROGRAM, "--listen", f"127.0.0.1:{by_socket.port}"], capture_output=True, text=True, timeout=30)
    assert found.returncode == 1 and "another program listens there" in found.stderr
