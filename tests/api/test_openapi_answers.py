"""Real answers of the real server match openapi.json: every success, and every error that a test can cause, on every
path. A documented answer that never came is found as well."""

import concurrent.futures
import contextlib
import http.client
import io
import re
import shlex
import socket
import time

import pytest

import bank as bank_module
from conftest import stop_all
from client import JSON_TYPE, Answer, together, transfer_body
from pace import eventually
from wire import request_bytes

pytest.importorskip("jsonschema", reason="no jsonschema (apt install python3-jsonschema)")
from document import Document, parse  # noqa: E402

ENVIRONMENT = {"BANK_API_TRACE_URL": "http://localhost:16686/trace/{trace_id}"}
TOKEN = {"Authorization": "Bearer open-sesame"}
STRATEGIES = ["vulnerable", "for_update", "atomic_update", "optimistic", "repeatable_read", "serializable",
              "advisory_lock", "batched", "absolute_update", "cte_snapshot", "subselect_predicate", "process_mutex"]

document = Document()
OPERATIONS = [(method, path) for method, path, _ in document.operations()]
# The values for the parameters of paths, and a valid body for each operation with a body.
TARGETS = {"/accounts/{id}": "/accounts/alice", "/races/{transfer_id}": "/races/00000000",
           "/transfers/{transfer_id}": "/transfers/00000000",
           "/page/{name}": "/page/docs.css", "/admin/strategy": "/admin/strategy?name=vulnerable",
           "/lesson": "/lesson?name=vulnerable"}
BODIES = {"/transfer": b'{"from_account": "alice", "to_account": "bob", "amount": 1}', "/admin/settings": b"{}"}
# A job that asks the database answers these.
DATABASE = ["/accounts", "/accounts/{id}", "/transactions", "/audit", "/reset", "/races", "/races/{transfer_id}",
            "/transfer", "/transfers/{transfer_id}"]


class Collected:
    """The answers so far, each with the operation it belongs to, and the events, each with its name and its data."""

    def __init__(self):
        self.answers = []
        self.events = []

    def add(self, method, path, answer):
        self.answers.append((method, path, answer))
        return answer

    def statuses(self):
        return {(method, path, str(answer.status)) for method, path, answer in self.answers}


def good_request(method, path, *lines, host="localhost", query=""):
    body = BODIES.get(path, b"") if method == "POST" else b""
    kind = ["Content-Type: application/json"] if body else []
    target = TARGETS.get(path, path)
    target += (("&" if "?" in target else "?") + query) if query else ""
    return request_bytes(method, target, *kind, *lines, body=body, host=host)


def send(bank, collected, method, path, data=None, **parts):
    """Sends a request on its own connection; returns the answer."""
    with bank.wire() as wire:
        wire.send_what_is_taken(data or good_request(method, path, **parts))
        return collected.add(method, path, wire.answer(method))


def on_every_path(bank, collected, paths=None, **parts):
    for method, path in OPERATIONS:
        if (paths is None or path in paths) and path != "/events":
            send(bank, collected, method, path, **parts)


def collect_a_race(bank, collected, strategy):
    """Two transfers that meet at the barrier, and the answers about their race."""
    bank.post("/reset")
    bank.set(strategy=strategy, barrier_enabled=True, delay_enabled=True, delay_ms=1)
    records = together(*[lambda target=target: collected.add("POST", "/transfer", bank.transfer("alice", target))
                         for target in ("bob", "charlie")])
    for record in records:
        detail = collected.add("GET", "/races/{transfer_id}", bank.get(f"/races/{record.json()['id']}"))
        assert detail.json()["race"]["transfer_count"] == 2, strategy
        collected.add("GET", "/transfers/{transfer_id}", bank.get(f"/transfers/{record.json()['id']}"))
    for path in ("/races", "/transactions", "/audit", "/accounts"):
        collected.add("GET", path, bank.get(path))


def collect_successes(bank, collected):
    on_every_path(bank, collected)
    for strategy in STRATEGIES:
        collect_a_race(bank, collected, strategy)
    bank.set(barrier_enabled=False, delay_enabled=False, strategy="vulnerable")
    collected.add("POST", "/transfer", bank.transfer(amount="1000000"))
    collected.add("GET", "/metrics", bank.get("/metrics", Accept="application/openmetrics-text"))
    for name in ("index.html", "docs.css", "docs.js", "favicon.svg", "openapi.json", "vendor-LICENSE",
                 "vendor-swagger-ui-bundle.js"):
        collected.add("GET", "/page/{name}", bank.get(f"/page/{name}"))
    for path in ("/", "/docs", "/explore", "/play", "/openapi.json", "/page/{name}"):
        target = TARGETS.get(path, path)
        tag = bank.get(target).headers["ETag"]
        assert collected.add("GET", path, bank.get(target, If_None_Match=tag)).status == 304


def transfer_with_key(bank, amount):
    return bank.request("POST", "/transfer", transfer_body("bob", "alice", amount),
                        {**JSON_TYPE, "Idempotency-Key": '"a-key"'})


def collect_keys(bank, collected, background):
    """A key whose transfer waits at the barrier, is answered, is sent again, and is sent with another body."""
    def transfer(amount):
        return collected.add("POST", "/transfer", transfer_with_key(bank, amount))

    bank.set(barrier_enabled=True)
    first = background(transfer, "1")
    bank.until_waiting_at_the_barrier(1)
    assert transfer("1").status == 409
    bank.set(barrier_enabled=False)
    assert [first.result().status, transfer("1").status, transfer("2").status] == [200, 200, 422]


def collect_missing_objects(bank, collected):
    collected.add("GET", "/accounts/{id}", bank.get("/accounts/nobody"))
    collected.add("GET", "/races/{transfer_id}", bank.get("/races/00000000"))
    collected.add("GET", "/page/{name}", bank.get("/page/nothing.css"))
    collected.add("POST", "/transfer", bank.transfer(target="nobody"))
    collected.add("POST", "/transfer", bank.transfer(source="nobody"))
    collected.add("POST", "/lesson", bank.post("/lesson?name=for_update&order=A,B,A,B,B"))


def collect_malformed_requests(bank, collected):
    """The requests that the parser refuses, for every path."""
    for method, path in OPERATIONS:
        target = TARGETS.get(path, path)
        long = "&" if "?" in target else "?"
        send(bank, collected, method, path, f"{method} {target} HTTP/1.1\r\n\r\n".encode())
        send(bank, collected, method, path, request_bytes("PUT", target))
        send(bank, collected, method, path, request_bytes(method, target, body=b" " * 70000))
        send(bank, collected, method, path, request_bytes(method, target + long + "x" * 9000))
        send(bank, collected, method, path, request_bytes(method, target, "Expect: miracles"))
        send(bank, collected, method, path, good_request(method, path, host="bank.example"))
        send(bank, collected, method, path, good_request(method, path, "X-Long: " + "x" * 17000))


def collect_slow_requests(bank, collected):
    """All slow requests at the same time: it takes ten seconds."""
    with contextlib.ExitStack() as open_wires:
        wires = [(method, path, open_wires.enter_context(bank.wire())) for method, path in OPERATIONS]
        for method, path, wire in wires:
            wire.send(good_request(method, path)[:-3])
        for method, path, wire in wires:
            collected.add(method, path, wire.answer())


def collect_unusable_values(bank, collected):
    on_every_path(bank, collected, query="colour=red")
    for method, path in OPERATIONS:
        if path == "/events":
            send(bank, collected, method, path, query="colour=red")
        if method == "POST":
            send(bank, collected, method, path, good_request(method, path, "Origin: http://shop.example"))
    for path in BODIES:
        collected.add("POST", path, bank.request("POST", path, "from_account=alice",
                                             {"Content-Type": "application/x-www-form-urlencoded"}))
        collected.add("POST", path, bank.request("POST", path, '{"from_account": "alice", "to_account"', JSON_TYPE))
    collected.add("GET", "/accounts/{id}", bank.get("/accounts/%ff"))
    collected.add("POST", "/transfer", bank.transfer(amount="0"))
    collected.add("POST", "/admin/delay", bank.post("/admin/delay?ms=60001"))
    collected.add("POST", "/admin/settings", bank.post("/admin/settings", {"delay_ms": 60001}))
    collected.add("POST", "/admin/strategy", bank.post("/admin/strategy", {"name": "batched"}))


def collect_a_missing_token(bank, collected):
    for method, path, operation in document.operations():
        if operation.get("security"):
            send(bank, collected, method, path)
            collected.add(method, path, bank.request(method, TARGETS.get(path, path), BODIES.get(path) if method == "POST"
                                                 else None, {**JSON_TYPE, **TOKEN}))


def collect_a_full_server(bank, collected):
    """One connection fits; the next client gets the refusal before it has sent anything."""
    with bank.wire() as first:
        first.send(request_bytes("GET", "/health")).answer()
        for method, path in OPERATIONS:
            send(bank, collected, method, path)


def collect_a_database_that_refuses(bank, collected):
    """First a credit that does not fit, then every statement: the tables are gone. This bank can do nothing else
    afterwards."""
    bank.set(strategy="vulnerable")
    bank.post("/reset")
    bank.rows("UPDATE accounts SET balance = 9999999999999.99 WHERE id = 'bob'")
    collected.add("POST", "/transfer", bank.transfer(target="bob"))
    bank.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    on_every_path(bank, collected, DATABASE)


def cancel_the_waiting(bank):
    """Cancels the waits, as statement_timeout and lock_timeout would after some minutes."""
    bank.cluster.rows("postgres", "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                      "WHERE datname = %s AND wait_event_type = 'Lock'", bank.database)
    return True


def collect_a_database_too_slow(bank, collected, background):
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("LOCK TABLE accounts, transfers IN ACCESS EXCLUSIVE MODE")
        waiting = [background(send, bank, collected, method, path) for method, path in OPERATIONS if path in DATABASE]
        eventually(lambda: cancel_the_waiting(bank) and all(each.done() for each in waiting), "all have given up")
        session.rollback()
    for each in waiting:
        assert each.result().status == 504, each.result()


def collect_a_database_unavailable(bank, collected):
    bank.cluster.rows("postgres", f'ALTER DATABASE "{bank.database}" ALLOW_CONNECTIONS false')
    try:
        bank.cluster.end_sessions(bank.database)
        bank.until_unhealthy()
        on_every_path(bank, collected, [*DATABASE, "/health", "/metrics"])
    finally:
        bank.cluster.rows("postgres", f'ALTER DATABASE "{bank.database}" ALLOW_CONNECTIONS true')
    bank.until_healthy()


def end_the_link(bank):
    """Ends the session that the replicas share by, while it waits to change the settings."""
    bank.rows("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 211500 "
              "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")


def collect_a_replica(bank, collected, background):
    """A change of the settings goes to the database: it can be refused, and its outcome can be unknown."""
    changes = [(method, path) for method, path in OPERATIONS if method == "POST" and path.startswith("/admin/")]
    send(bank, collected, "GET", "/replicas")
    for method, path in changes:
        with bank.cluster.session(bank.database) as session:
            session.autocommit = False
            session.cursor().execute("SELECT version FROM lab_settings FOR UPDATE")
            change = background(send, bank, collected, method, path)
            bank.until_waiting_for_locks(1)
            end_the_link(bank)
            assert change.result().status == 504, change.result()
            session.rollback()
        eventually(lambda: bank.post("/admin/settings", {}).status == 200, "the link is back")
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("LOCK TABLE lab_replicas IN ACCESS EXCLUSIVE MODE")
        waiting = background(send, bank, collected, "GET", "/replicas")
        eventually(lambda: cancel_the_waiting(bank) and waiting.done(), "it has given up")
        assert waiting.result().status == 504, waiting.result()
        session.rollback()
    bank.cluster.rows("postgres", f'ALTER DATABASE "{bank.database}" ALLOW_CONNECTIONS false')
    try:
        bank.cluster.end_sessions(bank.database)
        bank.until_unhealthy()
        on_every_path(bank, collected, ["/replicas", *(path for _, path in changes)])
    finally:
        bank.cluster.rows("postgres", f'ALTER DATABASE "{bank.database}" ALLOW_CONNECTIONS true')
    bank.until_healthy()
    bank.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    send(bank, collected, "GET", "/replicas")


def collect_a_full_queue(bank, collected, background):
    """Three run, one waits, and the next is refused."""
    bank.set(delay_enabled=True, delay_ms=60000)
    running = [background(bank.transfer, "alice", "bob", "1") for _ in range(4)]
    bank.until_queued(1)
    collected.add("POST", "/transfer", bank.transfer())
    bank.set(delay_enabled=False)
    for each in running:
        assert each.result().status == 200


def listen(wire, *lines):
    return wire.send(request_bytes("GET", "/events", *lines))


def collect_stream(collected, wire):
    """All events of a stream that has been ended."""
    head, body = wire.closed_with().split(b"\r\n\r\n", 1)
    lines = head.split(b"\r\n", 1)
    headers = http.client.parse_headers(io.BytesIO(lines[1] + b"\r\n\r\n"))
    collected.add("GET", "/events", Answer(int(lines[0].split()[1]), headers, body))
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line)
        if "event" in fields:
            collected.events.append((fields["event"], parse(fields["data"])))


def collect_a_slow_subscriber(bank, collected):
    """The subscriber reads nothing while a hundred accounts with long names in JSON are reset again and again."""
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) "
              "SELECT repeat(chr(1), 60) || to_char(n, 'FM0000'), 0, 0 FROM generate_series(1, 100) AS n")
    with bank.wire() as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listen(wire)
        eventually(lambda: bank.post("/reset") and bank.metric("event_readers_dropped_total") == 1, "it is let go")
        collect_stream(collected, wire)
    bank.rows("DELETE FROM accounts WHERE starts_with(id, chr(1))")


def collect_too_many_subscribers(bank, collected):
    with contextlib.ExitStack() as open_wires:
        for _ in range(256):
            listen(open_wires.enter_context(bank.wire()))
        eventually(lambda: bank.metric("event_readers") == 256, "all listen")
        collected.add("GET", "/events", bank.get("/events"))
    eventually(lambda: bank.metric("event_readers") == 0, "all have gone")


def collect_the_events(bank, collected):
    """A race, a reset, settings, a transfer that fails, more transfers than are published; and the end."""
    with concurrent.futures.ThreadPoolExecutor(17) as threads, bank.wire() as wire:
        listen(wire, "Last-Event-ID: 00000000-1")
        stream = threads.submit(collect_stream, collected, wire)
        for strategy in STRATEGIES:
            collect_a_race(bank, collected, strategy)
        bank.set(barrier_enabled=False, delay_enabled=False)
        bank.transfer(target="nobody")
        assert [transfer_with_key(bank, amount).status for amount in ("1", "1", "2")] == [200, 200, 422]
        list(threads.map(lambda _: bank.transfer(amount="0.01"), range(400)))  # faster than events are published
        time.sleep(0.5)  # a timer publishes the number of the skipped ones
        bank.stop()
        stream.result()


@pytest.fixture(scope="module")
def collected(cluster, tmp_path_factory):
    """All answers and events of the server. They are collected once, and the tests below check them."""
    collected = Collected()
    banks = []

    def start(program=None, **settings):
        log = tmp_path_factory.mktemp("bank") / "log"
        banks.append(bank_module.Bank(cluster, cluster.new_database(), log, settings, program or bank_module.PROGRAM))
        return banks[-1].until_healthy()

    try:
        with concurrent.futures.ThreadPoolExecutor(32) as threads:
            bank = start(**ENVIRONMENT)
            slow = threads.submit(collect_slow_requests, bank, collected)
            collect_successes(bank, collected)
            collect_keys(bank, collected, threads.submit)
            collect_missing_objects(bank, collected)
            collect_malformed_requests(bank, collected)
            collect_unusable_values(bank, collected)
            collect_a_database_too_slow(bank, collected, threads.submit)
            collect_a_database_unavailable(bank, collected)
            slow.result()
            collect_a_database_that_refuses(bank, collected)
            collect_a_replica(start(BANK_API_REPLICA="a"), collected, threads.submit)
            listened = start()
            collect_a_slow_subscriber(listened, collected)
            collect_too_many_subscribers(listened, collected)
            collect_the_events(listened, collected)
            collect_a_missing_token(start(ADMIN_TOKEN="open-sesame"), collected)
            collect_a_full_queue(start(WORKER_THREADS=4, TRANSFER_QUEUE_LIMIT=1), collected, threads.submit)
            collect_a_full_server(start(few_descriptors(tmp_path_factory.mktemp("few")), WORKER_THREADS=4), collected)
        yield collected
    finally:
        stop_all(banks)


def few_descriptors(folder):
    """The program, with descriptors for one connection: 64 are reserved, and one for each of 13 sessions."""
    script = folder / "bank-api"
    script.write_text(f"#!/bin/sh\nulimit -n 78\nexec {shlex.quote(str(bank_module.PROGRAM))}\n")
    script.chmod(0o755)
    return script


def test_answers_are_as_documented(collected):
    wrong = {}
    for method, path, answer in collected.answers:
        for error in document.check(method, path, answer):
            wrong.setdefault((method, path, answer.status, error), answer.body[:200])
    assert wrong == {}


def test_every_documented_answer_came(collected):
    documented = {(method, path, status) for method, path, operation in document.operations()
                  for status in operation["responses"]}
    assert sorted(documented - collected.statuses()) == []


def test_events_are_as_documented(collected):
    schemas = document.event_schemas()
    wrong = {}
    for name, data in collected.events:
        for error in document.errors(schemas[name], data):
            wrong.setdefault((name, error), data)
    assert wrong == {}
    assert sorted(set(name for name, _ in collected.events)) == sorted(schemas)


def general(detail):
    """The detail without the ids, which differ in every run."""
    return re.sub(r"\b[0-9a-f]{8}\b", "ID", detail)


def test_examples_of_problems_are_true(collected):
    """Each is the answer of a real request, word for word."""
    found = {(answer.status, general(answer.json()["detail"])) for _, _, answer in collected.answers
             if answer.headers.get("Content-Type") == "application/problem+json"}
    examples = {name: example["value"] for name, example in document.components["examples"].items()
                if name.startswith("Problem")}
    assert len(examples) > 20
    assert [name for name, value in examples.items()
            if (value["status"], general(value["detail"])) not in found] == []


def test_examples_of_metrics_are_true(collected):
    pages = "\n".join(answer.text() for _, path, answer in collected.answers if path == "/metrics" and answer.status == 200)
    for name in ("Metrics", "MetricsOpen"):
        for line in document.components["examples"][name]["value"].splitlines():
            assert (line if line.startswith("#") else line.rsplit(" ", 1)[0]) in pages, line


def test_head_is_answered_wherever_get_is(bank):
    for method, path in OPERATIONS:
        if method == "GET" and path != "/events":
            target = TARGETS.get(path, path)
            get, head = bank.get(target), bank.request("HEAD", target)
            assert (head.status, head.body) == (get.status, b""), path
            assert sorted(head.headers.keys()) == sorted(get.headers.keys()), path
