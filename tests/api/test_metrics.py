"""GET /metrics: every family of the contract, exact after known traffic, in both formats."""

import math
import os
import re
import shutil
import subprocess

import pytest

from client import together
from scrape import Scrape

FAMILIES = {
    "transfers_total": "counter", "race_condition_hits_total": "counter", "double_spend_detected_total": "counter",
    "account_balance": "gauge", "transfer_duration_seconds": "histogram", "concurrent_transfers": "gauge",
    "barrier_waiting_count": "gauge", "barrier_releases_total": "counter", "barrier_timeouts_total": "counter",
    "barrier_release_skew_seconds": "histogram", "transfer_retries_total": "counter", "http_requests_total": "counter",
    "http_request_duration_seconds": "histogram", "db_connections": "gauge",
    "db_statement_duration_seconds": "histogram",
    "transfer_queue_depth": "gauge", "bank_api_build_info": "gauge", "process_cpu_seconds_total": "counter",
    "process_open_fds": "gauge", "process_max_fds": "gauge", "process_virtual_memory_bytes": "gauge",
    "process_resident_memory_bytes": "gauge", "process_start_time_seconds": "gauge",
}

# promtool's linter accepts no gauge whose name ends in _count, but the name is in the contract. Without a type it does
# not complain.
UNTYPED_IN_TEXT = {"barrier_waiting_count"}

LABELS = {"status", "strategy", "account_id", "sqlstate", "method", "reason", "route", "setting", "code", "state", "statement", "le",
          "version", "libuv"}


@pytest.fixture
def traffic(bank):
    """Some traffic of every kind, so that every family has a sample."""
    bank.transfer("alice", "bob", "1")
    bank.set(barrier_enabled=True, barrier_timeout_ms=1)
    bank.transfer("alice", "bob", "1")
    bank.set(barrier_enabled=False)
    bank.get("/accounts/alice")


def test_every_family_of_the_contract(bank, traffic):
    """Each has its name, type and help text, and samples."""
    scrape = bank.scrape()
    for name, kind in FAMILIES.items():
        assert scrape.types.get(name) == ("untyped" if name in UNTYPED_IN_TEXT else kind), name
        assert scrape.helps.get(name), name
        sample = f"{name}_count" if kind == "histogram" else name
        assert scrape.values(sample), f"no sample of {name}"


def test_the_text_format(bank):
    answer = bank.get("/metrics")
    assert answer.headers["Content-Type"].replace(" ", "") == "text/plain;version=0.0.4;charset=utf-8"
    assert answer.text().endswith("\n")
    assert "# EOF" not in answer.text()


@pytest.mark.parametrize("accept", ["application/openmetrics-text; version=1.0.0; charset=utf-8",
                                    "application/openmetrics-text",
                                    "application/openmetrics-text;version=1.0.0;q=0.5,"
                                    "application/openmetrics-text;version=0.0.1;q=0.4,"
                                    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"])
def test_the_openmetrics_format(bank, traffic, accept):
    """The format on Prometheus' request: families of counters without _total, samples with it, and # EOF at the end."""
    answer = bank.get("/metrics", Accept=accept)
    assert answer.headers["Content-Type"].replace(" ", "") == "application/openmetrics-text;version=1.0.0;charset=utf-8"
    assert answer.text().endswith("\n# EOF\n")
    assert answer.text().count("# EOF") == 1
    scrape = Scrape(answer.text())
    for name, kind in FAMILIES.items():
        assert scrape.types.get(name.removesuffix("_total") if kind == "counter" else name) == kind, name
    assert scrape.values("transfers_total")


@pytest.mark.parametrize("accept", ["text/plain", "*/*", "", "text/html,application/xhtml+xml",
                                    "application/openmetrics-text;q=0, text/plain",
                                    "xapplication/openmetrics-text"])
def test_other_wishes_get_the_text_format(bank, accept):
    assert bank.get("/metrics", Accept=accept).headers["Content-Type"].startswith("text/plain")


def test_promtool_has_nothing_to_say(bank, traffic):
    """`promtool check metrics` finds no fault."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (apt install prometheus)")
    outcome = subprocess.run([promtool, "check", "metrics"], input=bank.get("/metrics").body, capture_output=True,
                             timeout=60)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, b"", b"")


@pytest.mark.parametrize("strategy", ["vulnerable", "for_update"])
def test_transfers_are_counted_exactly(bank, strategy):
    """By outcome and strategy, the durations too; a refused request is not a transfer."""
    bank.set(strategy=strategy)
    before = bank.scrape()
    with bank.client() as client:
        for _ in range(5):
            client.transfer("alice", "bob", "1")
        for _ in range(3):
            client.transfer("charlie", "bob", "1000")
        client.transfer("alice", "nobody", "1")
        client.transfer("alice", "bob", "-1")
        client.post("/transfer", {})
    after = bank.scrape()

    def grown(name, **labels):
        return after.total(name, **labels) - before.total(name, **labels)

    assert grown("transfers_total", strategy=strategy, status="success") == 5
    assert grown("transfers_total", strategy=strategy, status="insufficient_funds") == 3
    assert grown("transfers_total") == 8
    assert grown("transfer_duration_seconds_count", strategy=strategy, status="success") == 5
    assert grown("transfer_duration_seconds_count", strategy=strategy, status="insufficient_funds") == 3
    assert grown("transfer_duration_seconds_count") == 8
    for name in ("race_condition_hits_total", "double_spend_detected_total", "transfer_retries_total"):
        assert grown(name) == 0, name


def test_requests_are_counted_by_template(bank):
    """The route is the template, never the path; the method and the code are labels too."""
    before = bank.scrape()
    with bank.client() as client:
        for path in ("/accounts/alice", "/accounts/bob", "/accounts/charlie?"):
            client.get(path)
        client.get("/accounts/secret-name")
        client.get("/health")
        client.get("/made/up/path")
        client.post("/admin/delay?enabled=false&ms=12345")
        client.request("DELETE", "/accounts")
    after = bank.scrape()

    def grown(**labels):
        return (after.total("http_requests_total", **labels) - before.total("http_requests_total", **labels),
                after.total("http_request_duration_seconds_count", **labels) -
                before.total("http_request_duration_seconds_count", **labels))

    assert grown(method="GET", route="/accounts/{id}", code="200") == (3, 3)
    assert grown(method="GET", route="/accounts/{id}", code="404") == (1, 1)
    assert grown(method="GET", route="/health", code="200") == (1, 1)
    assert grown(method="POST", route="/admin/delay", code="200") == (1, 1)
    assert grown(route="/accounts", code="405") == (1, 1)
    routes = {labels["route"] for labels in after.labels("http_requests_total")}
    assert not any(word in route for route in routes for word in ("alice", "secret", "made", "12345", "?"))
    assert sum(labels["code"] == "404" and labels["route"] not in ("/accounts/{id}", "/transfer")
               for labels in after.labels("http_requests_total")) == 1


def test_odd_requests_make_no_new_series(bank):
    """Methods and paths that a client invents add no series."""
    def provoke(number):
        bank.request("PROPFIND", f"/x{number}")
        bank.request("PATCH", f"/accounts/x{number}")
        bank.get(f"/y{number}")
        bank.get(f"/accounts/z{number}")
    provoke(0)
    before = len(bank.scrape().samples)
    for number in range(1, 20):
        provoke(number)
    assert len(bank.scrape().samples) == before


def test_labels_are_few(bank, traffic):
    """No account, request or trace id is a label, except in account_balance."""
    scrape = bank.scrape()
    assert {label for _, labels, _ in scrape.samples for label in labels} <= LABELS
    assert {name for name, labels, _ in scrape.samples if "account_id" in labels} == {"account_balance"}


def test_balances(bank):
    """The balances of the scrape, including negative ones."""
    bank.transfer("alice", "bob", "12.34")
    bank.rows("UPDATE accounts SET balance = -600 WHERE id = 'charlie'")
    scrape = bank.scrape()
    assert {labels["account_id"] for labels in scrape.labels("account_balance")} == {"alice", "bob", "charlie"}
    assert float(scrape.total("account_balance", account_id="alice")) == 987.66
    assert scrape.total("account_balance", account_id="charlie") == -600


def test_no_more_than_a_hundred_balances(bank):
    """The label is limited to 100 accounts, and deleted accounts leave the page."""
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) "
              "SELECT 'many-' || n, 1, 1 FROM generate_series(1, 150) n")
    try:
        assert len(bank.scrape().values("account_balance")) == 100
    finally:
        bank.rows("DELETE FROM accounts WHERE id LIKE 'many-%%'")
    assert len(bank.scrape().values("account_balance")) == 3


def test_account_names_are_escaped(bank):
    name = 'q"uo\\te\nline'
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES (%s, 7, 7)", name)
    try:
        assert r'account_balance{account_id="q\"uo\\te\nline"} 7' in bank.scrape().text
    finally:
        bank.rows("DELETE FROM accounts WHERE id = %s", name)


def test_histograms_add_up(bank, traffic):
    """Buckets are cumulative, the last one is the count, and every series has its sum."""
    scrape = bank.scrape()
    for name in (name for name, kind in FAMILIES.items() if kind == "histogram"):
        series = {}
        for labels, value in zip(scrape.labels(f"{name}_bucket"), scrape.values(f"{name}_bucket")):
            key = tuple(sorted((label, each) for label, each in labels.items() if label != "le"))
            series.setdefault(key, []).append((float(labels["le"]), value))
        assert series, name
        for key, buckets in series.items():
            assert buckets == sorted(buckets), (name, key)
            assert [value for _, value in buckets] == sorted(value for _, value in buckets), (name, key)
            assert buckets[-1][0] == math.inf
            assert scrape.values(f"{name}_count", **dict(key)) == [buckets[-1][1]], (name, key)
            total, = scrape.values(f"{name}_sum", **dict(key))
            assert (total > 0) == (buckets[-1][1] > 0), (name, key)


def test_statements_are_timed_by_name(bank):
    """A vulnerable transfer is a read, a deduct, a credit and a record; a safe one locks instead, posts in one
    statement and commits."""
    def counts():
        scrape = bank.scrape()
        return {labels["statement"]: value for labels, value in
                zip(scrape.labels("db_statement_duration_seconds_count"),
                    scrape.values("db_statement_duration_seconds_count"))}
    before = counts()
    bank.transfer("alice", "bob", "1")
    bank.set(use_transactions=True)
    bank.transfer("alice", "bob", "1")
    after = counts()
    grown = {name: after[name] - before.get(name, 0) for name in after}
    expected = {"read_balances": 1, "deduct": 1, "credit": 1, "record_transfer": 1,
                "begin": 1, "lock_balances": 1, "book": 1, "commit": 1}
    assert {name: grown[name] for name in expected} == expected


def test_a_histogram_is_made_when_it_is_first_used(start_bank):
    """A scrape every 2 s is not filled with buckets of statements that this server has not run."""
    bank = start_bank()
    bank.get("/health")
    scrape = bank.scrape()
    assert len(scrape.samples) < 700, len(scrape.samples)
    for name in (name for name, kind in scrape.types.items() if kind == "histogram"):
        unused = [labels for labels in scrape.labels(f"{name}_count") if scrape.values(f"{name}_count", **labels) == [0]]
        assert unused == [] or name == "barrier_release_skew_seconds", unused
    assert scrape.total("db_statement_duration_seconds_count", statement="book") == 0
    bank.transfer("alice", "bob", "1", "for_update")
    assert bank.scrape().values("db_statement_duration_seconds_count", statement="book") == [1]


def test_counters_start_at_zero(start_bank):
    """An alert can see the first race as an increase, because the series exist before it."""
    scrape = start_bank().scrape()
    for name in ("race_condition_hits_total", "double_spend_detected_total"):
        for strategy in ("vulnerable", "for_update"):
            assert scrape.values(name, strategy=strategy) == [0], (name, strategy)
    for name in ("barrier_releases_total", "barrier_timeouts_total", "barrier_waiting_count", "transfer_queue_depth",
                 "concurrent_transfers"):
        assert scrape.values(name) == [0], name
    assert scrape.total("transfers_total") == 0


def test_the_metrics_of_the_process(bank):
    """Plausible values, including the limit of descriptors."""
    scrape = bank.scrape()
    assert scrape.total("process_resident_memory_bytes") > 1 << 20
    assert scrape.total("process_virtual_memory_bytes") >= scrape.total("process_resident_memory_bytes")
    assert 5 < scrape.total("process_open_fds") < scrape.total("process_max_fds")
    assert scrape.total("bank_api_build_info") == 1
    started = os.stat(f"/proc/{bank.process.pid}").st_ctime
    assert abs(started - float(scrape.total("process_start_time_seconds"))) < 60


def test_connections_are_counted(bank):
    bank.transfer("alice", "bob", "1")
    scrape = bank.scrape()
    assert {labels["state"] for labels in scrape.labels("db_connections")} >= {"idle"}
    assert scrape.total("db_connections") == len(bank.cluster.backends(bank.database)) >= 1


def test_a_barriers_skew_is_measured_once_a_release(bank):
    before = bank.scrape()
    bank.set(barrier_enabled=True, barrier_count=5)
    together(*[bank.transfer] * 5)
    after = bank.scrape()
    for name in ("barrier_release_skew_seconds_count", "barrier_releases_total"):
        assert after.total(name) - before.total(name) == 1, name


def test_no_decimal_commas(start_bank):
    """Numbers have the format of C in every locale."""
    bank = start_bank(LC_ALL="de_DE.UTF-8", LC_NUMERIC="de_DE.UTF-8", LANG="de_DE.UTF-8")
    bank.transfer("alice", "bob", "12.34")
    assert not re.search(r"\d,\d", bank.get("/accounts").text())
    assert bank.balance("alice") is not None
    assert float(bank.metric("account_balance", account_id="alice")) == 987.66
