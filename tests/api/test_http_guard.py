"""The accepted requests: by the Host that they name, and by the page that sent them."""

import pytest

from client import JSON_TYPE, transfer_body
from problem import assert_problem
from wire import request_bytes


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "localhost:8000", "127.0.0.1", "127.0.0.1:1", "[::1]",
                                  "[::1]:8000"])
def test_loopback_hosts_are_served(bank, host):
    with bank.wire() as wire:
        assert wire.send(request_bytes("GET", "/health", host=host)).answer().status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example",
                                  "127.0.0.1.evil.example",
                                  "evil.example.localhost.com", "192.0.2.1", "xlocalhost", "localhostx",
                                  "notlocalhost:8000",
                                  "user@localhost", "[::2]", "127.0.0.1evil", "0x7f.1", "lab21-bank-api"])
def test_dns_rebinding(bank, host):
    """A page whose name was pointed at 127.0.0.1 still sends its own name: 421 on every path, and the request does not
    run (a text that is no host at all may get 400)."""
    for request in (("GET", "/health"), ("POST", "/admin/delay?enabled=true"), ("POST", "/reset"), ("GET", "/nowhere")):
        with bank.wire() as wire:
            assert_problem(wire.send(request_bytes(*request, host=host)).answer(), 421, 400)
    assert bank.get("/admin/settings").json()["delay_enabled"] is False


def test_an_honest_refusal_of_a_foreign_host(bank):
    """The detail names the variable to set."""
    with bank.wire() as wire:
        problem = assert_problem(wire.send(request_bytes("GET", "/health", host="evil.example")).answer(), 421)
    assert "BANK_API_ALLOWED_HOSTS" in problem["detail"]


@pytest.mark.parametrize("lines, statuses", [
    (b"", (400,)), (b"Host: localhost\r\nHost: localhost\r\n", (400,)),
    (b"Host: localhost\r\nhost: evil.example\r\n", (400,)), (b"Host: evil.example\r\nHost: localhost\r\n", (400,)),
    (b"Host: localhost, evil.example\r\n", (400, 421)), (b"Host: local host\r\n", (400, 421))])
def test_no_host_and_two(bank, lines, statuses):
    """A missing and an ambiguous Host are 400 (RFC 9112, 3.2); a list may also be called a foreign host."""
    with bank.wire() as wire:
        assert_problem(wire.send(b"GET /health HTTP/1.1\r\n" + lines + b"\r\n").answer(), *statuses)


def test_an_empty_host_is_not_loopback(bank):
    with bank.wire() as wire:
        assert_problem(wire.send(request_bytes("GET", "/health", host="")).answer(), 400, 421)


def test_an_absolute_target_overrides_the_host(bank):
    """RFC 9112, 3.2.2: the target's authority counts, so it is the one that is checked."""
    with bank.wire() as wire:
        wire.send(request_bytes("POST", "http://evil.example/admin/delay?enabled=true", host="localhost"))
        assert_problem(wire.answer(), 421, 400)
    assert bank.get("/admin/settings").json()["delay_enabled"] is False


def test_configured_hosts(start_bank):
    """BANK_API_ALLOWED_HOSTS adds names; it does not allow all names."""
    bank = start_bank(BANK_API_ALLOWED_HOSTS="lab21-bank-api, bank.test")
    for host, status in (("lab21-bank-api:8000", 200), ("bank.test", 200), ("BANK.TEST", 200), ("localhost", 200),
                         ("evil.example", 421), ("lab21-bank-api.evil.example", 421)):
        with bank.wire() as wire:
            assert wire.send(request_bytes("GET", "/health", host=host)).answer().status == status, host


@pytest.mark.parametrize("origin", ["https://evil.example", "http://evil.example", "null", "http://localhost:1",
                                    "https://localhost",
                                    "http://localhost.evil.example", "http://127.0.0.1.evil.example", "file://"])
def test_requests_of_foreign_pages_change_nothing(bank, origin):
    """A page of another origin (another port is another origin, too) can send these without a preflight: 403."""
    headers = {"Origin": origin}
    for target in ("/reset", "/admin/delay?enabled=true", "/admin/barrier", "/admin/transactions"):
        assert_problem(bank.request("POST", target, None, headers), 403)
    assert_problem(bank.request("POST", "/admin/settings", '{"delay_ms": 7}', {**JSON_TYPE, **headers}), 403)
    assert_problem(bank.request("POST", "/transfer", transfer_body("alice", "bob", "1"), {**JSON_TYPE, **headers}), 403)
    settings = bank.get("/admin/settings").json()
    assert (settings["delay_enabled"], settings["delay_ms"], settings["barrier_enabled"]) == (False, 100, False)
    assert bank.recorded() == []


def test_requests_of_our_own_pages_work(bank):
    """The same scheme, host and port as the request was sent to."""
    for name in ("127.0.0.1", "localhost"):
        headers = {"Host": f"{name}:{bank.port}", "Origin": f"http://{name}:{bank.port}"}
        assert bank.request("POST", "/admin/delay?enabled=false", None, headers).status == 200


def test_reading_is_not_changing(bank):
    """GET with an Origin is served; without CORS headers the page cannot read the answer."""
    answer = bank.get("/accounts", Origin="https://evil.example")
    assert answer.status == 200
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_an_open_bank_ignores_a_token(bank):
    assert bank.request("POST", "/reset", None, {"Authorization": "Bearer whatever"}).status == 200
