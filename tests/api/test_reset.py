"""POST /reset: everything returns to the initial state, also during other requests."""

from decimal import Decimal

import pytest

from pace import HANG_GUARD, eventually
from problem import assert_problem
from strategies import SAFE


def test_reset(bank):
    """Balances and transfers are reset; settings and counters stay."""
    bank.set(delay_ms=7, use_transactions=True)
    bank.transfer("alice", "bob", "100")
    counted = bank.metric("transfers_total", status="success")
    answer = bank.post("/reset")
    assert answer.status == 200
    assert answer.json() == {"status": "reset", "accounts": [{"id": "alice", "balance": Decimal(1000)},
                                                             {"id": "bob", "balance": Decimal(500)},
                                                             {"id": "charlie", "balance": Decimal(200)}]}
    assert bank.transactions() == []
    settings = bank.get("/admin/settings").json()
    assert (settings["delay_ms"], settings["use_transactions"]) == (7, True)
    assert bank.metric("transfers_total", status="success") == counted >= 1


@pytest.fixture
def long_log(bank):
    """Five thousand records: more than the file of a small table holds."""
    assert bank.transfer("alice", "bob", "1").status == 200
    columns = ", ".join(row["name"] for row in bank.rows(
        "SELECT quote_ident(attname) AS name FROM pg_attribute "
        "WHERE attrelid = 'transfers'::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''"))
    bank.rows(f"INSERT INTO transfers ({columns}) SELECT {columns} FROM transfers, generate_series(1, 5000)")
    assert size_of_log(bank) > 1024 * 1024


def size_of_log(bank):
    return bank.rows("SELECT pg_relation_size('transfers') AS size")[0]["size"]


def test_a_reset_gives_back_what_a_long_log_took(bank, long_log):
    """A small table is deleted row by row, and its rows stay in the file for a while; a large file is truncated."""
    totals = "SELECT transfers FROM running_totals"
    before = bank.rows(totals)
    bank.post("/reset")
    assert bank.transactions() == []
    assert size_of_log(bank) == 0
    assert bank.rows(totals) == before
    bank.transfer("alice", "bob", "1")
    bank.post("/reset")
    assert bank.transactions() == []
    assert size_of_log(bank) > 0
    assert bank.rows(totals)[0]["transfers"] == before[0]["transfers"] + 1


def test_a_long_log_that_an_open_transaction_has_read(bank, long_log):
    """A transaction at psql has read the transfers and is still open: the reset does not wait for it."""
    totals = "SELECT transfers FROM running_totals"
    before = bank.rows(totals)
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        cursor = session.cursor()
        cursor.execute("SELECT count(*) FROM transfers")
        answer = bank.post("/reset")
        assert answer.status == 200
        assert {each["id"]: each["balance"] for each in answer.json()["accounts"]}["alice"] == 1000
        session.rollback()
    assert bank.transactions() == []
    assert bank.rows(totals) == before


def test_reset_counts_from_the_initial_balance_of_each_account(bank):
    """Accounts that a person added return to their own initial balance, not to zero."""
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('dora', 1, 12.5)")
    try:
        accounts = {each["id"]: each["balance"] for each in bank.post("/reset").json()["accounts"]}
        assert accounts["dora"] == Decimal("12.5")
        assert bank.balance("dora") == Decimal("12.5")
    finally:
        bank.rows("DELETE FROM accounts WHERE id = 'dora'")


def totals_of(bank):
    return bank.get("/races").json()["totals"]


@pytest.mark.parametrize("log", ["short", "long"])
def test_the_totals_can_begin_again(bank, request, log):
    """A plain reset keeps the totals. With totals=true they begin again; the counters of Prometheus never go back."""
    if log == "long":
        request.getfixturevalue("long_log")
    bank.rows("UPDATE lab_totals SET since = NULL")
    bank.transfer("alice", "bob", "100")
    counted = bank.metric("transfers_total", status="success")
    bank.post("/reset")
    kept = totals_of(bank)
    assert kept["transfers"] >= 1 and kept["since"] is None
    answer = bank.post("/reset?totals=true")
    assert answer.status == 200 and answer.json()["status"] == "reset"
    totals = totals_of(bank)
    since = totals.pop("since")
    assert since.endswith("Z") and not any(totals.values())
    assert bank.metric("transfers_total", status="success") == counted
    bank.transfer("alice", "bob", "100")
    bank.post("/reset")
    again = totals_of(bank)
    assert (again["transfers"], again["since"]) == (1, since)


def test_the_totals_begin_again_also_for_one_that_waits_behind_a_plain_reset(bank, background):
    """One run answers all resets that wait, so it does what any of them asks for."""
    bank.transfer("alice", "bob", "100")
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        first = background(bank.post, "/reset")
        bank.until_waiting_for_locks(1)
        resets = [background(bank.post, "/reset") for _ in range(5)] + [background(bank.post, "/reset?totals=true")]
        assert bank.get("/health").status == 200  # the resets have arrived before the row is free
        session.rollback()
    assert {each.result(HANG_GUARD).status for each in (first, *resets)} == {200}
    assert totals_of(bank)["transfers"] == 0 and totals_of(bank)["since"]


def test_a_parameter_that_a_reset_does_not_know(bank):
    assert "totals" in assert_problem(bank.post("/reset?totals=perhaps"), 422)["detail"]
    assert "all" in assert_problem(bank.post("/reset?all=true"), 422)["detail"]


@pytest.mark.parametrize("strategy", SAFE)
def test_a_reset_before_a_transfer_in_the_same_queue(bank, background, strategy):
    """psql holds Alice's row; a reset and then a transfer queue behind it, and neither blocks the other."""
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = bank.rows(deadlocks)
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        reset = background(bank.post, "/reset")
        bank.until_waiting_for_locks(1)
        transfer = background(bank.transfer, "alice", "bob", 800, strategy)
        # A batch gives up after 20 ms and its transfer waits again. One that asked for the row just when it is let go
        # could have it before the reset has woken up.
        waits = ("SELECT count(*) AS waits FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock' "
                 "AND now() - query_start > interval '100 ms'")
        eventually(lambda: bank.rows(waits, bank.database)[0]["waits"] == 2, "both wait for the row")
        session.rollback()
    assert reset.result(HANG_GUARD).status == 200
    assert transfer.result(HANG_GUARD).status == 200
    assert bank.balance("alice") == 200
    assert bank.get("/audit").json()["consistent"] is True
    assert bank.rows(deadlocks) == before


def test_a_reset_that_had_to_give_way(bank, background):
    """A wrong strategy has Bob's row and asks for Alice's, the reset the other way round. PostgreSQL ends the reset,
    because it has already checked the transfer. The reset is repeated."""
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        reset = background(bank.post, "/reset")
        bank.until_waiting_for_locks(1)
        transfer = background(bank.transfer, "bob", "alice", 1, "subselect_predicate")
        bank.until_waiting_for_locks(2)
        looked_at = ("SELECT count(*) AS looked_at FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock' "
                     "AND now() - query_start > interval '1.2 s'")  # deadlock_timeout is one second
        eventually(lambda: bank.rows(looked_at, bank.database)[0]["looked_at"] == 2, "both were looked at")
        session.rollback()
    assert reset.result(HANG_GUARD).status == 200
    assert transfer.result(HANG_GUARD).status == 200
    assert sum(bank.balances().values()) == 1700


@pytest.mark.parametrize("strategy", SAFE)
def test_a_reset_in_the_middle_of_a_transfer(bank, background, strategy):
    """The transfer has checked a balance from before the reset, and sleeps in the delay: it ends before the reset or
    notices it."""
    bank.rows("UPDATE accounts SET balance = 1500 WHERE id = 'alice'")
    bank.set(delay_enabled=True, delay_ms=60000)
    begun = len(bank.log())
    transfer = background(bank.transfer, "alice", "charlie", 1200, strategy)
    eventually(lambda: "Debug delay" in bank.log_since(begun), "the transfer stands at the delay")
    reset = background(bank.post, "/reset")
    eventually(lambda: reset.done() or bank.waiting_for_locks() == 1, "the reset is made, or waits")
    bank.set(delay_enabled=False)
    assert transfer.result(HANG_GUARD).status == 200
    assert transfer.result().json()["anomaly"] is None
    assert reset.result(HANG_GUARD).status == 200
    assert bank.balance("alice") == 1000


@pytest.mark.parametrize("table", ["past_transfers", "lab_totals"])
def test_a_reset_that_waits_for_a_table_holds_no_row(bank, background, table):
    """psql has locked a table that only the reset needs: transfers are served."""
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        reset = background(bank.post, "/reset")
        bank.until_waiting_for_locks(1)
        for strategy in SAFE:
            assert bank.transfer("alice", "bob", 1, strategy).status == 200, strategy
        assert not reset.done()
        session.rollback()
    assert reset.result(HANG_GUARD).status == 200
    assert bank.balances() == {"alice": 1000, "bob": 500, "charlie": 200}


def test_two_servers_reset_a_bank_without_accounts(start_bank, background):
    """There is no row of an account to wait for."""
    first = start_bank()
    second = start_bank(database=first.database)
    for _ in range(20):
        first.rows("DELETE FROM accounts")
        first.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('alice', 1, 1), ('bob', 1, 1)")
        assert first.transfer("alice", "bob", "1").status == 200
        first.rows("DELETE FROM accounts")
        resets = [background(each.post, "/reset") for each in (first, second)]
        assert [reset.result(HANG_GUARD).status for reset in resets] == [200, 200]


def test_a_row_read_before_a_reset_has_changed(bank, background):
    """The row has as many writes after the reset as before: a transfer that detects a change by the version must see
    one."""
    assert bank.transfer("alice", "bob", 100, "optimistic").status == 200
    bank.set(delay_enabled=True, delay_ms=60000)
    begun = len(bank.log())
    late = background(bank.transfer, "alice", "charlie", 800, "optimistic")
    eventually(lambda: "Debug delay" in bank.log_since(begun), "it has read $900 and stands at the delay")
    bank.post("/reset")
    bank.rows("UPDATE accounts SET balance = balance + CASE id WHEN 'alice' THEN -900 ELSE 900 END, version = version + 1 "
              "WHERE id IN ('alice', 'bob')")
    bank.set(delay_enabled=False)
    assert late.result(HANG_GUARD).json()["status"] == "failed_insufficient_funds"
    assert bank.balance("alice") == 100


def test_resets_leave_the_other_workers_to_others(start_bank, background):
    """As many resets as workers wait for a row that psql holds. Other requests are answered. After the release the
    resets are answered too, each of them made after its request."""
    bank = start_bank(WORKER_THREADS=4)
    assert bank.transfer("bob", "charlie", "1").status == 200
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        resets = [background(bank.post, "/reset")]
        bank.until_waiting_for_locks(1)
        resets += [background(bank.post, "/reset") for _ in range(5)]
        assert bank.balances()["bob"] == 499
        assert bank.transfer("bob", "charlie", "1").status == 200
        session.rollback()
    answers = [reset.result(HANG_GUARD) for reset in resets]
    assert {answer.status for answer in answers} == {200}
    for answer in answers:
        assert {each["id"]: each["balance"] for each in answer.json()["accounts"]} == \
            {"alice": 1000, "bob": 500, "charlie": 200}
    assert bank.balances() == {"alice": 1000, "bob": 500, "charlie": 200}
    assert bank.transactions() == []


def test_a_reset_that_waits_twice(bank, background):
    """All waits of a reset share one time limit, so that PostgreSQL ends the last wait before the program gives up,
    which would look like an outage. A trigger sees the limits that are left after the first wait."""
    bank.rows("CREATE TABLE limits (lock_ms integer, statement_ms integer)")
    bank.rows("CREATE FUNCTION note_limits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.limits "
              "SELECT max(setting::integer) FILTER (WHERE name = 'lock_timeout'), "
              "max(setting::integer) FILTER (WHERE name = 'statement_timeout') FROM pg_settings; RETURN NULL; END $$")
    bank.rows("CREATE TRIGGER note_limits AFTER UPDATE ON accounts EXECUTE FUNCTION note_limits()")
    try:
        with bank.cluster.session(bank.database) as session:
            session.autocommit = False
            session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
            reset = background(bank.post, "/reset")
            bank.until_waiting_for_locks(1)
            session.cursor().execute("SELECT pg_sleep(0.2)")
            session.rollback()
        assert reset.result(HANG_GUARD).status == 200
        [limits] = bank.rows("SELECT lock_ms, statement_ms FROM limits")
    finally:
        bank.rows("DROP TRIGGER note_limits ON accounts")
        bank.rows("DROP FUNCTION note_limits")
        bank.rows("DROP TABLE limits")
    assert limits["lock_ms"] == 150_000
    assert limits["statement_ms"] <= 180_000 - 200
