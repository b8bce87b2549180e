"""Many clients that transfer at the same time, each on its own keep-alive connection, until they are stopped. They keep
every answer, and record for every request whether it was on the wire before a given moment."""

import random
import threading
import time

from client import transfer_body
from pace import HANG_GUARD
from wire import NoAnswer, Wire, request_bytes


class Racer(threading.Thread):
    """One client."""

    def __init__(self, crowd, number):
        super().__init__(daemon=True)
        self.crowd = crowd
        self.dice = random.Random(number)
        self.answers = []
        self.pairs = []  # source and target of each answered transfer, in the order of `answers`
        self.unanswered = []  # the times when the requests without an answer were on the wire
        self.failure = None

    def run(self):
        try:
            while not self.crowd.stopping.is_set():
                self._use_a_connection()
        except BaseException as failure:  # raised again by the thread that calls stop()
            self.failure = failure

    def _use_a_connection(self):
        try:
            wire = Wire(self.crowd.port)
        except ConnectionError:
            time.sleep(0.01)
        else:
            with wire:
                while not self.crowd.stopping.is_set() and self._transfer(wire):
                    pass
        if not self.crowd.reconnects:
            self.crowd.stopping.wait()

    def _transfer(self, wire):
        """Sends one transfer; returns False when the connection cannot be used any more."""
        source, target = self.dice.sample(self.crowd.accounts, 2)
        body = transfer_body(source, target, self.dice.choice(self.crowd.amounts)).encode()
        try:
            wire.send(request_bytes("POST", "/transfer", "Content-Type: application/json", body=body))
        except ConnectionError:
            return False
        written = time.monotonic()
        try:
            answer = wire.answer()
        except (NoAnswer, ConnectionError):
            self.unanswered.append(written)
            return False
        self.pairs.append((source, target))
        self.answers.append(answer)
        return answer.headers.get("Connection", "").lower() != "close"


class Crowd:
    """`size` clients that transfer `amounts` between random pairs of `accounts`. With reconnects=False, a client ends
    when the bank closes its connection."""

    def __init__(self, bank, size=8, accounts=("alice", "bob", "charlie"), amounts=("0.01",), reconnects=True):
        self.port = bank.port
        self.accounts = list(accounts)
        self.amounts = list(amounts)
        self.reconnects = reconnects
        self.stopping = threading.Event()
        self.racers = [Racer(self, number) for number in range(size)]

    def __enter__(self):
        for racer in self.racers:
            racer.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Waits for the answers under way. A client's own failure (above all a cut-off answer) fails the test."""
        self.stopping.set()
        for racer in self.racers:
            racer.join(2 * HANG_GUARD)
            assert not racer.is_alive(), "a client waits for an answer for ever"
        for racer in self.racers:
            if racer.failure is not None:
                raise racer.failure

    def answers(self):
        return [answer for racer in self.racers for answer in list(racer.answers)]

    def unanswered(self):
        return [written for racer in self.racers for written in racer.unanswered]

    def count(self, status):
        return sum(answer.status == status for answer in self.answers())

    def ids_of_successes(self):
        return [record["id"] for answer in self.answers() if answer.status == 200
                for record in [answer.json()] if record["status"] == "success"]
