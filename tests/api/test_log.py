"""The log for an operator: the lines of the contract, in order, in both formats, at every level."""

import datetime
import json
import re

import pytest

from client import together
from pace import HANG_GUARD, eventually
from strategies import SAFE, WRONG

LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} (DEBUG|INFO|WARN|ERROR) \[bank-api\] (?:\[([0-9a-f]{8})\] )?(\S.*)")


def log_lines(bank, written):
    """(level, transfer id or None, message) of every line since; every line must match the format."""
    lines = bank.log_since(written).splitlines()
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches) if not match]
    return [match.groups() for match in matches]


def race(bank):
    """The seed's race; returns both records, the one that overdrew last."""
    answers = together(lambda: bank.transfer("alice", "bob"), lambda: bank.transfer("alice", "charlie"))
    return sorted((answer.json() for answer in answers), key=lambda record: -record["from_balance_after"])


def messages_of(lines, record):
    return [message for _, transfer, message in lines if transfer == record["id"]]


def test_a_transfer_step_by_step(bank):
    written = len(bank.log())
    record = bank.transfer("alice", "bob", "100").json()
    eventually(lambda: "STEP 4" in bank.log_since(written), "the last step's line")
    lines = messages_of(log_lines(bank, written), record)
    assert [line for line in lines if line.startswith("STEP")] == [
        "STEP 1: Read balance for alice = $1000.00", "STEP 2: Check if $1000.00 >= $100.00",
        "STEP 3: Deducting $100.00 from alice", "STEP 4: Adding $100.00 to bob"]


def test_a_refused_transfer_stops_at_its_check(bank):
    written = len(bank.log())
    record = bank.transfer("charlie", "bob", "800").json()
    lines = messages_of(log_lines(bank, written), record)
    assert [line for line in lines if line.startswith("STEP")] == [
        "STEP 1: Read balance for charlie = $200.00", "STEP 2: Check if $200.00 >= $800.00"]


@pytest.mark.race
def test_the_steps_of_a_race(bank):
    """Both read, both wait, the barrier is released, both deduct, and the transfer that overdrew logs it."""
    bank.set(barrier_enabled=True)
    written = len(bank.log())
    records = race(bank)
    eventually(lambda: "RACE CONDITION" in bank.log_since(written), "the race is logged")
    lines = log_lines(bank, written)
    logged = [message for _, _, message in lines]

    def places(beginning):
        return [place for place, message in enumerate(logged) if message.startswith(beginning)]

    assert logged.count("STEP 1: Read balance for alice = $1000.00") == 2
    assert sorted(message for message in logged if message.startswith("Waiting at barrier")) == [
        "Waiting at barrier (1/2)", "Waiting at barrier (2/2)"]
    released, = places("BARRIER RELEASED")
    assert logged[released] == "BARRIER RELEASED: all 2 transfers proceed now"
    assert max(places("STEP 1")) < released < min(places("STEP 2"))
    assert max(places("Waiting at barrier")) < released
    assert logged.count("STEP 2: Check if $1000.00 >= $800.00") == 2
    assert logged.count("STEP 3: Deducting $800.00 from alice") == 2
    alarm, = (line for line in lines if line[2].startswith("RACE CONDITION DETECTED"))
    assert alarm == ("WARN", records[1]["id"], "RACE CONDITION DETECTED: alice is negative: $-600.00")
    for record in records:
        mine = messages_of(lines, record)
        order = ["STEP 1", "Waiting at barrier", "STEP 2", "STEP 3", "STEP 4"]
        steps = [next(place for place, line in enumerate(mine) if line.startswith(step)) for step in order]
        assert steps == sorted(steps), mine
        assert f"STEP 4: Adding $800.00 to {record['to_account']}" in mine


@pytest.mark.race
def test_the_steps_of_the_fix(bank):
    """The second transfer reads the result of the first."""
    bank.set(barrier_enabled=True, use_transactions=True)
    written = len(bank.log())
    race(bank)
    logged = [message for _, _, message in log_lines(bank, written)]
    reads = [message for message in logged if message.startswith("STEP 1")]
    assert reads[0].startswith("STEP 1: Read balance for alice = $1000.00")
    assert reads[1].startswith("STEP 1: Read balance for alice = $200.00")
    assert "STEP 2: Check if $200.00 >= $800.00" in logged
    assert not any("RACE CONDITION" in message for message in logged)


def test_names_cannot_forge_lines(bank):
    """A line break in a name, a path or a header stays inside its line."""
    forged = "x\n12:00:00.000 ERROR [bank-api] forged\r\x1b[31m"
    written = len(bank.log())
    bank.transfer(forged, "bob", "1")
    bank.get("/accounts/x%0A12:00:00.000%20ERROR%20[bank-api]%20forged")
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES (%s, 7, 7)", forged)
    try:
        assert bank.transfer(forged, "bob", "1").status == 200
        eventually(lambda: "STEP 4" in bank.log_since(written), "the transfer is logged")
        assert [line for line in log_lines(bank, written) if line[2] == "forged"] == []
        assert "\x1b" not in bank.log_since(written)
    finally:
        bank.rows("DELETE FROM accounts WHERE initial_balance = 7")


def test_every_line_from_start_to_end(start_bank):
    """Every line has the text format; one of them has the address."""
    bank = start_bank()
    bank.transfer("alice", "bob", "1")
    bank.stop()
    lines = log_lines(bank, 0)
    assert any(f"http://127.0.0.1:{bank.port}" in message for _, _, message in lines)
    assert any("SIGTERM" in message for _, _, message in lines)
    assert [level for level, _, _ in lines if level in ("WARN", "ERROR")] == []


@pytest.mark.race
def test_json_lines(start_bank):
    """One object a line; the lines of a transfer have its ids, and a transfer has one trace."""
    bank = start_bank(LOG_FORMAT="json", BARRIER_ENABLED="true")
    records = race(bank)
    bank.post("/admin/barrier?enabled=false")
    bank.transfer('no"body\n\x01', "bob", "1")
    bank.stop()
    lines = [json.loads(line) for line in bank.log().splitlines()]
    assert lines
    for line in lines:
        assert {"timestamp", "level", "message"} <= set(line), line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z", line["timestamp"]), line
    for record in records:
        mine = [line for line in lines if line.get("transfer_id") == record["id"]]
        assert any(line["message"].startswith("STEP 1") for line in mine)
        for line in mine:
            assert re.fullmatch(r"[0-9a-f]{32}", line["trace_id"]) and int(line["trace_id"], 16), line
            assert re.fullmatch(r"[0-9a-f]{16}", line["span_id"]) and int(line["span_id"], 16), line
        assert len({line["trace_id"] for line in mine}) == 1
        if record["trace_id"] is not None:
            assert mine[0]["trace_id"] == record["trace_id"]
    assert len({line["trace_id"] for line in lines if "transfer_id" in line}) >= 2
    assert [line["message"] for line in lines if "RACE CONDITION" in line["message"]] == [
        "RACE CONDITION DETECTED: alice is negative: $-600.00"]


def fields_of(bank, event, transfer=None):
    lines = [json.loads(line) for line in bank.log().splitlines()]
    return [line for line in lines if line.get("event") == event and (transfer is None or line["transfer_id"] == transfer)]


@pytest.mark.race
@pytest.mark.parametrize("strategy, account, found", [("vulnerable", "alice", -600), ("subselect_predicate", "alice", -600),
                                                      ("absolute_update", "alice", 200)])
def test_json_fields_of_a_race(start_bank, strategy, account, found):
    """The facts stand beside the message; the race names whom it raced and the balance that it had read. Earlier rounds
    left the same balances, and are not named."""
    bank = start_bank(LOG_FORMAT="json", BARRIER_ENABLED="true")
    bank.set(strategy=strategy)
    named = 0
    for _ in range(10):
        bank.post("/reset")
        records = race(bank)
        eventually(lambda: fields_of(bank, "transfer_ended", records[1]["id"]), "the last line")
        alarm, = [line for record in records for line in fields_of(bank, "race_detected", record["id"])]
        raced = next(record for record in records if record["race_detected"])
        other = next(record for record in records if not record["race_detected"])
        assert alarm["level"] == "WARN" and alarm["transfer_id"] == raced["id"]
        assert (alarm["strategy"], alarm["account"], alarm["amount"]) == (strategy, account, 800)
        assert (alarm["balance_read"], alarm["balance"], alarm["outcome"]) == (1000, found, raced["anomaly"])
        # The other transfer may have written and not yet kept the version of its write: then it is not named.
        named += alarm.get("racer", "") == other["id"]
        assert alarm.get("racer", other["id"]) == other["id"]
    assert named > 0


def test_json_fields_of_each_step(start_bank):
    bank = start_bank(LOG_FORMAT="json")
    for strategy in SAFE + WRONG:
        done, refused = bank.transfer(amount="1", strategy=strategy).json(), bank.transfer(strategy=strategy,
                                                                                           amount="5000").json()
        eventually(lambda: fields_of(bank, "transfer_ended", refused["id"]), "the last line")
        end, = fields_of(bank, "transfer_ended", done["id"])
        assert (end["strategy"], end["account"], end["amount"], end["outcome"]) == (strategy, "alice", 1, "success")
        assert end["balance"] == done["from_balance_after"] and end["duration_ms"] > 0
        assert fields_of(bank, "transfer_ended", refused["id"])[0]["outcome"] == "insufficient_funds"
        assert fields_of(bank, "check", refused["id"])[0]["outcome"] == "insufficient_funds"
        for event, account in (("deduct", "alice"), ("credit", "bob")):
            assert [line["account"] for line in fields_of(bank, event, done["id"])] == [account], (strategy, event)
    bank.set(barrier_enabled=False)
    bank.stop()
    lines = [json.loads(line) for line in bank.log().splitlines()]
    assert all("event" in line for line in lines), [line for line in lines if "event" not in line]
    assert {"listening", "database_state", "settings_changed", "stopping", "stopped"} <= {line["event"] for line in lines}


def test_a_database_that_cannot_be_reached(start_bank):
    """It is logged at once and again after 30 s, with the number of the failures meanwhile."""
    bank = start_bank(ready=False, DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")

    def lines():
        return [line for line in bank.log().splitlines() if "Database unreachable" in line]

    eventually(lambda: len(lines()) >= 2, "it is logged again", 60 + HANG_GUARD)
    first, second = [datetime.datetime.strptime(line[:12], "%H:%M:%S.%f") for line in lines()[:2]]
    assert (second - first).total_seconds() % 86400 >= 29.9, lines()
    assert int(re.search(r"\((\d+) attempts since the last such line\)", lines()[1])[1]) > 1


@pytest.mark.parametrize("level, logged, silent", [
    ("debug", ["STEP 1", "Barrier timed out", "Listening"], []),
    ("info", ["STEP 1", "Barrier timed out", "Listening"], [" DEBUG "]),
    ("warn", ["Barrier timed out"], ["STEP", "Listening", " INFO ", " DEBUG "]),
    ("error", [], ["STEP", "Barrier timed out", " WARN ", " INFO ", " DEBUG "]),
    ("WARN", ["Barrier timed out"], ["STEP"])])
def test_levels(start_bank, level, logged, silent):
    """LOG_LEVEL is the lowest level that is logged."""
    bank = start_bank(LOG_LEVEL=level, BARRIER_ENABLED="true", BARRIER_TIMEOUT_MS=1)
    assert bank.transfer().status == 200
    bank.stop()
    for words in logged:
        assert words in bank.log(), words
    for words in silent:
        assert words not in bank.log(), words
