#!/usr/bin/python3
"""Races unchanged applications through the proxy, and checks their fixes.

    tests/proxy/apps/rounds.py --app django --rounds 1000         the application as it is: each round must race
    tests/proxy/apps/rounds.py --app django --rounds 1000 --fix   its fixes: each round must be right, with a reason

A round gives alice 100, sends two withdrawals of 80 at once, and reads what the proxy has logged. It raced if both were
paid, and it is right if one was paid and 20 is left. Without --app, each application that can be installed takes its
turn. Needs the release build, or RACE_PROXY."""

import argparse
import contextlib
import http.client
import pathlib
import re
import statistics
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from applications import APPLICATIONS, CannotInstall  # noqa: E402
from proxy import eventually, running  # noqa: E402  also makes tests/api importable
from cluster import running_cluster  # noqa: E402

BALANCE, AMOUNT = 100, 80
NAMED_MS = 50
TABLE = "CREATE TABLE wallets (id text PRIMARY KEY, balance integer NOT NULL, version integer NOT NULL DEFAULT 0)"
# The end of a round in the log: the words and the milliseconds since the first session was held. A fix that lets both
# sessions write is named by the refusal that comes after "released together".
TOGETHER = re.compile(r"(released together) after ([0-9.]+) ms")
REASON = re.compile(r"(protected by a lock|changed no row|got the error \w+),? (?:after )?([0-9.]+) ms")
EXPECTED = {"plain": ("released together",), "lock": ("protected by a lock",), "guard": ("changed no row",),
            "version": ("changed no row",), "serializable": ("got the error 40001",)}


class Round:
    """One round: the statuses of both answers, what is left, and the proxy's reason with its time in ms."""

    def __init__(self, statuses, balance, reason, after_ms):
        paid = sorted(statuses)
        self.raced = paid == [200, 200]
        self.is_right = paid == [200, 409] and balance == BALANCE - AMOUNT
        self.reason = reason
        self.after_ms = after_ms


class Race:
    """An application, through a proxy with --force, on a database of its own."""

    def __init__(self, application, cluster, how):
        self._application = application
        self._cluster = cluster
        self._how = how
        self._pattern = TOGETHER if how == "plain" else REASON

    @contextlib.contextmanager
    def ready(self):
        with contextlib.ExitStack() as stack:
            database = self._cluster.new_database()
            stack.callback(self._cluster.give_back, database)
            self._direct = stack.enter_context(self._cluster.session(database)).cursor()
            self._direct.execute(TABLE)
            self._direct.execute("INSERT INTO wallets VALUES ('alice', 0)")
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            log = folder / "proxy.log"
            proxy = stack.enter_context(running(self._cluster.url_over_tcp("postgres"), log, "--force"))
            port = stack.enter_context(self._application.running(proxy.url(database)))
            self._log = stack.enter_context(open(log, encoding="utf-8"))
            self._clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(2)]
            for client in self._clients:
                stack.callback(client.close)
            yield self

    def play(self):
        self._direct.execute("UPDATE wallets SET balance = %s, version = 0", (BALANCE,))
        self._log.read()
        for client in self._clients:
            client.request("POST", f"/withdraw/{self._how}?id=alice&amount={AMOUNT}")
        answers = [client.getresponse() for client in self._clients]
        for answer in answers:
            answer.read()
        self._direct.execute("SELECT balance FROM wallets")
        reason, after_ms = self._reason()
        return Round([answer.status for answer in answers], self._direct.fetchone()[0], reason, after_ms)

    def _reason(self):
        """The proxy has logged it before the answers came; so has a round that was not as expected."""
        found = self._pattern.search(self._log.read())
        return (found.group(1), float(found.group(2))) if found else ("no reason", float("inf"))


def times(rounds):
    named = sorted(each.after_ms for each in rounds)
    return f"p50 {statistics.median(named):.1f} ms, max {named[-1]:.1f} ms"


def summary(name, how, rounds):
    """One line, and whether it is as promised."""
    count = len(rounds)
    by_reason = {}
    for each in rounds:
        by_reason.setdefault(each.reason, []).append(each)
    reasons = "; ".join(f"{reason} {len(some)} of {count}, {times(some)}" for reason, some in sorted(by_reason.items()))
    good = sum(each.raced if how == "plain" else each.is_right for each in rounds)
    is_good = good == count and set(by_reason) == set(EXPECTED[how])
    words = f"{name} {how}: {'raced' if how == 'plain' else 'right'} {good} of {count}; {reasons}"
    if how != "plain":
        words += f"; named within {NAMED_MS} ms: {sum(each.after_ms <= NAMED_MS for each in rounds)}"
    return words, is_good


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--app", choices=APPLICATIONS, action="append", help="may be given again; default: all")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--fix", action="store_true", help="the fixes in place of the race")
    arguments = parser.parse_args()
    all_good = True
    with running_cluster() as cluster:
        for name in arguments.app or APPLICATIONS:
            application = APPLICATIONS[name]
            try:
                application.ensure()
            except CannotInstall as reason:
                print(f"{name}: skipped: {reason}", flush=True)
                continue
            for how in application.fixes if arguments.fix else ("plain",):
                with Race(application, cluster, how).ready() as race:
                    race.play()  # the pool connects and the classes are loaded
                    rounds = [race.play() for _ in range(arguments.rounds)]
                line, is_good = summary(name, how, rounds)
                print(line, flush=True)
                all_good = all_good and is_good
    return 0 if all_good else 1


if __name__ == "__main__":
    sys.exit(main())
