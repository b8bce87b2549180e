"""GET /races and GET /races/{transfer_id}: the races, the steps of one race, and the totals. All of it comes from the
records, so that it outlives a reload, a restart and a reset."""

import json
from decimal import Decimal

import pytest

from client import together
from pace import HANG_GUARD, eventually
from problem import assert_problem
from wire import request_bytes

ENVIRONMENT = {"BANK_API_TRACE_URL": "http://localhost:16686/trace/{trace_id}"}
NOTHING = {"transfers": 0, "races": 0, "raced_transfers": 0, "double_spends": 0, "lost_updates": 0, "money_drift": 0,
           "since": None}  # null: the totals were never reset


def race(bank, strategy, amounts=("800", "800"), targets=("bob", "charlie")):
    """Transfers from Alice, released together; returns their records in the order of recording."""
    bank.set(strategy=strategy, barrier_enabled=True, barrier_count=len(amounts))
    calls = [lambda amount=amount, to=to: bank.transfer("alice", to, amount)
             for amount, to in zip(amounts, targets * len(amounts))]
    assert {answer.status for answer in together(*calls)} == {200}
    return bank.transactions()[-len(amounts):]


def races(bank, limit=20):
    answer = bank.get(f"/races?limit={limit}")
    assert answer.status == 200, answer
    return answer.json()


def detail(bank, transfer_id):
    answer = bank.get(f"/races/{transfer_id}")
    assert answer.status == 200, answer
    return answer.json()


def test_of_a_new_database(start_bank):
    assert races(start_bank()) == {"races": [], "totals": NOTHING}


def test_a_double_spend(bank):
    records = race(bank, "vulnerable")
    listed = races(bank)["races"][0]
    assert listed == {"id": listed["id"], "transfer_ids": listed["transfer_ids"], "transfer_count": 2, "account": "alice",
                    "at": min(record["timestamp"] for record in records), "strategies": ["vulnerable"],
                    "verdict": "double_spend", "lowest_balance": -600, "succeeded": 2, "refused": 0}
    assert listed["id"] == listed["transfer_ids"][0]
    assert sorted(listed["transfer_ids"]) == sorted(record["id"] for record in records)
    for record in records:
        details = detail(bank, record["id"])
        assert details["race"] == listed
        assert [each["id"] for each in details["transfers"]] == listed["transfer_ids"]
        transfer, = (each for each in details["transfers"] if each["id"] == record["id"])
        assert transfer.pop("trace_url") == f"http://localhost:16686/trace/{record['trace_id']}"
        assert set(transfer) - set(record) == {"seq", "steps", "blocked_by"}
        assert {key: transfer[key] for key in record} == record


def test_the_steps(bank):
    record = race(bank, "vulnerable")[0]
    for transfer in detail(bank, record["id"])["transfers"]:
        steps = transfer["steps"]
        assert [step["step"] for step in steps] == ["read", "barrier", "check", "deduct", "credit", "commit"]
        assert steps == sorted(steps, key=lambda step: step["at_us"])
        read, barrier, check, deduct, credit, commit = steps
        assert (read["account"], read["value"]) == (check["account"], check["value"]) == ("alice", 1000)
        assert (barrier["outcome"], barrier["parties"]) == ("released", 2)
        assert (deduct["account"], deduct["value"]) == ("alice", transfer["from_balance_after"])
        assert (credit["account"], credit["value"]) == (transfer["to_account"], transfer["to_balance_after"])
        assert set(commit) == {"step", "at_us", "took_us", "outcome"}
        assert [step["at_us"] <= step["committed_at_us"] <= commit["at_us"] for step in (deduct, credit)] == [True, True]
        assert all(isinstance(step[key], int) for step in steps for key in ("at_us", "took_us"))
        assert commit["at_us"] - steps[0]["at_us"] < transfer["duration_ms"] * 1000 + 1000


@pytest.mark.parametrize("strategy,verdict", [("vulnerable", "double_spend"), ("subselect_predicate", "double_spend"),
                                              ("absolute_update", "lost_update"), ("cte_snapshot", "lost_update")])
def test_the_write_that_was_missed(bank, strategy, verdict):
    """The reader acted on 1000, which the writer had changed to 200."""
    first, second = race(bank, strategy)
    details = detail(bank, first["id"])
    assert details["race"]["verdict"] == verdict
    reader, = (record for record in (first, second) if record["race_detected"])
    writer, = (record for record in (first, second) if not record["race_detected"])
    missed, = details["missed_writes"]
    assert (missed["reader"], missed["writer"]) == (reader["id"], writer["id"])
    assert (missed["value_read"], missed["value_written"]) == (1000, 200)
    steps = {transfer["id"]: {step["step"]: step for step in transfer["steps"]} for transfer in details["transfers"]}
    assert missed["written_at_us"] == steps[writer["id"]]["deduct"]["at_us"]
    if "read" in steps[reader["id"]]:
        assert missed["read_at_us"] == steps[reader["id"]]["read"]["at_us"]


@pytest.mark.parametrize("strategy,step", [("for_update", "lock"), ("process_mutex", "mutex"),
                                           ("advisory_lock", "read")])
def test_who_waited_for_whom(bank, strategy, step):
    """The delay inside the lock makes the wait long: the refused transfer has waited for the successful one."""
    bank.set(delay_enabled=True, delay_ms=100)
    first, second = race(bank, strategy)
    assert (first["status"], second["status"]) == ("success", "failed_insufficient_funds")
    details = detail(bank, second["id"])
    assert details["race"]["verdict"] == "clean" and details["missed_writes"] == []
    assert (details["race"]["succeeded"], details["race"]["refused"]) == (1, 1)
    waits = {transfer["id"]: transfer["blocked_by"] for transfer in details["transfers"]}
    assert waits[first["id"]] == []
    wait, = waits[second["id"]]
    assert (wait["step"], wait["transfer_id"]) == (step, first["id"])
    assert wait["to_us"] - wait["from_us"] >= 95000


def test_the_last_of_the_writes_that_were_missed(bank):
    """Three set the same balance, each over the previous one: each that overwrote missed the last write before its
    own. Each pays another account: two that pay the same one may overwrite each other there as well."""
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('dave', 0, 0)")
    records = race(bank, "absolute_update", ("800", "800", "800"), ("bob", "charlie", "dave"))
    details = detail(bank, records[0]["id"])
    written = {transfer["id"]: step["at_us"] for transfer in details["transfers"] for step in transfer["steps"]
               if step["step"] == "deduct"}
    assert len(details["missed_writes"]) == sum(record["race_detected"] for record in records) == 2
    for missed in details["missed_writes"]:
        earlier = [transfer for transfer in written if written[transfer] < written[missed["reader"]]]
        if earlier:  # they wrote within a millisecond, and each took the time by itself
            assert written[missed["writer"]] == max(written[transfer] for transfer in earlier)


def test_a_chain_of_waits(bank):
    """Three lock one row in turn: the last waited for both before it, one behind the other."""
    bank.set(delay_enabled=True, delay_ms=50)
    records = race(bank, "for_update", ("100", "100", "100"))
    waits = {transfer["id"]: [wait["transfer_id"] for wait in transfer["blocked_by"]]
             for transfer in detail(bank, records[0]["id"])["transfers"]}
    ids = [record["id"] for record in records]
    assert waits == {ids[0]: [], ids[1]: ids[:1], ids[2]: ids[:2]}


@pytest.mark.parametrize("strategy", ["for_update", "optimistic", "batched", "atomic_update"])
def test_a_race_under_the_fix_is_one_too(bank, strategy):
    race(bank, strategy)
    listed = races(bank)["races"][0]
    assert (listed["verdict"], listed["lowest_balance"], listed["succeeded"], listed["refused"]) == ("clean", 200, 1, 1)
    assert listed["strategies"] == [strategy]


def test_a_transfer_without_an_overlap(bank):
    """The list does not have it as a race, but its own address shows a race of one."""
    before = races(bank)["races"]
    record = bank.transfer("alice", "bob", "1").json()
    bank.transfer("alice", "bob", "1")
    assert races(bank)["races"] == before
    details = detail(bank, record["id"])
    assert (details["race"]["id"], details["race"]["transfer_count"]) == (record["id"], 1)
    assert [each["id"] for each in details["transfers"]] == [record["id"]]


def test_transfers_of_different_accounts_are_no_race(bank):
    before = races(bank)["races"]
    bank.set(barrier_enabled=True)
    together(lambda: bank.transfer("alice", "charlie", "1"), lambda: bank.transfer("bob", "charlie", "1"))
    assert races(bank)["races"] == before


def test_it_outlives_a_reset_and_a_restart(start_bank):
    before = start_bank(**ENVIRONMENT)
    record = race(before, "vulnerable")[0]
    details, listed = detail(before, record["id"]), races(before)
    assert listed["totals"] == {**NOTHING, "transfers": 2, "races": 1, "raced_transfers": 1, "double_spends": 1}
    before.post("/reset")
    assert (detail(before, record["id"]), races(before)) == (details, listed)
    before.stop()
    after = start_bank(database=before.database, **ENVIRONMENT)
    race(after, "absolute_update")
    after.post("/reset")
    race(after, "for_update")
    assert detail(after, record["id"]) == details
    assert [each["verdict"] for each in races(after)["races"]] == ["clean", "lost_update", "double_spend"]
    assert races(after)["totals"] == {"transfers": 6, "races": 2, "raced_transfers": 2, "double_spends": 1,
                                      "lost_updates": 1, "money_drift": 800, "since": None}
    assert [each["verdict"] for each in races(after, limit=1)["races"]] == ["clean"]


@pytest.mark.parametrize("drift", ["50000000000000000", "-123456789012345678901234567890.12", "1e60"])
def test_a_drift_of_any_size(start_bank, drift):
    """lab_totals adds up over all resets. The gauge and the audit are of the accounts as they are."""
    bank = start_bank()
    bank.rows("UPDATE lab_totals SET money_drift = %s", Decimal(drift))
    for _ in range(2):
        assert races(bank)["totals"] == {**NOTHING, "money_drift": Decimal(drift)}
        assert bank.get("/audit").json()["money"]["drift"] == bank.metric("money_drift") == 0
        bank.post("/reset")


def test_texts_of_any_length(start_bank):
    """The columns of the log are texts; what somebody has put there is answered whole."""
    bank = start_bank()
    record = race(bank, "vulnerable")[0]
    long = {"thread_id": "thread " * 20, "strategy": "my own strategy " * 10, "status": "success" * 10,
            "from_account": "x" * 300, "to_account": "y" * 300}
    bank.rows("UPDATE transfers SET steps = jsonb_set(jsonb_set(steps, '{0,outcome}', to_jsonb(repeat('seen ', 20))), "
              "'{0,step}', to_jsonb(repeat('read ', 20))), " + ", ".join(f"{name} = %s" for name in long), *long.values())
    changed = bank.transactions()[0]
    assert {name: changed[name] for name in long} == long
    listed, = races(bank)["races"]
    assert (listed["account"], listed["strategies"]) == (long["from_account"], [long["strategy"]])
    story = detail(bank, record["id"])
    assert story["race"] == listed
    for transfer in story["transfers"]:
        assert {name: transfer[name] for name in long} == long
        first, *_, check, deduct, credit, _ = transfer["steps"]
        assert (first["step"], first["outcome"]) == ("read " * 20, "seen " * 20)
    bank.rows("UPDATE transfers SET id = repeat('a', 40) WHERE id = %s", record["id"])
    assert "a" * 40 in races(bank)["races"][0]["transfer_ids"]
    assert "a" * 40 in {record["id"] for record in bank.transactions()}
    assert all(each["account"] in long.values() for each in bank.get("/audit").json()["violations"]
               if each["kind"] == "record_arithmetic")


def test_a_database_from_before_there_were_races(start_bank):
    """The tables are made beside the existing transfers, and the API shows those transfers."""
    before = start_bank()
    record = race(before, "vulnerable")[0]
    before.stop()
    before.rows("DROP FUNCTION steps_told CASCADE; DROP TABLE lab_totals, past_transfers CASCADE")
    after = start_bank(database=before.database)
    assert races(after)["totals"] == {**NOTHING, "transfers": 2, "races": 1, "raced_transfers": 1, "double_spends": 1}
    assert detail(after, record["id"])["race"]["verdict"] == "double_spend"
    assert after.rows("SELECT count(*) AS n FROM race_timeline")[0]["n"] > 0


def insert_records(bank, first, last, began="now() + n * interval '1 s'", milliseconds=1):
    """Inserts records as the program writes them, of transfers from Bob, without a step."""
    bank.rows(f"""INSERT INTO transfers (id, "timestamp", from_account, to_account, amount, from_balance_before,
                      from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy,
                      race_detected, steps)
                  SELECT 'f' || to_char(n, 'FM0000000'), {began}, 'bob', 'alice', 1, 2, 1, 1, 2, 'success', 'psql',
                         {milliseconds}, 'vulnerable', false, '[]' FROM generate_series({first}, {last}) n""")


def test_a_reset_parts_races(bank):
    """Transfers before and after a reset did not race, even if they overlapped: the later one saw the new balances."""
    insert_records(bank, 1, 2, "'2026-01-01'", 1000)
    bank.post("/reset")
    insert_records(bank, 3, 4, "'2026-01-01'", 1000)
    assert [detail(bank, f"f000000{n}")["race"]["transfer_ids"] for n in (1, 4)] == [
        ["f0000001", "f0000002"], ["f0000003", "f0000004"]]


def test_a_chain_of_overlaps_is_one_race(bank):
    """The first has ended when the last begins; the one between overlaps with both."""
    insert_records(bank, 1, 3, "'2026-01-01'::timestamptz + n * interval '1 s'", 1500)
    insert_records(bank, 4, 4, "'2026-01-01'::timestamptz + interval '5 s'")
    assert detail(bank, "f0000002")["race"]["transfer_ids"] == ["f0000001", "f0000002", "f0000003"]
    assert detail(bank, "f0000004")["race"]["transfer_count"] == 1


def test_a_large_race(bank):
    """The list names twelve; the detail has every transfer, and every missed write."""
    records = race(bank, "vulnerable", ("100",) * 20)
    listed = races(bank)["races"][0]
    assert (listed["transfer_count"], len(listed["transfer_ids"])) == (20, 12)
    details = detail(bank, records[7]["id"])
    assert details["race"] == listed
    assert len(details["transfers"]) == 20
    readers = {record["id"] for record in records if record["race_detected"]}
    assert {missed["reader"] for missed in details["missed_writes"]} == readers
    after = {record["id"]: record["from_balance_after"] for record in records}
    for missed in details["missed_writes"]:
        assert missed["value_written"] == after[missed["writer"]] == after[missed["reader"]] + 100


def test_the_newest_thousand_are_looked_at(bank):
    """A large table does not enlarge the answer, and the totals count all of it."""
    old = race(bank, "vulnerable")[0]
    bank.post("/reset")
    before = races(bank)["totals"]["transfers"]
    insert_records(bank, 1, 3000)
    assert_problem(bank.get(f"/races/{old['id']}"), 404)
    assert_problem(bank.get("/races/f0002000"), 404)
    assert detail(bank, "f0002500")["transfers"][0]["steps"] == [
        {"step": "commit", "at_us": detail(bank, "f0002500")["transfers"][0]["steps"][0]["at_us"], "took_us": 0,
         "outcome": "recorded"}]
    assert races(bank)["totals"]["transfers"] == before + 3000
    bank.post("/reset")
    assert detail(bank, "f0002500")["race"]["id"] == "f0002500"
    for _ in range(16):  # older records are removed at every 16th reset
        bank.post("/reset")
    assert bank.rows("SELECT count(*) AS n FROM past_transfers") == [{"n": 1000}]
    assert races(bank)["totals"]["transfers"] == before + 3000


def test_a_race_detail_is_of_one_moment(bank, background):
    """The transfers of the race are found. Before the rest is read, so many others are recorded that they leave the
    newest 1,000."""
    record = race(bank, "vulnerable")[0]
    before = detail(bank, record["id"])
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("DROP VIEW race_groups CASCADE")  # until the rollback every query of it waits
        details = background(detail, bank, record["id"])
        eventually(lambda: bank.waiting_for_locks() == 1, "the detail waits for the view")
        insert_records(bank, 1, 3000)
        session.rollback()
    assert details.result(HANG_GUARD) == before
    assert_problem(bank.get(f"/races/{record['id']}"), 404)


def test_a_race_detail_read_while_a_reset_empties_the_table(bank, background):
    """The answer shows the state before or after the reset: never an empty transfers table without the kept records."""
    insert_records(bank, 1, 5000)  # enough for a TRUNCATE of the table
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM lab_totals FOR UPDATE")
        reset = background(bank.post, "/reset")
        eventually(lambda: bank.waiting_for_locks() == 1, "the reset waits for the totals")
        details = background(detail, bank, "f0004500")
        eventually(lambda: details.done() or bank.waiting_for_locks() == 2, "the detail waits for the reset")
        session.rollback()
    assert reset.result(HANG_GUARD).status == 200
    assert details.result(HANG_GUARD)["race"]["id"] == "f0004500"


@pytest.mark.parametrize("transfer_id", ["00000000", "nothing", "a" * 300, "alice'--"])
def test_unknown_transfers(bank, transfer_id):
    assert_problem(bank.get(f"/races/{transfer_id}"), 404)


def test_what_cannot_be_asked(bank):
    for query in ("limit=0", "limit=101", "limit=x", "limit=", "other=1"):
        assert_problem(bank.get(f"/races?{query}"), 422)
    assert_problem(bank.get("/races/00000000?limit=1"), 422)
    assert_problem(bank.get("/races/%ff"), 400)
    assert_problem(bank.get("/races/%00"), 400)
    assert_problem(bank.post("/races"), 405)
    with bank.wire() as wire:
        assert wire.send(request_bytes("HEAD", "/races")).answer(to="HEAD").status == 200


def test_money_is_exact(bank):
    bank.set(barrier_enabled=True)
    together(lambda: bank.transfer("alice", "bob", "0.01"), lambda: bank.transfer("alice", "bob", "0.02"))
    listed = races(bank)["races"][0]
    assert listed["lowest_balance"] == Decimal("999.97")
    assert all("E" not in json.dumps(step, default=str) for step in detail(bank, listed["id"])["transfers"][0]["steps"])


def test_without_a_place_for_traces(start_bank):
    bank = start_bank()
    record = bank.transfer("alice", "bob", "1").json()
    assert detail(bank, record["id"])["transfers"][0]["trace_url"] is None


def test_the_views_for_psql(bank):
    race(bank, "vulnerable")
    group = bank.rows("SELECT * FROM race_groups LIMIT 1")[0]
    assert (group["verdict"], group["transfer_count"], group["lowest_balance"]) == ("double_spend", 2, -600)
    assert bank.rows("SELECT value_read, value_written FROM missed_writes ORDER BY written_at_us DESC LIMIT 1") == [
        {"value_read": 1000, "value_written": 200}]
    bank.set(delay_enabled=True, delay_ms=100)
    bank.post("/reset")
    race(bank, "for_update")
    assert bank.rows("SELECT step FROM lock_waits ORDER BY to_us DESC LIMIT 1") == [{"step": "lock"}]
