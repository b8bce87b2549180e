"""Sends transfers with an Idempotency-Key until each is answered with 200, while the database breaks.

    python3 tests/api/key_rounds.py [--keys 100000] [--clients 16] [--seed 1]

Two programs share one database. A client sends a key to either of them, leaves some answers unread, and sends the key
again after every other answer. Meanwhile sessions and servers are killed, again and again. Afterwards every key must
have one record, and every balance must be the sum of the records. The exit status is 1 if a key was posted twice or
never. The program is build/release/bank-api, or BANK_API."""

import argparse
import collections
import contextlib
import json
import pathlib
import random
import sys
import tempfile
import threading
import time

from bank import Bank
from client import transfer_body
from cluster import running_cluster
from crash_rounds import STRATEGIES, end_the_sessions, kill_a_backend, kill_the_server, restart_at_once
from pace import eventually
from wire import NoAnswer, Wire, request_bytes

ACCOUNTS = ["alice", "bob", "charlie"]
BLOWS = [end_the_sessions, kill_a_backend, restart_at_once, kill_the_server]
UNREAD = 0.05  # the share of requests whose answer the client does not wait for
PAUSE = 0.05  # seconds before a key is sent again: a client that honours Retry-After would wait for a second


class Sender(threading.Thread):
    """One client. It takes key after key and sends each until it has an answer with 200."""

    def __init__(self, ports, keys, seed):
        super().__init__(daemon=True)
        self.ports = ports
        self.keys = keys
        self.dice = random.Random(seed)
        self.wires = {}
        self.ids = {}  # the id of the transfer, for each key
        self.statuses = collections.Counter()
        self.failure = None

    def run(self):
        try:
            while True:
                try:
                    key = self.keys.popleft()
                except IndexError:
                    return
                self.ids[key] = self._send_until_answered(key)
        except BaseException as failure:  # raised again by the thread that waits for the senders
            self.failure = failure
        finally:
            for wire in self.wires.values():
                wire.close()

    def _send_until_answered(self, key):
        body = transfer_body(*self.dice.sample(ACCOUNTS, 2), "0.01", self.dice.choice(STRATEGIES)).encode()
        data = request_bytes("POST", "/transfer", "Content-Type: application/json", f'Idempotency-Key: "{key}"', body=body)
        while True:
            answer = self._send(self.dice.choice(self.ports), data)
            status = answer.status if answer else "none"
            self.statuses["replayed" if answer and answer.headers.get("Idempotent-Replayed") else status] += 1
            if status == 200:
                return json.loads(answer.body)["id"]
            if status not in ("none", 409, 500, 503, 504):
                raise AssertionError(f"{key}: {answer!r}")
            time.sleep(PAUSE)

    def _send(self, port, data):
        """Returns the answer, or None if there is none, because the client did not wait or the connection broke."""
        try:
            wire = self.wires.pop(port, None) or Wire(port)
        except ConnectionError:
            return None
        keep = False
        try:
            wire.send(data)
            if self.dice.random() < UNREAD:
                return None
            answer = wire.answer()
            keep = answer.headers.get("Connection", "").lower() != "close"
            return answer
        except (NoAnswer, ConnectionError):
            return None
        finally:
            if keep:
                self.wires[port] = wire
            else:
                wire.close()


def strike_until_answered(cluster, bank, senders, done, pause):
    """Strikes in turn, with a pause of good weather; returns the number of blows."""
    blows = 0
    while any(sender.is_alive() for sender in senders):
        before = done()
        eventually(lambda: done() >= before + pause or not any(sender.is_alive() for sender in senders),
                   "keys between two blows", within=300)
        if any(sender.is_alive() for sender in senders):
            BLOWS[blows % len(BLOWS)](cluster, bank, None)
            eventually(cluster.accepts, "the cluster takes connections")
            blows += 1
    return blows


def faults(bank, ids):
    """The keys that were not posted once, and the balances that are not the sums of their records."""
    records = collections.Counter(bank.recorded())
    found = [f"{key}: {records[transfer]} records of {transfer}" for key, transfer in ids.items()
             if records[transfer] != 1]
    if len(records) != len(ids) or len(set(ids.values())) != len(ids):
        found.append(f"{len(ids)} keys, {len(set(ids.values()))} answers and {len(records)} records")
    kept = bank.rows("SELECT count(*) AS keys FROM transfer_keys JOIN transfers USING (seq)")[0]["keys"]
    if kept != len(ids):
        found.append(f"{len(ids)} keys, and {kept} in the table")
    return found + [f"{row['id']} is off by {row['drift']}"
                    for row in bank.rows("SELECT id, drift FROM account_audit WHERE drift <> 0")]


def play(count, clients, seed, pause):
    """Posts `count` keys; returns the statuses of the answers, the number of blows, and the faults."""
    with tempfile.TemporaryDirectory() as folder, running_cluster() as cluster, contextlib.ExitStack() as banks:
        database = cluster.new_database()
        first, second = [Bank(cluster, database, pathlib.Path(folder) / f"log-{name}", {}) for name in "ab"]
        for bank in (first, second):
            banks.callback(bank.stop)
            bank.until_healthy()
        keys = collections.deque(f"key-{number}" for number in range(count))
        senders = [Sender([first.port, second.port], keys, seed * 1000 + number) for number in range(clients)]
        for sender in senders:
            sender.start()
        blows = strike_until_answered(cluster, first, senders, lambda: sum(len(each.ids) for each in senders), pause)
        for sender in senders:
            sender.join()
            if sender.failure:
                raise sender.failure
        for bank in (first, second):
            bank.until_in_progress(0)
        ids = {key: transfer for sender in senders for key, transfer in sender.ids.items()}
        assert len(ids) == count
        return sum((sender.statuses for sender in senders), collections.Counter()), blows, faults(first, ids)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--keys", type=int, default=100000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    statuses, blows, found = play(options.keys, options.clients, options.seed, max(options.keys // 100, 100))
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items(), key=str))
    print(f"{options.keys} keys, {blows} blows, answers: {answers}; {len(found)} faults")
    for fault in found[:10]:
        print(f"  {fault}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
