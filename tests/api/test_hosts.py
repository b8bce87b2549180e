"""The host on which a session is opened, and the error if none works: host lists, names with several addresses, silent
hosts and name servers, connection limits."""

import contextlib
import json
import re
import secrets
import socket

import pytest

from bank import run_to_the_end
from client import transfer_body
from cluster import PASSWORD, USER, free_port, running_cluster
from crowd import Crowd
from pace import eventually
from silence import deaf_server, program_that_sees, silent_name_server, silent_server
from wire import request_bytes

POST_TRANSFER = request_bytes("POST", "/transfer", "Content-Type: application/json",
                              body=transfer_body("alice", "bob", "1").encode())


def url_of_hosts(*hosts, database, parameters=""):
    return f"postgresql://{USER}:{PASSWORD}@{','.join(hosts)}/{database}{parameters}"


def works(bank):
    assert bank.transfer("alice", "bob", "1").status == 200
    assert bank.balances() == {"alice": 999, "bob": 501, "charlie": 200}


@pytest.mark.parametrize("server", [silent_server, deaf_server])
@pytest.mark.parametrize("parameters", ["", "?connect_timeout=1", "?connect_timeout=1&target_session_attrs=read-write"])
def test_a_first_host_that_says_nothing(start_bank, cluster, server, parameters):
    """The second host gets its share of the time."""
    name = cluster.new_database()
    with server() as port:
        url = url_of_hosts(f"127.0.0.2:{port}", f"127.0.0.1:{cluster.port}", database=name, parameters=parameters)
        works(start_bank(database=name, DATABASE_URL=url))


def test_a_first_address_that_says_nothing(start_bank, tmp_path):
    """Both addresses belong to one name, and the system puts 127.0.0.1 first (RFC 6724, rule 9)."""
    program = program_that_sees(tmp_path, {"hosts": "127.0.0.1 twofold.test\n127.0.0.2 twofold.test\n"})
    with running_cluster() as other:
        other.rows("postgres", "ALTER SYSTEM SET listen_addresses = '127.0.0.2'")
        other.stop()
        other.start()
        name = other.new_database("bank_of_the_second")
        with socket_at("127.0.0.1", other.port):
            url = url_of_hosts(f"twofold.test:{other.port}", database=name, parameters="?connect_timeout=1")
            bank = start_bank(DATABASE_URL=url, program=program)
            works(bank)
            bank.stop()


@contextlib.contextmanager
def socket_at(host, port):
    with socket.socket() as listener:
        listener.bind((host, port))
        listener.listen(1000)
        yield


def test_the_log_says_of_each_host_why(start_bank, cluster):
    name = cluster.new_database()
    nobody = free_port()
    with silent_server() as port:
        url = url_of_hosts(f"127.0.0.2:{port}", f"127.0.0.1:{nobody}", database=name, parameters="?connect_timeout=1")
        bank = start_bank(database=name, DATABASE_URL=url, ready=False).until_serving()
        found = eventually(lambda: re.search(r"Database unreachable: (.*)", bank.log()), "the log says why")
    silent, refused = found.group(1).split("; ")
    assert f"127.0.0.2 port {port}: no answer" in silent
    assert f"127.0.0.1 port {nobody}: " in refused and "refused" in refused


@pytest.mark.parametrize("wanted, port_of", [("read-write", "other"), ("any", "cluster"), ("prefer-standby", "cluster"),
                                             ("read-only", "cluster")])
def test_the_kind_of_server_that_is_asked_for(start_bank, cluster, wanted, port_of):
    """Two clusters, the first of which makes its transactions read-only by default."""
    name = cluster.new_database()
    with running_cluster() as other:
        other.new_database(name)
        cluster.rows("postgres", f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        url = url_of_hosts(f"127.0.0.1:{cluster.port}", f"127.0.0.1:{other.port}", database=name,
                           parameters=f"?target_session_attrs={wanted}")
        bank = start_bank(database=name, DATABASE_URL=url)
        works(bank)
        served = {"cluster": cluster, "other": other}[port_of]
        assert served.rows(name, "SELECT balance FROM accounts WHERE id = 'alice'") == [{"balance": 999}]
        bank.stop()
    cluster.rows("postgres", f"ALTER DATABASE {name} RESET ALL")


@pytest.mark.shutdown
def test_the_end_while_a_name_server_says_nothing(start_bank, cluster, tmp_path):
    """A client that waits for the database gets its answer before the program ends, which is long before the system
    gives up on the name."""
    with silent_name_server() as server:
        program = program_that_sees(tmp_path, {"resolv.conf": f"nameserver {server}\noptions timeout:30 attempts:5\n"})
        bank = start_bank(DATABASE_URL=url_of_hosts("nobody.test:5432", database="bank"), ready=False, program=program,
                          SHUTDOWN_TIMEOUT_MS=1000).until_serving()
        with bank.wire() as wire:
            wire.send(POST_TRANSFER)
            bank.until_in_progress(1)
            bank.signal()
            assert wire.answer().status == 503
        bank.ends_well()


def test_another_host_while_a_name_server_says_nothing(start_bank, cluster, tmp_path):
    name = cluster.new_database()
    with silent_name_server() as server:
        program = program_that_sees(tmp_path, {"resolv.conf": f"nameserver {server}\noptions timeout:30 attempts:5\n"})
        url = url_of_hosts("nobody.test:5432", f"127.0.0.1:{cluster.port}", database=name)
        works(start_bank(database=name, DATABASE_URL=url, program=program))


@pytest.fixture
def bank_of_a_role(start_bank, cluster):
    """start(limit): a bank whose role may open only `limit` sessions."""
    database = cluster.new_database()
    role = f"teller_{secrets.token_hex(4)}"

    def start(limit, **settings):
        cluster.rows("postgres", f"CREATE ROLE {role} LOGIN CONNECTION LIMIT {limit}")
        cluster.rows("postgres", f"ALTER DATABASE {database} OWNER TO {role}")
        cluster.rows(database, f"ALTER SCHEMA public OWNER TO {role}")
        return start_bank(database=database, DATABASE_URL=cluster.url(database).replace(f"user={USER}", f"user={role}"),
                          **settings)

    yield start
    cluster.rows("postgres", f"ALTER DATABASE {database} OWNER TO {USER}")


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("strategy", ["vulnerable", "for_update", "batched"])
def test_fewer_sessions_than_workers(bank_of_a_role, cluster, strategy, limit):
    """The transfers share the available sessions, and the program is healthy all the time."""
    bank = bank_of_a_role(limit)
    bank.set(strategy=strategy)
    with Crowd(bank, size=16) as crowd:
        for done in (50, 100, 150):
            eventually(lambda goal=done: crowd.count(200) >= goal, f"{done} transfers")
            assert bank.get("/health").status == 200
    assert {answer.status for answer in crowd.answers()} == {200}
    assert crowd.unanswered() == []
    # A backend that ends is listed for a moment, when its place may have been taken already.
    eventually(lambda: len(cluster.backends(bank.database)) <= limit, f"at most {limit} sessions")
    assert bank.get("/health").status == 200
    assert "Database is un" not in bank.log()


def test_health_while_every_session_is_taken(bank_of_a_role, background):
    """Transfers in the delay hold both sessions. A third transfer gets no session in time, and nothing of it is done.
    The program is healthy, because its sessions work."""
    bank = bank_of_a_role(2, DEBUG_DELAY_ENABLED=True, DEBUG_DELAY_MS=7000)
    sent = [background(bank.transfer, "alice", "bob", "1", "vulnerable") for _ in range(3)]
    answers = []
    while len(answers) < 3:
        assert bank.get("/health").status == 200
        answers = [each.result() for each in sent if each.done()]
    assert sorted(answer.status for answer in answers) == [200, 200, 503]
    assert "Database is un" not in bank.log()
    assert len(bank.recorded()) == 2


def test_health_after_an_outage_that_ends_under_load(bank_of_a_role, cluster):
    """The role may not log in for a while. Afterwards transfers take every session before the watch has one, and hold
    it longer than the watch waits. The program becomes healthy again."""
    bank = bank_of_a_role(2, DEBUG_DELAY_ENABLED=True, DEBUG_DELAY_MS=60000)
    [role] = cluster.rows("postgres", "SELECT pg_get_userbyid(datdba) AS name FROM pg_database WHERE datname = %s",
                          bank.database)
    cluster.rows("postgres", f"ALTER ROLE {role['name']} NOLOGIN")
    cluster.end_sessions(bank.database)
    bank.until_unhealthy()
    with Crowd(bank, size=24) as crowd:
        eventually(lambda: crowd.count(503) >= 24, "refusals during the outage")
        cluster.rows("postgres", f"ALTER ROLE {role['name']} LOGIN")
        eventually(lambda: len(cluster.backends(bank.database)) == 2, "every session is taken")
        bank.until_healthy()
        bank.set(delay_enabled=False)
        eventually(lambda: crowd.count(200) >= 24, "transfers after the outage")
        assert bank.get("/health").status == 200
    assert crowd.unanswered() == []


def test_an_empty_database_in_the_place_of_the_old_one(start_bank, cluster):
    """Between two questions of the watch the name begins to point at another, empty database: it gets the schema."""
    bank = start_bank()
    aside = cluster.unused_database_name()
    cluster.rows("postgres", f"ALTER DATABASE {bank.database} ALLOW_CONNECTIONS false")
    cluster.end_sessions(bank.database)
    cluster.rows("postgres", f"ALTER DATABASE {bank.database} RENAME TO {aside}")
    cluster.rows("postgres", f"CREATE DATABASE {bank.database}")
    eventually(lambda: bank.transfer("alice", "bob", "1").status == 200, "transfers in the new database")
    bank.until_healthy()
    cluster.rows("postgres", f"DROP DATABASE {aside}")


# At the start

BAD_PARAMETERS = [
    ({"DATABASE_URL": "postgresql://h/d?schema=bank"}, "schema"),
    ({"DATABASE_URL": "host=h nonsense=1"}, "nonsense"),
    ({"DATABASE_URL": "postgresql://h/d?sslmode=sometimes"}, "sslmode"),
    ({"DATABASE_URL": "postgresql://h/d", "PGSSLMODE": "sometimes"}, "sslmode"),
    ({"DATABASE_URL": "postgresql://h:99999/d"}, "port"), ({"DATABASE_URL": "host=h port=abc"}, "port"),
    ({"DATABASE_URL": "", "PGPORT": "0", "PGHOST": "h"}, "port"), ({"DATABASE_URL": "host=a,b,c port=1,2"}, "port"),
    ({"DATABASE_URL": "host=a,b hostaddr=127.0.0.1"}, "hostaddr"), ({"DATABASE_URL": "host=a,,b"}, "host"),
    ({"DATABASE_URL": "postgresql://h/d?target_session_attrs=master"}, "target_session_attrs"),
    ({"DATABASE_URL": "postgresql://h/d?connect_timeout=soon"}, "connect_timeout"),
    ({"DATABASE_URL": "postgresql://h/d", "PGCONNECT_TIMEOUT": "2s"}, "connect_timeout"),
    ({"DATABASE_URL": "postgresql://h/d?keepalives_idle=x"}, "keepalives_idle"),
    ({"DATABASE_URL": "postgresql://h/d?gssencmode=x"}, "gssencmode"),
    ({"DATABASE_URL": "postgresql://h/d?channel_binding=x"}, "channel_binding"),
    ({"DATABASE_URL": "postgresql://h/d?ssl_min_protocol_version=x"}, "ssl_min_protocol_version"),
    ({"DATABASE_URL": "postgresql://h/d?sslmode=verify-full&sslrootcert=/nowhere/root.crt"}, "sslrootcert"),
    ({"DATABASE_URL": "postgresql://h/d?sslmode=verify-ca", "HOME": "/nowhere"}, "sslrootcert"),
    ({"DATABASE_URL": "postgresql:///d?service=nobody", "PGSERVICEFILE": "/nowhere"}, "service"),
]


@pytest.mark.parametrize("settings, parameter", BAD_PARAMETERS)
def test_a_parameter_that_can_never_work(settings, parameter):
    """One line that names the parameter; exit status 2, and nothing was started."""
    outcome = run_to_the_end(BANK_API_PORT=free_port(), **settings)
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert re.search(rf"\b{parameter}\b", line), line
    assert "DATABASE_URL" in line or "PG*" in line


@pytest.mark.parametrize("options", ["-c no_such_setting=1", "-c statement_timeout=soon", "--nonsense"])
def test_options_that_the_server_refuses(cluster, options):
    """Only PostgreSQL knows its settings, so the first connection shows the error."""
    outcome = run_to_the_end(BANK_API_PORT=free_port(), DATABASE_URL=cluster.url(cluster.new_database()),
                             PGOPTIONS=options, LOG_LEVEL="error")
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert options.split()[-1].split("=")[0].strip("-") in line
    assert "DATABASE_URL" in line


# In the log

def test_nothing_but_json_in_a_json_log(start_bank, cluster, tmp_path):
    """A password file that others may read causes a warning in the log, in JSON. Warnings of the server at the start of
    a session are logged in JSON too."""
    name = cluster.new_database()
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"*:*:*:*:{PASSWORD}\n")
    passwords.chmod(0o644)
    column = cluster.rows("postgres", "SELECT 1 FROM pg_attribute WHERE attrelid = 'pg_database'::regclass "
                                      # PostgreSQL 14 has no such column, and does not warn
                                      "AND attname = 'datcollversion'")
    if column:
        cluster.rows("postgres", "UPDATE pg_database SET datcollversion = '0.1' WHERE datname = %s", name)
    url = cluster.url_over_tcp(name).replace(f":{PASSWORD}", "")
    bank = start_bank(database=name, DATABASE_URL=url, PGPASSFILE=passwords, LOG_FORMAT="json",
                      ready=False).until_serving().until_unhealthy()
    eventually(lambda: "unreachable" in bank.log(), "the log says that the password is missing")
    assert len([line for line in bank.log().splitlines() if str(passwords) in line]) == 1
    passwords.chmod(0o600)
    works(bank.until_healthy())
    for line in bank.log().splitlines():
        json.loads(line)
    if column:
        cluster.rows("postgres", "UPDATE pg_database SET datcollversion = NULL WHERE datname = %s", name)


@pytest.mark.shutdown
def test_the_end_while_the_collector_has_no_address(start_bank, tmp_path):
    """A trace is on its way to a collector whose name does not resolve: the program ends before the system gives up on
    the name."""
    with silent_name_server() as server:
        program = program_that_sees(tmp_path, {"resolv.conf": f"nameserver {server}\noptions timeout:30 attempts:5\n"})
        bank = start_bank(program=program, OTEL_EXPORTER_OTLP_ENDPOINT="http://nobody.test:4318",
                          OTEL_BSP_SCHEDULE_DELAY=1, SHUTDOWN_TIMEOUT_MS=1000)
        assert bank.transfer("alice", "bob", "1").status == 200
        bank.signal()
        bank.ends_well()


@pytest.mark.parametrize("hosts, second", [("127.0.0.1:1,127.0.0.2", "127.0.0.2 port 5432"),
                                           ("127.0.0.1,127.0.0.2:1", "127.0.0.2 port 1")])
def test_a_host_without_a_port_has_the_usual_one(start_bank, hosts, second):
    """libpq makes a list of ports with an empty element; each host is asked at its own port."""
    bank = start_bank(DATABASE_URL=f"postgresql://nobody@{hosts}/bank", ready=False).until_serving()
    eventually(lambda: "Database unreachable:" in bank.log(), "the log says why")
    assert second in bank.log() and "could not match" not in bank.log()
