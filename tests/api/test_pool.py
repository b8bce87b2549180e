"""The pool keeps threads free: a kind of work that waits for a locked table does not block other work."""

import contextlib
import resource
import select

import pytest

from client import transfer_body
from pace import eventually
from wire import request_bytes

FLOOD = 40  # requests of each kind: more than the default has threads

READS = {"accounts": "/accounts", "account": "/accounts/alice", "transactions": "/transactions", "races": "/races",
         "race": "/races/00000000", "audit": "/audit", "metrics": "/metrics"}

# The work that waits for each table. The other work must not wait. A scrape gives up after a second, and is answered.
WAITING_FOR = {
    "accounts": {"accounts", "account", "races", "audit", "transfer", "reset"},
    "transfers": {"transactions", "races", "race", "audit", "transfer", "reset"},
    "past_transfers": {"races", "race", "reset"},
    "lab_totals": {"races", "race", "reset"},
}


@contextlib.contextmanager
def locked(bank, table):
    """Locks the table, so that no other session can read or write it."""
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        session.rollback()


def request_of(kind):
    """The bytes of a request."""
    if kind == "transfer":
        return request_bytes("POST", "/transfer", "Content-Type: application/json",
                             body=transfer_body("alice", "bob", "0.01", "batched").encode())
    if kind == "reset":
        return request_bytes("POST", "/reset")
    return request_bytes("GET", READS[kind])


def flood(bank, kinds, stack, times=FLOOD):
    """Sends all requests, and waits for no answer."""
    wires = [stack.enter_context(bank.wire()) for _ in range(times * len(kinds))]
    for place, wire in enumerate(wires):
        wire.send(request_of(kinds[place % len(kinds)]))
    return wires


def answers(bank, kind):
    with bank.wire() as wire:
        return wire.send(request_of(kind)).answer().status


def stays_healthy(bank, since):
    assert bank.get("/health").status == 200
    assert "Database is un" not in bank.log_since(since)


@pytest.mark.parametrize("threads", [4, 8, 32])
@pytest.mark.parametrize("table", sorted(WAITING_FOR))
def test_a_locked_table_keeps_only_those_waiting_who_need_it(start_bank, table, threads):
    bank = start_bank(WORKER_THREADS=threads)
    assert bank.transfer("alice", "bob", "1").status == 200
    waiting = sorted(WAITING_FOR[table])
    others = sorted((set(READS) | {"transfer"}) - set(waiting))
    begun = len(bank.log())
    with contextlib.ExitStack() as stack:
        with locked(bank, table):
            wires = flood(bank, waiting, stack)
            if table == "accounts":
                flood(bank, ["metrics"], stack, times=3)
            eventually(lambda: bank.waiting_for_locks() >= len(waiting), "they wait for the table")
            for kind in others:
                assert answers(bank, kind) in (200, 404 if kind == "race" else 200), kind
            stays_healthy(bank, begun)
        # After the release every request is answered.
        statuses = {wire.answer().status for wire in wires}
    assert statuses <= {200, 404}
    stays_healthy(bank, begun)
    bank.stop()


@pytest.mark.parametrize("kind", sorted(READS))
def test_a_flood_of_one_read_leaves_the_others_a_thread(start_bank, kind):
    """Every table is locked: each kind of read waits on its own thread, beside any other waiting work."""
    bank = start_bank(WORKER_THREADS=4)
    with contextlib.ExitStack() as stack:
        with locked(bank, "accounts, transfers, past_transfers, lab_totals"):
            flood(bank, [kind], stack, times=20)
            before = eventually(bank.waiting_for_locks, "the flood waits for the tables")
            others = sorted(set(READS) - {kind, "metrics"})
            flood(bank, others, stack, times=1)
            eventually(lambda: bank.waiting_for_locks() >= before + len(others) - (kind == "metrics"),
                       "each of the others waits on a thread of its own")
            assert bank.get("/health").status == 200


def test_a_queue_of_reads_is_bounded(start_bank):
    """Beyond 1,024 waiting reads a read is refused at once with 503; the waiting ones are answered later."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    bank = start_bank(WORKER_THREADS=4)
    with contextlib.ExitStack() as stack:
        with locked(bank, "transfers"):
            wires = flood(bank, ["transactions"], stack, times=1030)
            refused = bank.get("/transactions")
            assert refused.status == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert "try again" in refused.json()["detail"]
            assert bank.get("/accounts").status == 200
        answers_of = [wire.answer() for wire in wires]
    assert {answer.status for answer in answers_of} == {200, 503}
    assert sum(answer.status == 200 for answer in answers_of) == 1026  # two threads, and the queue


@pytest.mark.shutdown
def test_a_signal_while_reads_wait(start_bank):
    """The running reads end when the table is free again; the queued ones are refused with 503 at once."""
    bank = start_bank(WORKER_THREADS=4, SHUTDOWN_TIMEOUT_MS=600000)
    with contextlib.ExitStack() as stack:
        with locked(bank, "accounts, transfers"):
            kinds = ["accounts", "account", "transactions", "audit", "reset"]
            wires = flood(bank, kinds, stack, times=8)
            eventually(lambda: bank.waiting_for_locks() >= len(kinds), "a thread of each kind waits")
            assert bank.get("/health").status == 200  # so all connections before this one are accepted
            bank.signal()
            # Without the running ones: one of each kind, one in the reserve, and all reads of alice, which run
            # together.
            eventually(lambda: sum(has_come(wire) for wire in wires) >= 40 - 5 - 1 - 7, "the queued are refused")
        statuses = [wire.answer().status for wire in wires]
    bank.ends_well()
    assert set(statuses) == {200, 503}


def has_come(wire):
    """Whether an answer has arrived; the answer stays unread."""
    return bool(select.select([wire.socket], [], [], 0)[0])
