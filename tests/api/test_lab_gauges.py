"""The gauges that alerts and annotations use: money_drift and lab_setting."""

from decimal import Decimal


def test_money_drift(bank):
    """Zero, also after a race that overdrew; money that a person adds to an account shows to the cent."""
    assert bank.metric("money_drift") == 0
    bank.rows("UPDATE accounts SET balance = balance + 0.05 WHERE id = 'bob'")
    assert bank.metric("money_drift") == Decimal("0.05")
    bank.rows("UPDATE accounts SET balance = balance - 100 WHERE id = 'alice'")
    assert bank.metric("money_drift") == Decimal("-99.95")


def test_no_money_drift_is_claimed_without_a_database(start_bank, cluster):
    bank = start_bank(ready=False, DATABASE_URL=cluster.url("no_such_database")).until_serving()
    assert bank.scrape().values("money_drift") == []


def test_a_locked_table_is_no_outage(bank):
    """A scrape gives up on the balances after a second and leaves no session that waits for the table; /health stays
    ok."""
    begun = len(bank.log())
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
        for _ in range(3):
            assert bank.scrape().values("account_balance") == []
        assert bank.get("/health").status == 200
        assert bank.waiting_for_locks() == 0
        session.rollback()
    assert "Database is un" not in bank.log_since(begun)
    assert bank.metric("account_balance", account_id="alice") == 1000


def test_settings_as_gauges(bank):
    assert bank.metric("lab_setting", setting="use_transactions") == 0
    bank.set(use_transactions=True, delay_ms=250, barrier_enabled=True, barrier_count=3)
    scrape = bank.scrape()
    shown = {labels["setting"]: scrape.total("lab_setting", **labels) for labels in scrape.labels("lab_setting")}
    assert shown == {"delay_enabled": 0, "delay_ms": 250, "barrier_enabled": 1, "barrier_count": 3,
                     "barrier_timeout_ms": 30000, "use_transactions": 1}
