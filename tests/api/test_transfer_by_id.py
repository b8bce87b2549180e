"""GET /transfers/{transfer_id}: the record of one transfer, however many came after it."""

import pytest

from problem import assert_problem
from wire import request_bytes


def insert_records(bank, count):
    """Inserts records with the ids f0000001 and so on, without a step."""
    bank.rows(f"""INSERT INTO transfers (id, "timestamp", from_account, to_account, amount, from_balance_before,
                      from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy,
                      race_detected, steps)
                  SELECT 'f' || to_char(n, 'FM0000000'), now(), 'bob', 'alice', 1, 2, 1, 1, 2, 'success', 'psql', 1,
                         'vulnerable', false, '[]' FROM generate_series(1, {count}) n""")


@pytest.mark.parametrize("amount, status", [("1", "success"), ("5000", "failed_insufficient_funds")])
def test_a_record_is_that_of_the_list(bank, amount, status):
    transfer_id = bank.transfer("alice", "bob", amount).json()["id"]
    bank.transfer("alice", "charlie", "1")
    answer = bank.get(f"/transfers/{transfer_id}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == bank.transactions()[0]
    assert (answer.json()["id"], answer.json()["status"]) == (transfer_id, status)


def test_the_oldest_of_many_records_is_found(bank):
    """GET /transactions and GET /races look at the newest 1,000 only."""
    record = bank.transfer("alice", "bob", "1").json()
    insert_records(bank, 3000)
    found = bank.get(f"/transfers/{record['id']}").json()
    assert {**found, "duration_ms": record["duration_ms"]} == record
    assert bank.get("/transfers/f0000001").json()["from_account"] == "bob"


def test_the_newest_of_two_records_with_one_id(bank):
    """Ids are random in each process, so two servers may give the same one."""
    insert_records(bank, 1)
    bank.rows("UPDATE transfers SET amount = 7")
    insert_records(bank, 1)
    assert bank.get("/transfers/f0000001").json()["amount"] == 1


def test_a_reset_removes_the_record(bank):
    record = bank.transfer("alice", "bob", "1").json()
    bank.post("/reset")
    detail = assert_problem(bank.get(f"/transfers/{record['id']}"), 404)["detail"]
    assert record["id"] in detail and "since the last reset" in detail


def test_no_such_transfer(bank):
    bank.transfer("alice", "bob", "1")
    detail = assert_problem(bank.get("/transfers/00000000"), 404)["detail"]
    assert '"00000000"' in detail and "since the last reset" in detail


@pytest.mark.parametrize("transfer_id", ["nothing", "0000000", "000000000", "0000000g", "ABCDEF01", "a" * 300,
                                         "alice'--", "%C3%A9%C3%A9%C3%A9%C3%A9"])
def test_an_id_that_is_none(bank, transfer_id):
    """The detail says what an id looks like, and the database is not asked."""
    detail = assert_problem(bank.get(f"/transfers/{transfer_id}"), 404)["detail"]
    assert "eight hexadecimal digits" in detail


def test_requests_that_are_refused(bank):
    assert_problem(bank.get("/transfers/00000000?limit=1"), 422)
    assert_problem(bank.get("/transfers/%ff"), 400)
    assert_problem(bank.get("/transfers/%00"), 400)
    assert_problem(bank.get("/transfers/"), 404)
    assert_problem(bank.get("/transfers"), 404)
    assert_problem(bank.post("/transfers/00000000"), 405)


def test_head(bank):
    transfer_id = bank.transfer("alice", "bob", "1").json()["id"]
    for path, status in ((f"/transfers/{transfer_id}", 200), ("/transfers/00000000", 404)):
        with bank.wire() as wire:
            answer = wire.send(request_bytes("HEAD", path)).answer(to="HEAD")
            assert (answer.status, answer.body) == (status, b"")
