"""Clients that send transfers through HAProxy, each with an Idempotency-Key, and keep what they were answered."""

import http.client
import itertools
import json
import re
import threading
import time

ANSWER_SECONDS = 10  # a client waits no longer for an answer; then it does not know whether the money moved
PAUSE = 0.1  # seconds before a refused transfer is sent again
# Enough accounts that several transactions are in their COMMIT at once.
ACCOUNTS = tuple(f"load-{number:02}" for number in range(48))
TRANSFER_NAME = re.compile(r"[Tt]ransfer ([0-9a-f]{8,32})\b")


def send(port, key, pair, timeout=ANSWER_SECONDS, connection=None):
    """(status, body, headers) of one request; status None if there is no whole answer. `connection` is closed then."""
    own = connection is None
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    body = json.dumps({"from_account": pair[0], "to_account": pair[1], "amount": 0.01, "strategy": "for_update"})
    try:
        connection.request("POST", "/transfer", body, {"Content-Type": "application/json", "Idempotency-Key": f'"{key}"'})
        answer = connection.getresponse()
        text = answer.read()
        parsed = json.loads(text) if answer.headers.get("Content-Type", "").split(";")[0].endswith("json") else {}
        return answer.status, parsed, answer.headers
    except (OSError, http.client.HTTPException, ValueError):
        connection.close()
        return None, {}, {}
    finally:
        if own:
            connection.close()


class Load:
    """`clients` threads, each of which sends one transfer after the other until stop()."""

    def __init__(self, port, clients, prefix):
        self.port = port
        self.acknowledged = {}  # key: (id, time of the answer)
        self.unknown = {}  # key: (pair, id or None)
        self.refused = 0  # answers that say that no money moved; the client sends the transfer again
        self.failure = None
        self._prefix = prefix
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def start(self):
        self.started_at = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self.stopped_at = time.monotonic()
        if self.failure:
            raise self.failure

    def acknowledged_since(self, moment):
        with self._lock:
            return sum(1 for _, at in self.acknowledged.values() if at >= moment)

    def gap(self):
        """The longest time without an acknowledged transfer."""
        times = sorted([self.started_at, self.stopped_at, *(at for _, at in self.acknowledged.values())])
        return max(later - earlier for earlier, later in itertools.pairwise(times))

    def _run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            while not self._stopping.is_set():
                number = next(self._numbers)
                pair = ACCOUNTS[number % len(ACCOUNTS)], ACCOUNTS[(number * 7 + 1) % len(ACCOUNTS)]
                self._send_until_answered(connection, f"{self._prefix}-{number}", pair)
        except Exception as failure:  # raised again by stop()
            self.failure = failure
        finally:
            connection.close()

    def _send_until_answered(self, connection, key, pair):
        while True:
            status, body, _ = send(self.port, key, pair, connection=connection)
            if not is_refused(status, body):
                break
            self.refused += 1
            if self._stopping.wait(PAUSE):
                return
        with self._lock:
            if status == 200:
                self.acknowledged[key] = body["id"], time.monotonic()
            elif status in (None, 502, 504):  # a broken connection, HAProxy without an answer, or "unknown"
                self.unknown[key] = pair, transfer_id(body)
            else:
                raise RuntimeError(f"{key}: unexpected status {status}: {body}")


def is_refused(status, body):
    """True if the answer says that no money moved. A safe strategy refuses as a whole."""
    return status in (429, 503) or (status == 500 and "nothing was transferred" in body.get("detail", ""))


def transfer_id(problem):
    """The id in the answer to a transfer whose outcome is unknown; HAProxy's own answers have none."""
    found = TRANSFER_NAME.search(problem.get("detail", ""))
    return found and found.group(1)
