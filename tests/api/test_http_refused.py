"""HTTP that must be refused: requests that two parsers could read differently (request smuggling), bytes that are not
HTTP, and requests that are too large. Every time the connection is closed, nothing behind the request runs, and the
bank serves the next client."""

import os
import socket

import pytest

from client import transfer_body
from problem import assert_problem
from wire import request_bytes

BODY = transfer_body("alice", "bob", "100").encode()
# The request that a smuggler hides behind the front request.
SMUGGLED = request_bytes("POST", "/admin/delay?enabled=true&ms=1")
HEAD = b"POST /transfer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def refused(bank, stream, *statuses):
    """One problem, then the end; the smuggled request did not run; a new connection works."""
    with bank.wire() as wire:
        wire.send_what_is_taken(stream)
        answer = wire.answer()
        assert_problem(answer, *statuses)
        assert answer.headers["Connection"].lower() == "close"
        wire.ends()
    assert bank.get("/admin/settings").json()["delay_enabled"] is False
    assert bank.balance("alice") == 1000


@pytest.mark.parametrize("lines", [
    b"Content-Length: %(n)d\r\nContent-Length: %(n)d\r\n", b"Content-Length: %(n)d\r\nContent-Length: 0\r\n",
    b"Content-Length: 0\r\nContent-Length: %(n)d\r\n", b"Content-Length: %(n)d, %(n)d\r\n",
    b"Content-Length: %(n)d\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: %(n)d\r\n",
    b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: +%(n)d\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: 0x%(n)x\r\n", b"Content-Length: %(n)d \t1\r\n", b"Content-Length: %(n)d.0\r\n",
    b"Content-Length:\r\n",
    b"Content-Length: abc\r\n", b"Content-Length : %(n)d\r\n", b"Content-Length\t: %(n)d\r\n",
    b" Content-Length: %(n)d\r\n",
    b"Content-Length\x00: %(n)d\r\n", b"Content-Length: %(n)d\x00\r\n", b"Content-Length: 1\x0b\r\n"])
def test_ambiguous_lengths(bank, lines):
    """Two lengths, a length and chunks, and every text that is not a plain number."""
    refused(bank, HEAD + lines % {b"n": len(BODY)} + b"\r\n" + BODY + SMUGGLED, 400)


@pytest.mark.parametrize("length", [b"18446744073709551616", b"18446744073709551657", b"99999999999999999999999999"])
def test_lengths_beyond_64_bits(bank, length):
    """Too large in every notation; never wrapped around to a small number."""
    refused(bank, HEAD + b"Content-Length: " + length + b"\r\n\r\n" + BODY + SMUGGLED, 400, 413)


@pytest.mark.parametrize("coding", [
    b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: gzip\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
    b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: \x0bchunked\r\n",
    b'Transfer-Encoding: "chunked"\r\n', b"Transfer-Encoding:\r\n", b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding: chunked;q=1\r\n", b"Transfer-Encoding: chun\r\n ked\r\n",
    b"Transfer-Encoding\r\n: chunked\r\n"])
def test_transfer_codings_nobody_agreed_on(bank, coding):
    """Only one plain `chunked` is a framing; 501 is allowed for an unknown coding."""
    refused(bank, HEAD + coding + b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY) + SMUGGLED, 400, 501)


@pytest.mark.parametrize("chunks", [
    b"zz\r\nabc\r\n0\r\n\r\n", b"-1\r\nabc\r\n0\r\n\r\n", b"+3\r\nabc\r\n0\r\n\r\n", b"0x3\r\nabc\r\n0\r\n\r\n",
    b" 3\r\nabc\r\n0\r\n\r\n", b"3 \r\nabc\r\n0\r\n\r\n", b"3\nabc\r\n0\r\n\r\n", b"3\r\nabc\n0\r\n\r\n",
    b"3\rabc\r\n0\r\n\r\n",
    b"3\r\nabcd\r\n0\r\n\r\n", b"3\r\nabc0\r\n\r\n", b"\r\nabc\r\n0\r\n\r\n", b"3;\nx\r\nabc\r\n0\r\n\r\n",
    b"3;a\x00b\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n0\n\r\n", b"3\r\nabc\r\n0\r\nX: 1\n\r\n",
    b"3\r\nabc\r\n0\r\nBad Trailer: 1\r\n\r\n"])
def test_broken_chunks(bank, chunks):
    """Sizes that are not hexadecimal digits, and line ends that are not CRLF."""
    refused(bank, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + SMUGGLED, 400)


@pytest.mark.parametrize("size", [b"10000000000000003", b"FFFFFFFFFFFFFFFF", b"FFFFFFFFFFFFFFFFFFFFFFFF",
                                  b"7fffffffffffffff"])
def test_chunk_sizes_beyond_all_bounds(bank, size):
    refused(bank, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\nabc\r\n0\r\n\r\n" + SMUGGLED, 400, 413)


CHUNKED_HEAD = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("start, padding, end", [
    (CHUNKED_HEAD, b"0", b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    (CHUNKED_HEAD + b"%x\r\n%s\r\n0\r\nX: " % (len(BODY), BODY), b" ", b"1\r\n\r\n"),
    (CHUNKED_HEAD + b"%x\r\n%s\r\n" % (len(BODY), BODY), b"0", b"0\r\n\r\n"),
    (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ", b" ", b"1\r\n\r\n"),
    (b"", b"\r\n", b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")])
@pytest.mark.parametrize("whole", [True, False])
def test_padding_without_end(bank, start, padding, end, whole):
    """Zeros before a chunk's size, blanks before a value, empty lines: no other limit counts them. The refusal comes
    while the client still sends, and also when the request is complete."""
    stream = start + padding * (513 * 1024 // len(padding))
    refused(bank, stream + end + SMUGGLED if whole else stream, 413)


@pytest.mark.parametrize("stream", [
    b"GET /health HTTP/1.1\nHost: localhost\n\n", b"GET /health HTTP/1.1\r\nHost: localhost\n\r\n",
    b"GET /health HTTP/1.1\nHost: localhost\r\n\r\n", b"GET /health HTTP/1.1\r\nHost: localhost\r\n\n",
    b"GET /health HTTP/1.1\rHost: localhost\r\r", b"GET /health HTTP/1.1\r\nHost: localhost\rX: 1\r\n\r\n"])
def test_bare_line_feeds_and_carriage_returns(bank, stream):
    refused(bank, stream + SMUGGLED, 400)


@pytest.mark.parametrize("lines", [
    b"X-Folded: one\r\n two\r\n", b"X-Folded: one\r\n\ttwo\r\n", b" X: leading\r\n", b"X : space\r\n",
    b": nameless\r\n",
    b"no colon\r\n", b"X(y): 1\r\n", b"X\x00Y: 1\r\n", b"X: a\x00b\r\n", b"X: a\x7f\x01b\r\n", b"X\xc3\xa9: 1\r\n",
    b"X,Y: 1\r\n"])
def test_malformed_headers(bank, lines):
    """Folding, white space before the colon, names that are not tokens, control characters."""
    refused(bank, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n" + SMUGGLED, 400)


@pytest.mark.parametrize("stream", [
    b"\r\n\r\n\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"GET\r\n\r\n", b"GET /health\r\n\r\n", b" GET /health HTTP/1.1\r\n\r\n",
    b"GET /hea lth HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/11.1\r\n\r\n", b"GET /health HTTP/1\r\n\r\n", b"GET /health http/1.1\r\n\r\n",
    b"GET /health FTP/1.1\r\n\r\n",
    b"get /health HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GETS /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET health HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /he\x00alth HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /he\x7falth HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x00\x00\x00\x00", b"HTTP/1.1 200 OK\r\n\r\n",
    b"GET /health HTTP/1.1\tx\r\nHost: localhost\r\n\r\n", b"GET\t/health HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_what_is_not_a_request(bank, stream):
    """TLS on the wrong port, broken request lines, noise. (An unknown method may be 501, HTTP/0.9 may be 505.)"""
    refused(bank, stream + SMUGGLED, 400, 501, 505)


@pytest.mark.parametrize("stream", [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), b"GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/0.9\r\nHost: localhost\r\n\r\n", b"GET /health HTTP/3.0\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.2\r\nHost: localhost\r\n\r\n", b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n"])
def test_other_versions_of_http(bank, stream):
    """Above all HTTP/2 by prior knowledge: the client gets an answer on which it can at least close."""
    refused(bank, stream, 400, 505)


def test_a_tunnel_is_not_built(bank):
    """CONNECT is refused; the bytes behind it are neither tunnelled nor run."""
    with bank.wire() as wire:
        wire.send(b"CONNECT localhost:5432 HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED)
        assert wire.answer().status in (400, 404, 405, 501)
        wire.ends()
    assert bank.get("/admin/settings").json()["delay_enabled"] is False


@pytest.mark.parametrize("tail", [b"X: " + b"a" * 17000 + b"\r\n", b"X: a\r\n" * 4000, b"X" * 17000 + b": 1\r\n",
                                  b"".join(b"X-%d: %s\r\n" % (n, b"a" * 900) for n in range(20))])
def test_headers_too_large(bank, tail):
    """One long value, one long name, very many short ones: 431."""
    refused(bank, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + tail + b"\r\n", 431)


def test_endless_headers(bank):
    """431 comes although the head never ends."""
    refused(bank, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40000, 431)


def test_headers_just_small_enough(bank):
    """15 KiB of headers are served."""
    with bank.wire() as wire:
        assert wire.send(request_bytes("GET", "/health",
                                       *[f"X-{n}: {'a' * 993}" for n in range(15)])).answer().status == 200


@pytest.mark.parametrize("target", ["/" + "a" * 8200, "/health?" + "a" * 9000, "/accounts/" + "%61" * 3000])
def test_a_url_too_long(bank, target):
    refused(bank, request_bytes("GET", target), 414)


def test_an_endless_url(bank):
    refused(bank, b"GET /" + b"a" * 12000, 414)


def test_a_url_just_short_enough(bank):
    with bank.wire() as wire:
        assert wire.send(request_bytes("GET", "/" + "a" * 8000)).answer().status == 404
        assert wire.send(request_bytes("GET", "/health")).answer().status == 200


@pytest.mark.parametrize("attempt", range(5))
def test_a_body_too_large(bank, attempt):
    """413 although the whole body was sent, and no reset of the connection: on other systems a reset would lose the
    answer."""
    with bank.wire() as wire:
        wire.send(request_bytes("POST", "/transfer", "Content-Type: application/json", body=BODY + b" " * 200000))
        assert_problem(wire.answer(), 413)
        wire.ends()
        assert not wire.was_reset
    assert bank.balance("alice") == 1000


def test_a_body_announced_too_large(bank):
    """413 at the announcement, before any byte of the body is sent."""
    refused(bank, HEAD + b"Content-Length: 65537\r\n\r\n", 413)


def test_a_chunked_body_too_large(bank):
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    refused(bank, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 20 + b"0\r\n\r\n" + SMUGGLED, 413)


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_just_small_enough(bank, framing):
    """A body of exactly 64 KiB is accepted."""
    body = BODY + b" " * (65536 - len(BODY))
    stream = request_bytes("POST", "/transfer", "Content-Type: application/json", body=body)
    if framing == "chunks":
        chunks = b"8000\r\n%s\r\n8000\r\n%s\r\n0\r\n\r\n" % (body[:32768], body[32768:])
        stream = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    with bank.wire() as wire:
        assert wire.send(stream).answer().status == 200


@pytest.mark.parametrize("endless", [b"3;" + b"x" * 200000, b"0\r\nX: " + b"a" * 100000, b"0\r\n" + b"X: a\r\n" * 20000,
                                     (b"1;" + b"x" * 500 + b"\r\n \r\n") * 400])
def test_endless_chunk_extensions_and_trailers(bank, endless):
    """Outside the body, too, nothing may grow or be parsed without a limit."""
    refused(bank, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + endless, 400, 413, 431)


def test_noise(bank):
    """A thousand random bytes, twenty times."""
    for _ in range(20):
        with bank.wire() as wire:
            wire.send_what_is_taken(os.urandom(1000) + b"\r\n\r\n")
            wire.socket.shutdown(socket.SHUT_WR)
            answer = wire.closed_with()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5"), answer[:100]
    assert bank.get("/health").status == 200
