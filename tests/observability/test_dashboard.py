"""The dashboard after the scenario: every query gives data, every SQL panel gives rows, and exemplars and rows name
traces that exist."""

import pathlib
import re
import time

import psycopg2.errors
import psycopg2.extras
import pytest

from application import make_accounts, paid_out, put_back
from client import together
from dashboard import DASHBOARD, PANELS, datasource_uids, expressions, targets
from prometheus import RATE_INTERVAL

READER = pathlib.Path(__file__).resolve().parents[2] / "compose/postgres/reader.sql"


def two_of_800(bank):
    return together(lambda: bank.transfer("alice", "bob"), lambda: bank.transfer("alice", "charlie"))


@pytest.fixture(scope="module")
def race_proxy(start_race_proxy, cluster):
    """A proxy, and a database for its race."""
    database = cluster.new_database()
    make_accounts(cluster, database)
    put_back(cluster, database)
    proxy = start_race_proxy(database, "--force")
    yield proxy, database
    proxy.stop()
    cluster.give_back(database)


@pytest.fixture(scope="module")
def prometheus(bank, race_proxy, start_prometheus):
    """A Prometheus that scrapes the bank and the proxy."""
    return start_prometheus(bank, proxy_port=race_proxy[0].page_port)


@pytest.fixture(scope="module")
def scenario(bank, prometheus, race_proxy):
    """Runs one transfer, the certain race, and the fix; returns the time of the start. Prometheus has scraped each
    step."""
    start = time.time()
    bank.transfer("alice", "bob", "100")
    bank.post("/reset")
    prometheus.until("sum(race_proxy_statements_total)", lambda statements: statements >= 0)
    proxy, database = race_proxy
    assert paid_out(proxy.url(database)) == 2
    prometheus.until('sum(race_proxy_findings_total{level="proved"})', lambda findings: findings == 1)
    prometheus.until("sum(transfers_total)", lambda transfers: transfers == 1)

    bank.set(barrier_enabled=True, barrier_count=2)
    two_of_800(bank)
    prometheus.until("sum(double_spend_detected_total)", lambda spends: spends == 1)
    prometheus.until('sum(ALERTS{alertstate="firing"})', lambda alerts: alerts >= 1)

    bank.set(use_transactions=True)
    two_of_800(bank)  # both are refused: without a reset the rows of the race stay
    bank.set(barrier_enabled=False)
    bank.transfer("bob", "alice", "800")
    prometheus.until('sum(transfers_total{strategy="for_update"})', lambda transfers: transfers == 3)
    prometheus.until('lab_setting{setting="barrier_enabled"}', lambda enabled: enabled == 0)
    return start


def as_grafana_asks(expression):
    return expression.replace("$__rate_interval", RATE_INTERVAL)


@pytest.mark.parametrize("expression", [pytest.param(asked, id=where) for where, asked in expressions()])
def test_every_prometheus_query_gives_data(prometheus, scenario, expression):
    assert "$" not in as_grafana_asks(expression), "a variable this test does not know"
    assert prometheus.series_since(scenario, as_grafana_asks(expression))


@pytest.mark.parametrize("expression", [pytest.param(target["expr"], id=where)
                                        for where, target in targets("prometheus") if target.get("exemplar")])
def test_exemplars_name_the_traces_of_transfers(bank, prometheus, scenario, expression):
    """Asks for exemplars as Grafana does beside a panel's query."""
    traces = {record["trace_id"] for record in bank.transactions()}
    found = {labels["trace_id"] for labels in prometheus.exemplars_since(scenario, as_grafana_asks(expression))}
    assert found & traces


@pytest.fixture(scope="module")
def reader(bank, cluster):
    """A connection with Grafana's role, which is made as compose makes it."""
    cluster.rows(bank.database, READER.read_text(encoding="utf-8"))
    url = cluster.url(bank.database).replace("user=postgres", "user=lab_reader")
    connection = psycopg2.connect(url, cursor_factory=psycopg2.extras.RealDictCursor)
    connection.autocommit = True
    yield connection
    connection.close()
    cluster.rows(bank.database, "DROP ROLE lab_reader")


def rows_of(reader, query):
    with reader.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.mark.parametrize("query", [pytest.param(target["rawSql"], id=where)
                                   for where, target in targets("grafana-postgresql-datasource")])
def test_every_sql_query_gives_rows(scenario, reader, query):
    assert rows_of(reader, query)


def test_a_double_spend_links_to_its_trace(bank, scenario, reader):
    """The row of the table has the trace id of the racing transfer, and the link contains it."""
    panel = next(panel for panel in PANELS if panel["title"].startswith("Double spends,"))
    (row,) = rows_of(reader, panel["targets"][0]["rawSql"])
    (record,) = [record for record in bank.transactions() if record["id"] == row["transfer_id"]]
    assert row["trace_id"] == record["trace_id"]
    assert re.fullmatch("[0-9a-f]{32}", row["trace_id"])
    properties = next(each["properties"] for each in panel["fieldConfig"]["overrides"]
                      if each["matcher"]["options"] == "trace_id")
    links = next(each["value"] for each in properties if each["id"] == "links")
    assert [link["url"] for link in links] == ["${jaeger}/trace/${__value.raw}"]


def test_grafanas_role_writes_nothing(reader, scenario):
    for attempt in ("UPDATE accounts SET balance = 0",
                    "SET default_transaction_read_only = off; UPDATE accounts SET balance = 0"):
        with pytest.raises((psycopg2.errors.ReadOnlySqlTransaction, psycopg2.errors.InsufficientPrivilege)):
            rows_of(reader, attempt)


def test_the_file_is_sound():
    """Panels have unique ids, do not overlap, have a description, and use provisioned datasources."""
    assert DASHBOARD["title"] == "Race Conditions Lab"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    for panel in PANELS:
        assert panel["description"], panel["title"]
        assert {panel["datasource"]["uid"]} | {target["datasource"]["uid"] for target in panel["targets"]} \
            <= datasource_uids(), panel["title"]


def test_the_live_page_and_the_runbook_are_named():
    assert "http://localhost:8000/" in [link["url"] for link in DASHBOARD["links"]]
    alerts, = (panel for panel in PANELS if panel["title"] == "Alerts")
    assert "docs/RUNBOOK.md" in alerts["description"]


@pytest.mark.parametrize("title", ["Raced transfers, double spends, lost updates", "Transfers by status and strategy"])
def test_only_strategies_that_were_used_have_series(prometheus, scenario, title):
    """Twelve strategies with three states each make 36 flat lines."""
    panel, = (panel for panel in PANELS if panel["title"] == title)
    found = [labels for target in panel["targets"]
             for labels, _ in prometheus.series_since(scenario, as_grafana_asks(target["expr"]))]
    assert {labels["strategy"] for labels in found} == {"vulnerable", "for_update"}, found
    assert len(found) <= 6, found
