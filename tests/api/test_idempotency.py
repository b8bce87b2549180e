"""Idempotency-Key on POST /transfer: however often a client sends a key, its transfer is posted once."""

import collections
import uuid

import pytest

from client import JSON_TYPE, together, transfer_body
from pace import eventually
from problem import assert_problem
from strategies import SAFE, WRONG

REPLAYED = "Idempotent-Replayed"


def send(bank, key, amount="1", strategy=None, source="alice", target="bob"):
    return bank.request("POST", "/transfer", transfer_body(source, target, amount, strategy),
                        {**JSON_TYPE, "Idempotency-Key": key})


def new_key():
    return f'"{uuid.uuid4()}"'


def keys(bank):
    return {row["key"]: row["repeats"] for row in bank.rows("SELECT key, repeats FROM transfer_keys")}


# --- One client ---

@pytest.mark.parametrize("strategy", SAFE + WRONG)
@pytest.mark.parametrize("amount, status", [("1.50", "success"), ("5000", "failed_insufficient_funds")])
def test_a_repeat_gets_the_answer_of_the_first(bank, strategy, amount, status):
    """The same status and the same body, byte by byte, and nothing else happens."""
    key = new_key()
    first = send(bank, key, amount, strategy)
    assert (first.status, first.json()["status"], first.json()["strategy"]) == (200, status, strategy)
    assert first.headers[REPLAYED] is None
    balances = bank.balances()
    again = send(bank, key, amount, strategy)
    assert (again.status, again.headers[REPLAYED], again.body) == (200, "true", first.body)
    assert bank.balances() == balances
    assert bank.recorded() == [first.json()["id"]]
    assert bank.get(f"/transfers/{first.json()['id']}").body == first.body
    assert keys(bank) == {key.strip('"'): 1}


def test_the_order_of_the_fields_is_no_other_body(bank):
    key = new_key()
    first = send(bank, key)
    other = bank.request("POST", "/transfer", '{"amount":1.00, "to_account":"bob","from_account":"alice"}',
                         {**JSON_TYPE, "Idempotency-Key": key})
    assert (other.status, other.body) == (200, first.body)


@pytest.mark.parametrize("other", [{"amount": "2"}, {"source": "charlie"}, {"target": "charlie"},
                                   {"strategy": "for_update"}])
def test_another_body_is_refused(bank, other):
    key = new_key()
    first = send(bank, key)
    detail = assert_problem(send(bank, key, **other), 422)["detail"]
    assert "Idempotency-Key" in detail and "another body" in detail
    assert bank.recorded() == [first.json()["id"]]


@pytest.mark.parametrize("strategy", ["vulnerable", "for_update"])
def test_a_request_that_moved_nothing_leaves_no_key(bank, strategy):
    """The answer was an error, so the client may correct its request and send it with the same key."""
    key = new_key()
    assert_problem(send(bank, key, target="nobody", strategy=strategy), 404)
    assert keys(bank) == {}
    assert send(bank, key, strategy=strategy).status == 200


def test_another_transfer_without_a_key(bank):
    """No key, no table: a transfer without one writes no row, and its answer has no header."""
    assert bank.transfer("alice", "bob", "1").headers[REPLAYED] is None
    assert bank.transfer("alice", "bob", "1").json()["id"] != bank.recorded()[0]
    assert keys(bank) == {}


# --- The header ---

@pytest.mark.parametrize("quoted, bare", [('"abc"', "abc"), ('  "a-1/2"  ', "a-1/2"), (r'"a\"b\\c d"', None)])
def test_keys_with_and_without_quotes(bank, quoted, bare):
    first = send(bank, quoted)
    assert first.status == 200
    if bare is not None:
        assert send(bank, bare).body == first.body
    assert list(keys(bank)) == [bare or 'a"b\\c d']


@pytest.mark.parametrize("key", ["", '""', '"abc', 'abc"', '"a"b', '"a";q=1', "a b", "a,b", r'"a\b"', '"a\\', "a" * 256,
                                 f'"{"a" * 256}"', "\u00e9"])
def test_a_malformed_key_is_refused(bank, key):
    answer = bank.request("POST", "/transfer", transfer_body("alice", "bob", "1"),
                          {**JSON_TYPE, "Idempotency-Key": key.encode("utf-8")})
    assert "Idempotency-Key" in assert_problem(answer, 400)["detail"]
    assert bank.recorded() == []


def test_the_longest_key(bank):
    assert [send(bank, '"' + "k" * 255 + '"').headers[REPLAYED] for _ in range(2)] == [None, "true"]


def test_two_keys_are_refused(bank):
    with bank.wire() as wire:
        body = transfer_body("alice", "bob", "1").encode()
        wire.send(b"POST /transfer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  b"Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert wire.answer().status == 400


# --- Many clients ---

@pytest.mark.parametrize("strategy", SAFE + WRONG)
def test_fifty_clients_with_one_key(bank, strategy):
    """One of them posts. The others get its answer, or 409 while it runs."""
    key = new_key()
    answers = together(*[lambda: send(bank, key, "1", strategy)] * 50)
    assert {answer.status for answer in answers} <= {200, 409}
    posted = [answer for answer in answers if answer.status == 200]
    assert len({answer.body for answer in posted}) == 1
    assert sum(answer.headers[REPLAYED] is None for answer in posted) == 1
    for answer in answers:
        if answer.status == 409:
            assert_problem(answer, 409)
            assert int(answer.headers["Retry-After"]) >= 1
    assert len(bank.recorded()) == 1 and bank.balance("bob") == 501
    assert send(bank, key, "1", strategy).body == posted[0].body


@pytest.mark.parametrize("strategy", ["vulnerable", "for_update", "repeatable_read"])
def test_a_key_whose_transfer_stands_at_the_barrier(bank, background, strategy):
    """A repeat ends at once and takes no place at the barrier. Another key does."""
    bank.set(barrier_enabled=True, barrier_count=2)
    first_key, second_key = new_key(), new_key()
    first = background(send, bank, first_key, "1", strategy)
    bank.until_waiting_at_the_barrier(1)
    assert "has not ended" in assert_problem(send(bank, first_key, "1", strategy), 409)["detail"]
    second = background(send, bank, second_key, "1", strategy)
    assert [first.result().status, second.result().status] == [200, 200]
    assert send(bank, first_key, "1", strategy).body == first.result().body
    assert len(bank.recorded()) == 2


def test_a_key_does_not_repair_the_race(bank):
    """Two keys are two transfers. Under a wrong strategy they still race, in a transaction as well."""
    bank.set(barrier_enabled=True, barrier_count=2)
    answers = together(*[lambda: send(bank, new_key(), "800", "vulnerable")] * 2)
    assert [answer.json()["status"] for answer in answers] == ["success", "success"]
    assert bank.balance("alice") == -600
    assert sum(answer.json()["race_detected"] for answer in answers) == 1


@pytest.mark.parametrize("strategy", ["process_mutex", *SAFE])
def test_transfers_with_keys_stay_safe(bank, strategy):
    """The key's transaction ends before the next transfer reads."""
    answers = together(*[lambda: send(bank, new_key(), "300", strategy)] * 12)
    counts = collections.Counter(answer.json().get("status") for answer in answers if answer.status == 200)
    assert counts["success"] == 3 and bank.balance("alice") == 100
    assert len(bank.recorded()) == len(keys(bank)) == sum(counts.values())


@pytest.mark.parametrize("strategy", ["for_update", "serializable", "batched"])
def test_check_then_write_posts_twice(start_bank, strategy):
    """Wrong on purpose: the key is looked up before the transfer, and written after its commit. At the barrier both
    requests have looked before either writes, so each posts, under a safe strategy as well."""
    bank = start_bank(IDEMPOTENCY_CHECK_THEN_WRITE="true", WORKER_THREADS=4)
    bank.set(barrier_enabled=True, barrier_count=2)
    key = new_key()
    answers = together(*[lambda: send(bank, key, "300", strategy)] * 2)
    assert [(answer.status, answer.headers[REPLAYED]) for answer in answers] == [(200, None)] * 2
    assert len(bank.recorded()) == 2 and bank.balance("alice") == 400 and len(keys(bank)) == 1
    assert send(bank, key, "300", strategy).headers[REPLAYED] == "true"


def test_two_with_one_key_at_the_barrier(bank):
    """The right way: the second ends at once, and the barrier waits for another transfer."""
    bank.set(barrier_enabled=True, barrier_count=2, barrier_timeout_ms=300)
    key = new_key()
    answers = together(*[lambda: send(bank, key, "300", "for_update")] * 2)
    assert sorted(answer.status for answer in answers) == [200, 409]
    assert bank.balance("alice") == 700


# --- The end of a key ---

def test_a_reset_removes_the_keys(bank):
    key = new_key()
    first = send(bank, key)
    bank.post("/reset")
    assert keys(bank) == {}
    again = send(bank, key)
    assert again.headers[REPLAYED] is None and again.json()["id"] != first.json()["id"]


def test_a_reset_that_truncates_removes_the_keys(bank):
    """A large table of transfers is truncated, and the keys with it."""
    key = new_key()
    send(bank, key)
    bank.rows("""INSERT INTO transfers (id, "timestamp", from_account, to_account, amount, from_balance_before,
                     from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy,
                     race_detected, steps)
                 SELECT '00000000', now(), 'bob', 'alice', 1, 2, 1, 1, 2, 'failed_insufficient_funds', 'psql', 1,
                        'vulnerable', false, '[]' FROM generate_series(1, 6000)""")
    assert bank.post("/reset").status == 200
    assert keys(bank) == {} and bank.recorded() == []
    assert send(bank, key).headers[REPLAYED] is None


def test_a_key_expires(bank):
    """An expired key is a new one, even before the program has removed it; and then it removes it."""
    expired, kept = new_key(), new_key()
    first = send(bank, expired)
    send(bank, kept)
    bank.rows("UPDATE transfer_keys SET expires_at = now() - interval '1 second' WHERE key = $$%s$$" %
              expired.strip('"'))
    again = send(bank, expired)
    assert (again.status, again.headers[REPLAYED]) == (200, None)
    assert again.json()["id"] != first.json()["id"]
    bank.rows("UPDATE transfer_keys SET expires_at = now() - interval '1 second' WHERE key = $$%s$$" %
              expired.strip('"'))
    eventually(lambda: list(keys(bank)) == [kept.strip('"')], "the expired key is removed")


def test_the_time_to_live_is_a_variable(start_bank):
    bank = start_bank(IDEMPOTENCY_TTL_S=7200, WORKER_THREADS=4)
    send(bank, new_key())
    assert bank.rows("SELECT expires_at - now() BETWEEN interval '1 hour' AND interval '2 hours' AS good "
                     "FROM transfer_keys") == [{"good": True}]


def test_a_key_whose_record_is_gone(bank):
    """An older program's reset, or a person at psql, removed the record: the key is a new one."""
    key = new_key()
    send(bank, key)
    bank.rows("DELETE FROM transfers")
    assert send(bank, key).headers[REPLAYED] is None
    assert len(bank.recorded()) == 1


# --- The metrics and the log ---

def test_the_metrics_count_repeats_and_conflicts(bank):
    before = bank.scrape()
    key = new_key()
    send(bank, key)
    send(bank, key)
    send(bank, key, "2")
    after = bank.scrape()

    def grown(name, **labels):
        return after.total(name, **labels) - before.total(name, **labels)

    assert grown("idempotency_replays_total") == 1
    assert grown("idempotency_conflicts_total", reason="other_request") == 1
    assert grown("idempotency_conflicts_total", reason="in_flight") == 0
    assert grown("transfers_total") == 1


def test_the_log_has_the_key(start_bank):
    bank = start_bank(LOG_FORMAT="json", WORKER_THREADS=4)
    first = send(bank, "my-key-1")
    send(bank, "my-key-1")
    send(bank, "my-key-1", "2")
    lines = [line for line in bank.log().splitlines() if '"idempotency_key":"my-key-1"' in line]
    assert any(first.json()["id"] in line and '"key_replayed"' in line for line in lines)
    ends = [line for line in lines if '"transfer_ended"' in line]
    assert ['"success"' in ends[0], '"replayed"' in ends[1], '"key_reused"' in ends[2]] == [True] * 3
