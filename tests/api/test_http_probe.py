"""The requirements of RFC 9110 and RFC 9112 for a server, case by case (probe_cases.py)."""

import socket

import pytest

from probe_cases import CUT_SHORT, LAST, REFUSED, SERVED
from problem import assert_problem
from wire import request_bytes

# The request that would run if the server read the bytes in another way.
SMUGGLED = request_bytes("POST", "/admin/delay?enabled=true")


def named(cases):
    return [pytest.param(*case[1:2], case[2:], id=case[0]) for case in cases]


def assert_answer(answer, statuses):
    if answer.status >= 400:
        assert_problem(answer, *statuses)
    assert answer.status in statuses, answer
    assert "Date" in answer.headers and "Content-Length" in answer.headers


@pytest.mark.parametrize("stream, statuses", named(SERVED))
def test_served(bank, stream, statuses):
    """The next request on the connection is answered as well."""
    with bank.wire() as wire:
        wire.send(stream + request_bytes("GET", "/accounts/bob"))
        assert_answer(wire.answer(), statuses)
        assert wire.answer().json()["id"] == "bob"


@pytest.mark.parametrize("stream, statuses", named(LAST))
def test_served_as_the_last(bank, stream, statuses):
    with bank.wire() as wire:
        wire.send(stream + SMUGGLED)
        answer = wire.answer()
        assert_answer(answer, statuses)
        assert answer.headers["Connection"] == "close"
        wire.ends()
    assert bank.get("/admin/settings").json()["delay_enabled"] is False


@pytest.mark.parametrize("stream, statuses", named(REFUSED))
def test_refused(bank, stream, statuses):
    with bank.wire() as wire:
        wire.send_what_is_taken(stream + SMUGGLED)
        answer = wire.answer()
        assert_answer(answer, statuses)
        assert answer.headers["Connection"] == "close"
        wire.ends()
    assert bank.get("/admin/settings").json()["delay_enabled"] is False
    assert bank.recorded() == []


@pytest.mark.parametrize("stream", [pytest.param(stream, id=name) for name, stream in CUT_SHORT])
def test_cut_short(bank, stream):
    with bank.wire() as wire:
        wire.send(stream)
        wire.socket.shutdown(socket.SHUT_WR)
        said = wire.closed_with()
        assert said == b"" or said.startswith(b"HTTP/1.1 400 "), said
    assert bank.recorded() == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_an_unsupported_coding_says_what_is_supported(bank, method):
    """415 with Accept-Encoding (RFC 9110, 12.5.3)."""
    with bank.wire() as wire:
        wire.send(request_bytes(method, "/accounts", "Content-Encoding: identity", "Content-Encoding: gzip", body=b"x"))
        answer = wire.answer()
    if method == "GET":
        assert_problem(answer, 415)
        assert answer.headers["Accept-Encoding"] == "identity"
    else:
        assert_problem(answer, 405)


HEADS = [
    ("/health", []), ("/accounts", []), ("/accounts/alice", []), ("/accounts/nobody", []), ("/nowhere", []),
    ("/events?x=1", []), ("/transactions?limit=x", []), ("/", []), ("/page/nothing", []),
    ("/transfer", []), ("/health", ["Content-Encoding: gzip"]), ("/health", ["Host: again"]), ("/health", ["Expect: x"]),
    ("/health", ["X : 1"]), ("/health", ["Content-Length: x"]), ("/" + "a" * 9000, []), ("/health#x", []), ("*", []),
    ("/health", ["X: " + "a" * 20000]),
]


@pytest.mark.parametrize("target, lines", HEADS, ids=[f"{target[:30]} {lines}"[:60] for target, lines in HEADS])
def test_a_head_says_what_get_would(bank, target, lines):
    """The same status and headers, refusals by the parser included, and never a body."""
    answers = {}
    for method in ("GET", "HEAD"):
        with bank.wire() as wire:
            wire.send(request_bytes(method, target, *lines, "Connection: close"))
            answers[method] = wire.answer(to=method)
            wire.ends()
    get, head = answers["GET"], answers["HEAD"]
    assert head.status == get.status
    for answer in (get, head):
        del answer.headers["Date"]
    assert head.headers.items() == get.headers.items()
    assert int(head.headers["Content-Length"]) == len(get.body)


def test_a_head_of_the_events(bank):
    """The length of its answer is unknown, so no length is sent; the connection stays open."""
    with bank.wire() as wire:
        wire.send(request_bytes("HEAD", "/events") + request_bytes("GET", "/health"))
        answer = wire.answer(to="HEAD")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert "Content-Length" not in answer.headers
        assert wire.answer().status == 200


@pytest.mark.parametrize("lines, openmetrics", [
    ([], False), (["Accept: */*"], False), (["Accept: text/plain", "Accept: application/openmetrics-text"], True),
    (["Accept: text/plain;q=0.5", "Host: localhost", "accept: application/openmetrics-text;q=0.4"], False),
    (["Accept: text/plain;q=0.3", "User-Agent: x", "Accept: application/openmetrics-text;version=1.0.0;q=0.4"], True),
    (["Accept: text/plain", "Accept: application/openmetrics-text;q=0"], False),
    (["Accept: application/openmetrics-text;version=0.0.1"], False),
    (["Accept: application/openmetrics-text; version=\"1.0.0\""], True),
    (["Accept: */*, text/plain;q=0"], True)])
def test_the_format_of_the_metrics(bank, lines, openmetrics):
    """By weight, by version, and over all lines of Accept."""
    own = [line for line in lines if not line.startswith("Host")]
    with bank.wire() as wire:
        answer = wire.send(request_bytes("GET", "/metrics", *own)).answer()
    assert answer.headers["Content-Type"].startswith(
        "application/openmetrics-text; version=1.0.0" if openmetrics else "text/plain; version=0.0.4")


def test_entity_tags_on_several_lines(bank):
    """If-None-Match is a list, too."""
    tag = bank.get("/").headers["ETag"]
    with bank.wire() as wire:
        wire.send(request_bytes("GET", "/", 'If-None-Match: "x"', "Accept: */*", f"If-None-Match: {tag}"))
        assert wire.answer(to="HEAD").status == 304


def test_a_token_behind_any_blanks(start_bank):
    """auth-scheme 1*SP token68 (RFC 9110, 11.4); the challenge names a realm."""
    bank = start_bank(ADMIN_TOKEN="s3cret")
    for value, status in (("Bearer s3cret", 200), ("bEARER   s3cret", 200), ("Bearers3cret", 401),
                          ("Bearer\ts3cret", 401), ("Bearer s3cret s3cret", 401)):
        with bank.wire() as wire:
            answer = wire.send(request_bytes("POST", "/reset", f"Authorization: {value}")).answer()
        assert answer.status == status, value
        if status == 401:
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="bank-api"'
