"""Races between replicas: several programs on one database that share their settings and the barrier.

    python3 tests/api/replica_rounds.py [--rounds 1000] [--replicas 2,3]

In each round every replica gets one transfer that empties the same account, all of them meet at the barrier, and the
balance says how many passed the check. In vulnerable mode each round must be a double spend, in safe mode none may be.
It also measures how soon a change of the settings on one replica is in force on all, which is a property of the machine
and no test. The exit status is 1 if a round went wrong. The program is build/release/bank-api, or BANK_API."""

import argparse
import contextlib
import json
import pathlib
import statistics
import sys
import tempfile
import time

from bank import Bank
from client import JSON_TYPE, together
from cluster import running_cluster
from pace import BEYOND_THE_HANG_GUARD_MS, eventually

NAMES = "abcdefgh"
AMOUNT = "800"  # alice has 1000
TARGETS = ["bob", "charlie"]


@contextlib.contextmanager
def replicas(cluster, count, **settings):
    """Programs on one new database, each with a name of its own; they are stopped at the end."""
    database = cluster.new_database()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        running.callback(cluster.give_back, database)
        banks = []
        for name in NAMES[:count]:
            bank = Bank(cluster, database, pathlib.Path(folder) / f"log-{name}", {"BANK_API_REPLICA": name, **settings})
            running.callback(bank.stop)
            banks.append(bank.until_healthy())
        yield banks


def until_all_have(banks, **settings):
    """Waits until the settings are in force on every replica."""
    def holds():
        found = [bank.get("/admin/settings").json() for bank in banks]
        return all(each[name] == value for each in found for name, value in settings.items())
    eventually(holds, f"{settings} on all replicas")


class Racers:
    """One connection to each replica."""

    def __init__(self, banks):
        self.clients = [bank.client() for bank in banks]

    def reset(self):
        answer = self.clients[0].post("/reset")
        assert answer.status == 200, answer

    def round(self):
        """The records of one race."""
        answers = together(*[lambda client=client, place=place: client.transfer("alice", TARGETS[place % 2], AMOUNT)
                             for place, client in enumerate(self.clients)])
        assert all(answer.status == 200 for answer in answers), answers
        return [answer.json() for answer in answers]

    def close(self):
        for client in self.clients:
            client.close()


def is_double_spend(records):
    """All have passed the check, and the last of them has left the account overdrawn."""
    return (all(record["status"] == "success" for record in records) and
            min(record["from_balance_after"] for record in records) == 1000 - 800 * len(records))


def play(banks, rounds, **settings):
    """Returns in how many rounds all replicas spent the same money, and in how many exactly one did."""
    chosen = {"barrier_enabled": True, "barrier_count": len(banks), "barrier_timeout_ms": BEYOND_THE_HANG_GUARD_MS,
              **settings}
    banks[0].set(**chosen)
    until_all_have(banks, **chosen)
    racers = Racers(banks)
    both = one = 0
    try:
        for _ in range(rounds):
            racers.reset()
            records = racers.round()
            both += is_double_spend(records)
            one += sum(record["status"] == "success" for record in records) == 1
    finally:
        racers.close()
    return both, one


def spread(banks, changes):
    """The milliseconds from sending a change to one replica until each of the others answers with it, sorted."""
    clients = [bank.client() for bank in banks]
    found = []
    try:
        for number in range(changes):
            value = 1 + number
            began = time.monotonic()
            answer = clients[number % len(clients)].request("POST", "/admin/settings", json.dumps({"delay_ms": value}),
                                                            JSON_TYPE)
            assert answer.status == 200, answer
            while any(client.get("/admin/settings").json()["delay_ms"] != value for client in clients):
                pass
            found.append((time.monotonic() - began) * 1000)
    finally:
        for client in clients:
            client.close()
    return sorted(found)


def report(count, rounds):
    """Prints what the replicas do; True if every round was as it must be."""
    with running_cluster() as cluster, replicas(cluster, count) as banks:
        milliseconds = spread(banks, min(rounds, 200))
        print(f"{count} replicas: a change of the settings is in force on all after {statistics.median(milliseconds):.1f} ms "
              f"(median; slowest {milliseconds[-1]:.1f})")
        double, _ = play(banks, rounds, strategy="vulnerable")
        print(f"{count} replicas: vulnerable: {double} of {rounds} rounds are double spends")
        spent, once = play(banks, rounds, strategy="for_update")
        print(f"{count} replicas: for_update: {spent} of {rounds} rounds are double spends, {once} have one winner")
        return double == rounds and spent == 0 and once == rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--replicas", default="2,3", help="how many, separated by commas")
    options = parser.parse_args()
    good = [report(int(count), options.rounds) for count in options.replicas.split(",")]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
