"""The choice of a strategy: the list, the settings, the shortcut, and a strategy for a single transfer."""

import json
import re

import pytest

from client import JSON_TYPE
from problem import assert_problem
from strategies import SAFE, STANDBY_SAFE, STANDBY_WRONG, WRONG


def listed(bank):
    answer = bank.get("/strategies")
    assert answer.status == 200, answer
    return {each["name"]: each for each in answer.json()["strategies"]}


def expect_problem(answer, status, text):
    """Checks a refusal whose detail contains `text`."""
    assert text in assert_problem(answer, status)["detail"], answer


def send(bank, **fields):
    body = {"from_account": "alice", "to_account": "bob", "amount": 1, **fields}
    return bank.request("POST", "/transfer", json.dumps(body), JSON_TYPE)


def test_the_list(bank):
    strategies = listed(bank)
    assert sorted(strategies) == sorted(SAFE + WRONG + STANDBY_SAFE + STANDBY_WRONG)
    assert sorted(name for name, each in strategies.items() if each["safe"]) == sorted(SAFE + STANDBY_SAFE)
    for each in strategies.values():
        assert list(each) == ["name", "idea", "safe", "uses_locks", "isolation", "sketch", "sql", "watch_for",
                              "choose_when", "selected", "needs_standby", "available"]
        assert len(each["idea"]) > 20 and len(each["watch_for"]) > 40
        assert each["choose_when"].startswith("never") == (not each["safe"]), each["name"]
        assert each["sql"] and all("\n" not in sql and "  " not in sql and ";" not in sql for sql in each["sql"])
    assert [name for name, each in strategies.items() if each["selected"]] == ["vulnerable"]
    assert strategies["serializable"]["isolation"] == "serializable"
    assert "BEGIN ISOLATION LEVEL SERIALIZABLE" in strategies["serializable"]["sql"]
    assert any("FOR UPDATE" in sql for sql in strategies["for_update"]["sql"])
    assert strategies["vulnerable"]["isolation"].startswith("none")


def test_a_sketch_is_short_and_has_sql_that_the_database_understands(bank):
    values = {"from": "'alice'", "to": "'bob'", "amount": "1.00", "sum": "1.00", "new_from": "1.00", "new_to": "1.00",
              "version": "1", "lsn": "'0/0'"}
    for name, strategy in listed(bank).items():
        sketch = strategy["sketch"]
        assert 3 <= len(sketch) <= 6, name
        has_transaction = not strategy["isolation"].startswith("none")
        assert any(each["line"].startswith("BEGIN") for each in sketch) == has_transaction, name
        assert any(each["line"].startswith("COMMIT") for each in sketch) == has_transaction, name
        for each in sketch:
            assert list(each) == ["line", "steps", "pauses"] and len(each["line"]) < 180, each
            for sql in each["line"].split("--")[0].replace(", ...", "").split(";"):
                if sql.strip() and not sql.strip().startswith(("BEGIN", "SET", "COMMIT")) and "(...)" not in sql:
                    bank.rows("EXPLAIN " + re.sub(r":(\w+)", lambda match: values[match[1]], sql))


@pytest.mark.parametrize("name", SAFE + WRONG)
def test_every_step_of_a_race_has_its_line_in_the_sketch(bank, background, name):
    bank.set(barrier_enabled=True, barrier_count=2, delay_enabled=True, delay_ms=1)
    both = [background(bank.transfer, "alice", to, "800", name) for to in ("bob", "charlie")]
    ids = [each.result().json()["id"] for each in both]
    race = bank.get(f"/races/{ids[0]}").json()
    assert {each["id"] for each in race["transfers"]} == set(ids)
    known = {step for each in listed(bank)[name]["sketch"] for step in each["steps"] + each["pauses"]}
    assert {step["step"] for each in race["transfers"] for step in each["steps"]} <= known


@pytest.mark.parametrize("name", SAFE + WRONG)
def test_selected_by_its_shortcut(bank, name):
    answer = bank.post(f"/admin/strategy?name={name}")
    assert answer.status == 200, answer
    assert answer.json() == {"strategy": name, "safe": name in SAFE, "use_transactions": name in SAFE}
    assert [each for each, strategy in listed(bank).items() if strategy["selected"]] == [name]
    assert bank.get("/admin/settings").json()["strategy"] == name
    record = bank.transfer(amount="1").json()
    assert (record["strategy"], record["status"], record["anomaly"]) == (name, "success", None)
    assert (record["from_balance_before"], record["from_balance_after"]) == (1000, 999)
    assert (record["to_balance_before"], record["to_balance_after"]) == (500, 501)
    refused = bank.transfer(amount="1000").json()
    assert refused["status"] == "failed_insufficient_funds"
    assert refused["from_balance_before"] == refused["from_balance_after"] == 999
    assert refused["to_balance_before"] == refused["to_balance_after"] == 501
    assert bank.balances() == {"alice": 999, "bob": 501, "charlie": 200}
    assert [each["id"] for each in bank.transactions()] == [record["id"], refused["id"]]
    assert bank.get("/audit").json()["consistent"] is True


@pytest.mark.parametrize("name", SAFE + WRONG)
def test_an_unknown_account_moves_nothing(bank, name):
    bank.set(strategy=name)
    expect_problem(bank.transfer(source="nobody"), 404, "nobody")
    expect_problem(bank.transfer(target="nobody"), 404, "nobody")
    assert bank.balances() == {"alice": 1000, "bob": 500, "charlie": 200}
    assert bank.recorded() == []


@pytest.fixture
def more_accounts(bank):
    """more_accounts(balance, *ids): accounts besides the bank's own, for one test."""
    made = []

    def make(balance, *ids):
        for each in ids:
            bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES (%s, %s, %s)", each, balance, balance)
            made.append(each)
    yield make
    bank.rows("DELETE FROM accounts WHERE id = ANY (%s)", made)


@pytest.mark.parametrize("name", SAFE + WRONG)
def test_account_ids_of_every_kind(bank, more_accounts, name):
    odd = ["a\"quote", "back\\slash", "{brace,d}", "50%$s", "ünï", "NULL", "'; DROP TABLE accounts; --"]
    more_accounts(10, *odd)
    bank.set(strategy=name)
    for source, target in zip(odd, odd[1:] + odd[:1]):
        answer = send(bank, from_account=source, to_account=target)
        assert (answer.status, answer.json()["status"]) == (200, "success"), answer
    assert all(bank.balances()[each] == 10 for each in odd)
    assert bank.get("/audit").json()["consistent"] is True


@pytest.mark.parametrize("name", SAFE + WRONG)
def test_a_balance_that_would_not_fit(bank, more_accounts, name):
    more_accounts("9999999999999.99", "full")
    bank.set(strategy=name)
    answer = send(bank, to_account="full")
    if name in ("vulnerable", "process_mutex", "absolute_update"):
        expect_problem(answer, 500, "partially applied")  # without a transaction the first write remains
    else:
        expect_problem(answer, 422, "full")
        assert bank.balance("alice") == 1000


def test_for_one_transfer_only(bank):
    record = send(bank, strategy="optimistic").json()
    assert record["strategy"] == "optimistic"
    assert bank.get("/admin/settings").json()["strategy"] == "vulnerable"
    assert bank.transfer(amount="1").json()["strategy"] == "vulnerable"
    assert [each["strategy"] for each in bank.transactions()] == ["optimistic", "vulnerable"]


def test_a_mistyped_one_is_recognised(bank):
    for answer in (bank.post("/admin/strategy?name=optimstic"), send(bank, strategy="optimstic"),
                   bank.request("POST", "/admin/settings", '{"strategy":"optimstic"}', JSON_TYPE)):
        expect_problem(answer, 422, "remote_apply: did you mean optimistic?")
    assert "did you mean" not in bank.post("/admin/strategy?name=hope").json()["detail"]


def test_one_that_is_not_there(bank):
    for answer in (bank.post("/admin/strategy?name=hope"), send(bank, strategy="hope"),
                   bank.request("POST", "/admin/settings", '{"strategy":"hope"}', JSON_TYPE)):
        expect_problem(answer, 422, "for_update")
    expect_problem(bank.post("/admin/strategy"), 422, "name=for_update")
    expect_problem(bank.post("/admin/strategy?name=for_update&name=batched"), 422, "once")
    expect_problem(bank.post("/admin/strategy", {"name": "batched"}), 422, "?name=for_update")
    expect_problem(bank.post("/admin/delay", {"enabled": True}), 422, "?enabled=true")
    expect_problem(bank.post("/admin/strategy?name=for_update&hope=1"), 422, "hope")
    expect_problem(send(bank, strategy=1), 422, "strategy")
    expect_problem(send(bank, strategy=None), 422, "strategy")
    assert bank.recorded() == []


def test_use_transactions_is_for_update_or_vulnerable(bank):
    bank.set(strategy="serializable")
    assert bank.get("/admin/settings").json()["use_transactions"] is True
    bank.post("/admin/transactions?enabled=true")
    assert bank.get("/admin/settings").json()["strategy"] == "for_update"
    bank.post("/admin/transactions?enabled=false")
    assert bank.get("/admin/settings").json()["strategy"] == "vulnerable"
    answer = bank.request("POST", "/admin/settings", '{"strategy":"batched","use_transactions":false}', JSON_TYPE)
    expect_problem(answer, 422, "contradict")


def test_metrics_know_every_strategy(bank):
    bank.set(strategy="advisory_lock")
    scrape = bank.scrape()
    for name in SAFE + WRONG + STANDBY_SAFE + STANDBY_WRONG:
        assert scrape.total("lab_strategy", strategy=name) == (1 if name == "advisory_lock" else 0)
        for counter in ("transfers_total", "race_condition_hits_total", "double_spend_detected_total",
                        "lost_updates_total", "transfer_retries_total"):
            assert name in [labels["strategy"] for labels in scrape.labels(counter)]  # the series exist from the start
