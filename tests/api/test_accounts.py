"""GET /health, GET /accounts, GET /accounts/{id}: the shapes of the contract."""

import json
import re
from decimal import Decimal

import psycopg2.errors
import pytest

from problem import assert_problem
from wire import request_bytes


def test_health_when_all_is_well(bank):
    """The exact document, as the compose health check and the runbook read it."""
    answer = bank.get("/health")
    assert answer.status == 200
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    assert answer.json() == {"status": "ok", "service": "bank-api", "database": "ok"}


def test_the_initial_accounts_in_order(bank):
    """Three accounts, ordered by id, money as a number."""
    answer = bank.get("/accounts")
    assert answer.status == 200
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    assert answer.json() == {"accounts": [{"id": "alice", "balance": Decimal("1000.0")},
                                          {"id": "bob", "balance": Decimal("500.0")},
                                          {"id": "charlie", "balance": Decimal("200.0")}]}


def test_one_account(bank):
    answer = bank.get("/accounts/alice")
    assert answer.status == 200
    assert answer.json() == {"id": "alice", "balance": Decimal("1000.0")}


def test_keys_come_in_the_contracts_order(bank):
    """People read the raw text: id first, then balance."""
    assert list(json.loads(bank.get("/accounts/alice").body)) == ["id", "balance"]
    assert list(json.loads(bank.get("/health").body)) == ["status", "service", "database"]


@pytest.mark.parametrize("path", ["/accounts/nobody", "/accounts/ALICE", "/accounts/", "/accounts/alice/",
                                  "/accounts/alice/x",
                                  "/accounts/alice%27%3B%20DROP%20TABLE%20accounts%3B%20--", "/accounts/%00",
                                  "/accounts/" + "a" * 4000, "/nowhere", "//accounts", "/Health", "/admin",
                                  "/account"])
def test_unknown_accounts_and_paths_are_404(bank, path):
    """A path that names nothing is 404 (a path with a NUL byte may also be called malformed)."""
    statuses = (404, 400) if "%00" in path else (404,)
    assert_problem(bank.get(path), *statuses)
    assert bank.get("/accounts/alice").status == 200


def test_an_unknown_accounts_name_is_in_the_detail(bank):
    assert "nobody" in assert_problem(bank.get("/accounts/nobody"), 404)["detail"]


@pytest.mark.parametrize("name, path", [("alice", "/accounts/%61lice"), ("café", "/accounts/caf%C3%A9"),
                                        ("a/b c", "/accounts/a%2Fb%20c"), ('q"uo\\te', "/accounts/q%22uo%5Cte")])
def test_percent_encoded_account_names(bank, name, path):
    """An account's id is decoded from the path and written as JSON, for any characters in it."""
    if name != "alice":
        bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES (%s, 7, 7)", name)
    try:
        answer = bank.get(path)
        assert answer.status == 200
        assert answer.json()["id"] == name
    finally:
        bank.rows("DELETE FROM accounts WHERE initial_balance = 7")


@pytest.mark.parametrize("path", ["/accounts/%zz", "/accounts/%", "/accounts/%4", "/accounts/%ff%fe"])
def test_bad_percent_encoding_is_refused(bank, path):
    assert_problem(bank.get(path), 400, 404)


@pytest.mark.parametrize("balance, text", [("1000", "1000.0"), ("12.5", "12.5"), ("12.34", "12.34"), ("0", "0.0"),
                                           ("0.05", "0.05"), ("-0.05", "-0.05"), ("-600", "-600.0"),
                                           ("9999999999999.99", "9999999999999.99")])
def test_money_is_written_exactly(bank, balance, text):
    """At least one decimal, at most two, and the sign is kept below one unit. The text is compared, not the number."""
    bank.rows("UPDATE accounts SET balance = %s WHERE id = 'alice'", balance)
    raw = bank.get("/accounts/alice").text()
    assert re.search(r'"balance":\s*([^,}\s]+)', raw).group(1) == text


@pytest.mark.parametrize("path", ["/health", "/accounts", "/accounts/alice", "/transactions", "/admin/settings"])
def test_head_is_get_without_the_body(bank, path):
    """The same status and headers without a body; the connection stays open."""
    with bank.wire() as wire:
        body = wire.send(request_bytes("GET", path)).answer()
        head = wire.send(request_bytes("HEAD", path)).answer(to="HEAD")
        assert head.status == 200
        assert head.headers["Content-Type"] == body.headers["Content-Type"]
        assert head.headers["Content-Length"] == body.headers["Content-Length"] == str(len(body.body))
        assert body.body.endswith(b"}\n")
        assert wire.send(request_bytes("GET", "/health")).answer().json()["status"] == "ok"


def test_head_of_nothing_is_404_without_a_body(bank):
    with bank.wire() as wire:
        assert wire.send(request_bytes("HEAD", "/accounts/nobody")).answer(to="HEAD").status == 404
        assert wire.send(request_bytes("HEAD", "/transfer")).answer(to="HEAD").status == 405
        assert wire.send(request_bytes("GET", "/health")).answer().status == 200


@pytest.mark.parametrize("method, path, allowed", [
    ("POST", "/health", {"GET", "HEAD"}), ("DELETE", "/accounts", {"GET", "HEAD"}),
    ("PUT", "/accounts/alice", {"GET", "HEAD"}), ("GET", "/transfer", {"POST"}), ("HEAD", "/transfer", {"POST"}),
    ("POST", "/transactions", {"GET", "HEAD"}), ("GET", "/reset", {"POST"}),
    ("DELETE", "/admin/settings", {"GET", "HEAD", "POST"}), ("GET", "/admin/delay", {"POST"}),
    ("PUT", "/admin/barrier", {"POST"}), ("PATCH", "/admin/transactions", {"POST"}),
    ("POST", "/metrics", {"GET", "HEAD"}),
    ("TRACE", "/health", {"GET", "HEAD"}), ("PROPFIND", "/health", {"GET", "HEAD"})])
def test_a_wrong_method_is_405_and_names_the_right_ones(bank, method, path, allowed):
    answer = bank.request(method, path)
    named = {each.strip() for each in answer.headers.get("Allow", "").split(",")} - {"OPTIONS"}
    assert answer.status == 405
    assert named == allowed
    if method != "HEAD":
        assert_problem(answer, 405)


def test_every_answer_says_how_old_and_how_typed_it_is(bank):
    """No answer may be cached or sniffed: balances change, and people use the lab in a browser too."""
    answer = bank.get("/accounts")
    assert "Content-Length" in answer.headers
    assert answer.headers.get("Cache-Control") == "no-store"
    assert answer.headers.get("X-Content-Type-Options") == "nosniff"


def test_long_names_in_other_scripts(bank):
    """64 characters or 64 bytes: the API returns every id whole that the table accepts."""
    name = "日本語" * 14
    try:
        bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES (%s, 7, 7)", name)
    except psycopg2.errors.CheckViolation:
        return
    try:
        assert name in bank.balances()
        assert bank.transfer(name, "bob", "1").json()["from_account"] == name
        assert bank.transactions()[-1]["from_account"] == name
    finally:
        bank.rows("DELETE FROM accounts WHERE id = %s", name)


def test_a_balance_that_is_no_number(bank):
    """numeric can hold NaN too: either the table refuses it, or the bank survives it."""
    try:
        bank.rows("UPDATE accounts SET balance = 'NaN' WHERE id = 'charlie'")
    except psycopg2.errors.CheckViolation:
        return
    try:
        for path in ("/accounts/charlie", "/accounts", "/metrics"):
            assert bank.get(path).status in (200, 500)
        assert bank.transfer("charlie", "bob", "1").status in (200, 500)
    finally:
        bank.rows("UPDATE accounts SET balance = initial_balance WHERE id = 'charlie'")
    assert bank.get("/accounts").status == 200
