"""Traces: the export to a real OTLP receiver, field by field; the kept traces; the effects of a bad collector."""

import re

import pytest

from client import together
from collector import exported
from pace import HANG_GUARD, eventually

pytestmark = pytest.mark.race  # the exporter is a thread of its own, so ThreadSanitizer runs it too

SERVER, INTERNAL, CLIENT = 2, 1, 3
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PARENT_UNSAMPLED = PARENT[:-2] + "00"


def one(spans, name):
    found = [span for span in spans if span.name == name]
    assert len(found) == 1, f"{len(found)} spans {name} in {spans}"
    return found[0]


def race(bank):
    """Two transfers through the barrier; returns the winner's and the loser's record."""
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
    """The collector hangs: transfers are served, the queue stays bounded, the program still ends."""
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
    """The exporter does not wait so long; it makes its next attempts at its own times."""
    collector.answers = [(503, {"Retry-After": delay}, "")]
    bank = start_traced(OTEL_BSP_EXPORT_TIMEOUT=600000)
    trace = bank.transfer("alice", "bob", "1").json()["trace_id"]
    collector.until_trace(trace)
    assert exported(bank)[1] == 0


def test_a_retry_after_is_honoured_beyond_the_batch(start_traced, collector):
    """The batch has no time left for it and is dropped, but the next batch waits as long as the collector asks for."""
    collector.answers = [(503, {"Retry-After": "3"}, "")]
    bank = start_traced(OTEL_BSP_EXPORT_TIMEOUT=1000)
    bank.transfer("alice", "bob", "1")
    eventually(lambda: exported(bank)[1] > 0, "the first batch is dropped")
    collector.until_trace(bank.transfer("alice", "bob", "1").json()["trace_id"])
    first, second = collector.times
    assert second - first >= 3
    assert "the collector answered 503 and asks to wait 3 s" in bank.log()


def test_a_retry_after_of_an_hour(start_traced, collector):
    """There is no request before the time is over, except the last one: the shutdown does not wait."""
    collector.answers = [(429, {"Retry-After": "3600"}, "")]
    bank = start_traced(OTEL_BSP_EXPORT_TIMEOUT=600000)
    bank.transfer("alice", "bob", "1")
    eventually(lambda: exported(bank)[1] > 0, "the first batch is dropped")
    trace = bank.transfer("alice", "bob", "1").json()["trace_id"]
    assert len(collector.requests) == 1
    bank.stop()
    assert one(collector.trace(trace), "transfer")


def test_the_shutdown_ends_a_pause_between_attempts(start_traced, collector):
    """The waiting batch is sent once more, like the spans in the queue."""
    collector.answers = [(503, {"Retry-After": "500"}, "")]
    bank = start_traced(OTEL_BSP_EXPORT_TIMEOUT=600000)
    trace = bank.transfer("alice", "bob", "1").json()["trace_id"]
    eventually(lambda: collector.requests, "the first attempt")
    bank.stop()
    assert len(collector.requests) == 2 and collector.trace(trace)
    assert "Dropped" not in bank.log()


def test_a_request_timeout_ends_an_attempt(start_traced, collector):
    collector.hang.set()
    bank = start_traced(OTEL_EXPORTER_OTLP_TIMEOUT=50, OTEL_BSP_EXPORT_TIMEOUT=100)
    bank.transfer("alice", "bob", "1")
    eventually(lambda: exported(bank)[1] > 0, "given up")
    assert "no answer from the collector" in bank.log()


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


def test_the_trace_of_a_batch_that_met_a_held_row(start_traced, collector, background):
    """Its trace has the statement that gave up on the row, and the statements that ran when the row was free."""
    bank = start_traced()
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        sent = background(bank.transfer, "alice", "bob", 1, "batched")
        eventually(lambda: bank.rows("SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock' "
                                     "AND now() - query_start > interval '100 ms'", bank.database),
                   "a transfer waits alone for the row")
        session.rollback()
    spans = collector.until_trace(sent.result(HANG_GUARD).json()["trace_id"])
    statements = sorted((span for span in spans if span.kind == CLIENT), key=lambda span: span.start)
    codes = [(span.name, span.attributes.get("db.response.status_code")) for span in statements]
    assert ("UPDATE accounts", "55P03") in codes
    assert [code for code in codes if "set_config" not in code][-4:] == [
        ("BEGIN", None), ("SELECT accounts", None), ("UPDATE accounts", None), ("COMMIT", None)]


def assert_the_database_is_named(bank, spans):
    statements = [span for span in spans if span.kind == CLIENT]
    assert {span.attributes.get("db.namespace") for span in statements} == {bank.database}


def test_the_statements_of_a_batch_name_the_database(start_traced, collector):
    bank = start_traced()
    record = bank.transfer("alice", "bob", "1", "batched").json()
    assert_the_database_is_named(bank, collector.until_trace(record["trace_id"]))


def test_the_statements_of_a_lost_connection_name_the_database(start_traced, collector, background):
    bank = start_traced()
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        sent = background(bank.transfer, "alice", "bob", 1, "vulnerable")
        eventually(lambda: bank.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                     "WHERE datname = %s AND wait_event_type = 'Lock'", bank.database),
                   "a write waits for the row, and its session is ended")
        problem = sent.result(HANG_GUARD).json()
    assert problem["status"] == 504
    assert_the_database_is_named(bank, collector.until_trace(problem["trace_id"]))


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
        assert_the_database_is_named(bank, spans)
        transfer = one(spans, "transfer")
        assert transfer.attributes["transfer.id"] == record["id"]
        assert transfer.attributes["transfer.strategy"] == "batched"
        posted = [span for span in spans if span.name == "UPDATE accounts"
                  and "db.response.status_code" not in span.attributes]  # without the attempt that gave up on the row
        assert [span.parent for span in posted] == [transfer.id]  # the one statement that posted all of them
