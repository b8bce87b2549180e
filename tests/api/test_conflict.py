"""Transactions that lose: a deadlock with somebody else's transaction is retried, counted by its own SQLSTATE, and
never reaches a client; without a transaction, what was begun stays half done, and is told so."""

import concurrent.futures

from pace import eventually

RETRIES = "transfer_retries_total"


def test_a_deadlock_is_tried_again(bank):
    """Somebody locks Bob and then wants Alice, while the transfer has Alice and wants Bob."""
    bank.set(use_transactions=True)
    before = bank.metric(RETRIES, strategy="for_update", sqlstate="40P01")
    others = bank.metric(RETRIES, strategy="for_update", sqlstate="40001")
    with bank.cluster.session(bank.database) as session, concurrent.futures.ThreadPoolExecutor(1) as threads:
        session.autocommit = False
        cursor = session.cursor()
        cursor.execute("SELECT 1 FROM accounts WHERE id = 'bob' FOR UPDATE")
        transfer = threads.submit(bank.transfer, "alice", "bob", "1")
        eventually(lambda: bank.rows("SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'",
                                     bank.database), "the transfer waits for Bob")
        # PostgreSQL's deadlock check comes a second after a wait began: the transfer's comes first, and it gives way.
        cursor.execute("SELECT 1 FROM accounts WHERE id = 'alice' FOR UPDATE")
        session.rollback()
        answer = transfer.result()
    assert (answer.status, answer.json()["status"]) == (200, "success")
    assert bank.metric(RETRIES, strategy="for_update", sqlstate="40P01") == before + 1
    assert bank.metric(RETRIES, strategy="for_update", sqlstate="40001") == others
    steps = bank.rows("SELECT outcome FROM transfers, jsonb_to_recordset(steps) AS s (step text, outcome text) "
                      "WHERE step = 'retry'")
    assert [step["outcome"] for step in steps] == ["40P01"]


def test_half_done(bank):
    """Vulnerable mode: Bob's account cannot hold more, but Alice's money is gone already."""
    bank.rows("UPDATE accounts SET balance = 9999999999999.99 WHERE id = 'bob'")
    answer = bank.transfer("alice", "bob", "800")
    assert answer.status == 500 and "half done" in answer.json()["detail"], answer
    assert bank.balance("alice") == 200
    assert bank.metric("money_drift") != 0
