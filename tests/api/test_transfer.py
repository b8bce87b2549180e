"""POST /transfer and GET /transactions: the record in the answer, in the table and in the list."""

import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from client import JSON_TYPE, transfer_body
from problem import assert_problem

RECORD_KEYS = ["id", "timestamp", "from_account", "to_account", "amount", "from_balance_before", "from_balance_after",
               "to_balance_before", "to_balance_after", "status", "thread_id", "duration_ms"]


@pytest.fixture(params=["vulnerable", "for_update"])
def strategy(request, bank):
    """Both strategies answer alike without a race."""
    bank.set(use_transactions=request.param == "for_update")
    return request.param


def test_a_transfers_record(bank, strategy):
    """Every key of the contract, in its order, with its type and the right balances."""
    answer = bank.transfer("alice", "bob", "100")
    assert answer.status == 200
    record = answer.json()
    assert list(record)[:len(RECORD_KEYS)] == RECORD_KEYS
    assert re.fullmatch(r"[0-9a-f]{8}", record["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record["timestamp"])
    received = datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00"))
    assert abs(received - datetime.now(timezone.utc)) < timedelta(hours=1)
    assert (record["from_account"], record["to_account"], record["amount"]) == ("alice", "bob", Decimal("100.0"))
    assert (record["from_balance_before"], record["from_balance_after"]) == (Decimal(1000), Decimal(900))
    assert (record["to_balance_before"], record["to_balance_after"]) == (Decimal(500), Decimal(600))
    assert record["status"] == "success"
    assert re.fullmatch(r"worker-\d+", record["thread_id"])
    assert record["duration_ms"] > 0
    assert record["strategy"] == strategy
    assert record["race_detected"] is False
    assert record["trace_id"] is None or re.fullmatch(r"[0-9a-f]{32}", record["trace_id"])
    assert bank.balances() == {"alice": 900, "bob": 600, "charlie": 200}


def test_a_refused_transfer_is_an_outcome_not_an_error(bank, strategy):
    """HTTP 200, failed_insufficient_funds, no balance moved, and the refusal is recorded."""
    answer = bank.transfer("charlie", "bob", "200.01")
    assert answer.status == 200
    record = answer.json()
    assert record["status"] == "failed_insufficient_funds"
    assert record["race_detected"] is False
    assert record["from_balance_before"] == record["from_balance_after"] == Decimal(200)
    assert record["to_balance_before"] == record["to_balance_after"] == Decimal(500)
    assert bank.balances() == {"alice": 1000, "bob": 500, "charlie": 200}
    assert [each["id"] for each in bank.transactions()] == [record["id"]]


def test_the_whole_balance_may_go(bank, strategy):
    """The check is >=: the whole balance may be spent."""
    assert bank.transfer("charlie", "bob", "200").json()["status"] == "success"
    assert bank.balance("charlie") == 0
    assert bank.transfer("charlie", "bob", "0.01").json()["status"] == "failed_insufficient_funds"


@pytest.mark.parametrize("written, meant", [
    ("1", "1"), ("1.0", "1"), ("100.00", "100"), ("0.01", "0.01"), ("0.1", "0.1"), ("12.34", "12.34"),
    ("99.99", "99.99"),
    ("1e2", "100"), ("1.5e1", "15"), ("1E+2", "100"), ("150e-1", "15"), ("1e-2", "0.01"),
    ("1000000000000", "1000000000000"),
    ("1e12", "1000000000000"), ("999999999999.99", "999999999999.99"), ("100000000000.07", "100000000000.07")])
def test_amounts_are_exact_decimals(bank, written, meant):
    """The amount is exactly the written one, for exponents and up to the largest, without floating point."""
    answer = bank.transfer("alice", "bob", written)
    assert answer.status == 200
    assert Decimal(answer.json()["amount"]) == Decimal(meant)
    assert Decimal(bank.rows("SELECT amount FROM transfers")[0]["amount"]) == Decimal(meant)


def test_many_small_amounts_add_up(bank):
    """Ten times 0.1 and ten times 0.2 are three, to the cent."""
    with bank.client() as client:
        for amount in ["0.1", "0.2"] * 10:
            assert client.transfer("alice", "bob", amount).status == 200
    assert re.search(r'"balance":\s*997\.0\D', bank.get("/accounts/alice").text())
    assert re.search(r'"balance":\s*503\.0\D', bank.get("/accounts/bob").text())


def test_money_in_a_record_is_written_as_money(bank):
    """Every amount of the raw text has one or two decimals, and no second zero."""
    raw = bank.transfer("alice", "bob", "12.34").text()
    amounts = re.findall(r'"(?:amount|\w+_balance_\w+)":\s*([^,}\s]+)', raw)
    assert amounts == ["12.34", "1000.0", "987.66", "500.0", "512.34"]


def test_the_table_holds_the_record(bank, strategy):
    """psql shows the same record as the answer."""
    record = bank.transfer("alice", "bob", "12.34").json()
    row, = bank.rows("SELECT * FROM transfers")
    for key in ("id", "from_account", "to_account", "status", "thread_id", "strategy", "race_detected", "trace_id",
                "amount", "from_balance_before", "from_balance_after", "to_balance_before", "to_balance_after"):
        assert row[key] == record[key], key
    assert row["timestamp"] == datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00"))


def test_the_log_shows_the_record(bank, strategy):
    """GET /transactions repeats the record (its duration may differ: the answer's includes the COMMIT)."""
    record = bank.transfer("alice", "bob", "12.34").json()
    logged, = bank.transactions()
    assert {**logged, "duration_ms": 0} == {**record, "duration_ms": 0}
    assert list(logged) == list(record)


def test_the_last_transactions_oldest_first(bank):
    """`limit` selects the newest, in the order of recording; 20 without it."""
    with bank.client() as client:
        ids = [client.transfer("alice", "bob", "1").json()["id"] for _ in range(25)]
        assert [each["id"] for each in client.get("/transactions?limit=5").json()["transactions"]] == ids[-5:]
        assert [each["id"] for each in client.get("/transactions?limit=1").json()["transactions"]] == ids[-1:]
        assert [each["id"] for each in client.get("/transactions?limit=1000").json()["transactions"]] == ids
        assert [each["id"] for each in client.get("/transactions").json()["transactions"]] == ids[-20:]
    assert len(set(ids)) == 25


def test_no_transactions_yet(bank):
    assert bank.get("/transactions").json() == {"transactions": []}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit=", "limit=1.5", "limit=1e2",
                                   "limit=99999999999999999999", "limit=%2B5", "limit=5&limit=6", "limits=5",
                                   "limit=5&x=1"])
def test_a_limit_out_of_range_is_422(bank, query):
    """Out of range, not a number, twice, or an unknown parameter."""
    assert_problem(bank.get(f"/transactions?{query}"), 422)


def test_the_biggest_page_of_transactions(bank):
    """A thousand records in one answer, complete."""
    bank.transfer("alice", "bob", "1")
    bank.rows("""INSERT INTO transfers (id, "timestamp", from_account, to_account, amount, from_balance_before,
                   from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy,
                   race_detected, trace_id, steps)
                 SELECT to_hex(n), "timestamp", from_account, to_account, amount, from_balance_before,
                   from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy,
                   race_detected, trace_id, steps FROM transfers, generate_series(1, 1200) n""")
    records = bank.transactions(1000)
    assert [each["id"] for each in records] == [f"{n:x}" for n in range(201, 1201)]


def test_versions_count_the_changes(bank, strategy):
    """accounts.version increases with every UPDATE, and a reset is one."""
    def versions():
        return [row["version"] for row in bank.rows("SELECT version FROM accounts ORDER BY id")]
    begun = versions()
    bank.transfer("alice", "bob", "1")
    bank.transfer("alice", "charlie", "1")
    assert [now - then for now, then in zip(versions(), begun, strict=True)] == [2, 1, 1]
    bank.post("/reset")
    assert [now - then for now, then in zip(versions(), begun, strict=True)] == [3, 2, 2]


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON",
                                          "application/json;charset=UTF-8", "application/json ; charset=\"utf-8\""])
def test_json_by_any_spelling_of_its_type(bank, content_type):
    answer = bank.request("POST", "/transfer", transfer_body("alice", "bob", "1"), {"Content-Type": content_type})
    assert answer.status == 200


def test_json_may_be_written_any_way(bank):
    """Any order of keys, white space, escapes in names and values."""
    body = ' \r\n\t{ "amount" : 1.5e1 ,\n "to_\\u0061ccount":"b\\u006fb", "from_account": "\\u0061lice" }\n '
    answer = bank.request("POST", "/transfer", body, JSON_TYPE)
    assert answer.status == 200
    assert answer.json()["to_account"] == "bob"


def test_accounts_by_any_name(bank):
    """Ids with quotes, SQL, other scripts and a newline are only data everywhere."""
    names = ['q"uo\\te', "Robert'); DROP TABLE accounts;--", "зёрна-日本-😀", "line\nbreak", "%s$1{}", "x" * 64]
    try:
        for name in names:
            bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES (%s, 10, 10)", name)
        for safe in (False, True):
            bank.set(use_transactions=safe)
            for source, target in zip(names, names[1:] + names[:1]):
                record = bank.transfer(source, target, "1").json()
                assert (record["status"], record["from_account"], record["to_account"]) == ("success", source, target)
        assert {each["from_account"] for each in bank.transactions()} == set(names)
        assert {labels["account_id"] for labels in bank.scrape().labels("account_balance")} >= {"x" * 64, "%s$1{}"}
    finally:
        bank.rows("DELETE FROM accounts WHERE id NOT IN ('alice', 'bob', 'charlie')")
