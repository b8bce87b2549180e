"""batched: transfers that wait for a hot account are posted together, and each transfer still has its own result."""

import collections
import json
import shutil

import pytest

from client import JSON_TYPE
from pace import HANG_GUARD, eventually, scaled
from problem import assert_problem
from shown_races import Page, show_psql, show_terminal


pytestmark = pytest.mark.race


def send(bank, source, target, amount):
    return bank.transfer(source, target, amount, "batched")


@pytest.fixture
def held(bank):
    """held(account): psql holds the row until the `with` ends, so that transfers queue up."""
    class Held:
        def __init__(self, *accounts):
            self.session = bank.cluster.session(bank.database)
            self.accounts = accounts

        def __enter__(self):
            connection = self.session.__enter__()
            connection.autocommit = False
            connection.cursor().execute("SELECT FROM accounts WHERE id = ANY (%s) FOR UPDATE", (list(self.accounts),))
            self.let_go = connection.commit
            return self

        def __exit__(self, *_):
            self.session.__exit__(*_)
    return Held


def batches(bank):
    """The size of each transfer's batch, in the order of posting."""
    return [step["parties"] for row in bank.rows("SELECT steps FROM transfers ORDER BY seq") for step in row["steps"]
            if step["step"] == "batch"]


def collect(bank, background, count, transfer):
    """The first transfer waits for the row; the others arrive one by one and wait for the next batch."""
    sent = [background(transfer, 0)]
    bank.until_in_progress(1)
    for number in range(1, count):
        sent.append(background(transfer, number))
        bank.until_queued(number)
    return sent


def test_a_lone_transfer_is_a_batch_of_one(bank):
    assert send(bank, "alice", "bob", 1).json()["status"] == "success"
    assert batches(bank) == [1]


def test_queued_transfers_are_posted_together_in_the_order_of_arrival(bank, background, held):
    with held("alice") as row:
        sent = collect(bank, background, 12, lambda number: send(bank, "alice", "bob", number + 1))
        row.let_go()
        records = [each.result(HANG_GUARD).json() for each in sent]
    assert [each["status"] for each in records] == ["success"] * 12
    assert bank.recorded() == [each["id"] for each in records]
    assert batches(bank) == [1] + [11] * 11
    balance = 1000
    for number, record in enumerate(records):
        assert record["from_balance_before"] == balance
        balance -= number + 1
        assert record["from_balance_after"] == balance
        assert record["race_detected"] is False
    assert bank.balance("alice") == balance
    assert bank.get("/audit").json()["consistent"] is True
    listed = {each["id"]: each for each in bank.transactions()}
    for record in records:
        assert {**listed[record["id"]], "duration_ms": 0} == {**record, "duration_ms": 0}


def test_each_is_judged_on_its_own(bank, background, held):
    """One batch with a transfer without funds, one from and one to an unknown account, and one that would not fit."""
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('full', 9999999999999.99, 9999999999999.99)")
    wishes = [("bob", 1), ("bob", 600), ("bob", 600), ("nobody", 1), ("full", 1), ("bob", 399), ("charlie", 0.01)]
    with held("alice") as row:
        sent = collect(bank, background, len(wishes), lambda number: send(bank, "alice", *wishes[number]))
        row.let_go()
        answers = [each.result(HANG_GUARD) for each in sent]
    bank.rows("DELETE FROM accounts WHERE id = 'full'")
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 422, 200, 200]
    assert [answer.json().get("status") for answer in answers] == [
        "success", "success", "failed_insufficient_funds", 404, 422, "success", "failed_insufficient_funds"]
    refused = answers[2].json()
    assert refused["from_balance_before"] == refused["from_balance_after"] == 399
    assert bank.balances() == {"alice": 0, "bob": 1500, "charlie": 200}
    assert len(bank.recorded()) == 5
    assert bank.get("/audit").json()["consistent"] is True
    assert_problem(send(bank, "nobody", "bob", 1), 404)


def test_no_account_starves_another(bank, background, held):
    """Alice's row is held and hundreds of her transfers queue up; Bob's transfers pass."""
    with held("alice") as row:
        sent = collect(bank, background, 1, lambda _: send(bank, "alice", "charlie", 0.01))
        sent += [background(send, bank, "alice", "charlie", 0.01) for _ in range(50)]
        bank.until_queued(50)
        for _ in range(5):
            assert send(bank, "bob", "charlie", 1).json()["status"] == "success"
        assert not any(each.done() for each in sent)
        row.let_go()
        assert [each.result(HANG_GUARD).status for each in sent] == [200] * 51
    assert bank.get("/audit").json()["consistent"] is True


def test_account_queues_that_fill_the_slots_do_not_starve_a_batch(start_bank, background):
    """Each of two accounts has an account queue, and together they use all four slots; a batch still gets its turn."""
    bank = start_bank(WORKER_THREADS=5, USE_TRANSACTIONS=True)
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('dora', 10, 10), ('emil', 10, 10)")
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id IN ('alice', 'bob') FOR UPDATE")
        sent = [background(bank.transfer, source, "charlie", "1") for source in ("alice", "bob") for _ in range(20)]
        bank.until_in_progress(4)
        bank.until_queued(36)
        sent.append(background(send, bank, "dora", "emil", 1))
        bank.until_queued(37)
        session.rollback()
    assert [each.result(HANG_GUARD).status for each in sent] == [200] * 41
    order = [row["strategy"] for row in bank.rows("SELECT strategy FROM transfers ORDER BY seq")]
    assert order.index("batched") < 23, order


def test_a_record_shows_the_wait(bank, background, held):
    """A batch that waited for a row moved its money after the row was released, and its record says so."""
    with held("alice") as row:
        sent = background(send, bank, "alice", "bob", 1)
        eventually(lambda: bank.rows("SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock' "
                                     "AND now() - query_start > interval '100 ms'", bank.database),
                   "a transfer waits alone for the row")
        let_go = bank.rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS us")[0]["us"]
        row.let_go()
        assert sent.result(HANG_GUARD).status == 200
    steps = {step["step"]: step for step in bank.rows("SELECT steps FROM transfers")[0]["steps"]}
    assert steps["deduct"]["at_us"] >= let_go


def test_statements_of_a_batch_that_met_a_held_row_are_measured(bank, background, held):
    """The batch that gave up on the row has run a statement, and so has the batch that waits for it."""
    name = "db_statement_duration_seconds_count"
    before = bank.metric(name, statement="book_many_if_covered")
    with held("alice") as row:
        sent = background(send, bank, "alice", "bob", 1)
        eventually(lambda: bank.metric(name, statement="book_many_if_covered") == before + 1, "it is measured")
        row.let_go()
        assert sent.result(HANG_GUARD).status == 200
    assert bank.metric(name, statement="book_many_if_covered") == before + 1
    assert bank.metric(name, statement="lock_many") >= 1


def test_held_rows_stop_no_other_transfer(bank, background, held):
    """Rows of several accounts are held, as sources and as targets. The transfers of other accounts pass; the transfers
    of the held accounts are posted in the order of arrival after the release."""
    names = [f"d{number}" for number in range(8)]
    for name in names:
        bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES (%s, 100, 100)", name)
    try:
        with held("alice", "bob", "d0", "d1") as rows:
            # A transfer that waits for a row holds the rows before it in the global order: none of these transfers
            # holds a row that another one needs.
            pairs = [("alice", "d3"), ("bob", "d3"), ("d0", "d3"), ("d1", "d0"), ("d2", "alice")]
            sent = []
            for number in range(20):
                sent.append(background(send, bank, *pairs[number % 5], 0.01))
                bank.until_waiting(number + 1)
            for name in names[4:]:
                assert send(bank, name, "charlie", 1).json()["status"] == "success"
                assert send(bank, "charlie", name, 1).json()["status"] == "success"
            assert [each.result() for each in sent if each.done()] == []
            rows.let_go()
            answers = [each.result(HANG_GUARD) for each in sent]
        assert [answer.status for answer in answers] == [200] * 20
        order = {id: place for place, id in enumerate(bank.recorded())}
        for first in range(5):
            places = [order[answer.json()["id"]] for answer in answers[first::5]]
            assert places == sorted(places), pairs[first]
        assert bank.get("/audit").json()["consistent"] is True
    finally:
        bank.post("/reset")
        bank.rows("DELETE FROM accounts WHERE id LIKE 'd_'")


def test_no_client_is_answered_before_the_commit(bank, cluster, background, held):
    """PostgreSQL dies while a batch waits for the row: no client gets a success, and nothing was written."""
    with held("alice"):
        sent = collect(bank, background, 6, lambda _: send(bank, "alice", "bob", 1))
        cluster.stop("immediate")
        answers = [each.result(HANG_GUARD) for each in sent]
    assert {answer.status for answer in answers} <= {503, 504}
    cluster.start()
    bank.until_healthy()
    assert bank.recorded() == []
    assert bank.balance("alice") == 1000


def test_barrier_and_delay_go_with_it(bank, background):
    bank.set(barrier_enabled=True, barrier_count=3, delay_enabled=True, delay_ms=30)
    sent = [background(send, bank, "alice", to, 400) for to in ("bob", "charlie")]
    bank.until_waiting_at_the_barrier(2)
    sent.append(background(send, bank, "alice", "bob", 400))
    records = [each.result(HANG_GUARD).json() for each in sent]
    assert sorted(each["status"] for each in records) == ["failed_insufficient_funds", "success", "success"]
    assert bank.balance("alice") == 200
    for row in bank.rows("SELECT steps FROM transfers"):
        assert [step["step"] for step in row["steps"]][:1] in (["barrier"], ["batch"])
    steps = bank.rows("SELECT DISTINCT step FROM transfer_steps")
    assert {"batch", "check", "deduct", "credit"} <= {row["step"] for row in steps}


def test_the_views_show_it(bank):
    """A batch's steps hold only the values that all its transfers share: the view takes the others from the record."""
    record = send(bank, "alice", "bob", 800).json()
    rows = bank.rows("SELECT step, account, value, took_us, description FROM transfer_steps "
                     "WHERE transfer_id = %s AND moment = 'end' ORDER BY position", record["id"])
    assert [(row["step"], row["account"], row["value"]) for row in rows] == [
        ("batch", "alice", 1000), ("check", "alice", 1000), ("deduct", "alice", 200), ("credit", "bob", 1300)]
    assert all(row["took_us"] >= 0 and row["description"] for row in rows)


def test_two_servers_on_one_database(bank, start_bank, background):
    """The queues of the two servers know nothing of each other: the row lock separates them."""
    other = start_bank(database=bank.database)
    count = scaled(300)
    pairs = [("alice", "bob"), ("bob", "alice"), ("alice", "charlie"), ("charlie", "bob")]
    sent = [background(send, (bank, other)[number % 2], *pairs[number % 4], 1) for number in range(count)]
    statuses = collections.Counter(each.result(HANG_GUARD).status for each in sent)
    assert statuses == {200: count}
    assert bank.get("/audit").json()["consistent"] is True
    assert sum(bank.balances().values()) == 1700
    assert len(bank.recorded()) == count


def test_the_queue_is_bounded(start_bank, background):
    bank = start_bank(WORKER_THREADS=4, TRANSFER_QUEUE_LIMIT=2)
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        sent = [background(send, bank, "alice", "bob", 1)]
        bank.until_in_progress(1)
        sent += [background(send, bank, "alice", "bob", 1) for _ in range(4)]  # two slots are free, two may wait
        bank.until_queued(4)
        refusal = send(bank, "alice", "bob", 1)
        assert_problem(refusal, 503)
        assert int(refusal.headers["Retry-After"]) >= 1
        session.rollback()
    assert [each.result(HANG_GUARD).status for each in sent] == [200] * 5


@pytest.mark.shutdown
def test_shutdown_in_the_middle(start_bank, background):
    """The transfers in the batch at the row get their answer; the transfers behind it get the answer that nothing was
    transferred."""
    bank = start_bank()
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        sent = collect(bank, background, 8, lambda _: send(bank, "alice", "bob", 1))
        bank.signal()
        assert [each.result(HANG_GUARD).status for each in sent[1:]] == [503] * 7
        session.rollback()
        assert sent[0].result(HANG_GUARD).status == 200
    bank.ends_well()
    assert bank.recorded() == [sent[0].result().json()["id"]]


@pytest.mark.parametrize("strategy", ["for_update", "atomic_update", "advisory_lock"])
def test_a_limited_number_of_transfers_asks_for_a_lock(bank, background, held, strategy):
    """More transfers would only wait in PostgreSQL. Another account does not wait; with a barrier all transfers run on
    workers."""
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('dora', 0, 0)")

    def transfer(source, target="charlie"):
        body = {"from_account": source, "to_account": target, "amount": 1, "strategy": strategy}
        return bank.request("POST", "/transfer", json.dumps(body), JSON_TYPE)
    with held("alice") as row:
        sent = [background(transfer, "alice") for _ in range(6)]
        bank.until_in_progress(2)
        bank.until_queued(4)
        assert transfer("bob", "dora").status == 200
        row.let_go()
        assert [each.result(HANG_GUARD).status for each in sent] == [200] * 6
    bank.set(barrier_enabled=True, barrier_count=6)
    sent = [background(transfer, "alice") for _ in range(5)]
    bank.until_waiting_at_the_barrier(5)
    sent.append(background(transfer, "alice"))
    assert [each.result(HANG_GUARD).status for each in sent] == [200] * 6
    eventually(lambda: bank.metric("transfer_queue_depth") == 0, "nobody waits")
    bank.rows("DELETE FROM accounts WHERE id = 'dora'")


def test_the_steps_of_a_batch_are_listed_in_its_order(bank, background, held, tmp_path):
    """They share one time. The page, psql and the terminal order them as the batch did, and not by the columns."""
    if not (shutil.which("node") and shutil.which("jq")):
        pytest.skip("no node or no jq (apt install nodejs jq)")
    targets = ["bob", "charlie", "bob"]
    with held("alice") as row:
        sent = collect(bank, background, 3, lambda number: send(bank, "alice", targets[number], 300))
        row.let_go()
        records = [each.result(HANG_GUARD).json() for each in sent]
    assert batches(bank) == [1, 2, 2]
    race = bank.get(f"/races/{records[0]['id']}").text()
    page = Page(tmp_path, bank.get("/strategies").text())
    shown = page.show(race)
    page.close()
    wanted = [(record["id"], what, value) for record in records
              for what, value in (("saw", record["from_balance_before"]), ("wrote", record["from_balance_after"]))]
    for place in shown, show_psql(bank, records[0]["id"]), show_terminal(race, shown.letters):
        assert [(who, what, value) for _, who, what, account, value in place.moments if account == "alice"] == wanted
    assert show_terminal(race, shown.letters).chain == [1000, 700, 400, 100]
