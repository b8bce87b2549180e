"""GET /events: the events while they happen; which subscribers resume, are refused, or are disconnected."""

import contextlib
import json
import signal
import time

import pytest

from client import together
from crowd import Crowd
from pace import BEYOND_THE_HANG_GUARD_MS, HANG_GUARD, eventually, scaled
from problem import assert_problem
from stream import Stream, are_contiguous, number_of
from wire import request_bytes

SUBSCRIBERS_MAX = 256
ROUND = 7000  # settings changes, of 200 bytes each: more than the ring holds


@pytest.fixture
def stream(bank):
    """stream(): a subscriber of the module's bank."""
    with contextlib.ExitStack() as open_ones:
        yield lambda *arguments, **named: open_ones.enter_context(Stream(bank.port, *arguments, **named))


def race(bank, amount="800"):
    """Two transfers from Alice at once; returns their records."""
    answers = together(lambda: bank.transfer("alice", "bob", amount), lambda: bank.transfer("alice", "charlie", amount))
    return {answer.json()["id"]: answer.json() for answer in answers}


def until_ended(subscriber, count):
    """The events up to the end of `count` transfers."""
    events = []
    while sum(event.name == "transfer" for event in events) < count:
        events.append(subscriber.next())
    return events


def of(events, name):
    return [event.data for event in events if event.name == name]


def steps_of(events, transfer_id):
    return [{key: value for key, value in step.items() if key != "id"}
            for step in of(events, "step") if step["id"] == transfer_id]


def fill_the_ring(bank, subscriber=None, events=ROUND):
    """Sends more events than the ring holds: settings changes are never left out. The subscriber reads all of them."""
    with bank.client() as client:
        for number in range(1, events + 1):
            assert client.post("/admin/settings", {"delay_ms": number}).status == 200
            if subscriber and number % 100 == 0:
                assert [subscriber.next().data["delay_ms"] for _ in range(100)] == list(range(number - 99, number + 1))


def test_the_head_and_the_hello(bank, stream):
    subscriber = stream()
    assert subscriber.headers["content-type"] == "text/event-stream"
    assert subscriber.headers["cache-control"] == "no-store"
    assert subscriber.headers["x-content-type-options"] == "nosniff"
    hello = subscriber.hello.data
    assert hello["resumed"] is False
    assert hello["heartbeat_ms"] == 15000
    assert hello["settings"] == bank.get("/admin/settings").json()
    assert subscriber.hello.id.startswith(hello["boot"] + "-")
    assert stream().hello == subscriber.hello


def test_what_is_no_subscription(bank):
    assert_problem(bank.post("/events"), 405)
    assert_problem(bank.get("/events?limit=1"), 422)
    head = bank.request("HEAD", "/events")
    assert (head.status, head.headers["Content-Type"]) == (200, "text/event-stream")
    assert bank.metric("event_readers") == 0


def test_a_reset_and_the_settings(bank, stream):
    subscriber = stream()
    settings = bank.set(delay_enabled=True, delay_ms=1)
    assert subscriber.next()[1:] == ("settings", settings)
    answer = bank.post("/reset").json()
    event = subscriber.next()
    assert event.name == "reset"
    assert event.data == {"accounts": json.loads(json.dumps(answer["accounts"], default=float))}


def test_resets_made_together_are_one_event(bank, stream, background):
    """While one reset waits for a row, nine more arrive: they are made once, and published once."""
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
        resets = [background(bank.post, "/reset")]
        bank.until_waiting_for_locks(1)
        resets += [background(bank.post, "/reset") for _ in range(9)]
        counted = "SELECT resets FROM lab_totals"
        before = bank.rows(counted)[0]["resets"]
        subscriber = stream()
        assert bank.get("/health").status == 200  # the resets have arrived before the row is free
        session.rollback()
    assert {reset.result(HANG_GUARD).status for reset in resets} == {200}
    bank.set(delay_ms=7)
    events = subscriber.until("settings", lambda data: data["delay_ms"] == 7)
    made = bank.rows(counted)[0]["resets"] - before
    assert made < len(resets)
    assert len(of(events, "reset")) == made


@pytest.mark.race
def test_the_events_of_a_race(bank, stream):
    subscriber = stream()
    bank.set(barrier_enabled=True)
    records = race(bank)
    events = until_ended(subscriber, 2)
    assert are_contiguous(events)
    assert sorted(data["id"] for data in of(events, "admitted")) == sorted(records)
    assert [(data["waiting"], data["parties"]) for data in of(events, "barrier_arrival")] == [(1, 2), (2, 2)]
    release, = of(events, "barrier_release")
    assert (release["outcome"], release["parties"]) == ("released", 2)
    assert sorted(release["transfer_ids"]) == sorted(records)
    names = [event.name for event in events]
    for transfer_id, record in records.items():
        published = [event for event in events if event.data.get("id") == transfer_id]
        assert published[0].name == "admitted" and published[-1].name == "transfer"
        assert published[0].data["amount"] == 800
        assert [event.name for event in published[:4]] == ["admitted", "step", "barrier_arrival", "step"]  # at once
        steps = steps_of(events, transfer_id)
        assert [step["step"] for step in steps] == ["read", "barrier", "check", "deduct", "credit"]
        assert steps[0]["account"] == "alice" and steps[0]["value"] == 1000
        assert steps[3]["value"] == record["from_balance_after"]
        ended = published[-1].data
        assert {key: ended[key] for key in record} == json.loads(json.dumps(record, default=float))
        assert ended["error"] is None
        assert ended["steps"][:-1] == steps
        assert ended["steps"][-1]["step"] == "commit"
        after_release = names[names.index("barrier_release"):]
        assert [name for name in after_release if name == "barrier_arrival"] == []


@pytest.mark.race
def test_every_strategy_publishes_the_recorded_steps(bank, stream):
    """The steps that were published one by one equal the steps of the final event, and the steps of the record."""
    subscriber = stream()
    bank.set(barrier_enabled=True)
    listed = bank.get("/strategies").json()["strategies"]
    for strategy in [each["name"] for each in listed if each["available"]]:
        bank.set(strategy=strategy)
        bank.post("/reset")
        records = race(bank)
        events = until_ended(subscriber, 2)
        race_id = next(iter(records))
        from_records = {each["id"]: each for each in bank.get(f"/races/{race_id}").json()["transfers"]}
        for ended in of(events, "transfer"):
            at_the_end = [step if strategy != "cte_snapshot" and strategy != "subselect_predicate" else
                          {key: step[key] for key in step if key != "committed_at_us"} for step in ended["steps"]]
            assert steps_of(events, ended["id"]) == at_the_end[:-1], strategy  # their commit comes after the steps
            names = [step["step"] for step in ended["steps"] if step["step"] not in ("hold", "barrier")]
            recorded = from_records[ended["id"]]["steps"]
            assert names == [step["step"] for step in recorded if step["step"] not in ("hold", "barrier")], strategy
            values = {step["step"]: step["value"] for step in ended["steps"] if "value" in step}
            assert values == {step["step"]: float(step["value"]) for step in recorded if "value" in step}, strategy
        time.sleep(0.15)  # two transfers of each strategy, sixteen a second: all of them are published


def test_a_barrier_that_times_out(bank, stream):
    bank.set(barrier_enabled=True, barrier_timeout_ms=50)
    subscriber = stream()
    record = bank.transfer("alice", "bob", "1").json()
    release, = of(until_ended(subscriber, 1), "barrier_release")
    assert (release["outcome"], release["transfer_ids"]) == ("timed out", [record["id"]])


def test_a_barrier_that_the_settings_open(bank, stream, background):
    bank.set(barrier_enabled=True, barrier_count=3, barrier_timeout_ms=BEYOND_THE_HANG_GUARD_MS)
    subscriber = stream()
    waiting = [background(bank.transfer, "alice", "bob", "1") for _ in range(2)]
    bank.until_waiting_at_the_barrier(2)
    bank.set(barrier_enabled=False)
    ids = [each.result(HANG_GUARD).json()["id"] for each in waiting]
    releases = of(until_ended(subscriber, 2), "barrier_release")
    assert [(each["outcome"], sorted(each["transfer_ids"])) for each in releases] == [("settings changed", sorted(ids))]


def test_a_transfer_that_fails(bank, stream):
    subscriber = stream()
    problem = assert_problem(bank.transfer("nobody", "bob", "1"), 404)
    ended = until_ended(subscriber, 1)[-1].data
    assert ended["status"] == "error"
    assert ended["error"] == {key: problem[key] for key in ("status", "title", "detail")}
    assert [step["step"] for step in ended["steps"]] == ["read"]


def test_resuming(bank, stream):
    first = stream()
    bank.transfer("alice", "bob", "1")
    received = until_ended(first, 1)
    first.close()
    record = bank.transfer("alice", "bob", "2").json()
    second = stream(first.last_id)
    assert second.hello.data["resumed"] is True
    missed = until_ended(second, 1)
    assert are_contiguous([*received, *missed])
    assert missed[-1].data["id"] == record["id"]
    again = stream(received[0].id)
    assert until_ended(again, 2) == [*received[1:], *missed]


def test_nothing_is_published_before_the_first_subscription(start_bank):
    """Events from before the first subscriber are not published, but GET /races has the transfers; the stream begins at
    the subscription."""
    bank = start_bank()
    for _ in range(3):
        bank.transfer("alice", "bob", "1")
    with Stream(bank.port) as subscriber:
        assert number_of(subscriber.hello.id) == 0
        bank.transfer("alice", "bob", "2")
        received = until_ended(subscriber, 1)
        assert received[0].name == "admitted" and received[-1].data["amount"] == 2
        assert "skipped" not in {event.name for event in received}


@pytest.mark.parametrize("last_id", ["0123abcd-1", "nonsense", "-", "1"])
def test_resuming_from_an_unpublished_event(stream, last_id):
    subscriber = stream(last_id)
    assert subscriber.hello.data["resumed"] is False
    assert subscriber.next() == (None, "gap", {"reason": "restarted"})


def test_resuming_from_the_future(stream):
    boot, number = stream().hello.id.split("-")
    subscriber = stream(f"{boot}-{int(number) + 1000000}")
    assert subscriber.next() == (None, "gap", {"reason": "restarted"})


def test_a_gap_after_a_restart(start_bank):
    before = start_bank()
    with Stream(before.port) as subscriber:
        before.transfer("alice", "bob", "1")
        until_ended(subscriber, 1)
    before.stop()
    after = start_bank(database=before.database, BANK_API_PORT=before.port)
    with Stream(after.port, subscriber.last_id) as resumed:
        assert resumed.hello.data["resumed"] is False
        assert resumed.hello.data["boot"] != subscriber.hello.data["boot"]
        assert resumed.next() == (None, "gap", {"reason": "restarted"})


def test_a_gap_when_the_ring_has_gone_round(start_bank):
    bank = start_bank(LOG_LEVEL="error")
    with Stream(bank.port) as subscriber:
        pass
    bank.set(delay_ms=1)
    fill_the_ring(bank)
    with Stream(bank.port, subscriber.hello.id) as late:
        assert late.hello.data["resumed"] is False
        assert late.next() == (None, "gap", {"reason": "too_old"})
        bank.set(delay_ms=2)
        event = late.next()
        assert (event.name, event.data["delay_ms"]) == ("settings", 2)
        assert number_of(event.id) == number_of(late.hello.id) + 1
    with Stream(bank.port, f"{late.hello.data['boot']}-{number_of(late.last_id) - 1000}") as resumed:
        assert resumed.hello.data["resumed"] is True
        events = [resumed.next() for _ in range(1000)]
        assert are_contiguous(events) and events[-1] == event


def test_a_slow_subscriber_is_disconnected(start_bank):
    """A slow subscriber reads nothing while the ring wraps around; another one receives everything. The slow one then
    gets whole events in order, and the reason at the end."""
    bank = start_bank(LOG_LEVEL="error")
    with Stream(bank.port, receive_buffer=4096) as slow, Stream(bank.port) as quick:
        fill_the_ring(bank, quick)
        assert bank.metric("event_readers_dropped_total") == 1
        eventually(lambda: bank.metric("event_readers") == 1, "only the quick one is left")
        events = slow.rest()
        assert events[-1] == (None, "dropped", {"reason": "too slow"})
        assert are_contiguous(events[:-1])
        assert number_of(events[-2].id) < number_of(quick.last_id)
        bank.set(delay_ms=7)
        assert quick.next().data["delay_ms"] == 7


def test_the_257th_is_refused(start_bank):
    bank = start_bank()
    with contextlib.ExitStack() as open_ones:
        subscribers = [open_ones.enter_context(Stream(bank.port)) for _ in range(SUBSCRIBERS_MAX)]
        answer = bank.get("/events")
        assert_problem(answer, 503)
        assert int(answer.headers["Retry-After"]) >= 1
        assert bank.metric("event_readers") == SUBSCRIBERS_MAX
        bank.set(delay_ms=3)
        assert {subscriber.next().data["delay_ms"] for subscriber in subscribers} == {3}
        subscribers[0].close()
        eventually(lambda: bank.metric("event_readers") == SUBSCRIBERS_MAX - 1, "one has left")
        assert open_ones.enter_context(Stream(bank.port)).status == 200
    eventually(lambda: bank.metric("event_readers") == 0, "all have left")


def test_a_subscriber_that_sends(bank, stream):
    """The server ignores the data that a subscriber sends."""
    subscriber = stream()
    subscriber.socket.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
    bank.set(delay_ms=5)
    assert subscriber.next().data["delay_ms"] == 5


def test_a_subscription_behind_another_request(bank):
    """Both in one write: a worker answers the first, the second becomes a stream, and the server notices its end."""
    with bank.wire() as wire:
        wire.send(request_bytes("GET", "/accounts") + request_bytes("GET", "/events"))
        assert wire.answer().status == 200
        eventually(lambda: bank.metric("event_readers") == 1, "it reads")
    eventually(lambda: bank.metric("event_readers") == 0, "it has left")


def test_a_heartbeat(bank, stream):
    subscriber = stream()
    subscriber.socket.settimeout(HANG_GUARD + 20)
    assert subscriber.next().name == "" and subscriber.comments == ["heartbeat"]


@pytest.mark.race
def test_order_and_count_under_load(start_bank):
    """Every subscriber gets the same events, in order; the transfers that were not published are counted."""
    bank = start_bank(LOG_LEVEL="error")
    with contextlib.ExitStack() as open_ones:
        subscribers = [open_ones.enter_context(Stream(bank.port)) for _ in range(8)]
        with Crowd(bank, size=8, reconnects=False) as crowd:
            eventually(lambda: len(crowd.answers()) >= scaled(2000), "load")
        answered = len(crowd.answers())

        def published(events):
            return sum(event.name == "transfer" for event in events) + sum(
                data["transfers"] for data in of(events, "skipped"))

        received = [[] for _ in subscribers]
        for subscriber, events in zip(subscribers, received):
            while published(events) < answered:
                events.append(subscriber.next())
        assert [published(events) for events in received] == [answered] * len(subscribers)
        assert all(are_contiguous(events) for events in received)
        assert all(events == received[0] for events in received)
        assert sum(data["races"] for data in of(received[0], "skipped")) <= bank.metric("race_condition_hits_total")
        assert 64 <= len(of(received[0], "admitted")) < answered
        ended = {data["id"] for data in of(received[0], "transfer")}
        assert ended == {data["id"] for data in of(received[0], "admitted")}


@pytest.mark.race
def test_subscribers_that_come_and_go_under_load(start_bank):
    bank = start_bank(LOG_LEVEL="error")
    with Crowd(bank, size=4, reconnects=False) as crowd:
        for _ in range(scaled(80)):
            with Stream(bank.port) as subscriber:
                subscriber.next()
        assert crowd.count(200) > 0
    eventually(lambda: bank.metric("event_readers") == 0, "all have left")


@pytest.mark.shutdown
def test_bye(start_bank, background):
    """A program that stops sends its subscribers the last events, including the transfers that the barrier released.
    The subscribers do not delay the end, not even one that does not read."""
    bank = start_bank(SHUTDOWN_TIMEOUT_MS=600000, BARRIER_ENABLED="true", BARRIER_TIMEOUT_MS=600000)
    with Stream(bank.port) as subscriber, Stream(bank.port, receive_buffer=4096) as stuck:
        fill_the_ring(bank, subscriber, 4000)
        waiting = background(bank.transfer, "alice", "bob", "1")
        bank.until_waiting_at_the_barrier(1)
        bank.signal(signal.SIGTERM)
        events = subscriber.rest()
        bank.ends_well()
        assert waiting.result(HANG_GUARD).status == 200
        assert events[-1] == (None, "bye", {"reason": "stopping"})
        release, = of(events, "barrier_release")
        assert (release["outcome"], release["transfer_ids"]) == ("shutdown", [waiting.result().json()["id"]])
        assert stuck.hello.name == "hello"


@pytest.mark.shutdown
def test_bye_to_many(start_bank):
    bank = start_bank(SHUTDOWN_TIMEOUT_MS=600000)
    with contextlib.ExitStack() as open_ones:
        subscribers = [open_ones.enter_context(Stream(bank.port)) for _ in range(100)]
        bank.signal(signal.SIGTERM)
        assert {subscriber.rest()[-1].name for subscriber in subscribers} == {"bye"}
        bank.ends_well()
