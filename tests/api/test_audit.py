"""GET /audit: whether the books add up, and which transfers caused a difference."""

import concurrent.futures
import json
import threading
from decimal import Decimal

from client import JSON_TYPE
from pace import eventually, scaled
from problem import assert_problem

CONSISTENT = {"consistent": True, "money": {"expected": 1700, "actual": 1700, "drift": 0}, "accounts": 3,
              "transfers": 0, "violations": [], "violations_total": 0}


def audit(bank):
    answer = bank.get("/audit")
    assert answer.status == 200, answer
    report = answer.json()
    assert report["consistent"] is (report["violations_total"] == 0)
    assert len(report["violations"]) == min(100, report["violations_total"])
    return report


def kinds(report):
    return sorted((each["kind"], each.get("account")) for each in report["violations"])


def race(bank, first="bob", second="charlie"):
    """Two vulnerable transfers of 800, released together; returns their ids."""
    bank.set(barrier_enabled=True)
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda to: bank.transfer("alice", to, "800"), (first, second)))
    return sorted(answer.json()["id"] for answer in answers)


def test_of_the_initial_state(bank):
    assert audit(bank) == CONSISTENT


def test_after_transfers_and_refusals(bank):
    bank.transfer(amount="12.34")
    bank.transfer(amount="5000")
    bank.set(strategy="batched")
    bank.transfer("bob", "charlie", "0.01")
    assert audit(bank) == {**CONSISTENT, "transfers": 3}


def test_after_a_double_spend(bank):
    racers = race(bank)
    report = audit(bank)
    assert kinds(report) == [("overdrawn", "alice"), ("record_arithmetic", "alice")]
    overdrawn, record = report["violations"]
    assert overdrawn["amount"] == 600
    assert overdrawn["detail"] == "alice has -$600.00, $600.00 below zero"
    assert sorted(overdrawn["transfers"]) == racers
    assert len(record["transfers"]) == 1 and record["transfers"][0] in racers
    assert record["transfers"][0] in record["detail"]
    assert report["money"]["drift"] == 0
    bank.post("/reset")
    assert audit(bank) == CONSISTENT


def test_after_a_lost_update(bank):
    bank.set(strategy="absolute_update")
    racers = race(bank)
    report = audit(bank)
    assert kinds(report) == [("account_drift", "alice"), ("money_drift", None)]
    assert report["money"] == {"expected": 1700, "actual": 2500, "drift": 800}
    for each in report["violations"]:
        assert each["amount"] == 800
        assert set(each["transfers"]) <= set(racers) and each["transfers"]
    assert "$800.00 more than at the start" in report["violations"][0]["detail"]


def test_after_a_person_changed_a_balance(bank):
    one = bank.transfer(amount="1").json()["id"]
    bank.rows("UPDATE accounts SET balance = balance - 5 WHERE id = 'bob'")
    report = audit(bank)
    assert kinds(report) == [("account_drift", "bob"), ("money_drift", None)]
    assert [each["amount"] for each in report["violations"]] == [-5, -5]
    assert report["violations"][1]["transfers"] == [one]  # no suspect: the last one that touched the account


def test_after_a_person_deleted_a_record(bank):
    bank.transfer(amount="7")
    bank.rows("DELETE FROM transfers")
    assert kinds(audit(bank)) == [("account_drift", "alice"), ("account_drift", "bob")]


def test_after_a_person_changed_a_record(bank):
    one = bank.transfer(amount="7").json()["id"]
    bank.rows("UPDATE transfers SET from_balance_after = 995")
    (violation,) = audit(bank)["violations"]
    assert (violation["kind"], violation["transfers"], violation["amount"]) == ("record_arithmetic", [one], -2)
    bank.rows("UPDATE transfers SET from_balance_after = 993, status = 'failed_insufficient_funds'")
    assert ("record_arithmetic", "alice") in kinds(audit(bank))


def test_many_violations_are_counted_and_the_first_are_listed(bank):
    bank.rows("""INSERT INTO transfers (id, "timestamp", from_account, to_account, amount, from_balance_before,
                     from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy,
                     race_detected, steps)
                 SELECT lpad(i::text, 8, '0'), now(), 'alice', 'bob', 1, 5, 5, 1, 2, 'success', 'worker-1', 1,
                        'vulnerable', true, '[]' FROM generate_series(1, 3000) i""")
    report = audit(bank)
    assert report["violations_total"] == 3002  # and a drift in either account
    assert all(len(each["transfers"]) <= 20 for each in report["violations"])
    assert report["violations"][0]["transfers"][-1] == "00003000"  # the newest last


def test_sums_that_no_account_could_hold(start_bank):
    """Ten full accounts that nobody paid for: the audit, the totals of the races and the metrics report them."""
    bank = start_bank()
    full = Decimal("9999999999999.99")
    bank.rows("""INSERT INTO accounts (id, balance, initial_balance)
                 SELECT 'rich' || i, %s, 0 FROM generate_series(1, 10) i""", full)
    bank.rows("""INSERT INTO transfers (id, "timestamp", from_account, to_account, amount, from_balance_before,
                     from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy,
                     race_detected, steps)
                 SELECT lpad(i::text, 8, '0'), now(), 'alice', 'bob', %s, 5, 5, 1, 2, 'success', 'worker-1', 1,
                        'vulnerable', true, '[]' FROM generate_series(1, 2) i""", full)
    report = audit(bank)
    assert report["money"] == {"expected": 1700, "actual": 1700 + 10 * full, "drift": 10 * full}
    assert {each["kind"]: each["amount"] for each in report["violations"][:2]} == {"money_drift": 10 * full,
                                                                                "account_drift": 2 * full}
    assert float(bank.metric("money_drift")) == float(10 * full)
    for _ in range(2):  # from the current transfers, and from the sums that a reset has stored
        totals = bank.get("/races").json()["totals"]
        assert totals["money_drift"] == 10 * full
        bank.post("/reset")


def test_sums_beyond_64_bits_of_cents(start_bank):
    """The audit and the metrics have the sum of the accounts; the totals of the races keep it over resets."""
    bank = start_bank()
    full, count = Decimal("9999999999999.99"), 10000
    bank.rows("""INSERT INTO accounts (id, balance, initial_balance)
                 SELECT 'rich' || i, %s, %s FROM generate_series(1, %s) i""", full, 0, count)
    made = count * full
    answer = bank.get("/audit")
    assert answer.status == 200, answer
    body = answer.json()
    assert body["money"] == {"expected": 1700, "actual": 1700 + made, "drift": made}
    assert body["violations"][0]["amount"] == made
    assert float(bank.metric("money_drift")) == float(made)
    for _ in range(2):
        answer = bank.get("/races")
        assert answer.status == 200, answer
        assert answer.json()["totals"]["money_drift"] == made
        bank.post("/reset")
    bank.rows("UPDATE accounts SET balance = 0, initial_balance = %s WHERE id LIKE 'rich%%'", full)
    assert audit(bank)["money"]["drift"] == -made
    assert float(bank.metric("money_drift")) == -float(made)


def test_account_ids_of_every_kind(bank):
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES (%s, -1, 0)", 'o"dd \\ ünï')
    assert ("overdrawn", 'o"dd \\ ünï') in kinds(audit(bank))
    bank.rows("DELETE FROM accounts WHERE id LIKE 'o%%'")


def test_it_sees_one_moment(bank):
    """While safe transfers run, no audit ever sees a partially applied one."""
    bank.set(strategy="for_update")
    over = threading.Event()

    def keep_going(pair):
        with bank.client() as client:
            while not over.is_set():
                body = {"from_account": pair[0], "to_account": pair[1], "amount": 0.01}
                assert client.request("POST", "/transfer", json.dumps(body), JSON_TYPE).status == 200
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        busy = [threads.submit(keep_going, pair) for pair in (("alice", "bob"), ("bob", "charlie"), ("charlie", "alice"))]
        try:
            eventually(lambda: len(bank.recorded()) > 20, "transfers go on")
            assert all(audit(bank)["consistent"] for _ in range(scaled(40)))
        finally:
            over.set()
        for each in busy:
            each.result()


def test_the_method(bank):
    assert bank.request("HEAD", "/audit").status == 200
    assert_problem(bank.post("/audit"), 405)
    assert_problem(bank.get("/audit?x=1"), 422)
