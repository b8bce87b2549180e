"""Many clients at once: safe mode keeps every promise, and no client sees a deadlock."""

import random
from decimal import Decimal

import pytest

from client import together
from pace import scaled
from strategies import RETRYING, SAFE

pytestmark = pytest.mark.race

CLIENTS = 32
TURNS = 40


@pytest.fixture
def hundred_accounts(bank):
    """A hundred accounts of 100.00 each besides the three."""
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) "
              "SELECT 'account-' || to_char(n, 'FM000'), 100, 100 FROM generate_series(1, 100) n")
    yield [f"account-{number:03}" for number in range(1, 101)]
    bank.rows("DELETE FROM accounts WHERE id LIKE 'account-%%'")
    bank.rows("TRUNCATE transfers")


def transfers_of(bank, number, accounts, turns):
    """One client: random pairs, both directions, amounts with cents."""
    dice = random.Random(number)
    with bank.client() as client:
        return [client.transfer(*dice.sample(accounts, 2), f"{dice.randint(1, 6000) / 100:.2f}") for _ in range(turns)]


def all_answers(*clients):
    """The answers of all clients."""
    return [answer for answers in together(*clients) for answer in answers]


def load(bank, accounts, clients=CLIENTS, turns=None):
    """Runs the clients; returns all answers of their transfers."""
    turns = turns or scaled(TURNS)
    return all_answers(*[lambda number=number: transfers_of(bank, number, accounts, turns)
                         for number in range(clients)])


def assert_books_balance(bank):
    """No cent made or lost: by the accounts, and for each account by its transfers."""
    assert [row for row in bank.rows("TABLE account_audit") if row["drift"] != 0] == []
    supply, = bank.rows("TABLE money_supply")
    assert (supply["drift"], supply["actual"]) == (0, supply["expected"])


def test_safe_mode_conserves_money(bank, hundred_accounts):
    """32 clients, random pairs of 100 accounts: only 200s, no negative balance, the sum exact to the cent."""
    bank.set(use_transactions=True)
    answers = load(bank, hundred_accounts)
    assert {answer.status for answer in answers} == {200}, [each for each in answers if each.status != 200][:3]
    assert_books_balance(bank)
    assert sum(bank.balances().values()) == Decimal(100 * 100 + 1700)
    assert min(bank.balances().values()) >= 0
    assert not any(answer.json()["race_detected"] for answer in answers)
    assert sorted(bank.recorded()) == sorted(answer.json()["id"] for answer in answers)


def test_safe_mode_on_three_hot_accounts(bank):
    """All clients use the same rows, in all directions: they queue, but no deadlock and no lost update happens."""
    bank.set(use_transactions=True)
    answers = load(bank, ["alice", "bob", "charlie"], turns=scaled(20))
    assert {answer.status for answer in answers} == {200}, [each for each in answers if each.status != 200][:3]
    assert_books_balance(bank)
    assert min(bank.balances().values()) >= 0


def test_each_safe_transfer_saw_what_the_one_before_left(bank):
    """The records of one account, in the order of its versions, form one chain of balances."""
    bank.set(use_transactions=True)
    load(bank, ["alice", "bob"], clients=8, turns=scaled(20))
    balance = Decimal(1000)
    for record in bank.rows("SELECT * FROM transfers WHERE status = 'success' ORDER BY seq"):
        side = "from" if record["from_account"] == "alice" else "to"
        assert record[f"{side}_balance_before"] == balance, record
        balance = record[f"{side}_balance_after"]
    assert balance == bank.balance("alice")


def test_vulnerable_mode_overdraws_but_loses_nothing(bank, hundred_accounts):
    """Its UPDATEs are relative: accounts may become negative, but the books balance, and no request fails."""
    answers = load(bank, hundred_accounts[:10])
    assert {answer.status for answer in answers} == {200}
    assert_books_balance(bank)


def test_switching_modes_under_load(bank, hundred_accounts):
    """Every transfer runs completely in the mode it was admitted with."""
    def switch():
        with bank.client() as client:
            for turn in range(scaled(40)):
                assert client.post(f"/admin/transactions?enabled={turn % 2}").status == 200
        return []

    clients = [lambda number=number: transfers_of(bank, number, hundred_accounts, scaled(20)) for number in range(8)]
    answers = all_answers(switch, *clients)
    assert {answer.status for answer in answers} == {200}
    assert {answer.json()["strategy"] for answer in answers} <= {"vulnerable", "for_update"}
    assert_books_balance(bank)


@pytest.mark.parametrize("strategy", SAFE)
def test_reset_under_load(bank, strategy):
    """Resets during safe transfers: no transfer fails except in strategies that may lose too often, and the last reset
    is complete."""
    bank.set(strategy=strategy)

    def reset():
        with bank.client() as client:
            return [client.post("/reset") for _ in range(scaled(20))]

    accounts = ["alice", "bob", "charlie"]
    clients = [lambda number=number: transfers_of(bank, number, accounts, scaled(20)) for number in range(8)]
    resets, *transfers = together(reset, *clients)
    assert {answer.status for answer in resets} == {200}
    answers = {answer.status for each in transfers for answer in each}
    assert answers <= ({200, 503} if strategy in RETRYING else {200})
    assert_books_balance(bank)
    bank.post("/reset")
    assert bank.balances() == {"alice": 1000, "bob": 500, "charlie": 200}
