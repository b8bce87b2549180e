"""Forced rounds: a race that is certain, again and again, with the books audited after each."""

import concurrent.futures
import contextlib
import json
import time

RACERS = ("bob", "charlie")
JSON = {"Content-Type": "application/json"}


def send(client, target, **fields):
    body = json.dumps({"from_account": "alice", "to_account": target, "amount": 800, **fields})
    answer = client.request("POST", "/transfer", body, JSON)
    return answer.json() if answer.status == 200 else {"status": f"HTTP {answer.status}", "anomaly": None}


def verdict(records, audit):
    """The result of a round: the anomaly of its racers, else a finding of the audit, else "clean" or the failure."""
    anomalies = [record["anomaly"] for record in records if record["anomaly"]]
    if anomalies:
        return anomalies[0]
    if not audit["consistent"]:
        return audit["violations"][0]["kind"]
    statuses = sorted(record["status"] for record in records)
    return "clean" if statuses == ["failed_insufficient_funds", "success"] else " + ".join(statuses)


def count(verdicts):
    counted = {}
    for each in verdicts:
        counted[each] = counted.get(each, 0) + 1
    return counted


def race(bank, rounds, prepare=lambda: None):
    """Runs `rounds` races of two transfers of $800 out of $1000 with a barrier; prepare() is called after each reset.
    Returns the count of each verdict."""
    def verdicts():
        with bank.client() as first, bank.client() as second, concurrent.futures.ThreadPoolExecutor(2) as threads:
            for _ in range(rounds):
                first.post("/reset")
                prepare()
                racing = [threads.submit(send, client, to) for client, to in zip((first, second), RACERS)]
                yield verdict([each.result() for each in racing], first.get("/audit").json())
    bank.set(barrier_enabled=True, barrier_count=2)
    try:
        return count(verdicts())
    finally:
        bank.set(barrier_enabled=False)


def in_turn(bank, rounds, prepare):
    """The same two transfers without a barrier: the second begins after the answer to the first."""
    def verdicts():
        with bank.client() as client:
            for _ in range(rounds):
                client.post("/reset")
                prepare()
                yield verdict([send(client, to) for to in RACERS], client.get("/audit").json())
    return count(verdicts())


def until_waiting(session, sessions):
    deadline = time.monotonic() + 20
    with session.cursor() as cursor:
        while True:
            cursor.execute("SELECT count(DISTINCT pid) AS waiting FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0] == sessions:
                return
            if time.monotonic() > deadline:
                raise RuntimeError("the transfers did not come to wait for the row")


def race_between_servers(bank, other, rounds):
    """Runs one transfer in each of two servers. This test holds Alice's row until both have read, checked, and wait for
    the row to write. A barrier inside one process cannot do this."""
    def verdicts():
        with contextlib.ExitStack() as stack:
            first, second = stack.enter_context(bank.client()), stack.enter_context(other.client())
            threads = stack.enter_context(concurrent.futures.ThreadPoolExecutor(2))
            examiner = stack.enter_context(bank.cluster.session(bank.database))
            onlooker = stack.enter_context(bank.cluster.session(bank.database))
            examiner.autocommit = False
            for _ in range(rounds):
                first.post("/reset")
                with examiner.cursor() as cursor:
                    cursor.execute("SELECT FROM accounts WHERE id = 'alice' FOR UPDATE")
                racing = [threads.submit(send, client, to) for client, to in zip((first, second), RACERS)]
                until_waiting(onlooker, 2)
                examiner.commit()
                yield verdict([each.result() for each in racing], first.get("/audit").json())
    return count(verdicts())
