"""POST /lesson: two transfers, step by step, on a database of their own."""

import concurrent.futures
import os
import pathlib
import signal

import pytest
from bank import PROGRAM
from cluster import PASSWORD, USER
from pace import eventually

LESSONS = ["vulnerable", "for_update", "atomic_update", "serializable"]
pytestmark = pytest.mark.skipif(not (PROGRAM.parent / "race-explore").is_file(), reason="race-explore is not built")


def ask(bank, name, order=()):
    return bank.request("POST", f"/lesson?name={name}&order={','.join(order)}")


def stand(bank, name, order=()):
    answer = ask(bank, name, order)
    assert answer.status == 200, answer.body
    return answer.json()


def balances(position):
    return {account: float(balance) for account, balance in position["state"][0]["rows"]}


def complete_orders(bank, name, order=()):
    """Every complete order with its end: as a person would find it who tries everything."""
    position = stand(bank, name, order)
    ready = [each["name"] for each in position["sessions"] if each["standing"] == "ready"]
    if not ready:
        assert {each["standing"] for each in position["sessions"]} == {"ended"}
        yield order, position
    for session in ready:
        yield from complete_orders(bank, name, (*order, session))


def explorers(bank):
    """The processes of the lesson, and its databases."""
    children = pathlib.Path(f"/proc/{bank.process.pid}/task/{bank.process.pid}/children").read_text(encoding="ascii").split()
    found = bank.cluster.rows("postgres", r"SELECT datname FROM pg_database WHERE datname LIKE 'explore\_%%'")
    return [int(child) for child in children], [row["datname"] for row in found]


def test_the_position_before_the_first_step(bank):
    position = stand(bank, "vulnerable")
    assert balances(position) == {"alice": 1000, "bob": 500, "charlie": 200}
    assert [(each["name"], each["standing"], each["next_step"]) for each in position["sessions"]] == \
        [("A", "ready", "A1"), ("B", "ready", "B1")]


def test_both_read_before_one_deducts(bank):
    position = stand(bank, "vulnerable", "ABBA")
    assert position["order"] == ["A1", "B1", "B2", "A2"]
    assert balances(position)["alice"] == -600 and position["broken_invariants"] == ["alice_is_not_negative"]


def test_some_orders_of_the_vulnerable_transfer_are_wrong(bank):
    """There are 20 orders of three steps and three. In 8 of them one reads behind the other's deduction: it is refused
    and has one step, so these are 4."""
    ends = [balances(position)["alice"] for _, position in complete_orders(bank, "vulnerable")]
    assert (ends.count(-600), ends.count(200), len(ends)) == (12, 4, 16)


@pytest.mark.parametrize("name", LESSONS[1:])
def test_no_order_of_a_fix_makes_alice_negative(bank, name):
    ends = {balances(position)["alice"] for _, position in complete_orders(bank, name)}
    assert ends == {200}


def test_a_transfer_waits_until_the_commit(bank):
    waiting = stand(bank, "for_update", "ABAB")["sessions"][1]
    assert (waiting["standing"], waiting["waits_for"], waiting["next_step"]) == ("waiting", ["A"], "B2")
    later = stand(bank, "for_update", "ABABAAA")
    assert later["sessions"][1]["standing"] == "ready"
    assert later["steps"][3]["answers"][0]["rows"] == [["200.00", "f"]]


def test_a_step_that_cannot_be_taken_is_refused(bank):
    answer = ask(bank, "for_update", "ABABB")
    assert answer.status == 409 and "B2 waits for A" in answer.json()["detail"]
    answer = ask(bank, "vulnerable", "AAAA")
    assert answer.status == 409 and "session A has no further step" in answer.json()["detail"]


@pytest.mark.parametrize("query, words", [
    ("", "Send the name of a lesson"), ("?name=nope", "Send the name of a lesson"),
    ("?name=vulnerable&order=C", "names the transfer of each step"),
    ("?name=vulnerable&order=A,,B", "names the transfer of each step"),
    ("?name=vulnerable&order=A,", "names the transfer of each step"),
    ("?name=vulnerable&order=" + ",".join("A" * 65), "at most 64 steps"),
    ("?name=vulnerable&steps=A", "no parameter \"steps\""),
    ("?name=vulnerable&order=A%0aserver", "names the transfer of each step"),
])
def test_what_is_no_question_is_refused(bank, query, words):
    answer = bank.request("POST", f"/lesson{query}")
    assert answer.status == 422 and words in answer.json()["detail"]


def test_many_ask_at_once(bank):
    with concurrent.futures.ThreadPoolExecutor(12) as people:
        answers = list(people.map(lambda number: ask(bank, LESSONS[number % 4], "AB"), range(12)))
    assert all(answer.status == 200 and answer.json()["order"] == ["A1", "B1"] for answer in answers)


def test_the_accounts_of_the_bank_stay_as_they_are(bank):
    before = bank.get("/accounts").json()
    stand(bank, "vulnerable", "ABBABA")
    assert bank.get("/accounts").json() == before


def test_a_program_that_was_killed_is_started_again(bank):
    stand(bank, "vulnerable", "A")
    (child,), _ = explorers(bank)
    os.kill(child, signal.SIGKILL)
    eventually(lambda: ask(bank, "vulnerable", "AB").status == 200, "the lesson goes on")
    assert explorers(bank)[0] != [child]


def of_a_new_lesson(bank):
    """Its process and its database."""
    before = set(explorers(bank)[1])
    stand(bank, "vulnerable", "AB")
    (child,), databases = explorers(bank)
    (database,) = set(databases) - before
    return pathlib.Path(f"/proc/{child}"), database


def has_database(bank, name):
    return bank.cluster.rows("postgres", "SELECT 1 FROM pg_database WHERE datname = %s", name) != []


def test_a_stop_leaves_no_program_and_no_database(start_bank):
    bank = start_bank()
    child, database = of_a_new_lesson(bank)
    bank.stop()
    assert not child.exists() and not has_database(bank, database)


def test_a_second_signal_does_not_wait_for_the_lesson(start_bank):
    bank = start_bank()
    child, _ = of_a_new_lesson(bank)
    os.kill(int(child.name), signal.SIGSTOP)
    bank.signal()
    bank.signal()
    bank.ends_well()
    assert not child.exists()


def test_a_killed_bank_leaves_no_program_and_no_database(start_bank):
    bank = start_bank()
    child, database = of_a_new_lesson(bank)
    bank.signal(signal.SIGKILL)
    bank.process.wait()
    bank._checked = True  # pylint: disable=protected-access
    eventually(lambda: not child.exists() and not has_database(bank, database), "it ends with its input")


def test_a_role_that_may_not_make_a_database(start_bank, cluster):
    database = cluster.new_database()
    cluster.rows("postgres", f"CREATE ROLE poor LOGIN PASSWORD '{PASSWORD}'")
    cluster.rows(database, "GRANT ALL ON SCHEMA public TO poor")
    url = cluster.url_over_tcp(database).replace(f"//{USER}:", "//poor:")
    bank = start_bank(database=database, DATABASE_URL=url)
    answer = ask(bank, "vulnerable")
    assert answer.status == 503 and "permission denied to create database" in answer.json()["detail"]
    assert bank.get("/health").status == 200
