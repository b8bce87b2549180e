"""Each unit of work is a span, in the trace of its application."""

import os

import psycopg2
import pytest
from application import make_accounts, paid_out, put_back
from collector import Collector
from proxy import eventually


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.stop()


@pytest.fixture
def start(start_proxy, collector, cluster, database):
    """A proxy that exports. It needs no HTTP side for that."""
    make_accounts(cluster, database)
    put_back(cluster, database)

    def start_exporting(*options, **settings):
        return start_proxy(*options, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
                                                  "OTEL_BSP_SCHEDULE_DELAY": "20", **settings})

    return start_exporting


def context():
    return os.urandom(16).hex(), os.urandom(8).hex()


def test_a_unit_is_a_span_of_its_application(start, collector, database):
    trace, parent = context()
    comment = f"/*traceparent='00-{trace}-{parent}-01'*/"
    proxy = start()
    with psycopg2.connect(proxy.url(database)) as session, session.cursor() as cursor:
        cursor.execute(f"SELECT balance FROM accounts {comment}")
        cursor.execute("UPDATE accounts SET balance = 1")
    session.close()
    [span] = eventually(lambda: [each for each in collector.spans() if "UPDATE" in each.name])
    assert span.name == "SELECT accounts UPDATE accounts" and span.kind == 3 and span.end > span.start
    assert span.resource["service.name"] == "race-proxy"
    assert span.attributes == {
        "db.system.name": "postgresql", "db.namespace": database, "db.query.summary": span.name,
        "db.operation.batch.size": 4, "race_proxy.unit": 1, "race_proxy.session": 1, "race_proxy.transaction": True,
        "race_proxy.backend_pid": span.attributes["race_proxy.backend_pid"], "race_proxy.end": "committed"}


def test_statements_outside_of_transactions_join_their_traces(start, collector, database):
    """A pool gives one session to two requests, one after the other."""
    requests = [context(), context()]
    proxy = start()
    session = psycopg2.connect(proxy.url(database))
    session.autocommit = True
    with session.cursor() as cursor:
        for trace, parent in requests:
            cursor.execute(f"SELECT balance FROM accounts /*traceparent='00-{trace}-{parent}-01'*/")
            with pytest.raises(psycopg2.Error):
                cursor.execute(f"SELECT missing FROM accounts /*traceparent='00-{trace}-{parent}-01'*/")
    session.close()
    spans = eventually(lambda: (found := collector.spans()) and len(found) == 2 and found)
    assert {(span.trace_id, span.parent) for span in spans} == set(requests)
    assert all(span.attributes["error.type"] == "42703" and span.status["code"] == 2 for span in spans)


def test_an_unsampled_trace_is_not_exported(start, collector, database):
    trace, parent = context()
    proxy = start()
    session = psycopg2.connect(proxy.url(database))
    session.autocommit = True
    with session.cursor() as cursor:
        cursor.execute(f"SELECT 1 /*traceparent='00-{trace}-{parent}-00'*/")
        cursor.execute("SELECT balance FROM accounts")
    session.close()
    [span] = eventually(collector.spans)
    assert span.name == "SELECT accounts" and span.trace_id != trace and span.parent is None


def test_a_race_links_its_two_spans(start, collector, database):
    proxy = start("--find", "--force")
    if proxy.lines("Built without libpg_query"):
        pytest.skip("the build has no libpg_query")
    psycopg2.connect(proxy.url(database)).close()
    eventually(lambda: proxy.lines(f"Database {database}: "))
    assert paid_out(proxy.url(database)) == 2
    units = eventually(lambda: (found := [each for each in collector.spans() if "UPDATE" in each.name])
                       and len(found) == 2 and found)
    found = [span for span in units if span.attributes.get("race_condition.detected")]
    assert found and found[-1].attributes["race_condition.kind"] == "lost_update"
    late = next(span for span in found if span.links)
    [other] = [span for span in units if span is not late]
    assert late.links == [(other.trace_id, other.id)]
    holds = [span for span in collector.spans() if span.name == "race_proxy.hold"]
    assert {span.parent for span in holds} == {span.id for span in units}
    assert {span.attributes["race_proxy.hold.ending"] for span in holds} == {"complete"}
