"""Bytes after the startup that are no messages, or no whole ones, from either side: they end their own session only."""

import contextlib
import socket
import struct
import threading

import pytest
from messages import Wire, message, packet, query, CANCEL
from proxy import eventually

READY = message("R", struct.pack("!i", 0)) + message("K", struct.pack("!ii", 4711, 42)) + message("Z", b"I")
ROW = message("T", struct.pack("!h", 1) + b"x\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0))
MEBIBYTE = 1024 * 1024
GARBAGE = {
    "a length below 4": b"D\0\0\0\3" + b"x" * 50,
    "a negative length": b"D\xff\xff\xff\xff" + b"x" * 50,
    "a length of two gigabytes": b"D\x7f\xff\xff\xff" + b"x" * 50,
    "no type": b"\0" * 100,
    "another protocol": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
}
TRUNCATED = {
    "a header": b"D\0\0",
    "a row": ROW + message("D", struct.pack("!hi", 1, 100) + b"x" * 100)[:-40],
    "a row with more columns than its description": ROW + message("D", struct.pack("!hi", 99, 1) + b"x"),
    "a row with a longer value than the message": ROW + message("D", struct.pack("!hi", 1, 5000) + b"x"),
    "a description": message("T", struct.pack("!h", 30000) + b"x"),
    "an error without a field": message("E"),
    "a tag without an end": message("C", b"UPDATE 1"),
    "a state without a letter": message("Z"),
}


class Server:
    """Accepts every startup, and answers the first query of the n-th session with the n-th of its answers."""

    def __init__(self, *answers):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._answers = answers
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        threads = []
        for answer in self._answers:
            client, _ = self._listener.accept()
            threads.append(threading.Thread(target=self._talk, args=(client, answer), daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join(30)

    @staticmethod
    def _talk(client, answer):
        with client, contextlib.suppress(OSError):
            assert client.recv(10000)
            client.sendall(READY)
            assert client.recv(10000)
            client.sendall(answer)

    def close(self):
        self._thread.join(30)
        self._listener.close()


@pytest.fixture
def start_server():
    with contextlib.ExitStack() as stack:
        yield lambda *answers: stack.enter_context(contextlib.closing(Server(*answers)))


def begin(stack, proxy):
    wire = stack.enter_context(Wire(("127.0.0.1", proxy.port)))
    wire.start("a", "b")
    return wire


def lines_of(proxy, number):
    return [line for line in proxy.log().split("\n") if f"session {number}:" in line and " WARN " in line]


@pytest.mark.parametrize("words", [*GARBAGE, *TRUNCATED])
def test_a_server_that_sends_garbage(start_proxy, start_server, words):
    bad = (GARBAGE | TRUNCATED)[words]
    server = start_server(message("C", b"SELECT 0\0") + message("Z", b"I"), bad)
    proxy = start_proxy(upstream=f"postgresql://127.0.0.1:{server.port}/b?sslmode=disable")
    with contextlib.ExitStack() as stack:
        other, wire = begin(stack, proxy), begin(stack, proxy)
        assert wire.send(query("SELECT 1")).rest().startswith(bad)  # the bytes of the server are passed on
        assert len(lines_of(proxy, 2)) <= 2, proxy.log()
        assert words not in GARBAGE or "no message of PostgreSQL's protocol" in lines_of(proxy, 2)[0]
        assert other.send(query("SELECT 1")).until("Z")[0][1] == b"SELECT 0\0"


@pytest.mark.parametrize("options", [(), ("--find", "--force")], ids=["relay", "find"])
@pytest.mark.parametrize("words", list(GARBAGE))
def test_a_client_that_sends_garbage(start_proxy, cluster, database, words, options):
    proxy = start_proxy(*options, upstream=cluster.url("postgres"))  # by the socket, which needs no password
    with Wire(("127.0.0.1", proxy.port)) as other, Wire(("127.0.0.1", proxy.port)) as wire:
        other.start("postgres", database)
        wire.start("postgres", database)
        wire.send(GARBAGE[words])
        wire.socket.shutdown(socket.SHUT_WR)
        wire.rest()  # the server judges it, and closes
        assert other.send(query("SELECT 42")).until("Z")[1][0] == "D"
    assert len(lines_of(proxy, 2)) == 1 and "the client has sent bytes" in lines_of(proxy, 2)[0], proxy.log()
    assert lines_of(proxy, 1) == []
    eventually(lambda: proxy.lines("session 2 has ended"))


@pytest.mark.parametrize("options", [(), ("--find", "--force")], ids=["relay", "find"])
def test_an_oversize_message_that_never_ends(start_proxy, cluster, database, options):
    """The proxy keeps no message, whatever its length says."""
    proxy = start_proxy(*options, upstream=cluster.url("postgres"))
    with Wire(("127.0.0.1", proxy.port)) as other, Wire(("127.0.0.1", proxy.port)) as wire:
        other.start("postgres", database)
        wire.start("postgres", database)
        before = proxy.resident_kib()
        wire.send(b"Q" + struct.pack("!i", 900 * MEBIBYTE))
        for _ in range(64):
            wire.send(b"x" * MEBIBYTE)
        assert other.send(query("SELECT 42")).until("Z")[1][0] == "D"
        assert proxy.grows_by_less(before, 2000)
    assert lines_of(proxy, 1) == []


@pytest.mark.parametrize("options", [(), ("--find", "--force")], ids=["relay", "find"])
@pytest.mark.parametrize("bytes_", [b"P\0\0\0\4", b"P\0\0\0\5x", message("B", b"\0\0\x7f\xff"), message("E"), message("D"),
                                    message("C", b"S"), message("p", b"x"), message("?"), message("Q", b"no end")])
def test_a_message_whose_body_is_cut(start_proxy, cluster, database, bytes_, options):
    """The server refuses it, and the proxy reads it as far as it goes."""
    proxy = start_proxy(*options, upstream=cluster.url("postgres"))
    with Wire(("127.0.0.1", proxy.port)) as other, Wire(("127.0.0.1", proxy.port)) as wire:
        other.start("postgres", database)
        wire.start("postgres", database)
        wire.send(bytes_, message("S"))
        assert wire.message()[0] == "E"
        assert other.send(query("SELECT 42")).until("Z")[1][0] == "D"


def test_a_cancel_request_by_a_unix_socket(start_proxy, cluster, database):
    proxy = start_proxy(upstream=cluster.url("postgres"))
    with Wire(("127.0.0.1", proxy.port)) as wire, Wire(("127.0.0.1", proxy.port)) as other:
        [key] = [body for kind, body in wire.start("postgres", database) if kind == "K"]
        wire.send(query("SELECT pg_sleep(20)"))
        eventually(lambda: cluster.rows("postgres", "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_s%'"))
        assert other.send(packet(CANCEL, key)).rest() == b""
        assert b"57014" in wire.until("E")[-1][1]
