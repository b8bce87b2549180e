"""HTTP/1.1 as clients use it: keep-alive, pipelining, chunks, Expect, HTTP/1.0, and requests cut into any pieces."""

import random
import time

import pytest

from client import transfer_body
from problem import assert_problem
from wire import request_bytes

TRANSFER = transfer_body("alice", "bob", "100").encode()
POST_TRANSFER = request_bytes("POST", "/transfer", "Content-Type: application/json", body=TRANSFER)


def chunked(*pieces):
    """The pieces as a chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def chunked_transfer(*pieces):
    return request_bytes("POST", "/transfer", "Content-Type: application/json",
                         "Transfer-Encoding: chunked") + chunked(*pieces)


def test_a_connection_is_kept(bank):
    """Many requests, reads and transfers, on one connection."""
    with bank.wire() as wire:
        for _ in range(50):
            assert wire.send(request_bytes("GET", "/health")).answer().status == 200
            assert wire.send(POST_TRANSFER).answer().status == 200
        assert wire.send(request_bytes("GET", "/accounts/alice")).answer().json()["balance"] == 0
    assert len(bank.recorded()) == 50


def test_pipelined_requests_are_answered_in_order(bank):
    """Six requests in one write; the balance that is read after the transfer is the transfer's result."""
    with bank.wire() as wire:
        wire.send(request_bytes("GET", "/health") + request_bytes("GET", "/accounts/alice") + POST_TRANSFER
                  + request_bytes("GET", "/accounts/alice") + request_bytes("GET", "/nowhere")
                  + request_bytes("HEAD", "/health") + request_bytes("POST", "/reset")
                  + request_bytes("GET", "/accounts/bob"))
        assert wire.answer().json()["status"] == "ok"
        assert wire.answer().json()["balance"] == 1000
        assert wire.answer().json()["from_balance_after"] == 900
        assert wire.answer().json()["balance"] == 900
        assert wire.answer().status == 404
        assert wire.answer(to="HEAD").status == 200
        assert wire.answer().json()["status"] == "reset"
        assert wire.answer().json() == {"id": "bob", "balance": 500}


def test_a_long_pipeline(bank):
    """A thousand requests without waiting: a thousand answers."""
    with bank.wire() as wire:
        wire.send(request_bytes("GET", "/health") * 1000)
        assert [wire.answer().status for _ in range(1000)] == [200] * 1000


@pytest.mark.parametrize("seed", range(10))
def test_requests_cut_anywhere(bank, seed):
    """For every way to cut a pipeline into packets its answers are the same."""
    dice = random.Random(seed)
    stream = (POST_TRANSFER + request_bytes("GET", "/accounts/alice") + chunked_transfer(TRANSFER[:7], TRANSFER[7:])
              + request_bytes("GET", "/accounts/alice"))
    cuts = sorted(dice.sample(range(1, len(stream)), 12))
    with bank.wire() as wire:
        for start, end in zip([0, *cuts], [*cuts, len(stream)]):
            wire.send(stream[start:end])
            time.sleep(0.001)
        assert [wire.answer().status for _ in range(3)] == [200, 200, 200]
        assert wire.answer().json()["balance"] == 800


def test_byte_by_byte(bank):
    """A pipeline of three requests, every byte in its own packet."""
    with bank.wire() as wire:
        wire.send_slowly(chunked_transfer(TRANSFER[:1], TRANSFER[1:]) + POST_TRANSFER
                         + request_bytes("GET", "/accounts/alice"))
        assert wire.answer().json()["from_balance_after"] == 900
        assert wire.answer().json()["from_balance_after"] == 800
        assert wire.answer().json()["balance"] == 800


def test_connection_close_is_honoured(bank):
    """The request is answered with Connection: close, and the connection closes; the next request of the pipeline does
    not run."""
    with bank.wire() as wire:
        wire.send(request_bytes("GET", "/health", "Connection: close") + POST_TRANSFER)
        answer = wire.answer()
        assert answer.status == 200
        assert answer.headers["Connection"].lower() == "close"
        wire.ends()
    assert bank.recorded() == []


@pytest.mark.parametrize("value", ["close", "Close", "CLOSE", "keep-alive, close", "x, close"])
def test_close_among_other_connection_options(bank, value):
    with bank.wire() as wire:
        assert wire.send(request_bytes("GET", "/health", f"Connection: {value}")).answer().status == 200
        wire.ends()


def test_http_1_0(bank):
    """Closed after the answer, with or without a Host, unless the client asks for keep-alive."""
    with bank.wire() as wire:
        wire.send(b"GET /health HTTP/1.0\r\n\r\n")
        assert wire.answer().status == 200
        wire.ends()
    with bank.wire() as wire:
        for _ in range(3):
            wire.send(b"GET /health HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
            answer = wire.answer()
            assert answer.status == 200
            assert answer.headers["Connection"].lower() == "keep-alive"


def test_http_1_0_is_never_answered_in_chunks_or_with_100(bank):
    with bank.wire() as wire:
        wire.send(b"POST /transfer HTTP/1.0\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                  b"Content-Length: %d\r\n\r\n%s" % (len(TRANSFER), TRANSFER))
        answer = wire.answer()
        assert answer.status == 200
        assert "Transfer-Encoding" not in answer.headers
        wire.ends()


@pytest.mark.parametrize("pieces", [(TRANSFER,), (TRANSFER[:10], TRANSFER[10:]),
                                    tuple(bytes([each]) for each in TRANSFER)])
def test_chunked_bodies(bank, pieces):
    """One chunk, two, one for every byte; the connection stays open."""
    with bank.wire() as wire:
        assert wire.send(chunked_transfer(*pieces)).answer().json()["from_balance_after"] == 900
        assert wire.send(request_bytes("GET", "/health")).answer().status == 200


@pytest.mark.parametrize("framing", [
    b"%X\r\n%s\r\n0\r\n\r\n", b"000%x\r\n%s\r\n000\r\n\r\n", b"%x;name=value\r\n%s\r\n0;x\r\n\r\n",
    b'%x;q="quoted \\" string"\r\n%s\r\n0\r\n\r\n', b"%x\r\n%s\r\n0\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n"])
def test_chunks_in_every_legal_spelling(bank, framing):
    """Upper case, leading zeros, extensions, trailers."""
    with bank.wire() as wire:
        wire.send(request_bytes("POST", "/transfer", "Content-Type: application/json", "Transfer-Encoding: Chunked")
                  + framing % (len(TRANSFER), TRANSFER) + request_bytes("GET", "/accounts/alice"))
        assert wire.answer().status == 200
        assert wire.answer().json()["balance"] == 900


def test_expect_100_continue(bank):
    """The server asks for the body, then reads it; the connection stays open."""
    with bank.wire() as wire:
        head = request_bytes("POST", "/transfer", "Content-Type: application/json", "Expect: 100-continue",
                             f"Content-Length: {len(TRANSFER)}")
        wire.send(head)
        assert wire.answer().status == 100
        assert wire.send(TRANSFER).answer().json()["from_balance_after"] == 900
        wire.send(head.replace(b"100-continue", b"100-Continue"))
        assert wire.answer().status == 100
        assert wire.send(TRANSFER).answer().json()["from_balance_after"] == 800


def test_expect_with_a_chunked_body(bank):
    with bank.wire() as wire:
        wire.send(request_bytes("POST", "/transfer", "Content-Type: application/json", "Transfer-Encoding: chunked",
                                "Expect: 100-continue"))
        assert wire.answer().status == 100
        assert wire.send(chunked(TRANSFER)).answer().status == 200


def test_expect_when_the_body_is_there_already(bank):
    """A 100 for a body that has arrived is allowed but not needed; the final answer counts."""
    with bank.wire() as wire:
        wire.send(request_bytes("POST", "/transfer", "Content-Type: application/json", "Expect: 100-continue",
                                body=TRANSFER))
        answer = wire.answer()
        if answer.status == 100:
            answer = wire.answer()
        assert answer.json()["from_balance_after"] == 900


def test_expect_with_a_body_too_large(bank):
    """413 at once: the client need not upload the body."""
    with bank.wire() as wire:
        wire.send(request_bytes("POST", "/transfer", "Content-Type: application/json", "Expect: 100-continue",
                                "Content-Length: 1000000"))
        assert_problem(wire.answer(), 413)
        wire.ends()


def test_another_expectation(bank):
    with bank.wire() as wire:
        wire.send(request_bytes("POST", "/transfer", "Content-Type: application/json", "Expect: 200-ok", body=TRANSFER))
        assert_problem(wire.answer(), 417)
    assert bank.recorded() == []


def test_an_upgrade_is_declined(bank):
    """curl --http2 offers h2c, browsers may offer more: the answer is plain HTTP/1.1, and the pipeline continues."""
    offer = request_bytes("GET", "/accounts/alice", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                          "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
    with bank.wire() as wire:
        wire.send(offer + POST_TRANSFER
                  + request_bytes("GET", "/accounts/alice", "Connection: upgrade", "Upgrade: websocket"))
        assert wire.answer().json()["balance"] == 1000
        assert wire.answer().status == 200
        assert wire.answer().json()["balance"] == 900


def test_an_upgrade_offered_with_a_body(bank):
    """The body is still a body, not the first bytes of another protocol."""
    with bank.wire() as wire:
        wire.send(request_bytes("POST", "/transfer", "Content-Type: application/json", "Connection: Upgrade",
                                "Upgrade: h2c", body=TRANSFER) + request_bytes("GET", "/accounts/alice"))
        assert wire.answer().json()["from_balance_after"] == 900
        assert wire.answer().json()["balance"] == 900


def test_a_get_with_a_body(bank):
    """The body of a GET may be accepted or refused, but it is not taken for the next request."""
    inner = request_bytes("POST", "/admin/delay?enabled=true")
    with bank.wire() as wire:
        wire.send(request_bytes("GET", "/accounts/alice", body=inner) + request_bytes("GET", "/accounts/bob"))
        first = wire.answer()
        if first.status == 200:
            assert first.json()["id"] == "alice"
            assert wire.answer().json()["id"] == "bob"
        else:
            assert first.status in (400, 413, 415)
    assert bank.get("/admin/settings").json()["delay_enabled"] is False


def test_empty_lines_before_a_request(bank):
    """Some clients send one CRLF too many behind a body (RFC 9112, 2.2)."""
    with bank.wire() as wire:
        assert wire.send(POST_TRANSFER + b"\r\n" + request_bytes("GET", "/health")).answer().status == 200
        assert wire.answer().status == 200


def test_absolute_form_targets(bank):
    """The form that clients send to proxies: the target names the host."""
    with bank.wire() as wire:
        for target in (f"http://localhost:{bank.port}/accounts/alice", "http://127.0.0.1/accounts/alice",
                       "HTTP://LOCALHOST/accounts/alice?"):
            assert wire.send(request_bytes("GET", target)).answer().json()["id"] == "alice"


def test_a_half_closed_client_is_answered(bank):
    """printf ... | nc: the client has sent everything, and waits."""
    with bank.wire() as wire:
        wire.send(POST_TRANSFER + request_bytes("GET", "/accounts/alice"))
        wire.socket.shutdown(1)
        assert wire.answer().json()["from_balance_after"] == 900
        assert wire.answer().json()["balance"] == 900
        wire.ends()


def test_header_names_and_values_in_any_spelling(bank):
    """Case, optional white space, empty and unknown headers."""
    with bank.wire() as wire:
        wire.send(b"POST /transfer HTTP/1.1\r\nhOST:localhost\r\ncontent-TYPE:\t application/json \t\r\nX-Empty:\r\n"
                  b"CONTENT-LENGTH:   %d\r\nAccept: */*\r\n\r\n%s" % (len(TRANSFER), TRANSFER))
        assert wire.answer().status == 200
