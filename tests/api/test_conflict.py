"""Transactions that lose. A deadlock with a transaction at psql is retried, counted by its own SQLSTATE, and never
reaches a client. Without a transaction the first write stays partially applied, and the answer says so."""

import concurrent.futures
import json

import pytest

from client import JSON_TYPE
from pace import HANG_GUARD, eventually
from problem import assert_problem
from strategies import SAFE

RETRIES = "transfer_retries_total"


def test_a_deadlock_is_tried_again(bank):
    """psql locks Bob and then asks for Alice, while the transfer has Alice and asks for Bob."""
    bank.set(use_transactions=True)
    before = bank.metric(RETRIES, strategy="for_update", sqlstate="40P01")
    others = bank.metric(RETRIES, strategy="for_update", sqlstate="40001")
    with bank.cluster.session(bank.database) as session, concurrent.futures.ThreadPoolExecutor(1) as threads:
        session.autocommit = False
        cursor = session.cursor()
        cursor.execute("SELECT 1 FROM accounts WHERE id = 'bob' FOR UPDATE")
        transfer = threads.submit(bank.transfer, "alice", "bob", "1")
        bank.until_waiting_for_locks(1)  # the wait for Bob
        # PostgreSQL checks for a deadlock one second after a wait began: the transfer's check comes first, so the
        # transfer gives way. It may ask for Alice again before this session has woken, and then gives way once more.
        cursor.execute("SELECT 1 FROM accounts WHERE id = 'alice' FOR UPDATE")
        session.rollback()
        answer = transfer.result()
    assert (answer.status, answer.json()["status"]) == (200, "success")
    steps = bank.rows("SELECT outcome FROM transfers, jsonb_to_recordset(steps) AS s (step text, outcome text) "
                      "WHERE step = 'retry'")
    assert {step["outcome"] for step in steps} == {"40P01"}
    assert bank.metric(RETRIES, strategy="for_update", sqlstate="40P01") == before + len(steps)
    assert bank.metric(RETRIES, strategy="for_update", sqlstate="40001") == others
    assert bank.balance("alice") == 999


def test_partially_applied(bank):
    """Vulnerable mode: Bob's account cannot hold more, but the money has already left Alice's account."""
    bank.rows("UPDATE accounts SET balance = 9999999999999.99 WHERE id = 'bob'")
    answer = bank.transfer("alice", "bob", "800")
    assert answer.status == 500 and "partially applied" in answer.json()["detail"], answer
    assert bank.balance("alice") == 200
    assert bank.metric("money_drift") != 0


@pytest.mark.parametrize("strategy", ["vulnerable", "absolute_update", "for_update", "atomic_update", "optimistic",
                                      "batched"])
def test_a_balance_that_cannot_be_higher(bank, strategy):
    """The detail names the full account. Without a transaction the money has left already, so the answer differs."""
    bank.rows("UPDATE accounts SET balance = 9999999999999.99 WHERE id = 'bob'")
    answer = bank.transfer("alice", "bob", "800", strategy)
    if answer.status != 500:
        detail = assert_problem(answer, 422)["detail"]
        assert '"bob" cannot hold that much more' in detail and '"alice"' not in detail
        assert bank.balance("alice") == 1000


def test_a_balance_that_cannot_be_lower(bank, background):
    """The deduct overflows, so the detail names the sending account and not the receiving one."""
    bank.set(barrier_enabled=True, barrier_count=2)
    sent = background(bank.transfer, "alice", "bob", "800")
    bank.until_waiting_at_the_barrier(1)
    bank.rows("UPDATE accounts SET balance = -9999999999999.99 WHERE id = 'alice'")
    assert bank.transfer("charlie", "bob", "1").status == 200
    detail = assert_problem(sent.result(HANG_GUARD), 422)["detail"]
    assert '"alice" is too low' in detail and '"bob"' not in detail
    assert bank.balance("bob") == 501


@pytest.mark.parametrize("strategy", ["optimistic", "repeatable_read", "serializable", "advisory_lock"])
def test_an_account_vanishes_between_read_and_write(bank, background, strategy):
    """No account is debited if the other cannot be credited; the detail names the missing account."""
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('ghost', 0, 0)")
    bank.set(strategy=strategy, delay_enabled=True, delay_ms=60000)
    before, written = bank.metric(RETRIES, strategy=strategy), len(bank.log())
    sent = background(bank.transfer, "alice", "ghost", "800")
    eventually(lambda: "Debug delay" in bank.log_since(written), "the transfer has read and stands at the delay")
    bank.rows("DELETE FROM accounts WHERE id = 'ghost'")
    bank.set(delay_enabled=False)
    answer = sent.result(HANG_GUARD)
    assert_problem(answer, 404)
    assert "ghost" in answer.json()["detail"]
    assert bank.balance("alice") == 1000
    assert bank.recorded() == []
    assert bank.metric(RETRIES, strategy=strategy) == before + 1  # the transfer failed, but its retry still counts


@pytest.mark.parametrize("strategy, status, said, credited", [
    ("atomic_update", 504, "is committed, but the database answered balances that are no amounts of money", 1),
    ("advisory_lock", 504, "is committed, but the database answered balances that are no amounts of money", 1),
    ("vulnerable", 500, "partially applied", 0), ("subselect_predicate", 500, "nothing was transferred", 0)])
def test_a_balance_turns_out_to_be_no_number(start_bank, background, strategy, status, said, credited):
    """numeric can hold NaN too. After a write that remains, the answer does not say that nothing was transferred."""
    bank = start_bank()
    bank.set(strategy=strategy, delay_enabled=True, delay_ms=60000)
    sent = background(bank.transfer, "alice", "bob", "1")
    eventually(lambda: "Debug delay" in bank.log(), "the transfer stands at the delay, before it writes")
    bank.rows("UPDATE accounts SET balance = 'NaN' WHERE id = 'alice'")
    bank.set(delay_enabled=False)
    assert said in assert_problem(sent.result(HANG_GUARD), status)["detail"]
    assert bank.balance("bob") == 500 + credited


def test_a_batch_with_a_balance_that_is_no_number(start_bank):
    """The statement that returns the balances posts the whole batch."""
    bank = start_bank()
    bank.set(strategy="batched")
    bank.rows("UPDATE accounts SET balance = 'NaN' WHERE id = 'alice'")
    assert "no amounts of money" in assert_problem(bank.transfer("alice", "bob", "1"), 504)["detail"]
    assert bank.balance("bob") == 501


@pytest.mark.parametrize("delay_ms", [0, 1])
def test_a_balance_that_is_no_number_harms_no_other_transfer(start_bank, background, delay_ms):
    """Ten transfers of one batch, posted by one statement or judged one by one (after a delay): one has the bad
    account."""
    bank = start_bank()
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('odd', 'NaN', 0)")
    bank.set(strategy="batched", delay_enabled=delay_ms > 0, delay_ms=max(delay_ms, 1))
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT 1 FROM accounts WHERE id = 'alice' FOR UPDATE")
        first = background(bank.transfer, "alice", "bob", "1")  # the others queue behind it
        bank.until_waiting(1)
        good = [background(bank.transfer, "alice", "charlie", "1") for _ in range(9)]
        bad = background(bank.transfer, "alice", "odd", "1")
        bank.until_waiting(11)
        session.rollback()
    assert [each.result(HANG_GUARD).status for each in (first, *good)] == [200] * 10
    assert_problem(bad.result(HANG_GUARD), 500, 504)


@pytest.fixture
def refusing_commits(bank):
    """PostgreSQL refuses every transfer, but only at its COMMIT."""
    bank.rows("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
              "$$ BEGIN RAISE EXCEPTION 'not today'; END $$")
    bank.rows("CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON transfers DEFERRABLE INITIALLY DEFERRED "
              "FOR EACH ROW EXECUTE FUNCTION refuse()")
    yield
    bank.rows("DROP TRIGGER refuse ON transfers")
    bank.rows("DROP FUNCTION refuse")


@pytest.mark.parametrize("strategy", SAFE)
@pytest.mark.parametrize("pair", [("alice", "bob"), ("bob", "alice")])
def test_a_commit_that_is_refused_is_certain(bank, refusing_commits, strategy, pair):
    """For every way of sending the statements it is certain that nothing was transferred, so the answer says so."""
    body = json.dumps({"from_account": pair[0], "to_account": pair[1], "amount": 1, "strategy": strategy})
    answer = bank.request("POST", "/transfer", body, JSON_TYPE)
    assert_problem(answer, 500)
    assert "nothing was transferred" in answer.json()["detail"]
    assert bank.balances() == {"alice": 1000, "bob": 500, "charlie": 200}


def test_retries_are_those_that_were_made(bank):
    """Twelve attempts that all lost are eleven retries: the last attempt was not repeated."""
    bank.rows("CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS "
              "$$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'lost'; END $$")
    bank.rows("CREATE TRIGGER lose BEFORE INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION lose()")
    try:
        for strategy in ("for_update", "batched"):
            before = bank.metric(RETRIES, strategy=strategy, sqlstate="40001")
            body = json.dumps({"from_account": "alice", "to_account": "bob", "amount": 1, "strategy": strategy})
            assert_problem(bank.request("POST", "/transfer", body, JSON_TYPE), 503)
            assert bank.metric(RETRIES, strategy=strategy, sqlstate="40001") == before + 11
    finally:
        bank.rows("DROP TRIGGER lose ON transfers")
        bank.rows("DROP FUNCTION lose")
