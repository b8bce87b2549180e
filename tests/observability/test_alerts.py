"""Every alert fires in time and clears afterwards: the lab's rules in a real Prometheus, at ten times their speed."""

import pytest

from client import together


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
