"""Every alert fires in time and clears afterwards: the lab's rules in a real Prometheus, at ten times their speed."""

import contextlib
import pathlib
import re
import time

import pytest

from application import make_accounts, paid_out, put_back, withdraw
from client import together
from prometheus import CONFIGURATION

ALERTS = (CONFIGURATION / "rules/alerts.yml").read_text(encoding="utf-8")
RUNBOOK = pathlib.Path(__file__).resolve().parents[2] / "docs/RUNBOOK.md"


@pytest.fixture(autouse=True)
def quiet(bank, prometheus):
    """Every test begins without a firing alert."""
    bank.back_to_the_initial_state()
    for alert in prometheus.firing():
        prometheus.until_quiet(alert)


def test_double_spend(bank, prometheus):
    bank.set(barrier_enabled=True)
    together(lambda: bank.transfer("alice", "bob"), lambda: bank.transfer("alice", "charlie"))
    prometheus.until_firing("DoubleSpendDetected")
    bank.back_to_the_initial_state()
    prometheus.until_quiet("DoubleSpendDetected")


def test_lost_update(bank, prometheus):
    bank.set(barrier_enabled=True, strategy="absolute_update")
    together(lambda: bank.transfer("alice", "bob"), lambda: bank.transfer("alice", "charlie"))
    prometheus.until_firing("LostUpdateDetected")
    assert "DoubleSpendDetected" not in prometheus.firing()
    bank.back_to_the_initial_state()
    prometheus.until_quiet("LostUpdateDetected")


def test_the_fix_is_no_double_spend(bank, prometheus):
    bank.set(barrier_enabled=True, use_transactions=True)
    together(lambda: bank.transfer("alice", "bob"), lambda: bank.transfer("alice", "charlie"))
    prometheus.until('sum(transfers_total{strategy="for_update"})', lambda transfers: transfers == 2)
    assert prometheus.firing() == set()


def test_money_drift(bank, prometheus):
    bank.rows("UPDATE accounts SET balance = balance + 1 WHERE id = 'alice'")
    prometheus.until_firing("MoneyDrift")
    bank.post("/reset")
    prometheus.until_quiet("MoneyDrift")


def test_barrier_stuck(bank, prometheus, background):
    bank.set(barrier_enabled=True, barrier_timeout_ms=600000)
    left_alone = background(bank.transfer)
    prometheus.until_firing("BarrierStuck")
    bank.set(barrier_enabled=False)
    left_alone.result()
    prometheus.until_quiet("BarrierStuck")


def test_database_unavailable(bank, cluster, prometheus):
    cluster.stop()
    try:
        prometheus.until_firing("DatabaseAway")
        assert "BankApiDown" not in prometheus.firing()
    finally:
        cluster.start()
    prometheus.until_quiet("DatabaseAway")


def test_database_hangs(bank, cluster, start_prometheus):
    """A database that accepts connections and never answers is unavailable as well. The server answers a scrape with
    the other metrics within the scrape's timeout, here the lab's own timeout."""
    prometheus = start_prometheus(bank, speed=1)
    cluster.freeze()
    try:
        prometheus.until("bank:database_away:bool", lambda away: away == 1)
    finally:
        cluster.resume()
    prometheus.until("bank:database_away:bool", lambda away: away == 0)


@pytest.mark.parametrize("alert", re.findall(r"- alert: (\w+)", ALERTS))
def test_every_alert_has_a_section_in_the_runbook(alert):
    assert f"runbook_url: docs/RUNBOOK.md#{alert.lower()}\n" in ALERTS
    assert f"\n### {alert}\n" in RUNBOOK.read_text(encoding="utf-8")


def test_requests_fail(bank, prometheus):
    """PostgreSQL refuses a record; the log has its error."""
    bank.set(strategy="for_update")
    bank.rows("ALTER TABLE transfers ADD CONSTRAINT no_13 CHECK (amount <> 13) NOT VALID")
    try:
        for _ in range(50):
            assert bank.transfer(amount="13").status == 500
            if "RequestsFail" in prometheus.firing():
                break
            time.sleep(0.2)
        prometheus.until_firing("RequestsFail")
    finally:
        bank.rows("ALTER TABLE transfers DROP CONSTRAINT no_13")
    prometheus.until_quiet("RequestsFail")


def test_transfers_slow(bank, prometheus, background):
    """A session at psql keeps the row for longer than a second."""
    bank.set(strategy="for_update")
    bank.transfer(amount="1")  # Prometheus sees an increase only of a series that it has seen before
    count = 'transfer_duration_seconds_count{strategy="for_update",status="success"}'
    prometheus.until(f"count_over_time({count}[1m])", lambda scrapes: scrapes >= 2)
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        waiting = [background(bank.transfer, amount="1") for _ in range(4)]
        time.sleep(2)
        session.rollback()
    assert [each.result().status for each in waiting] == [200] * 4
    prometheus.until_firing("TransfersSlow")
    prometheus.until_quiet("TransfersSlow")


def test_queue_long(bank, prometheus):
    """A row that psql keeps makes more transfers wait than there are workers."""
    bank.set(strategy="for_update")
    with bank.cluster.session(bank.database) as session, contextlib.ExitStack() as stack:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        wires = [stack.enter_context(bank.wire()) for _ in range(300)]
        body = b'{"from_account":"alice","to_account":"bob","amount":1}'
        for wire in wires:
            wire.send(b"POST /transfer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        prometheus.until_firing("QueueLong")
        session.rollback()
        bank.until_in_progress(0)
    prometheus.until_quiet("QueueLong")


def test_sessions_exhausted(start_bank, start_prometheus, cluster):
    """The role of the bank may open one session only, and two transfers want one each."""
    database = cluster.new_database()
    cluster.rows("postgres", "CREATE ROLE teller LOGIN CONNECTION LIMIT 1")
    cluster.rows("postgres", f"ALTER DATABASE {database} OWNER TO teller")
    cluster.rows(database, "ALTER SCHEMA public OWNER TO teller")
    bank = start_bank(database, DATABASE_URL=cluster.url(database).replace("user=postgres", "user=teller"))
    prometheus = start_prometheus(bank)
    for _ in range(3):
        together(*[lambda: bank.transfer(amount="1")] * 8)
    prometheus.until_firing("SessionsExhausted")
    cluster.rows("postgres", "ALTER ROLE teller CONNECTION LIMIT -1")
    bank.stop()


@pytest.fixture
def accounts(cluster):
    database = cluster.new_database()
    make_accounts(cluster, database)
    put_back(cluster, database)
    yield database
    cluster.give_back(database)


def test_race_proved(bank, start_prometheus, start_race_proxy, accounts):
    proxy = start_race_proxy(accounts, "--force")
    prometheus = start_prometheus(bank, proxy_port=proxy.page_port)
    prometheus.until("count_over_time(race_proxy_sessions[1m])", lambda scrapes: scrapes >= 2)
    assert paid_out(proxy.url(accounts)) == 2
    prometheus.until_firing("RaceProved")
    assert "HoldsEndAtTheLimit" not in prometheus.firing()
    proxy.stop()
    prometheus.until_quiet("RaceProved")


def test_holds_end_at_the_limit(bank, start_prometheus, start_race_proxy, accounts, cluster):
    """Each request comes alone."""
    proxy = start_race_proxy(accounts, "--force", "--limit", "20")
    prometheus = start_prometheus(bank, proxy_port=proxy.page_port)
    prometheus.until("count_over_time(race_proxy_sessions[1m])", lambda scrapes: scrapes >= 2)
    for _ in range(5):
        put_back(cluster, accounts)
        assert withdraw(proxy.url(accounts))
    prometheus.until_firing("HoldsEndAtTheLimit")
    prometheus.until_quiet("HoldsEndAtTheLimit")
    proxy.stop()


def test_spans_dropped(bank, collector, prometheus):
    """A collector refuses the spans for a while, and accepts them again later."""
    refusals = collector.answers
    bank.transfer(amount="1")
    refusals += [(400, {}, "")] * 1000
    bank.transfer(amount="1")
    prometheus.until_firing("SpansDropped")
    refusals.clear()
    prometheus.until_quiet("SpansDropped")


def test_bank_api_down(start_bank, bank, prometheus):
    bank.stop()
    prometheus.until_firing("BankApiDown")
    assert "DatabaseAway" not in prometheus.firing()
    again = start_bank(database=bank.database, BANK_API_PORT=bank.port)
    prometheus.until_quiet("BankApiDown")
    again.stop()
