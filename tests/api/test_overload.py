"""More transfers than the queue holds: they wait for room in it, in the order of arrival. A transfer that finds none in
time gets 503, with a Retry-After that brings it through."""

import collections
import contextlib
import resource
import socket
import struct

import pytest

from client import transfer_body
from pace import HANG_GUARD, eventually, scaled
from problem import assert_problem
from retrying import post_from
from wire import request_bytes

SLEEP = {"DEBUG_DELAY_ENABLED": "on", "DEBUG_DELAY_MS": 60000}
CAPACITY = 5  # three slots and two places in the queue
SMALL = {"WORKER_THREADS": 4, "TRANSFER_QUEUE_LIMIT": 2}


def transfer_bytes(amount="1"):
    return request_bytes("POST", "/transfer", "Content-Type: application/json",
                         body=transfer_body("alice", "bob", amount).encode())


def fill(bank, stack, transfers=CAPACITY):
    """Transfers in all slots and all places of the queue, each on a connection of its own."""
    wires = []
    for number in range(transfers):
        wires.append(stack.enter_context(bank.wire()).send(transfer_bytes()))
        bank.until_waiting(number + 1)
    return wires


def ends(bank, scrape=None):
    scrape = scrape or bank.scrape()
    return {status: scrape.total("transfer_overflow_total", status=status)
            for status in ("queued", "refused", "abandoned")}


def until_overflowing(bank, transfers):
    """Waits until so many have found the queue full. On a slow machine some of them may be refused already."""
    def found():
        scrape = bank.scrape()
        return scrape.total("transfer_overflow_depth") + sum(ends(bank, scrape).values()) == transfers
    eventually(found, f"{transfers} find the queue full")


def test_without_room_it_is_refused(start_bank):
    """503 with Retry-After, and nothing was transferred. Meanwhile everything else is answered."""
    bank = start_bank(**SMALL, **SLEEP)
    with contextlib.ExitStack() as stack:
        fill(bank, stack)
        wire = stack.enter_context(bank.wire()).send(transfer_bytes("2"))
        until_overflowing(bank, 1)
        for target in ("/health", "/accounts", "/transactions", "/admin/settings"):
            assert bank.get(target).status == 200
        refusal = wire.answer()
        assert_problem(refusal, 503)
        assert "nothing was transferred" in refusal.json()["detail"]
        assert 1 <= int(refusal.headers["Retry-After"]) <= 30
        assert ends(bank) == {"queued": 0, "refused": 1, "abandoned": 0}
        assert bank.metric("transfer_overflow_depth") == 0
        assert bank.get("/health", Connection="close").status == 200
        wire.send(request_bytes("GET", "/health"))  # the connection is kept
        assert wire.answer().status == 200
        bank.post("/admin/delay?enabled=false")
        eventually(lambda: len(bank.recorded()) == CAPACITY, "the others are posted")


def test_with_room_it_is_posted(start_bank):
    """Room goes to transfers that wait for it. Each is posted once, or refused if the machine is too slow."""
    bank = start_bank(**SMALL, USE_TRANSACTIONS="true")
    with contextlib.ExitStack() as stack:
        with bank.cluster.session(bank.database) as session:
            session.autocommit = False
            session.cursor().execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
            wires = fill(bank, stack)
            wires += [stack.enter_context(bank.wire()).send(transfer_bytes("10")) for _ in range(4)]
            until_overflowing(bank, 4)
            session.rollback()
        answers = [wire.answer() for wire in wires]
    posted = [answer.json()["id"] for answer in answers if answer.status == 200]
    assert {answer.status for answer in answers} <= {200, 503}
    assert sorted(bank.recorded()) == sorted(posted)
    assert ends(bank) == {"queued": len(posted) - CAPACITY, "refused": CAPACITY + 4 - len(posted), "abandoned": 0}


def test_a_pipeline_keeps_its_order(start_bank):
    bank = start_bank(**SMALL, **SLEEP)
    with contextlib.ExitStack() as stack:
        fill(bank, stack)
        wire = stack.enter_context(bank.wire())
        wire.send(transfer_bytes() + request_bytes("GET", "/health") + transfer_bytes() + request_bytes("GET", "/nowhere"))
        assert [wire.answer().status for _ in range(4)] == [503, 200, 503, 404]
        bank.post("/admin/delay?enabled=false")


def test_a_bad_request_is_answered_without_a_wait(start_bank):
    bank = start_bank(**SMALL, **SLEEP)
    with contextlib.ExitStack() as stack:
        fill(bank, stack)
        assert bank.transfer("alice", "alice", "1").status == 422
        assert bank.transfer("alice", "bob", "-1").status == 422
        assert ends(bank) == {"queued": 0, "refused": 0, "abandoned": 0}
        bank.post("/admin/delay?enabled=false")


def test_a_transfer_whose_client_has_left_is_not_posted(start_bank):
    bank = start_bank(**SMALL, **SLEEP)
    with contextlib.ExitStack() as stack:
        fill(bank, stack)
        wire = bank.wire().send(transfer_bytes("7"))
        until_overflowing(bank, 1)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() sends a reset
        wire.close()
        eventually(lambda: sum(ends(bank).values()) == 1, "it has left the overflow")
        assert ends(bank)["queued"] == 0
        bank.post("/admin/delay?enabled=false")
        eventually(lambda: len(bank.recorded()) == CAPACITY, "the others are posted")


@pytest.mark.shutdown
def test_a_signal_while_some_wait_for_room(start_bank):
    """They get their answer at once: the program stops, and nothing was transferred."""
    bank = start_bank(**SMALL, **SLEEP, SHUTDOWN_TIMEOUT_MS=600000)
    with contextlib.ExitStack() as stack:
        wires = fill(bank, stack)
        waiting = [stack.enter_context(bank.wire()).send(transfer_bytes("9")) for _ in range(8)]
        until_overflowing(bank, 8)
        bank.signal()
        refusals = [wire.answer() for wire in waiting]
        answers = [wire.answer() for wire in wires]
        bank.ends_well()
    assert {refusal.status for refusal in refusals} == {503}
    assert all("nothing was transferred" in refusal.json()["detail"] for refusal in refusals)
    assert all(int(refusal.headers["Retry-After"]) >= 1 for refusal in refusals)
    assert len(bank.recorded()) == sum(answer.status == 200 for answer in answers)


def test_a_server_with_room_refuses_nothing(bank, background):
    bank.set(strategy="for_update")
    sent = [background(bank.transfer, "alice", "bob", "1") for _ in range(200)]
    assert {each.result(HANG_GUARD).status for each in sent} == {200}
    assert ends(bank) == {"queued": 0, "refused": 0, "abandoned": 0}


def test_clients_that_honour_retry_after_get_through(start_bank):
    """Many more clients than the queue holds, on one hot account, each with one transfer: all are done."""
    clients = scaled(2000)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    bank = start_bank(TRANSFER_QUEUE_LIMIT=64, USE_TRANSACTIONS="true", DEBUG_DELAY_ENABLED="on", DEBUG_DELAY_MS=2)
    seen = post_from(bank.port, clients, attempts=20)
    assert collections.Counter(statuses[-1] for statuses in seen) == {200: clients}
    assert len(bank.recorded()) == clients
    assert bank.get("/audit").json()["consistent"] is True
    refused = sum(len(statuses) - 1 for statuses in seen)
    assert refused == ends(bank)["refused"] > 0
    assert refused < 5 * clients  # a client that sends again at once would be refused far more often
