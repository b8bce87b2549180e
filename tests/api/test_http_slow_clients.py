"""Clients that are slow, gone, greedy or many: none of them delays the others."""

import concurrent.futures
import resource
import select
import socket
import struct
import time

import pytest

from client import transfer_body
from collector import Collector
from pace import HANG_GUARD, eventually, scaled
from problem import assert_problem
from wire import request_bytes

POST_TRANSFER = request_bytes("POST", "/transfer", "Content-Type: application/json",
                              body=transfer_body("alice", "bob", "800").encode())


def leave(wire, how):
    """The client closes: in order (FIN), or at once (RST)."""
    if how == "reset":
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("safe", [False, True])
def test_a_client_that_leaves_mid_transfer(bank, how, safe):
    """The transfer has begun, so it is finished and stays."""
    bank.set(delay_enabled=True, delay_ms=150, use_transactions=safe)
    wire = bank.wire().send(POST_TRANSFER)
    bank.until_in_progress(1)
    leave(wire, how)
    row, = eventually(lambda: bank.rows("SELECT * FROM transfers"), "the transfer is recorded")
    assert row["status"] == "success"
    bank.until_in_progress(0)
    assert bank.balances() == {"alice": 200, "bob": 1300, "charlie": 200}


@pytest.mark.race
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_at_the_barrier(bank, how):
    """Its transfer still counts at the barrier: the other one arrives, both proceed, and both are recorded."""
    bank.set(barrier_enabled=True)
    wire = bank.wire().send(POST_TRANSFER)
    bank.until_waiting_at_the_barrier(1)
    leave(wire, how)
    assert bank.transfer("alice", "charlie", "800").json()["status"] == "success"
    eventually(lambda: len(bank.recorded()) == 2, "both are recorded")
    assert bank.balance("alice") == -600


@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_answer_that_was_not_read_is_not_claimed(start_bank, how):
    """The transfer stays, but neither the metrics nor the trace say that its client was answered."""
    collector = Collector()
    bank = start_bank(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, OTEL_BSP_SCHEDULE_DELAY=20)
    bank.set(barrier_enabled=True)
    wire = bank.wire().send(POST_TRANSFER)
    bank.until_waiting_at_the_barrier(1)
    leave(wire, how)
    taken = bank.transfer("alice", "charlie", "800").json()
    codes = eventually(lambda: len(found := {labels["code"]: bank.metric("http_requests_total", **labels)
                                             for labels in bank.scrape().labels("http_requests_total")
                                             if labels["route"] == "/transfer"}) == 2 and found, "both are counted")
    assert codes == {"200": 1, "none": 1}
    assert bank.metric("http_request_duration_seconds_count", route="/transfer", code="none") == 1
    left, = (row for row in bank.rows("SELECT * FROM transfers") if row["id"] != taken["id"])
    assert left["status"] == "success"
    server, = (span for span in collector.until_trace(left["trace_id"]) if span.name == "POST /transfer")
    assert "http.response.status_code" not in server.attributes
    assert (server.attributes["error.type"], server.status["code"]) == ("answer_not_delivered", 2)
    collector.stop()


def descriptors(bank):
    """The descriptors of the program without its database sessions: their number depends on what else is asked."""
    scrape = bank.scrape()
    return scrape.total("process_open_fds") - scrape.total("db_connections")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_left_is_noticed(bank, how):
    """A reset of the connection is noticed at once, while the transfer waits. A client that has only closed its sending
    side keeps its connection, because it may still read."""
    bank.set(barrier_enabled=True, barrier_timeout_ms=600000)
    wire = bank.wire().send(POST_TRANSFER)
    bank.until_waiting_at_the_barrier(1)
    here = descriptors(bank)
    leave(wire, how)
    if how == "reset":
        eventually(lambda: descriptors(bank) < here, "the descriptor is given back")
    assert bank.metric("barrier_waiting_count") == 1
    bank.set(barrier_enabled=False)
    eventually(lambda: bank.recorded(), "the transfer is recorded")
    eventually(lambda: descriptors(bank) < here, "nothing is kept")


def test_a_half_closed_client_that_waits(bank):
    """nc -N: it has closed its sending side, and gets all its answers, also to the pipelined requests. They count as
    answered."""
    bank.set(delay_enabled=True, delay_ms=150)
    before = bank.metric("http_requests_total", route="/transfer", code="200")
    with bank.wire() as wire:
        wire.send(POST_TRANSFER)
        bank.until_in_progress(1)
        wire.send(request_bytes("GET", "/accounts/alice"))
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.answer().json()["from_balance_after"] == 200
        assert wire.answer().json()["balance"] == 200
        wire.ends()
        assert not wire.was_reset
    assert bank.metric("http_requests_total", route="/transfer", code="200") == before + 1


@pytest.mark.parametrize("how", ["close", "reset"])
def test_clients_that_leave_while_the_answer_is_written(bank, how):
    """Many clients leave in the middle of a pipeline."""
    for _ in range(30):
        wire = bank.wire().send(request_bytes("GET", "/accounts") * 20)
        wire.answer()
        leave(wire, how)
    assert bank.get("/accounts").status == 200


@pytest.mark.parametrize("part", [b"", b"\r\n", b"G", b"GET /health HTTP/1.1\r\nHost: loc", POST_TRANSFER[:-5],
                                  POST_TRANSFER[:60]])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_half_requests(bank, part, how):
    """The client sends a part and leaves: nothing is done, and nothing is kept."""
    for _ in range(5):
        leave(bank.wire().send(part), how)
    assert bank.get("/health").status == 200
    assert bank.recorded() == []


def test_a_half_closed_half_request(bank):
    """The client ends in the middle of a request: it gets an error or only the end, but never a result."""
    with bank.wire() as wire:
        wire.send(POST_TRANSFER[:-5])
        wire.socket.shutdown(socket.SHUT_WR)
        answer = wire.closed_with()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer
    assert bank.recorded() == []


def test_slow_requests_run_out_of_time(bank):
    """A request must be complete in time, however slowly its bytes arrive; an idle connection may stay. All begin
    together, so that the order of their ends does not depend on the machine."""
    at_rest = bank.wire()
    at_rest.send(request_bytes("GET", "/health"))
    assert at_rest.answer().status == 200
    trickling = bank.wire().send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
    half = [bank.wire().send(part) for part in (b"GET /hea", POST_TRANSFER[:-5], POST_TRANSFER[:40],
                                                request_bytes("GET", "/health") + b"POST /tr")]
    half[3].answer()
    deadline = time.monotonic() + 2 * HANG_GUARD
    ended = False
    while not ended:
        assert time.monotonic() < deadline, "a request that trickles in is let go on for ever"
        trickling.send_what_is_taken(b"X: 1\r\n")
        ended = bool(select.select([trickling.socket], [], [], 0.25)[0])
    for wire in (*half, trickling):
        said = wire.closed_with()
        assert said == b"" or said.startswith(b"HTTP/1.1 408 "), said[:200]
        wire.close()
    assert at_rest.send(request_bytes("GET", "/health")).answer().status == 200
    at_rest.close()
    assert bank.recorded() == []


def reads_slowly(bank, target, bytes_a_second):
    """Reads the whole body of an answer slowly, through a small window and small packets."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
        client.settimeout(HANG_GUARD)
        client.connect((bank.host, bank.port))
        client.sendall(request_bytes("GET", target, "Connection: close"))
        received = b""
        while data := client.recv(bytes_a_second // 20):
            received += data
            time.sleep(0.05 * len(data) / (bytes_a_second // 20))
    head, body = received.split(b"\r\n\r\n", 1)
    return head, body


def sends_slowly(bank, body, bytes_a_second):
    """Begins to send slowly; returns the answer, which may come early."""
    with bank.wire() as wire:
        wire.send(request_bytes("POST", "/transfer", "Content-Type: application/json", f"Content-Length: {len(body)}"))
        for start in range(0, len(body), bytes_a_second // 4):
            wire.send_what_is_taken(body[start:start + bytes_a_second // 4])
            if select.select([wire.socket], [], [], 0.25)[0]:
                break
        return wire.answer()


def test_slow_and_steady_clients(bank):
    """As long as bytes move fast enough no deadline passes: an answer of 1.7 MB at 100 kB/s and a body of 36 KB at 3
    kB/s take longer than any deadline. A body that arrives slower is refused meanwhile."""
    asset = "/page/vendor-swagger-ui-bundle.js"
    whole = bank.get(asset).body
    body = transfer_body("alice", "bob", "100").encode()
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        read = threads.submit(reads_slowly, bank, asset, 100_000)
        sent = threads.submit(sends_slowly, bank, body + b" " * 36_000, 3_000)
        trickled = threads.submit(sends_slowly, bank, body + b" " * 36_000, 40)
        head, content = read.result()
        assert head.startswith(b"HTTP/1.1 200 ")
        assert (len(content), content == whole) == (len(whole), True)
        assert sent.result().json()["from_balance_after"] == 900
        assert_problem(trickled.result(), 408)


def test_a_reader_that_stands_still(bank):
    """Its connection is cut, and the answer counts as not answered."""
    before = bank.metric("http_requests_total", route="/page/{name}", code="none")
    with bank.wire() as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        wire.send(request_bytes("GET", "/page/vendor-swagger-ui-bundle.js") * 8)
        eventually(lambda: bank.metric("http_requests_total", route="/page/{name}", code="none") > before,
                   "it is given up on", 3 * HANG_GUARD)


def test_a_client_that_does_not_read(bank):
    """The server stops reading from it, too: the answers do not accumulate in the bank's memory."""
    with bank.wire() as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        wire.socket.setblocking(False)
        requests = request_bytes("GET", "/accounts") * 1000
        sent = 0
        while sent < 64 << 20:
            try:
                sent += wire.socket.send(requests)
            except BlockingIOError:
                if not select.select([], [wire.socket], [], 1.0)[1]:
                    break
            except ConnectionError:
                break
        assert sent < 64 << 20, "the bank took 64 MiB of requests from a client that reads no answer"
        assert bank.get("/health").status == 200
        assert bank.transfer("alice", "bob", "1").status == 200


@pytest.fixture
def many_descriptors():
    """Allows the test as many open files as the machine does; the bank, started before, must raise its own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < 3000:
        pytest.skip(f"the machine allows {hard} open files")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_idle_connections(bank, many_descriptors):
    """Two thousand idle connections: everything works beside them, and all of them are still served afterwards."""
    wires = [bank.wire() for _ in range(scaled(2000))]
    try:
        for wire in wires[::2]:
            assert wire.send(request_bytes("GET", "/health")).answer().status == 200
        for path in ("/health", "/accounts", "/metrics", "/admin/settings", "/transactions"):
            assert bank.get(path).status == 200
        assert bank.transfer("alice", "bob", "1").json()["status"] == "success"
        assert bank.metric("process_open_fds") >= len(wires)
        for wire in wires:
            wire.send(request_bytes("GET", "/health"))
        assert all(wire.answer().status == 200 for wire in wires)
    finally:
        for wire in wires:
            wire.close()
    eventually(lambda: bank.metric("process_open_fds") < 200, "the descriptors of closed connections are given back")
