"""The answer about a transfer is true, for everything the database does to the transfer: triggers that suppress or
refuse a write, a synchronous standby that is not waited for, a disk that is full, a server that panics."""

import contextlib
import os
import pathlib
import re
import subprocess

import pytest

from client import JSON_TYPE, transfer_body
from cluster import Cluster
from crowd import Crowd
from pace import HANG_GUARD, eventually
from problem import assert_problem
from strategies import SAFE, WRONG
from truth import Truth

NO_TRANSACTION = ["vulnerable", "absolute_update", "process_mutex"]


@contextlib.contextmanager
def trigger(bank, table, body, when="BEFORE INSERT OR UPDATE", condition="true"):
    """A trigger for the length of the `with`, as a person at psql makes it."""
    bank.rows(f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
    bank.rows(f"CREATE TRIGGER meddle {when} ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION meddle()")
    try:
        yield
    finally:
        bank.rows(f"DROP TRIGGER meddle ON {table}")
        bank.rows("DROP FUNCTION meddle")


PLACES = {"the record": ("transfers", "true"), "the deduct": ("accounts", "NEW.id = 'alice'"),
          "the credit": ("accounts", "NEW.id = 'bob'")}


@pytest.mark.parametrize("strategy", SAFE + WRONG)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("deed", ["RETURN NULL;", "RAISE EXCEPTION 'not today';"])
def test_a_trigger_keeps_a_write_back(bank, strategy, place, deed):
    """The write is suppressed without an error, or refused: the server lives, says which writes remain, and keeps no
    others."""
    table, condition = PLACES[place]
    truth = Truth(bank)
    with trigger(bank, table, deed, condition=condition):
        answer = bank.transfer("alice", "bob", "1", strategy)
    truth.holds_for(answer)
    assert answer.status == 500 or (answer.status == 503 and deed == "RETURN NULL;"), answer
    left, arrived, recorded = truth.moved()
    assert recorded == 0
    if strategy not in NO_TRANSACTION:
        assert (left, arrived) == (0, 0)
    assert bank.transfer("alice", "bob", "1", strategy).status == 200


@pytest.mark.parametrize("strategy", NO_TRANSACTION)
def test_which_writes_stand(bank, strategy):
    """Without a transaction: only the record is missing, or the money has not arrived."""
    with trigger(bank, "transfers", "RAISE EXCEPTION 'not today';"):
        moved = assert_problem(bank.transfer("alice", "bob", "1", strategy), 500)["detail"]
    with trigger(bank, "accounts", "RAISE EXCEPTION 'not today';", condition="NEW.id = 'bob'"):
        taken = assert_problem(bank.transfer("alice", "bob", "1", strategy), 500)["detail"]
    assert 'the money was moved from "alice" to "bob"' in moved and "GET /transactions lacks it" in moved
    assert 'taken from "alice" and has not reached "bob"' in taken
    assert bank.balances() == {"alice": 998, "bob": 501, "charlie": 200}


def test_a_swallowed_refusal_is_none(bank):
    """A refusal that was not recorded moved nothing, and no answer says that it was recorded."""
    truth = Truth(bank, amount=5000)
    with trigger(bank, "transfers", "RETURN NULL;"):
        for strategy in SAFE + WRONG:
            truth.holds_for(bank.transfer("alice", "bob", "5000", strategy))


# --- A wait for a synchronous standby that psql cancels ---

@pytest.fixture(name="nobody_replicates")
def fixture_nobody_replicates(bank):
    """Every COMMIT waits for a standby that does not exist. Only this database has the setting."""
    bank.cluster.rows("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    bank.cluster.rows("postgres", "SELECT pg_reload_conf()")
    eventually(lambda: bank.rows("SHOW synchronous_standby_names")[0]["synchronous_standby_names"] == "nobody",
               "the setting holds")
    yield
    bank.cluster.rows("postgres", "ALTER SYSTEM RESET synchronous_standby_names")
    bank.cluster.rows("postgres", "SELECT pg_reload_conf()")
    eventually(lambda: bank.rows("SHOW synchronous_standby_names")[0]["synchronous_standby_names"] == "",
               "nobody waits any more")


def cancel_waits_until(bank, answer):
    """Cancels each wait for the standby until the transfer is answered."""
    def cancelled():
        bank.rows("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        return answer.done()
    eventually(cancelled, "the transfer is answered")
    return answer.result(HANG_GUARD)


def end_backends_until(bank, answer, condition):
    """Ends each of the bank's backends for which the condition is true until the transfer is answered. An attempt on a
    session that was open before is repeated on a new one, so more than one backend may have to end."""
    def ended():
        bank.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bank-api' "
                  f"AND datname = current_database() AND {condition}")
        return answer.done()
    eventually(ended, "the transfer is answered")
    return answer.result(HANG_GUARD)


@pytest.mark.parametrize("strategy", SAFE + WRONG)
def test_a_cancelled_wait_for_the_standby(bank, background, nobody_replicates, strategy):
    """COMMIT succeeds with a WARNING, and the transfer may be lost in a failover: unknown, logged and counted."""
    truth, written = Truth(bank), len(bank.log())
    unknown = bank.metric("transfers_unknown_total", strategy=strategy)
    succeeded = bank.metric("transfers_total", strategy=strategy, status="success")
    answer = cancel_waits_until(bank, background(bank.transfer, "alice", "bob", "1", strategy))
    detail = assert_problem(answer, 504)["detail"]
    assert "a failover may lose it" in detail and "synchronous standby" in detail
    truth.holds_for(answer)
    assert "committed on this server only" in bank.log_since(written)
    assert bank.metric("transfers_unknown_total", strategy=strategy) == unknown + 1
    assert bank.metric("transfers_total", strategy=strategy, status="success") == succeeded


@pytest.mark.parametrize("strategy", ["vulnerable", "for_update", "atomic_update", "batched"])
def test_a_cancelled_wait_of_a_refusal(bank, background, nobody_replicates, strategy):
    """A refusal moved nothing, which stays true after a failover."""
    answer = cancel_waits_until(bank, background(bank.transfer, "alice", "bob", "5000", strategy))
    assert (answer.status, answer.json()["status"]) == (200, "failed_insufficient_funds")


def test_a_warning_of_a_trigger_is_no_cancelled_wait(bank):
    """It has the same SQLSTATE, 01000."""
    with trigger(bank, "transfers", "RAISE WARNING 'well, well'; RETURN NEW;"):
        for strategy in SAFE + WRONG:
            assert bank.transfer("alice", "bob", "1", strategy).status == 200


def test_the_next_transfer_of_a_session_is_certain_again(bank, background, nobody_replicates):
    """The warning of one COMMIT does not affect the next one."""
    cancel_waits_until(bank, background(bank.transfer, "alice", "bob", "1", "for_update"))
    bank.cluster.rows("postgres", "ALTER SYSTEM RESET synchronous_standby_names")
    bank.cluster.rows("postgres", "SELECT pg_reload_conf()")
    eventually(lambda: bank.rows("SHOW synchronous_standby_names")[0]["synchronous_standby_names"] == "", "reloaded")
    assert bank.transfer("alice", "bob", "1", "for_update").status == 200


def test_a_cancelled_wait_of_a_reset(bank, background, nobody_replicates):
    """A failover may undo the reset, so the answer does not say that the bank is reset."""
    written = len(bank.log())
    answer = cancel_waits_until(bank, background(bank.post, "/reset"))
    detail = assert_problem(answer, 504)["detail"]
    assert "a failover may undo it" in detail and "synchronous standby" in detail
    assert "committed on this server only" in bank.log_since(written)


# --- Sessions that end during a COMMIT ---

def test_a_fatal_end_while_the_commit_of_a_reset_waits(bank, background, nobody_replicates):
    """The reset may or may not have happened, and a second attempt on a new session ends in the same way."""
    answer = end_backends_until(bank, background(bank.post, "/reset"), "wait_event = 'SyncRep'")
    detail = assert_problem(answer, 504)["detail"]
    assert "may or may not have happened" in detail and "POST /reset" in detail


@pytest.mark.parametrize("strategy", SAFE + WRONG)
def test_a_fatal_end_while_a_commit_waits(bank, background, nobody_replicates, strategy):
    """The session is ended while its COMMIT waits for the standby: it is committed, but no answer says so."""
    truth = Truth(bank)
    sent = background(bank.transfer, "alice", "bob", "1", strategy)

    def ended():
        bank.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        return sent.done()
    eventually(ended, "the transfer is answered")
    answer = sent.result(HANG_GUARD)
    assert_problem(answer, 504)
    truth.holds_for(answer)


def test_an_unknown_outcome_is_found_by_its_id(bank, background, nobody_replicates):
    """The detail of the 504 names the request that returns the outcome."""
    answer = end_backends_until(bank, background(bank.transfer, "alice", "bob", "1", "for_update"),
                                "wait_event = 'SyncRep'")
    path, = re.findall(r"GET (/transfers/[0-9a-f]{8}) ", assert_problem(answer, 504)["detail"])
    record = eventually(lambda: (found := bank.get(path)).status == 200 and found.json(), "the record is visible")
    assert (record["from_account"], record["to_account"], record["status"]) == ("alice", "bob", "success")


@pytest.mark.parametrize("strategy", ["vulnerable", "for_update", "atomic_update", "serializable", "batched"])
def test_an_unknown_outcome_is_resolved_by_its_key(bank, background, nobody_replicates, strategy):
    """The session ends between the commit and its answer. A repeat says that the outcome is unknown as long as a
    failover may lose the transfer, and then it gets the answer that was lost."""
    def send():
        return bank.request("POST", "/transfer", transfer_body("alice", "bob", "1", strategy),
                            {**JSON_TYPE, "Idempotency-Key": f'"{strategy}"'})

    lost = end_backends_until(bank, background(send), "wait_event = 'SyncRep'")
    assert "with the same Idempotency-Key" in assert_problem(lost, 504)["detail"]
    transfer_id, = eventually(bank.recorded, "the record is visible")
    detail = assert_problem(cancel_waits_until(bank, background(send)), 504)["detail"]
    assert f"Transfer {transfer_id} is committed on this database server" in detail
    bank.cluster.rows("postgres", "ALTER SYSTEM RESET synchronous_standby_names")
    bank.cluster.rows("postgres", "SELECT pg_reload_conf()")
    answer = eventually(lambda: (found := send()).status == 200 and found, "the key is answered")
    assert (answer.headers["Idempotent-Replayed"], answer.json()["id"]) == ("true", transfer_id)
    assert bank.recorded() == [transfer_id] and bank.balance("bob") == 501


@pytest.mark.parametrize("strategy", ["cte_snapshot", "subselect_predicate"])
def test_a_session_that_ends_before_its_commit(bank, background, strategy):
    """The transfer has written and waits until its rival waits for the row. This never happens, because the rival waits
    for a row that this test holds. COMMIT is never sent, so it is certain that nothing was transferred."""
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('aaron', 0, 0)")
    bank.set(barrier_enabled=True, barrier_count=2)
    truth = Truth(bank)
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'aaron' FOR UPDATE")
        rival = background(bank.transfer, "alice", "aaron", "5000", "for_update")
        bank.until_waiting_at_the_barrier(1)
        answer = end_backends_until(bank, background(bank.transfer, "alice", "bob", "1", strategy),
                                    "state = 'idle in transaction' AND query LIKE '%pg_blocking_pids%'")
        assert "nothing was transferred" in assert_problem(answer, 503)["detail"]
        truth.holds_for(answer)
    assert rival.result(HANG_GUARD).json()["status"] == "failed_insufficient_funds"
    bank.rows("DELETE FROM accounts WHERE id = 'aaron'")


@pytest.mark.parametrize("strategy", SAFE + WRONG)
def test_a_session_that_ends_before_a_write_is_sent(bank, background, strategy):
    """A new session prepares the write, which waits for a table that this test holds, and ends there. The write was
    never sent: nothing was transferred, or it is certain which writes of a transfer without a transaction remain."""
    truth = Truth(bank)
    bank.cluster.end_sessions(bank.database)
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("LOCK TABLE transfers IN ACCESS EXCLUSIVE MODE")
        answer = end_backends_until(bank, background(bank.transfer, "alice", "bob", "1", strategy),
                                    "wait_event_type = 'Lock'")
    if strategy in NO_TRANSACTION:
        detail = assert_problem(answer, 500)["detail"]
        assert 'the money was moved from "alice" to "bob"' in detail and "GET /transactions lacks it" in detail
    else:
        assert "nothing was transferred" in assert_problem(answer, 503)["detail"]
    truth.holds_for(answer)


@pytest.mark.parametrize("strategy", ["vulnerable", "atomic_update", "for_update", "optimistic", "batched"])
@pytest.mark.parametrize("word", ["FATAL", "PANIC"])
def test_a_write_that_ends_the_session(bank, strategy, word):
    """A write that ends the session with an SQLSTATE of any class leaves its outcome unknown. A deferred trigger in C
    is not available here, so idle_in_transaction and a crash of the backend are tested instead."""
    truth = Truth(bank)
    number = {"FATAL": 15, "PANIC": 6}[word]
    starts = bank.cluster.starts()

    def is_back():
        """A server that has not noticed the crash yet still accepts connections, and ends them a moment later."""
        return word == "FATAL" or (bank.cluster.starts() > starts and bank.cluster.accepts())
    bank.rows("CREATE FUNCTION strike() RETURNS trigger LANGUAGE plpgsql AS "
              f"$$ BEGIN COPY (SELECT 1) TO PROGRAM 'kill -{number} $PPID; sleep 1'; RETURN NULL; END $$")
    bank.rows("CREATE CONSTRAINT TRIGGER strike AFTER INSERT ON transfers DEFERRABLE INITIALLY DEFERRED "
              "FOR EACH ROW EXECUTE FUNCTION strike()")
    try:
        answer = bank.transfer("alice", "bob", "1", strategy)
        eventually(is_back, "the cluster is back")
        assert_problem(answer, 503, 504)
        truth.holds_for(answer)
    finally:
        eventually(is_back, "the cluster is back")
        bank.rows("DROP TRIGGER strike ON transfers")
        bank.rows("DROP FUNCTION strike")
        bank.until_healthy()
