"""The HTTP side of race-proxy: what it shows, and the rules and the gate that it changes."""

import json
import pathlib
import re
import socket
import subprocess

import jsonschema
import psycopg2
import pytest
from application import at_once, make_accounts, paid_out, put_back, withdraw
from cluster import free_port
from proxy import PROGRAM, eventually

FORCE = "before write * if-read barrier 2"
SCHEMA = jsonschema.Draft202012Validator(json.loads(
    (pathlib.Path(__file__).resolve().parents[2] / "docs/findings.schema.json").read_text()))
FINDING = {"id", "kind", "level", "database", "table", "row", "count", "sentence", "evidence", "first", "second",
           "found_at"}


@pytest.fixture(autouse=True)
def accounts(cluster, database):
    make_accounts(cluster, database)
    put_back(cluster, database)


@pytest.fixture
def start(start_proxy, database):
    """A proxy with its HTTP side. With --find it knows the tables already."""
    def start_with_http(*options, **settings):
        proxy = start_proxy(*options, **{"http": "127.0.0.1:0", **settings})
        if "--find" in options:
            if proxy.lines("Built without libpg_query"):
                pytest.skip("the build has no libpg_query")
            psycopg2.connect(proxy.url(database)).close()
            eventually(lambda: proxy.lines(f"Database {database}: "))
        return proxy

    return start_with_http


def metric(proxy, name):
    """The value of a series; None: there is none."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", proxy.ask("/metrics", raw=True)[1], re.M)
    return float(found.group(1)) if found else None


# --- Findings ---

def test_a_finding_has_both_units(start, database):
    proxy = start("--find", "--force")
    assert proxy.get("/findings")["findings"] == []
    assert paid_out(proxy.url(database)) == 2
    listed = eventually(lambda: [each for each in proxy.get("/findings")["findings"] if each["level"] == "proved"])[0]
    assert set(listed) == FINDING and (listed["kind"], listed["row"]) == ("lost_update", "alice")
    found = proxy.get(f"/findings/{listed['id']}")
    SCHEMA.validate(proxy.get("/findings"))
    SCHEMA.validate(found)
    assert set(found) == FINDING | {"units"} and found["sentence"] == listed["sentence"]
    first, second = found["units"]
    assert {first["backend_pid"], second["backend_pid"]} == {found[side]["backend_pid"] for side in ("first", "second")}
    for unit in (first, second):
        assert (unit["end"], unit["transaction"], unit["finding"]) == ("committed", True, found["id"])
        assert [each["summary"] for each in unit["statements"]] == ["BEGIN", "SELECT accounts", "UPDATE accounts", "COMMIT"]
        assert [each["tag"] for each in unit["statements"]] == ["BEGIN", "SELECT 1", "UPDATE 1", "COMMIT"]
        read, write = unit["statements"][1:3]
        assert read["found_read"] and write["found_write"] and not read["found_write"]
        assert write["hold"]["place"] == "before write accounts" and write["hold"]["ending"] == "complete"
        assert read["sent_us"] <= read["done_us"] <= write["hold"]["from_us"] <= write["hold"]["to_us"] <= write["sent_us"]


def test_a_finding_outlives_the_list_of_units(start, database):
    proxy = start("--find", "--force")
    assert paid_out(proxy.url(database)) == 2
    proxy.ask("/rules", "")
    session = psycopg2.connect(proxy.url(database))
    session.autocommit = True
    with session.cursor() as cursor:
        for number in range(200):
            cursor.execute(f"BEGIN; SELECT {number}; COMMIT")
    session.close()
    found = proxy.get("/findings/1")
    SCHEMA.validate(found)
    units = proxy.get("/units")["units"]
    assert len(units) == 128 and units[0]["id"] > units[-1]["id"] > max(each["id"] for each in found["units"])
    assert [each["end"] for each in found["units"]] == ["committed", "committed"]


def test_findings_are_bounded_and_newest_first(start, database):
    proxy = start("--find")
    with psycopg2.connect(proxy.url(database)) as session, session.cursor() as cursor:
        for column in ("balance", "id"):
            cursor.execute(f"SELECT {column}, balance FROM accounts WHERE id = 'alice'")
            cursor.execute("UPDATE accounts SET balance = 7 WHERE id = 'alice'" + " " * (column == "id"))
            session.commit()
    session.close()
    eventually(lambda: proxy.get("/findings")["count"] == 2)
    assert [each["id"] for each in proxy.get("/findings")["findings"]] == [2, 1]
    assert [each["id"] for each in proxy.get("/findings?limit=1")["findings"]] == [2]
    SCHEMA.validate(proxy.get("/findings"))


def test_the_schema_knows_every_word_of_the_program():
    definitions = SCHEMA.schema["$defs"]
    assert set(definitions["finding"]["properties"]) == FINDING | {"units"}
    assert not SCHEMA.is_valid({"finds": True, "count": 0})
    for kind in definitions["finding"]["properties"]["kind"]["enum"]:
        assert f"| `{kind}` |" in (pathlib.Path(__file__).resolve().parents[2] / "docs/PROXY.md").read_text()


@pytest.mark.parametrize("path, status", [("/findings/7", 404), ("/findings/x", 404), ("/findings?limit=0", 422),
                                          ("/findings?limit=x", 400), ("/findings?most=3", 400), ("/nothing", 404)])
def test_a_wrong_question_says_what_to_change(start, path, status):
    found, problem = start().ask(path)
    assert (found, problem["status"]) == (status, status) and problem["detail"]


# --- Sessions and units ---

def test_sessions_show_who_is_held(start, database):
    proxy = start("--rule", "before update accounts gate", "--limit", "60000")
    session = psycopg2.connect(proxy.url(database))
    [shown] = proxy.get("/sessions")["sessions"]
    assert (shown["state"], shown["database"], shown["transaction"]) == ("relaying", database, "idle")
    assert shown["backend_pid"] == session.info.backend_pid and shown["bytes_to_client"] > shown["bytes_to_server"] > 0

    def let_go():
        eventually(lambda: [each["state"] for each in proxy.get("/sessions")["sessions"]].count("held") == 1)
        assert proxy.get("/health") == {"status": "ok", "service": "race-proxy", "sessions": 2, "held": 1}
        [unit] = [each for each in proxy.get("/units")["units"] if each["hold"]]
        assert unit["hold"]["place"] == "before update accounts" and unit["hold"]["ending"] is None
        assert proxy.ask("/gate", "") == (200, {"let_go": 1})

    assert at_once(lambda: withdraw(proxy.url(database)), let_go)[0]
    assert metric(proxy, 'race_proxy_held_total{ending="opened"}') == 1
    session.close()


def test_statements_outside_of_transactions_are_one_unit(start, database):
    proxy = start()
    session = psycopg2.connect(proxy.url(database))
    session.autocommit = True
    with session.cursor() as cursor:
        cursor.execute("SELECT balance FROM accounts")
        with pytest.raises(psycopg2.Error):
            cursor.execute("UPDATE accounts SET balance = 'x'")
        cursor.execute("BEGIN")
        cursor.execute("ROLLBACK")
    session.close()
    transaction, loose = proxy.get("/units")["units"]
    assert (loose["transaction"], loose["end"]) == (False, "done")
    assert [(each["summary"], each["sqlstate"]) for each in loose["statements"]] == [
        ("SELECT accounts", None), ("UPDATE accounts", "22P02")]
    assert (transaction["transaction"], transaction["end"]) == (True, "rolled_back")


# --- Rules ---

def test_rules_are_replaced(start, cluster, database):
    proxy = start()
    assert proxy.get("/rules") == {"rules": [], "limit_ms": 2000}
    assert paid_out(proxy.url(database)) >= 1 and not proxy.lines("is held")
    put_back(cluster, database)
    assert proxy.ask("/rules", FORCE + "\r\n\nafter select other nth 2 delay 10\n") == (
        200, {"rules": [FORCE, "after select other nth 2 delay 10"], "limit_ms": 2000})
    assert paid_out(proxy.url(database)) == 2 and len(proxy.lines("released together")) == 1
    assert proxy.ask("/rules", "")[1]["rules"] == []


def test_a_prepared_statement_from_before_the_rule_is_held(start, database):
    proxy = start("--limit", "50")
    with psycopg2.connect(proxy.url(database)) as session, session.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert proxy.ask("/rules", "before update accounts barrier 2")[0] == 200
        cursor.execute("UPDATE accounts SET balance = 1")
    session.close()
    assert len(proxy.lines("at the time limit")) == 1


@pytest.mark.parametrize("words", ["before lunch * gate", FORCE + "\nafter\n", "\n".join([FORCE] * 17)])
def test_a_bad_rule_changes_nothing(start, words):
    proxy = start("--force")
    status, problem = proxy.ask("/rules", words)
    assert status == 400 and ("Write a rule in each line" in problem["detail"] or "at most 16" in problem["detail"])
    assert proxy.get("/rules")["rules"] == [FORCE]


def test_new_rules_let_the_held_sessions_go(start, database):
    proxy = start("--rule", "before update accounts gate", "--limit", "60000")

    def replace():
        eventually(lambda: proxy.lines("is held"))
        assert proxy.ask("/rules", FORCE)[0] == 200

    assert at_once(lambda: withdraw(proxy.url(database)), replace)[0]
    assert len(proxy.lines("the rules were replaced")) == 1


# --- The guard ---

def test_other_pages_change_nothing(start):
    proxy = start()
    port = proxy.page.rsplit(":", 1)[1]
    assert proxy.ask("/rules", FORCE, {"Origin": "http://evil.example"})[0] == 403
    assert proxy.ask("/rules", FORCE, {"Host": f"evil.example:{port}"})[0] == 421
    assert proxy.ask("/rules", FORCE, {"Origin": f"http://127.0.0.1:{port}"})[0] == 200
    assert proxy.ask("/rules", "x", {"Content-Encoding": "gzip"})[0] == 415


def test_an_allowed_host(start):
    proxy = start(environment={"RACE_PROXY_ALLOWED_HOSTS": "proxy.test"})
    assert proxy.ask("/health", headers={"Host": "proxy.test:6433"})[0] == 200
    assert proxy.ask("/health", headers={"Host": "other.test"})[0] == 421


def test_methods(start):
    proxy = start()
    address = proxy.page.removeprefix("http://").split(":")
    for line, status, allow in (("DELETE /rules", "405", "GET, HEAD, POST"), ("GET /gate", "405", "POST"),
                                ("POST /findings", "405", "GET, HEAD"), ("HEAD /findings", "200", None)):
        with socket.create_connection((address[0], int(address[1]))) as wire:
            wire.sendall(f"{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
            answer = b"".join(iter(lambda: wire.recv(4096), b"")).decode()
        assert answer.split()[1] == status, answer
        assert allow is None or f"\r\nAllow: {allow}\r\n" in answer


# --- The start ---

def test_a_taken_port(start, cluster, tmp_path):
    """A port that was asked for must be there; without the usual one the proxy runs all the same."""
    proxy = start()
    port = proxy.page.rsplit(":", 1)[1]
    done = subprocess.run([PROGRAM, "--listen", str(free_port()), "--http", port, "--upstream",
                           cluster.url_over_tcp("postgres")], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and f"port {port}: another program listens there: choose another with --http" in done.stderr
    wrong = subprocess.run([PROGRAM, "--http", "here:now"], capture_output=True, text=True, timeout=30)
    assert wrong.returncode == 2 and "or off" in wrong.stderr


# --- Metrics ---

def test_metrics(start, database):
    proxy = start("--find", "--force")
    assert paid_out(proxy.url(database)) == 2
    eventually(lambda: metric(proxy, 'race_proxy_findings_total{kind="lost_update",level="proved"}') == 1)
    eventually(lambda: metric(proxy, "race_proxy_sessions") == 0)
    assert metric(proxy, "race_proxy_statements_total") == 8
    assert metric(proxy, 'race_proxy_held_total{ending="complete"}') == 2
    assert metric(proxy, "race_proxy_hold_seconds_count") == 2
    assert metric(proxy, "race_proxy_held_sessions") == 0
    assert metric(proxy, 'race_proxy_bytes_total{direction="to_server"}') > 500
    assert metric(proxy, "race_proxy_memory_bytes") > 1000
    assert metric(proxy, 'race_proxy_findings_total{kind="phantom",level="proved"}') == 0


def test_answers_end_with_a_newline(start):
    proxy = start()
    for path in ("/health", "/findings", "/units", "/sessions", "/rules", "/metrics"):
        text = proxy.ask(path, raw=True)[1]
        assert text.endswith("\n") and not text.endswith("\n\n"), path
    assert json.loads(proxy.ask("/findings", raw=True)[1]) == {"finds": False, "count": 0, "findings": []}
    SCHEMA.validate(proxy.get("/findings"))
