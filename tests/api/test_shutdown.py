"""The end of the program: every answered success is recorded, every running request is finished, the exit status is 0,
and no memory leaks."""

import signal

import pytest

from client import transfer_body
from crowd import Crowd
from pace import BEYOND_THE_HANG_GUARD_MS, HANG_GUARD, eventually
from wire import request_bytes

pytestmark = pytest.mark.shutdown

POST_TRANSFER = request_bytes("POST", "/transfer", "Content-Type: application/json",
                              body=transfer_body("alice", "bob", "1").encode())


def successes_are_recorded(bank, ids):
    recorded = bank.recorded()
    assert set(ids) <= set(recorded)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("strategy", ["vulnerable", "for_update"])
@pytest.mark.parametrize("attempt", range(3))
def test_sigterm_under_load(start_bank, strategy, attempt):
    """Keep-alive clients under full load: every request that was on the wire before the signal gets a complete answer,
    and every answered success is in the table."""
    bank = start_bank(USE_TRANSACTIONS=str(strategy == "for_update"))
    with Crowd(bank, size=16, reconnects=False) as crowd:
        eventually(lambda: crowd.count(200) >= 100, "load")
        signalled = bank.signal(signal.SIGTERM)
        bank.ends_well()
    assert {answer.status for answer in crowd.answers()} <= {200, 503}
    assert [written for written in crowd.unanswered() if written < signalled] == []
    successes_are_recorded(bank, crowd.ids_of_successes())
    if strategy == "for_update":
        assert len(bank.recorded()) == crowd.count(200)
        assert [row for row in bank.rows("TABLE account_audit") if row["drift"] != 0] == []


@pytest.mark.parametrize("request_under_way", [POST_TRANSFER, request_bytes("GET", "/accounts"),
                                               request_bytes("GET", "/health")])
def test_a_request_on_the_wire_at_the_signal(start_bank, request_under_way):
    """The program is stopped while requests are written on open connections and the signal is sent: it finds all of
    them at once, and answers every one."""
    bank = start_bank()
    wires = [bank.wire() for _ in range(20)]
    for wire in wires:
        assert wire.send(request_bytes("GET", "/health")).answer().status == 200
    bank.signal(signal.SIGSTOP)
    for wire in wires:
        wire.send(request_under_way)
    bank.signal(signal.SIGTERM)
    bank.signal(signal.SIGCONT)
    answers = [wire.answer() for wire in wires]
    assert {answer.status for answer in answers} <= {200, 503}
    for wire in wires:
        wire.ends()
        wire.close()
    bank.ends_well()


def test_one_that_was_released_from_its_queue_at_the_signal(start_bank, background):
    """Every worker sleeps in the delay; one more transfer was released from its account queue, and waits for a
    worker."""
    bank = start_bank(WORKER_THREADS=4, DEBUG_DELAY_ENABLED=True, DEBUG_DELAY_MS=60000)
    sent = [background(bank.transfer, "alice", "charlie", "1", "vulnerable") for _ in range(3)]
    bank.until_in_progress(3)
    late = background(bank.transfer, "bob", "charlie", "1", "for_update")
    bank.until_queued(1)
    bank.signal(signal.SIGTERM)
    assert late.result(HANG_GUARD).status == 503
    assert {each.result(HANG_GUARD).status for each in sent} == {200}
    bank.ends_well()


def test_a_connection_not_yet_accepted_at_the_signal(start_bank):
    """As before, on connections that still wait to be accepted."""
    bank = start_bank()
    bank.signal(signal.SIGSTOP)
    wires = [bank.wire().send(POST_TRANSFER) for _ in range(5)]
    bank.signal(signal.SIGTERM)
    bank.signal(signal.SIGCONT)
    answers = [wire.answer() for wire in wires]
    assert {answer.status for answer in answers} <= {200, 503}
    for wire in wires:
        wire.close()
    bank.ends_well()
    successes_are_recorded(bank, [answer.json()["id"] for answer in answers if answer.status == 200])


def test_the_last_answer_says_so(start_bank, background):
    """The answer to a request that runs at the signal has Connection: close."""
    bank = start_bank(DEBUG_DELAY_ENABLED="true", DEBUG_DELAY_MS=60000)
    with bank.wire() as wire:
        wire.send(POST_TRANSFER)
        bank.until_in_progress(1)
        bank.signal()
        answer = wire.answer()
        assert answer.status == 200
        assert answer.headers["Connection"].lower() == "close"
        wire.ends()
    bank.ends_well()


@pytest.mark.race
@pytest.mark.parametrize("safe", [False, True])
def test_sigterm_frees_the_waiting_at_the_barrier(start_bank, background, safe):
    """They continue at once, long before their own timeout; they are done, answered and recorded."""
    bank = start_bank(BARRIER_ENABLED="true", BARRIER_COUNT=16, BARRIER_TIMEOUT_MS=BEYOND_THE_HANG_GUARD_MS,
                      USE_TRANSACTIONS=safe)
    waiting = [background(bank.transfer, "alice", "bob", "1") for _ in range(15)]
    bank.until_waiting_at_the_barrier(15)
    bank.signal()
    answers = [each.result(HANG_GUARD) for each in waiting]
    assert [answer.status for answer in answers] == [200] * 15
    bank.ends_well()
    successes_are_recorded(bank, [answer.json()["id"] for answer in answers])
    assert bank.rows("SELECT balance FROM accounts WHERE id = 'alice'") == [{"balance": 985}]


@pytest.mark.race
def test_sigterm_with_waiters_and_a_queue_behind_them(start_bank, background):
    """Six wait at the barrier, a seventh for a lock in psql, and two for a slot. The running ones are done, the queued
    ones are done or get 503, and every answer is true."""
    bank = start_bank(WORKER_THREADS=8, BARRIER_ENABLED="true", BARRIER_COUNT=7,
                      BARRIER_TIMEOUT_MS=BEYOND_THE_HANG_GUARD_MS)
    waiting = [background(bank.transfer, "alice", "bob", "1") for _ in range(6)]
    bank.until_waiting_at_the_barrier(6)
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
        waiting.append(background(bank.transfer, "alice", "bob", "1"))
        locked = "SELECT count(*) AS n FROM pg_locks WHERE NOT granted"
        eventually(lambda: bank.rows(locked) == [{"n": 1}], "the seventh waits for the lock")
        queued = [background(bank.transfer, "alice", "bob", "1") for _ in range(2)]
        eventually(lambda: has_read_from(bank, 9), "two are queued")
        bank.signal()
        eventually(lambda: bank.rows(locked)[0]["n"] >= 7, "the freed wait for the lock")
        session.rollback()
    answers = [each.result(HANG_GUARD) for each in waiting]
    answers_of_queued = [each.result(HANG_GUARD) for each in queued]
    assert [answer.status for answer in answers] == [200] * 7
    assert {answer.status for answer in answers_of_queued} <= {200, 503}
    bank.ends_well()
    done = [answer.json()["id"] for answer in answers + answers_of_queued if answer.status == 200]
    assert sorted(done) == sorted(bank.recorded())


def has_read_from(bank, clients):
    """Whether `clients` connections are open and the bank has read all their bytes. It is for cases where a scrape,
    which reads the accounts, is impossible."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table if line.split()[1].endswith(f":{bank.port:04X}")]
    unread = [row[4].split(":")[1] for row in rows if row[3] == "01"]  # state 01: established
    return unread == ["00000000"] * clients


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("safe", [False, True])
def test_a_signal_during_a_long_delay(start_bank, background, number, safe):
    """The sleeping transfers wake up and finish; both signals mean the same."""
    bank = start_bank(DEBUG_DELAY_ENABLED="true", DEBUG_DELAY_MS=60000, USE_TRANSACTIONS=safe)
    sleeping = [background(bank.transfer, "alice", "bob", "1"), background(bank.transfer, "charlie", "bob", "1")]
    bank.until_in_progress(2)
    bank.signal(number)
    answers = [each.result(HANG_GUARD) for each in sleeping]
    assert [answer.status for answer in answers] == [200, 200]
    bank.ends_well()
    successes_are_recorded(bank, [answer.json()["id"] for answer in answers])


def test_with_a_full_queue(start_bank, background):
    """Three sleep, forty queue: the three are done, the forty are done or get 503 with Retry-After, and the table
    agrees."""
    bank = start_bank(WORKER_THREADS=4, DEBUG_DELAY_ENABLED="true", DEBUG_DELAY_MS=60000)
    sent = [background(bank.transfer, "alice", "bob", "1") for _ in range(43)]
    bank.until_queued(40)
    bank.signal()
    answers = [each.result(HANG_GUARD) for each in sent]
    bank.ends_well()
    assert {answer.status for answer in answers} <= {200, 503}
    assert sum(answer.status == 200 for answer in answers) >= 3
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status == 503)
    assert sorted(bank.recorded()) == sorted(answer.json()["id"] for answer in answers if answer.status == 200)


def test_idle_and_half_open_connections(start_bank):
    """Idle connections are closed; a connection with half a request delays the end only until its deadline."""
    bank = start_bank(SHUTDOWN_TIMEOUT_MS=1000)
    idle = [bank.wire() for _ in range(50)]
    for wire in idle[:25]:
        wire.send(request_bytes("GET", "/health")).answer()
    half = bank.wire().send(POST_TRANSFER[:-3])
    bank.signal()
    for wire in idle:
        wire.ends()
        wire.close()
    bank.ends_well()
    half.close()


def test_a_client_that_does_not_read(start_bank):
    """Its answers cannot be sent: it does not delay the end either."""
    bank = start_bank(SHUTDOWN_TIMEOUT_MS=1000)
    with bank.wire() as wire:
        wire.socket.setblocking(False)
        try:
            while True:
                wire.socket.send(request_bytes("GET", "/accounts") * 500)
        except BlockingIOError:
            pass
        bank.signal()
        bank.ends_well()


def test_while_the_database_hangs(start_bank, cluster, background):
    """PostgreSQL is frozen under running transfers: the program still ends within its own deadline, and no client gets
    a success that is not in the table."""
    bank = start_bank(SHUTDOWN_TIMEOUT_MS=1000, USE_TRANSACTIONS="true")
    bank.transfer("alice", "bob", "1")
    cluster.freeze()
    try:
        waiting = [background(bank.transfer, "alice", "bob", "1") for _ in range(8)]
        eventually(lambda: has_read_from(bank, 8), "eight wait for the database")
        bank.signal()
        bank.ends_by_itself()
    finally:
        cluster.resume()
    answers = [outcome_of(each) for each in waiting]
    successes_are_recorded(bank,
                           [answer.json()["id"] for answer in answers if answer is not None and answer.status == 200])


def outcome_of(future):
    """The answer, or None if the connection ended without one."""
    try:
        return future.result(HANG_GUARD)
    except OSError:
        return None


def test_while_the_database_is_unavailable(start_bank, cluster):
    bank = start_bank()
    bank.transfer("alice", "bob", "1")
    cluster.stop("fast")
    try:
        bank.until_unhealthy()
        bank.signal()
        bank.ends_well()
    finally:
        cluster.start()


def test_before_the_database_was_ever_there(start_bank, cluster):
    bank = start_bank(database=cluster.unused_database_name(), ready=False).until_serving()
    bank.signal()
    bank.ends_well()


@pytest.mark.parametrize("attempt", range(4))
def test_right_after_the_start(start_bank, attempt):
    """Just ready, or not yet ready: the end is the same."""
    bank = start_bank(ready=attempt % 2 == 0)
    if attempt % 2:
        eventually(lambda: "Listening" in bank.log(), "it listens")
    bank.signal()
    bank.ends_well()


def test_two_signals(start_bank, background):
    """A second signal does not crash the program."""
    bank = start_bank(DEBUG_DELAY_ENABLED="true", DEBUG_DELAY_MS=60000)
    sleeping = background(bank.transfer, "alice", "bob", "1")
    bank.until_in_progress(1)
    bank.signal(signal.SIGTERM)
    bank.signal(signal.SIGINT)
    assert bank.ends_by_itself() == 0
    answer = outcome_of(sleeping)
    successes_are_recorded(bank, [answer.json()["id"]] if answer is not None and answer.status == 200 else [])


def test_the_database_is_left_clean(start_bank):
    """No session is left behind, none inside a transaction."""
    bank = start_bank(USE_TRANSACTIONS="true")
    with Crowd(bank, size=8, reconnects=False) as crowd:
        eventually(lambda: crowd.count(200) >= 50, "load")
        bank.signal()
        bank.ends_well()
    eventually(lambda: bank.cluster.backends(bank.database) == [], "all sessions are closed")


def test_a_pipeline_on_the_wire_at_the_signal(start_bank):
    """Three requests in one write, the first asleep at the signal: all are answered, and the last answer has
    Connection: close."""
    bank = start_bank(DEBUG_DELAY_ENABLED="true", DEBUG_DELAY_MS=60000)
    with bank.wire() as wire:
        wire.send(POST_TRANSFER + request_bytes("GET", "/health") * 2)
        bank.until_in_progress(1)
        bank.signal()
        answers = [wire.answer()]
        while answers[-1].headers.get("Connection", "").lower() != "close":
            answers.append(wire.answer())
        assert [answer.status for answer in answers] == [200, 200, 200]
        wire.ends()
    bank.ends_well()


TRANSFER_HEAD, TRANSFER_BODY = POST_TRANSFER.split(b"\r\n\r\n")
EXPECTING = TRANSFER_HEAD + b"\r\nExpect: 100-continue\r\n\r\n"
HALF = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
WHOLE = request_bytes("GET", "/health")


# The bytes before the signal, the bytes after the idle connections were closed, and the answers in between.
@pytest.mark.parametrize("before, after, statuses", [
    (HALF, b"\r\n", [200]), (HALF, b"\r\n\r\n", [200]), (HALF, b"\r\n\r\n\r\n\n", [200]),
    (HALF, b"\r\n" + WHOLE, [200, 200]), (HALF, b"\r\n" + WHOLE + b"\r\n", [200, 200]),
    (HALF, b"\r\n\x16\x03\x01", [200, 400]), (HALF, b"no header\r\n\r\n", [400]),
    (POST_TRANSFER[:-1], b"}\r\n", [503]), (POST_TRANSFER[:-1], b"}" + WHOLE + b"\r\n", [503, 200]),
    (EXPECTING, TRANSFER_BODY + b"\r\n", [100, 503]), (b"\r\n", b"", []), (WHOLE + b"\r\n", b"", [200])])
def test_no_connection_is_waited_for_in_vain(start_bank, before, after, statuses):
    """Every connection ends with its last answer, in the middle of any request. A client that stays delays the end only
    by the short time it is given to leave, far less than the shutdown's limit."""
    bank = start_bank(SHUTDOWN_TIMEOUT_MS=600000)
    with bank.wire() as idle, bank.wire() as wire:
        wire.send(before)
        eventually(lambda: has_read_from(bank, 2), "it is read")
        bank.signal()
        idle.ends()
        wire.send_what_is_taken(after)
        assert [wire.answer().status for _ in statuses] == statuses
        wire.ends()
        bank.ends_well()
    assert "aborting the running jobs" not in bank.log()


def test_empty_lines_behind_a_request_that_is_asleep(start_bank):
    """Empty lines are not a next request: the answer has Connection: close, and the connection closes."""
    bank = start_bank(DEBUG_DELAY_ENABLED="true", DEBUG_DELAY_MS=60000, SHUTDOWN_TIMEOUT_MS=600000)
    with bank.wire() as wire:
        wire.send(POST_TRANSFER + b"\r\n")
        bank.until_in_progress(1)
        bank.signal()
        answer = wire.answer()
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        wire.ends()
        bank.ends_well()
