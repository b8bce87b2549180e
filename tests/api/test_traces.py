"""Traces: what reaches a real OTLP receiver, field by field; which traces are kept; what a bad collector does."""

import re
import ssl
import subprocess

import pytest

from bank import run_to_the_end
from client import together
from collector import Collector
from pace import HANG_GUARD, eventually
from wire import request_bytes

pytestmark = pytest.mark.race  # the exporter is a thread of its own: ThreadSanitizer watches it

SERVER, INTERNAL, CLIENT = 2, 1, 3
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PARENT_UNSAMPLED = PARENT[:-2] + "00"


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.stop()


@pytest.fixture
def start_traced(start_bank, collector):
    """A bank that exports to the collector, quickly."""
    return lambda **settings: start_bank(**{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
                                            "OTEL_BSP_SCHEDULE_DELAY": 20, **settings})


def one(spans, name):
    found = [span for span in spans if span.name == name]
    assert len(found) == 1, f"{len(found)} spans {name} in {spans}"
    return found[0]


def race(bank):
    """Two transfers through the barrier; the winner's and the loser's record."""
    bank.set(barrier_enabled=True, barrier_count=2)
    answers = together(lambda: bank.transfer("alice", "bob", "800"), lambda: bank.transfer("alice", "charlie", "800"))
    return sorted((answer.json() for answer in answers), key=lambda record: record["race_detected"])


def test_a_transfer_field_by_field(start_traced, collector):
    bank = start_traced(OTEL_SERVICE_NAME="teller", OTEL_RESOURCE_ATTRIBUTES="deployment.environment=a%20lab,x=1")
    bank.set(use_transactions=True, delay_enabled=True, delay_ms=5)
    with bank.client() as client:
        body = '{"from_account": "alice", "to_account": "bob", "amount": 12.34}'
        answer = client.request("POST", "/transfer", body, {
            "Content-Type": "application/json", "traceparent": PARENT, "User-Agent": "tester/1"})
    record = answer.json()
    assert record["trace_id"] == PARENT.split("-")[1]
    spans = collector.until_trace(record["trace_id"])

    path, headers, envelope = collector.requests[0]
    assert (path, headers["Content-Type"], headers["Content-Encoding"]) == ("/v1/traces", "application/json", "gzip")
    assert spans[0].resource["service.name"] == "teller"
    assert spans[0].resource["deployment.environment"] == "a lab"
    assert envelope["resourceSpans"][0]["scopeSpans"][0]["scope"]["name"] == "bank-api"
    for span in spans:
        assert re.fullmatch("[0-9a-f]{32}", span.trace_id) and re.fullmatch("[0-9a-f]{16}", span.id)
        assert span.start <= span.end
    assert len({span.id for span in spans}) == len(spans)

    server = one(spans, "POST /transfer")
    assert (server.kind, server.parent, server.status) == (SERVER, PARENT.split("-")[2], {})
    assert answer.headers["traceparent"] == f"00-{server.trace_id}-{server.id}-01"
    assert server.attributes == {
        "http.request.method": "POST", "url.scheme": "http", "url.path": "/transfer", "http.route": "/transfer",
        "network.protocol.version": "1.1", "server.address": "127.0.0.1", "client.address": "127.0.0.1",
        "user_agent.original": "tester/1", "http.response.status_code": 200}

    transfer = one(spans, "transfer")
    assert (transfer.kind, transfer.parent, transfer.links) == (INTERNAL, server.id, [])
    assert transfer.attributes == {
        "transfer.id": record["id"], "transfer.from_account": "alice", "transfer.to_account": "bob",
        "transfer.amount": 12.34, "transfer.from_balance_before": 1000.0, "transfer.from_balance_after": 987.66,
        "transfer.to_balance_after": 512.34, "transfer.thread_id": record["thread_id"], "transfer.using_locks": True,
        "transfer.strategy": "for_update", "transfer.status": "success"}
    assert server.start <= transfer.start and transfer.end <= server.end

    assert one(spans, "debug.delay").parent == transfer.id
    statements = [span for span in spans if span.kind == CLIENT and "set_config" not in span.attributes["db.query.text"]]
    assert [span.name for span in sorted(statements, key=lambda span: span.start)] == [
        "BEGIN", "SELECT accounts", "UPDATE accounts", "COMMIT"]
    for span in statements:
        assert span.parent == transfer.id and span.attributes["db.system.name"] == "postgresql"
        assert span.attributes["db.namespace"] == bank.database
        assert span.attributes["db.operation.name"] == span.name.split()[0]
    locking = one(statements, "SELECT accounts")
    assert locking.attributes["db.collection.name"] == "accounts"
    assert "$1" in locking.attributes["db.query.text"] and "alice" not in locking.attributes["db.query.text"]


TRACE = "12345678901234567890123456789012"
SPAN = "1234567890123456"
GIVEN = f"00-{TRACE}-{SPAN}-01"
FUTURE = f"cc-{TRACE}-{SPAN}-01"

# The cases of the W3C's own suite (github.com/w3c/trace-context, test/test.py): header lines, and whether the trace goes
# on. A trace that does not go on is a new one. Left out: test_multiple_requests_*, because the bank calls nobody.
TRACEPARENTS = {
    "none": ([], False),
    "one": ([f"traceparent: {GIVEN}"], True),
    "twice, differently": ([f"traceparent: {GIVEN}", f"traceparent: {GIVEN.replace('1234', '1235', 1)}"], False),
    "twice, the same": ([f"traceparent: {GIVEN}", f"traceparent: {GIVEN}"], False),
    "three times": ([f"traceparent: {GIVEN}"] * 3, False),
    "twice, a later version with more behind it": ([f"traceparent: {FUTURE}-x"] * 2, False),
    "two in one line": ([f"traceparent: {GIVEN},{GIVEN}"], False),
    "a dash in the name": ([f"trace-parent: {GIVEN}"], False),
    "a dot in the name": ([f"trace.parent: {GIVEN}"], False),
    "TraceParent": ([f"TraceParent: {GIVEN}"], True),
    "TrAcEpArEnT": ([f"TrAcEpArEnT: {GIVEN}"], True),
    "TRACEPARENT": ([f"TRACEPARENT: {GIVEN}"], True),
    "version 00 and a dot": ([f"traceparent: {GIVEN}."], False),
    "version 00 and more": ([f"traceparent: {GIVEN}-what-the-future-will-be-like"], False),
    "version cc": ([f"traceparent: {FUTURE}"], True),
    "version cc and more": ([f"traceparent: {FUTURE}-what-the-future-will-be-like"], True),
    "version cc and a dot": ([f"traceparent: {FUTURE}.what-the-future-will-be-like"], False),
    "version ff": ([f"traceparent: ff{GIVEN[2:]}"], False),
    "a dot first in the version": ([f"traceparent: .0{GIVEN[2:]}"], False),
    "a dot last in the version": ([f"traceparent: 0.{GIVEN[2:]}"], False),
    "a version of three": ([f"traceparent: 000{GIVEN[2:]}"], False),
    "a version of four": ([f"traceparent: 0000{GIVEN[2:]}"], False),
    "a version of one": ([f"traceparent: 0{GIVEN[2:]}"], False),
    "a trace id of zeros": ([f"traceparent: 00-{'0' * 32}-{SPAN}-01"], False),
    "a dot first in the trace id": ([f"traceparent: 00-.{TRACE[1:]}-{SPAN}-01"], False),
    "a dot last in the trace id": ([f"traceparent: 00-{TRACE[:-1]}.-{SPAN}-01"], False),
    "a trace id of 33": ([f"traceparent: 00-{TRACE}3-{SPAN}-01"], False),
    "a trace id of 31": ([f"traceparent: 00-{TRACE[:-1]}-{SPAN}-01"], False),
    "a trace id in capitals": ([f"traceparent: 00-{'A' * 32}-{SPAN}-01"], False),
    "a span id of zeros": ([f"traceparent: 00-{TRACE}-{'0' * 16}-01"], False),
    "a dot first in the span id": ([f"traceparent: 00-{TRACE}-.{SPAN[1:]}-01"], False),
    "a dot last in the span id": ([f"traceparent: 00-{TRACE}-{SPAN[:-1]}.-01"], False),
    "a span id of 17": ([f"traceparent: 00-{TRACE}-{SPAN}7-01"], False),
    "a span id of 15": ([f"traceparent: 00-{TRACE}-{SPAN[:-1]}-01"], False),
    "a dot first in the flags": ([f"traceparent: 00-{TRACE}-{SPAN}-.0"], False),
    "a dot last in the flags": ([f"traceparent: 00-{TRACE}-{SPAN}-0."], False),
    "flags of three": ([f"traceparent: 00-{TRACE}-{SPAN}-001"], False),
    "flags of one": ([f"traceparent: 00-{TRACE}-{SPAN}-1"], False),
    "flags nobody knows": ([f"traceparent: 00-{TRACE}-{SPAN}-ff"], True),
    "a blank before it": ([f"traceparent:  {GIVEN}"], True),
    "a tab before it": ([f"traceparent:\t{GIVEN}"], True),
    "a blank behind it": ([f"traceparent: {GIVEN} "], True),
    "a tab behind it": ([f"traceparent: {GIVEN}\t"], True),
    "blanks and tabs around it": ([f"traceparent: \t {GIVEN} \t"], True),
    "empty": (["traceparent:"], False),
    "very long": ([f"traceparent: {'0' * 12000}"], False),
    "a tab inside": ([f"traceparent: 00\t{GIVEN[3:]}"], False),
    "bytes beyond ASCII": (["traceparent: \u00e9\u20ac"], False),
}

KEY = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
VALUE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",=")
MEMBERS = [f"bar{number:02}={number:02}" for number in range(1, 34)]
LINES = [",".join(MEMBERS[start:start + 10]) for start in range(0, 30, 10)]

# The same suite's cases of tracestate, beside a traceparent that is good: values of its lines, and what the spans carry.
TRACESTATES = {
    "one line": (["foo=1,bar=2"], "foo=1,bar=2"),
    "empty": ([""], None),
    "empty behind another": (["foo=1", ""], "foo=1"),
    "empty before another": (["", "foo=1"], "foo=1"),
    "three lines": (["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
    "a key twice, the same": (["foo=1,foo=1"], None),
    "a key twice, differently": (["foo=1,foo=2"], None),
    "a key twice, in two lines": (["foo=1", "foo=1"], None),
    "a key twice, differently, in two lines": (["foo=1", "foo=2"], None),
    "every character": ([f"{KEY}={VALUE}"], f"{KEY}={VALUE}"),
    "every character and a tenant": ([f"{KEY}@a-z0-9_-*/={VALUE}"], f"{KEY}@a-z0-9_-*/={VALUE}"),
    "blanks and tabs": (["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
    "tabs and blanks": (["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
    "a blank before it": ([" foo=1"], "foo=1"),
    "a tab before it": (["\tfoo=1"], "foo=1"),
    "a blank behind it": (["foo=1 "], "foo=1"),
    "a tab behind it": (["foo=1\t"], "foo=1"),
    "blanks around it": (["\t foo=1 \t"], "foo=1"),
    "a blank in a key": (["foo =1"], None),
    "capitals in a key": (["FOO=1"], None),
    "a dot in a key": (["foo.bar=1"], None),
    "a key that starts with a digit": (["1foo=1"], None),
    "a tenant that starts with a digit": (["1foo@bar=1"], "1foo@bar=1"),
    "no system": (["foo@=1,bar=2"], None),
    "no tenant": (["@foo=1,bar=2"], None),
    "two @": (["foo@@bar=1,bar=2"], None),
    "two systems": (["foo@bar@baz=1,bar=2"], None),
    "32 members": ([*LINES, ",".join(MEMBERS[30:32])], ",".join(MEMBERS[:32])),
    "33 members": ([*LINES, ",".join(MEMBERS[30:33])], None),
    "a key of 256": (["foo=1", "z" * 256 + "=1"], "foo=1," + "z" * 256 + "=1"),
    "a key of 257": (["foo=1", "z" * 257 + "=1"], None),
    "a tenant of 241": (["foo=1", "t" * 241 + "@" + "v" * 14 + "=1"], "foo=1," + "t" * 241 + "@" + "v" * 14 + "=1"),
    "a tenant of 242": (["foo=1", "t" * 242 + "@v=1"], None),
    "a system of 15": (["foo=1", "t@" + "v" * 15 + "=1"], None),
    "a value of 256": (["foo=" + "v" * 256], "foo=" + "v" * 256),
    "a value of 257": (["foo=" + "v" * 257], None),
    "two equals signs": (["foo=bar=baz"], None),
    "no value": (["foo=,bar=3"], None),
    "no equals sign": (["foo"], None),
    "a tab in a value": (["foo=a\tb"], None),
    "bytes beyond ASCII": (["foo=\u00e9"], None),
    "a hundred lines": ([f"k{number}=1" for number in range(100)], None),
    "a hundred empty lines": ([""] * 99 + ["foo=1"], "foo=1"),
}


def send_traced(wire, *lines):
    """A transfer of a cent with these header lines; its answer, which must be a record."""
    body = b'{"from_account": "alice", "to_account": "bob", "amount": 0.01}'
    answer = wire.send(request_bytes("POST", "/transfer", "Content-Type: application/json", *lines, body=body)).answer()
    assert answer.status == 200, (lines, answer)
    return answer


def test_the_w3c_cases_of_traceparent(bank):
    wrong = []
    with bank.wire() as wire:
        for name, (lines, goes_on) in TRACEPARENTS.items():
            answer = send_traced(wire, *lines)
            version, trace_id, span_id, flags = answer.headers["traceparent"].split("-")
            assert re.fullmatch("00 [0-9a-f]{32} [0-9a-f]{16} 0[01]", f"{version} {trace_id} {span_id} {flags}"), name
            assert trace_id == answer.json()["trace_id"] and trace_id != "0" * 32 and span_id not in (SPAN, "0" * 16)
            wrong += [] if (trace_id == TRACE) is goes_on else [name]
    assert wrong == []


def test_the_w3c_cases_of_tracestate(start_traced, collector):
    """Every span of the trace carries it; a list that breaks a rule is dropped as a whole."""
    bank = start_traced()
    sent = {}
    with bank.wire() as wire:
        for name, (values, _) in TRACESTATES.items():
            number = len(sent) + 1
            send_traced(wire, f"traceparent: 00-{number:032x}-{SPAN}-01", *[f"TraceState: {value}" for value in values])
            sent[name] = f"{number:032x}"
        alone = send_traced(wire, "tracestate: foo=1").json()["trace_id"]
        malformed = send_traced(wire, "traceparent: 00", "tracestate: foo=1").json()["trace_id"]
        misnamed = "f" * 32
        send_traced(wire, f"traceparent: 00-{misnamed}-{SPAN}-01", "trace-state: foo=1", "trace.state: foo=1")
    bank.stop()  # flushes
    carried = {name: {span.raw.get("traceState") for span in collector.trace(trace)} for name, trace in sent.items()}
    assert {name: state for name, state in carried.items() if state != {TRACESTATES[name][1]}} == {}
    for trace in (alone, malformed, misnamed):
        assert {span.raw.get("traceState") for span in collector.trace(trace)} == {None}


@pytest.mark.parametrize("name", ["traceparent", "tracestate", "baggage", "b3", "X-B3-TraceId", "uber-trace-id",
                                  "X-Amzn-Trace-Id", "X-Cloud-Trace-Context", "grpc-trace-bin", "sentry-trace"])
def test_a_header_that_only_observes_never_costs_a_request(bank, name):
    values = ["", ",", "0", "%00%ff", "a" * 12000, "\t\t\t", "=;,@", "\u20ac" * 100, "a=1;b=2,c=%zz", "00-00-00-00"]
    with bank.wire() as wire:
        for value in values:
            send_traced(wire, f"{name}: {value}")
            assert wire.send(request_bytes("GET", "/health", f"{name}: {value}")).answer().status == 200
        for value in values[:4] + values[5:]:
            send_traced(wire, *[f"{name}: {value}"] * 20)
        send_traced(wire, *[f"{name}: a=1"] * 500)
        wire.send_what_is_taken(request_bytes("GET", "/health", *[f"{name}: {'a' * 1000}"] * 17))
        assert wire.answer().status == 431  # the size of all headers, whatever they are


def test_racers_link_to_each_other(start_traced, collector):
    bank = start_traced()
    winner, loser = race(bank)
    spans = {record["id"]: collector.until_trace(record["trace_id"]) for record in (winner, loser)}
    won, lost = one(spans[winner["id"]], "transfer"), one(spans[loser["id"]], "transfer")
    assert won.links == [(lost.trace_id, lost.id)] and lost.links == [(won.trace_id, won.id)]
    assert "race_condition.detected" not in won.attributes
    assert lost.attributes["race_condition.detected"] is True
    assert lost.attributes["race_condition.negative_balance"] is True
    waits = one(spans[loser["id"]], "barrier.wait")
    assert waits.attributes == {"barrier.parties": 2, "barrier.outcome": "released"}


def test_no_race_is_reported_with_the_fix(start_traced, collector):
    bank = start_traced()
    bank.set(use_transactions=True)
    for record in race(bank):
        transfer = one(collector.until_trace(record["trace_id"]), "transfer")
        assert "race_condition.detected" not in transfer.attributes and len(transfer.links) == 1


@pytest.mark.parametrize("sampler, argument, parent, kept", [
    (None, None, None, True), (None, None, PARENT_UNSAMPLED, False), ("always_on", None, PARENT_UNSAMPLED, True),
    ("always_off", None, PARENT, False), ("traceidratio", "0", PARENT, False), ("traceidratio", "1", None, True),
    ("parentbased_always_off", None, None, False), ("parentbased_always_off", None, PARENT, True),
    ("parentbased_traceidratio", "0", None, False), ("parentbased_traceidratio", "0", PARENT, True)])
def test_samplers(start_traced, collector, sampler, argument, parent, kept):
    settings = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    bank = start_traced(**{name: value for name, value in settings.items() if value is not None})
    with bank.client() as client:
        headers = {"Content-Type": "application/json", **({"traceparent": parent} if parent else {})}
        answer = client.request("POST", "/transfer", '{"from_account":"alice","to_account":"bob","amount":1}', headers)
    assert answer.headers["traceparent"].endswith("-01" if kept else "-00")
    bank.stop()  # flushes
    assert bool(collector.trace(answer.json()["trace_id"])) is kept


def test_a_trace_that_raced_is_kept_whatever_the_sampler_says(start_traced, collector):
    bank = start_traced(OTEL_TRACES_SAMPLER="always_off")
    _, loser = race(bank)
    bank.stop()
    assert {span.trace_id for span in collector.spans()} == {loser["trace_id"]}


def test_a_ratio_keeps_about_its_share(start_traced, collector):
    bank = start_traced(OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.25")
    with bank.client() as client:
        for _ in range(400):
            client.transfer("alice", "bob", "0.01")
    bank.stop()
    assert 50 < len({span.trace_id for span in collector.spans()}) < 160


def test_a_failed_transfer(start_traced, collector):
    bank = start_traced()
    problem = bank.transfer("alice", "nobody", "1").json()
    assert problem["status"] == 404
    spans = collector.until_trace(problem["trace_id"])
    assert one(spans, "POST /transfer").attributes["http.response.status_code"] == 404
    assert one(spans, "POST /transfer").status == {}
    assert one(spans, "transfer").attributes["transfer.status"] == "error"


def test_a_transfer_without_a_database(start_traced, collector, cluster):
    bank = start_traced(ready=False, DATABASE_URL=cluster.url("no_such_database")).until_serving()
    problem = bank.transfer("alice", "bob", "1").json()
    server = one(collector.until_trace(problem["trace_id"]), "POST /transfer")
    assert server.attributes["error.type"] == "503" and server.status == {"code": 2}


def test_exemplars(start_traced):
    bank = start_traced()
    _, loser = race(bank)
    page = bank.get("/metrics", Accept="application/openmetrics-text").text()
    assert re.search(r'race_condition_hits_total{strategy="vulnerable"} 1 # {trace_id="%s"} 1 \d+' % loser["trace_id"],
                     page)
    assert re.search(r'transfer_duration_seconds_bucket{.*} \d # {trace_id="[0-9a-f]{32}"} 0\.\d+ \d+', page)
    assert "# {" not in bank.get("/metrics").text()


def exported(bank):
    return bank.metric("otel_spans_exported_total"), bank.metric("otel_spans_dropped_total")


def test_retry_when_the_collector_asks_for_it(start_traced, collector):
    collector.answers = [(503, {"Retry-After": "1"}, ""), (429, {}, "")]
    bank = start_traced()
    trace_id = bank.transfer("alice", "bob", "1").json()["trace_id"]
    eventually(lambda: len(collector.requests) == 3 and collector.trace(trace_id), "the third attempt")
    eventually(lambda: exported(bank)[0] > 0, "counted as exported")
    assert exported(bank)[1] == 0


@pytest.mark.parametrize("status", [400, 404, 413, 500])
def test_no_retry_when_it_would_not_help(start_traced, collector, status):
    collector.answers = [(status, {}, "")]
    bank = start_traced()
    bank.transfer("alice", "bob", "1")
    eventually(lambda: exported(bank)[1] > 0, "counted as dropped")
    assert exported(bank)[0] == 0 and len(collector.requests) == 1
    assert "Dropped" in bank.log()


def test_spans_the_collector_rejects_are_dropped(start_traced, collector):
    collector.answers = [(200, {}, '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}')]
    bank = start_traced()
    bank.transfer("alice", "bob", "1")
    eventually(lambda: exported(bank)[1] == 2, "two dropped")
    assert exported(bank)[0] > 0 and len(collector.requests) == 1 and "too old" in bank.log()


def test_a_queue_that_is_full_drops(start_traced, collector):
    """A collector that hangs: transfers go on, the queue stays bounded, the program still ends."""
    collector.hang.set()
    bank = start_traced(OTEL_BSP_MAX_QUEUE_SIZE=64, OTEL_BSP_MAX_EXPORT_BATCH_SIZE=16)
    with bank.client() as client:
        for _ in range(60):
            assert client.transfer("alice", "bob", "0.01").status == 200
    assert exported(bank)[0] == 0 and exported(bank)[1] > 100
    bank.stop()


def test_a_queue_as_small_as_a_batch_loses_nothing(start_traced, collector):
    """The exporter wakes before the queue is full, long before the schedule."""
    bank = start_traced(OTEL_BSP_MAX_QUEUE_SIZE=512, OTEL_BSP_SCHEDULE_DELAY=60000)
    with bank.client() as client:
        for _ in range(3):
            before = sum(exported(bank))
            for _ in range(43):  # 301 spans: more than half of the queue, and less than all of it
                assert client.transfer("alice", "bob", "0.01").status == 200
            eventually(lambda: sum(exported(bank)) > before, "a batch without the schedule")
    bank.stop()
    assert len({span.trace_id for span in collector.spans()}) == 129
    assert "Dropped" not in bank.log()


@pytest.mark.parametrize("queue", [1, 4])
def test_a_trace_larger_than_the_queue_leaves(start_traced, collector, queue):
    bank = start_traced(OTEL_BSP_MAX_QUEUE_SIZE=queue, OTEL_BSP_SCHEDULE_DELAY=60000)
    for _ in range(2):
        trace_id = bank.transfer("alice", "bob", "1").json()["trace_id"]
        spans = collector.until_trace(trace_id)
        assert one(spans, "transfer") and one(spans, "POST /transfer") and len(spans) > queue


def test_what_a_full_queue_drops_is_logged_but_not_each_time(start_traced, collector):
    collector.hang.set()
    bank = start_traced(OTEL_BSP_MAX_QUEUE_SIZE=16)
    with bank.client() as client:
        for _ in range(60):
            assert client.transfer("alice", "bob", "0.01").status == 200
    _, dropped = exported(bank)
    lines = [line for line in bank.log().splitlines() if "Dropped" in line]
    assert dropped > 100 and 1 <= len(lines) < 10, lines
    assert "the queue was full (OTEL_BSP_MAX_QUEUE_SIZE)" in lines[0]
    bank.stop()
    logged = [int(number) for number in re.findall(r"Dropped (\d+) spans: the queue was full", bank.log())]
    assert sum(logged) == dropped, "every dropped span is in one of the lines"


@pytest.mark.parametrize("rejected, dropped", [('"-1"', 0), ("-1", 0), ('"many"', 0), ("1e400", 0), ('"2"', 2)])
def test_a_number_of_rejected_spans_that_cannot_be(start_traced, collector, rejected, dropped):
    collector.answers = [(200, {}, '{"partialSuccess":{"rejectedSpans":%s}}' % rejected)]
    bank = start_traced()
    bank.transfer("alice", "bob", "1")
    eventually(lambda: sum(exported(bank)) > 0, "counted")
    assert exported(bank)[1] == dropped


@pytest.mark.parametrize("rejected", ["99999999999999999999", '"18446744073709551617"', "1e300"])
def test_more_rejected_spans_than_were_sent(start_traced, collector, rejected):
    collector.answers = [(200, {}, '{"partialSuccess":{"rejectedSpans":%s}}' % rejected)]
    bank = start_traced()
    trace = bank.transfer("alice", "bob", "1").json()["trace_id"]
    eventually(lambda: sum(exported(bank)) > 0, "counted")
    assert exported(bank) == (0, len(collector.trace(trace)))


@pytest.mark.parametrize("delay", ["-1", "99999999999999999999999", "soon", "0", "1, 2"])
def test_a_retry_after_that_cannot_be(start_traced, collector, delay):
    """Not waited for; the attempts that follow are the exporter's own."""
    collector.answers = [(503, {"Retry-After": delay}, "")]
    bank = start_traced(OTEL_BSP_EXPORT_TIMEOUT=600000)
    trace = bank.transfer("alice", "bob", "1").json()["trace_id"]
    collector.until_trace(trace)
    assert exported(bank)[1] == 0


ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize("name, value, allowed", [
    *[(ENDPOINT, value, "http://localhost:4318") for value in [
        "localhost:4318", "http://", "http:///v1", "http:/localhost", "http://:4318", "http://localhost:99999",
        "http://localhost:0", "http://localhost:port", "http://localhost:4318 ", " http://localhost:4318",
        "http://local host", "http://localhost/#a", "ftp://localhost", "grpc://localhost:4317", "file:///etc/passwd",
        "unix:///tmp/socket", "/v1/traces", "http://[::1"]],
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost:4318", "http://localhost:4318"),
    ("OTEL_SDK_DISABLED", "1", "true or false"), ("OTEL_SDK_DISABLED", "yes", "true or false"),
    ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"), ("OTEL_TRACES_EXPORTER", "otlp,console", "otlp or none"),
    ("OTEL_TRACES_EXPORTER", "jaeger", "otlp or none"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/json"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "http/json"),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc", "http/json"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip or none"),
    ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "deflate", "gzip or none"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "from 1 to 600000"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "from 1 to 600000"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1", "from 1 to 600000"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file", "PEM file"),
    ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/no/such/file", "PEM file"),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/no/such/file", "PEM file"),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/dev/null", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
    ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/dev/null", "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
    ("OTEL_PROPAGATORS", "b3", "tracecontext"), ("OTEL_PROPAGATORS", "tracecontext,jaeger", "tracecontext"),
    ("OTEL_TRACES_SAMPLER", "sometimes", "always_on"), ("OTEL_TRACES_SAMPLER", "parentbased_", "always_on"),
    *[("OTEL_TRACES_SAMPLER_ARG", value, "from 0 to 1") for value in [
        "1.1", "-0.1", "nan", "half", "0x1p-1", " 0.5", "0.5 ", "0,5", "+0.5", "1e999", "infinity", "e", "."]],
    ("OTEL_RESOURCE_ATTRIBUTES", "a", "key=value"), ("OTEL_RESOURCE_ATTRIBUTES", "a=1, =2", "key=value"),
    ("OTEL_RESOURCE_ATTRIBUTES", "a=%zz", "key=value"), ("OTEL_RESOURCE_ATTRIBUTES", "%zz=a", "key=value"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "from 1 to"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0", "from 1 to"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049", "from 1 to 2048, which is OTEL_BSP_MAX_QUEUE_SIZE"),
    ("OTEL_BSP_SCHEDULE_DELAY", "0", "from 1 to"), ("OTEL_BSP_EXPORT_TIMEOUT", "forever", "from 1 to")])
def test_a_variable_that_cannot_be_used_stops_the_start(name, value, allowed):
    """One line that names the variable, the value and what is allowed."""
    outcome = run_to_the_end(**{ENDPOINT: "http://localhost:4318", name: value})
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert f'{name}="{value}" cannot be used: it must be ' in line and allowed in line


@pytest.mark.parametrize("name, value", [
    (ENDPOINT, "http://user:hunter2@localhost:4318"), (ENDPOINT, "http://hunter2@localhost"),
    (ENDPOINT, "http://localhost:4318/?token=hunter2"), ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "api key=hunter2"), ("OTEL_EXPORTER_OTLP_HEADERS", "key=hunter2%0d%0aEvil: 1"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "key=hunter2%"), ("OTEL_EXPORTER_OTLP_HEADERS", "content-type=hunter2"),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "=hunter2")])
def test_a_refused_value_that_may_hold_a_secret_is_not_repeated(name, value):
    outcome = run_to_the_end(**{ENDPOINT: "http://localhost:4318", name: value})
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert line.startswith(f"bank-api: {name} cannot be used: it must be ") and "hunter2" not in line


def test_an_exporter_without_an_endpoint_stops_the_start():
    outcome = run_to_the_end(OTEL_TRACES_EXPORTER="otlp")
    assert outcome.returncode == 2 and ENDPOINT in outcome.stderr


def test_help_names_the_variables_of_tracing():
    said = run_to_the_end("--help").stdout
    for name in ("SDK_DISABLED", "TRACES_EXPORTER", "PROPAGATORS", "EXPORTER_OTLP_ENDPOINT", "EXPORTER_OTLP_HEADERS",
                 "EXPORTER_OTLP_TIMEOUT", "EXPORTER_OTLP_COMPRESSION", "EXPORTER_OTLP_PROTOCOL",
                 "EXPORTER_OTLP_CERTIFICATE", "EXPORTER_OTLP_CLIENT_CERTIFICATE", "EXPORTER_OTLP_TRACES_ENDPOINT",
                 "BSP_MAX_QUEUE_SIZE", "BSP_MAX_EXPORT_BATCH_SIZE", "BSP_SCHEDULE_DELAY", "BSP_EXPORT_TIMEOUT"):
        assert f"OTEL_{name}" in said, name
    assert "_CLIENT_KEY" in said and "OTEL_EXPORTER_OTLP_TRACES_..." in said


@pytest.mark.parametrize("switch", [{"OTEL_SDK_DISABLED": "TRUE"}, {"OTEL_TRACES_EXPORTER": "None"},
                                    {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}])
def test_tracing_can_be_switched_off(start_traced, collector, switch):
    bank = start_traced(**switch)
    assert bank.transfer("alice", "bob", "1").headers["traceparent"].endswith("-00")
    bank.stop()
    assert collector.requests == []


def test_the_variables_for_traces_win(start_traced, collector):
    bank = start_traced(**{
        ENDPOINT: "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.endpoint}/own/path",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=general", "OTEL_EXPORTER_OTLP_TRACES_HEADERS":
            "x-key = a%20b%2Cc , X-Empty=", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "NONE", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        "OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "false", "OTEL_TRACES_SAMPLER": "Always_ON"})
    collector.until_trace(bank.transfer("alice", "bob", "1").json()["trace_id"])
    path, headers, _ = collector.requests[0]
    assert path == "/own/path" and headers["x-key"] == "a b,c" and headers["X-Empty"] == ""
    assert "Content-Encoding" not in headers and headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("ending", ["", "/", "/otlp", "/otlp/"])
def test_the_path_is_added_to_the_endpoint(start_traced, collector, ending):
    bank = start_traced(**{ENDPOINT: collector.endpoint + ending})
    collector.until_trace(bank.transfer("alice", "bob", "1").json()["trace_id"])
    assert collector.requests[0][0] == ending.rstrip("/") + "/v1/traces"


@pytest.mark.parametrize("propagators, goes_on", [("tracecontext", True), ("tracecontext,baggage", True),
                                                  ("baggage", False), ("none", False), ("TraceContext", True)])
def test_propagators(start_bank, propagators, goes_on):
    bank = start_bank(OTEL_PROPAGATORS=propagators)
    with bank.wire() as wire:
        assert (send_traced(wire, f"traceparent: {GIVEN}").json()["trace_id"] == TRACE) is goes_on


def test_the_resource(start_traced, collector):
    """Each key once; OTEL_SERVICE_NAME before OTEL_RESOURCE_ATTRIBUTES before what the program says of itself."""
    bank = start_traced(OTEL_RESOURCE_ATTRIBUTES=" service.name = teller,a%2Cb=1 ,a%2cb= 2,service.version=7")
    collector.until_trace(bank.transfer("alice", "bob", "1").json()["trace_id"])
    resource = collector.requests[0][2]["resourceSpans"][0]["resource"]["attributes"]
    assert [(each["key"], each["value"]["stringValue"]) for each in resource] == [
        ("service.name", "teller"), ("service.version", "7"), ("a,b", "2")]


def test_a_request_timeout_ends_an_attempt(start_traced, collector):
    collector.hang.set()
    bank = start_traced(OTEL_EXPORTER_OTLP_TIMEOUT=50, OTEL_BSP_EXPORT_TIMEOUT=100)
    bank.transfer("alice", "bob", "1")
    eventually(lambda: exported(bank)[1] > 0, "given up")
    assert "no answer from the collector" in bank.log()


def certificates(folder):
    """A certificate authority and a certificate of it for localhost, made by openssl."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Lab authority", "-days", "2")
    openssl("req", *key, "-keyout", "own.key", "-out", "own.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    openssl("x509", "-req", "-in", "own.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "own.pem")


def test_certificates(start_traced, tmp_path):
    """TLS with an authority of its own, both ways; without the authority's file nothing is sent."""
    certificates(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    tls.load_cert_chain(tmp_path / "own.pem", tmp_path / "own.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    secure = Collector(tls)
    try:
        files = {"OTEL_EXPORTER_OTLP_CERTIFICATE": tmp_path / "ca.pem",
                 "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": tmp_path / "own.pem",
                 "OTEL_EXPORTER_OTLP_CLIENT_KEY": tmp_path / "own.key"}
        bank = start_traced(**{ENDPOINT: secure.endpoint, **files})
        secure.until_trace(bank.transfer("alice", "bob", "1").json()["trace_id"])
        received = len(secure.requests)
        bank = start_traced(**{ENDPOINT: secure.endpoint, "OTEL_BSP_EXPORT_TIMEOUT": 100})
        bank.transfer("alice", "bob", "1")
        eventually(lambda: exported(bank)[1] > 0, "given up")
        assert len(secure.requests) == received
    finally:
        secure.stop()


def test_no_collector_at_all(start_traced, collector):
    collector.stop()
    bank = start_traced()
    for _ in range(5):
        assert bank.transfer("alice", "bob", "1").status == 200
    bank.stop()
    assert "Dropped" in bank.log()


def test_the_flush_at_the_end(start_traced, collector):
    bank = start_traced(OTEL_BSP_SCHEDULE_DELAY=60000)
    trace_id = bank.transfer("alice", "bob", "1").json()["trace_id"]
    assert collector.requests == []
    bank.stop()
    assert one(collector.trace(trace_id), "transfer")


def test_without_an_endpoint_nothing_is_sampled(bank):
    assert bank.transfer("alice", "bob", "1").headers["traceparent"].endswith("-00")
    assert bank.metric("otel_spans_exported_total") == 0


def test_a_batch_that_met_a_held_row_tells_of_it(start_traced, collector, background):
    """Its trace has the statement that gave up on the row, and those that were run when the row was free."""
    bank = start_traced()
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        sent = background(bank.transfer, "alice", "bob", 1, "batched")
        eventually(lambda: bank.rows("SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock' "
                                     "AND now() - query_start > interval '100 ms'", bank.database),
                   "a patient writer waits for the row")
        session.rollback()
    spans = collector.until_trace(sent.result(HANG_GUARD).json()["trace_id"])
    statements = sorted((span for span in spans if span.kind == CLIENT), key=lambda span: span.start)
    codes = [(span.name, span.attributes.get("db.response.status_code")) for span in statements]
    assert ("UPDATE accounts", "55P03") in codes
    assert [code for code in codes if "set_config" not in code][-4:] == [
        ("BEGIN", None), ("SELECT accounts", None), ("UPDATE accounts", None), ("COMMIT", None)]


def test_each_transfer_of_a_batch_has_a_trace_of_its_own(start_traced, collector, background):
    bank = start_traced()
    bank.set(strategy="batched")
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        sent = [background(bank.transfer, "alice", "bob", "1")]
        bank.until_in_progress(1)
        sent += [background(bank.transfer, "alice", "bob", "1") for _ in range(3)]
        bank.until_queued(3)
        session.rollback()
        records = [each.result().json() for each in sent]
    for record in records:
        spans = collector.until_trace(record["trace_id"])
        transfer = one(spans, "transfer")
        assert transfer.attributes["transfer.id"] == record["id"]
        assert transfer.attributes["transfer.strategy"] == "batched"
        booked = [span for span in spans if span.name == "UPDATE accounts"
                  and "db.response.status_code" not in span.attributes]  # the first transfer gave up on the row before
        assert [span.parent for span in booked] == [transfer.id]  # the one statement that booked all of them
