"""The start of the program: its environment, its arguments, its port and its database."""

import re
import socket
import subprocess

import pytest

from bank import PROGRAM, program_environment, run_to_the_end
from client import Client, together
from cluster import PASSWORD, USER, free_port
from pace import HANG_GUARD, eventually
from problem import assert_problem
from wire import request_bytes

BAD_VALUES = [
    ("BANK_API_PORT", "http", ["65535"]), ("BANK_API_PORT", "-1", ["65535"]), ("BANK_API_PORT", "65536", ["65535"]),
    ("BANK_API_PORT", "80 80", ["65535"]), ("BANK_API_PORT", "8000x", ["65535"]),
    ("BANK_API_PUBLIC_ORIGINS", "bank.example", ["origins"]), ("BANK_API_PUBLIC_ORIGINS", "*", ["origins"]),
    ("BANK_API_PUBLIC_ORIGINS", "https://bank.example/", ["origins", "slash"]),
    ("WORKER_THREADS", "3", ["4", "512"]), ("WORKER_THREADS", "513", ["4", "512"]),
    ("WORKER_THREADS", "0", ["4", "512"]),
    ("WORKER_THREADS", "many", ["4", "512"]), ("WORKER_THREADS", "-8", ["4", "512"]),
    ("WORKER_THREADS", "8.5", ["4", "512"]),
    ("WORKER_THREADS", "99999999999999999999", ["4", "512"]),
    ("LOG_LEVEL", "loud", ["debug", "info", "warn", "error"]), ("LOG_FORMAT", "xml", ["text", "json"]),
    ("DEBUG_DELAY_ENABLED", "maybe", ["true", "false"]), ("DEBUG_DELAY_MS", "-1", ["0", "60000"]),
    ("DEBUG_DELAY_MS", "60001", ["0", "60000"]), ("DEBUG_DELAY_MS", "1e3", ["0", "60000"]),
    ("DEBUG_DELAY_MS", "100ms", ["0", "60000"]),
    ("BARRIER_ENABLED", "2", ["true", "false"]), ("BARRIER_COUNT", "1", ["2", "28"]),
    ("BARRIER_COUNT", "29", ["2", "28"]),
    ("BARRIER_COUNT", "two", ["2", "28"]), ("BARRIER_TIMEOUT_MS", "soon", ["1"]), ("BARRIER_TIMEOUT_MS", "-5", ["1"]),
    ("BANK_API_SCHEMA", "Lab", ["a-z", "63"]), ("BANK_API_SCHEMA", "pg_lab", ["a-z", "63"]),
    ("USE_TRANSACTIONS", "perhaps", ["true", "false"]), ("TRANSFER_QUEUE_LIMIT", "none", ["1"]),
    ("TRANSFER_QUEUE_LIMIT", "-1", ["1"]), ("SHUTDOWN_TIMEOUT_MS", "never", ["100"]),
    ("SHUTDOWN_TIMEOUT_MS", "-1", ["100"]),
]


@pytest.mark.parametrize("name, value, allowed", BAD_VALUES)
def test_a_value_that_cannot_be_used(name, value, allowed):
    """One line that names the variable, the value and the allowed values; exit status 2, and nothing was started."""
    outcome = run_to_the_end(**{"BANK_API_PORT": free_port(), name: value})
    assert outcome.returncode == 2
    assert outcome.stdout == ""
    line, = outcome.stderr.splitlines()
    assert name in line
    assert value in line
    rest = line.replace(name, "").replace(value, "")
    assert all(re.search(rf"\b{word}\b", rest) for word in allowed), line


def test_the_largest_count_follows_the_pool():
    """The limit of BARRIER_COUNT depends on WORKER_THREADS."""
    outcome = run_to_the_end(WORKER_THREADS=8, BARRIER_COUNT=8)
    assert outcome.returncode == 2
    assert re.search(r"BARRIER_COUNT.*\b8\b.*\b7\b", outcome.stderr)


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/bank", "postgresql://localhost/bank?no_such_option=1"])
def test_a_database_url_that_is_none(url):
    outcome = run_to_the_end(DATABASE_URL=url)
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert "DATABASE_URL" in line
    assert "postgresql://" in line


@pytest.mark.parametrize("url", ["postgresql://teller:s3cr%zzet@localhost/bank", "host=localhost password='s3cret",
                                 "host=localhost password=s3cret s3cret"])
def test_a_bad_database_url_does_not_reveal_its_password(url):
    outcome = run_to_the_end(DATABASE_URL=url)
    assert outcome.returncode == 2
    assert "DATABASE_URL" in outcome.stderr
    assert "s3cr" not in outcome.stderr


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "999.999.999.999"])
def test_an_address_that_is_not_ours(host):
    """One line that names it; exit status not 0."""
    outcome = run_to_the_end(BANK_API_HOST=host, BANK_API_PORT=free_port(),
                             DATABASE_URL="postgresql://127.0.0.1:1/none",
                             LOG_LEVEL="error")
    assert outcome.returncode > 0
    said = [line for line in outcome.stderr.splitlines() if host in line]
    assert len(said) == 1 and "BANK_API_HOST" in said[0], outcome.stderr


def test_a_port_that_is_taken(cluster):
    """One clear line, exit status not 0, and the database is as it was."""
    database = cluster.new_database()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        outcome = run_to_the_end(BANK_API_PORT=port, DATABASE_URL=cluster.url(database), LOG_LEVEL="error")
    assert outcome.returncode > 0
    line, = outcome.stderr.splitlines()
    assert str(port) in line
    assert "BANK_API_PORT" in line
    assert cluster.rows(database, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


@pytest.mark.parametrize("argument, says", [("--help", "WORKER_THREADS"), ("--version", "bank-api")])
def test_arguments_that_only_ask(argument, says):
    """Answered on standard output with exit status 0, for any environment."""
    outcome = run_to_the_end(argument, WORKER_THREADS="nonsense")
    assert outcome.returncode == 0
    assert says in outcome.stdout
    assert outcome.stderr == ""


def test_help_names_every_variable():
    """--help lists every variable."""
    said = run_to_the_end("--help").stdout
    for name in {name for name, _, _ in BAD_VALUES} | {"DATABASE_URL", "BANK_API_HOST", "BANK_API_ALLOWED_HOSTS",
                                                       "ADMIN_TOKEN"}:
        assert name in said, name


@pytest.mark.parametrize("arguments", [["--port"], ["-h", "x"], ["serve"], ["--help", "--version"],
                                       ["--port", "9"]])
def test_unknown_arguments(arguments):
    outcome = run_to_the_end(*arguments)
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert "--help" in line
    assert len(arguments) == 1 or "BANK_API_PORT=8000" in line


def test_the_environment_is_the_start(start_bank):
    """The environment can set every setting at the start."""
    bank = start_bank(DEBUG_DELAY_ENABLED="YES", DEBUG_DELAY_MS=5, BARRIER_ENABLED="0", BARRIER_COUNT=3,
                      BARRIER_TIMEOUT_MS=1234,
                      USE_TRANSACTIONS="On")
    settings = bank.get("/admin/settings").json()
    assert {key: settings[key] for key in ("delay_enabled", "delay_ms", "barrier_enabled", "barrier_count",
                                           "barrier_timeout_ms",
                                           "use_transactions", "strategy")} == {
        "delay_enabled": True, "delay_ms": 5, "barrier_enabled": False, "barrier_count": 3, "barrier_timeout_ms": 1234,
        "use_transactions": True, "strategy": "for_update"}


def test_a_variable_set_to_nothing_is_not_set(start_bank):
    bank = start_bank(WORKER_THREADS="", ADMIN_TOKEN="", LOG_LEVEL="", BARRIER_COUNT="")
    assert bank.get("/admin/settings").json()["barrier_count"] == 2


@pytest.mark.parametrize("threads", [4, 512])
def test_the_smallest_and_the_largest_pool(start_bank, threads):
    """Both can race and stop; sessions are opened as they are needed."""
    bank = start_bank(WORKER_THREADS=threads, BARRIER_ENABLED="true")
    answers = together(lambda: bank.transfer("alice", "bob"), lambda: bank.transfer("alice", "charlie"))
    assert [answer.status for answer in answers] == [200, 200]
    assert bank.balance("alice") == -600
    assert len(bank.cluster.backends(bank.database)) < 20


def test_a_port_of_its_own_choice(start_bank):
    """Port 0: any free port, which the log names."""
    bank = start_bank(ready=False, BANK_API_PORT="0")
    found = eventually(lambda: re.search(r"http://127\.0\.0\.1:(\d+)", bank.log()), "the log names the address")
    bank.port = int(found.group(1))
    assert bank.port != 0
    bank.until_healthy()


def test_ipv6(start_bank):
    """::1 if the machine has it."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    bank = start_bank(BANK_API_HOST="::1")
    with bank.wire() as wire:
        assert wire.send(request_bytes("GET", "/health", host=f"[::1]:{bank.port}")).answer().status == 200


def test_all_interfaces(start_bank):
    """0.0.0.0, as in a container: loopback names are served, other names must still be allowed."""
    bank = start_bank(BANK_API_HOST="0.0.0.0")
    for host, status in (("localhost", 200), ("evil.example", 421)):
        with bank.wire() as wire:
            assert wire.send(request_bytes("GET", "/health", host=host)).answer().status == status
    assert "ADMIN_TOKEN" in bank.log()


def test_without_a_database(start_bank, cluster):
    """It comes up degraded, reports it, and is healthy with all its tables as soon as the database is available."""
    name = cluster.unused_database_name()
    bank = start_bank(database=name, ready=False).until_serving().until_unhealthy()
    assert bank.get("/health").json() == {"status": "degraded", "service": "bank-api", "database": "unreachable"}
    assert_problem(bank.transfer(), 503)
    cluster.new_database(name)
    bank.until_healthy()
    assert bank.balances() == {"alice": 1000, "bob": 500, "charlie": 200}
    assert bank.transfer("alice", "bob", "1").status == 200


def test_by_libpqs_own_variables(start_bank, cluster):
    """Without DATABASE_URL it uses PGHOST and the other variables of libpq."""
    name = cluster.new_database()
    bank = start_bank(database=name, DATABASE_URL=None, PGHOST=cluster.folder, PGPORT=cluster.port, PGUSER=USER,
                      PGDATABASE=name)
    assert bank.transfer("alice", "bob", "1").status == 200
    assert len(bank.recorded()) == 1


def test_over_tcp_with_a_password(start_bank, cluster):
    """The password works, and the log does not contain it."""
    name = cluster.new_database()
    bank = start_bank(database=name, DATABASE_URL=cluster.url_over_tcp(name), LOG_LEVEL="debug")
    assert bank.transfer("alice", "bob", "1").status == 200
    assert PASSWORD not in bank.log()


def test_a_wrong_password_is_reported_but_not_shown(start_bank, cluster):
    name = cluster.new_database()
    url = cluster.url_over_tcp(name).replace(PASSWORD, "wr0ng-one")
    bank = start_bank(database=name, ready=False, DATABASE_URL=url).until_unhealthy()
    eventually(lambda: "password authentication failed" in bank.log(), "the log gives the reason")
    assert "wr0ng-one" not in bank.log()


def test_a_restart_keeps_everything(start_bank, cluster):
    """Balances and records stay in the database: a second start neither seeds nor clears."""
    name = cluster.new_database()
    first = start_bank(database=name)
    record = first.transfer("alice", "bob", "100").json()
    first.stop()
    second = start_bank(database=name)
    assert second.balances() == {"alice": 900, "bob": 600, "charlie": 200}
    assert [each["id"] for each in second.transactions()] == [record["id"]]


def test_many_at_once_on_an_empty_database(start_bank, cluster):
    """The schema is made under a lock: all come up, and there are three accounts."""
    name = cluster.new_database()
    banks = [start_bank(database=name, ready=False, WORKER_THREADS=4) for _ in range(6)]
    for bank in banks:
        bank.until_healthy()
    assert banks[0].balances() == {"alice": 1000, "bob": 500, "charlie": 200}
    assert not any("ERROR" in bank.log() for bank in banks)


def test_an_account_removed_stays_removed(start_bank, cluster):
    """The seed is for an empty bank, not for a bank without Charlie."""
    name = cluster.new_database()
    start_bank(database=name).rows("DELETE FROM accounts WHERE id = 'charlie'")
    assert set(start_bank(database=name).balances()) == {"alice", "bob"}


def test_standard_streams_that_are_closed(cluster):
    """The parent process closed them: no file of ours takes their place, and the program still ends with status 0."""
    port = free_port()
    environment = program_environment(BANK_API_PORT=port, DATABASE_URL=cluster.url(cluster.new_database()))
    program = subprocess.Popen(["sh", "-c", f'exec "{PROGRAM}" <&- >&- 2>&-'], env=environment)
    try:
        def healthy():
            assert program.poll() is None
            try:
                with Client(port) as client:
                    return client.get("/health").status == 200
            except OSError:
                return False
        eventually(healthy, "/health")
        with Client(port) as client:
            assert client.transfer("alice", "bob", "1").status == 200
        program.terminate()
        assert program.wait(HANG_GUARD) == 0
    finally:
        if program.poll() is None:
            program.kill()
        program.wait()
