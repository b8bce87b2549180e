"""bank-api --healthcheck, which containers run: the exit status says whether the server of this environment is
healthy."""

import socket

import pytest

from bank import run_to_the_end
from cluster import free_port


def test_a_healthy_server(bank):
    outcome = run_to_the_end("--healthcheck", BANK_API_PORT=bank.port)
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_a_server_on_every_address(start_bank):
    bank = start_bank(BANK_API_HOST="0.0.0.0")
    assert run_to_the_end("--healthcheck", BANK_API_HOST="0.0.0.0", BANK_API_PORT=bank.port).returncode == 0


def test_a_server_without_a_database(start_bank, cluster):
    bank = start_bank(ready=False, DATABASE_URL=cluster.url("no_such_database")).until_unhealthy()
    outcome = run_to_the_end("--healthcheck", BANK_API_PORT=bank.port)
    assert outcome.returncode == 1 and "503" in outcome.stderr


def test_no_server():
    port = free_port()
    outcome = run_to_the_end("--healthcheck", BANK_API_PORT=port)
    assert outcome.returncode == 1 and str(port) in outcome.stderr


def test_no_proxy_is_asked(bank):
    """A container may have proxy variables for other programs; the server is beside the check, not behind a proxy."""
    nobody = f"http://127.0.0.1:{free_port()}"
    proxies = {name: nobody for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")}
    outcome = run_to_the_end("--healthcheck", BANK_API_PORT=bank.port, **proxies)
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_a_server_that_does_not_answer():
    """It accepts the connection, and that is all: the check ends by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        outcome = run_to_the_end("--healthcheck", BANK_API_PORT=port)
    assert outcome.returncode == 1 and str(port) in outcome.stderr


def test_a_server_on_an_ipv6_address(start_bank):
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no ::1 here")
    bank = start_bank(BANK_API_HOST="::1")
    assert run_to_the_end("--healthcheck", BANK_API_HOST="::1", BANK_API_PORT=bank.port).returncode == 0
