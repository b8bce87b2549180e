"""bank-api --healthcheck, which containers run: the exit status says whether the server of this environment is
healthy."""

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
