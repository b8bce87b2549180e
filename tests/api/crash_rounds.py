"""Breaks the database under load, round after round, and compares every answer with the tables afterwards.

    python3 tests/api/crash_rounds.py [--rounds 100] [--seed 1]

Each round sends transfers from eight clients, strikes once, waits until the bank is healthy again, and compares. The
last line has the number of untrue answers; the exit status is 1 if there are any. The program is
build/release/bank-api, or BANK_API. As root the database has a small disk that a round can fill; otherwise those rounds
are left out."""

import argparse
import collections
import contextlib
import decimal
import itertools
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

import psycopg2

from bank import Bank
from cluster import running_cluster
from crowd import Crowd
from pace import eventually
from small_disk import small_disk_cluster

# Strategies whose balances are sums of their transfers, so that every cent can be accounted for.
STRATEGIES = ["vulnerable", "for_update", "atomic_update", "optimistic", "repeatable_read", "serializable",
              "advisory_lock", "batched"]
AMOUNT = decimal.Decimal("0.01")


# --- Blows: each one damages the cluster, which accepts connections again at the end ---

def kill_a_backend(cluster, bank, _crowd):
    """kill -9 of one session: the server ends all sessions and recovers."""
    sessions = cluster.backends(bank.database)
    os.kill(random.choice(sessions), signal.SIGKILL)
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in sessions), "no session is left")


def kill_the_server(cluster, _bank, _crowd):
    """kill -9 of the postmaster, and a start."""
    server = cluster.postmaster()
    os.kill(server, signal.SIGKILL)
    eventually(lambda: not os.path.exists(f"/proc/{server}"), "the server is gone")
    eventually(lambda: not list(cluster.orphans()), "its processes have noticed")
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)
    cluster.start()


def restart_at_once(cluster, _bank, _crowd):
    """pg_ctl stop -m immediate, and a start."""
    cluster.stop("immediate")
    cluster.start()


def end_the_sessions(cluster, bank, _crowd):
    """pg_terminate_backend of all sessions, three times."""
    for _ in range(3):
        cluster.end_sessions(bank.database)


def fill_the_disk(cluster, _bank, crowd):
    """The disk has no free byte for a while: tables cannot grow."""
    live_on_a_full_disk(cluster, crowd, lambda: None)


def fill_the_log(cluster, bank, crowd):
    """The write-ahead log cannot grow either, which ends the server with a PANIC in the middle of a COMMIT."""
    def next_segment():
        with contextlib.suppress(psycopg2.Error):
            bank.rows("SELECT pg_switch_wal()")
    live_on_a_full_disk(cluster, crowd, next_segment)


def live_on_a_full_disk(cluster, crowd, burden):
    """Waits until many transfers have run on the full disk."""
    before, failed = len(crowd.answers()), len(crowd.answers()) - crowd.count(200)

    def felt():
        burden()
        answers = crowd.answers()
        return len(answers) - crowd.count(200) >= failed + 20 or len(answers) >= before + 5000
    cluster.fill_disk()
    eventually(felt, "answers on a full disk", within=120)
    cluster.free_disk()
    if not cluster.accepts():
        with contextlib.suppress(AssertionError):  # its recovery may be about to end it
            cluster.stop("immediate")
        cluster.start()


def cancel_synchronous_waits(cluster, bank, crowd):
    """COMMITs wait for a standby that does not exist, and the waits are cancelled; some sessions are ended instead."""
    set_standby(cluster, bank, "nobody")
    before = len(crowd.answers())
    deadline = time.monotonic() + 60
    while len(crowd.answers()) < before + 100 and time.monotonic() < deadline:
        bank.rows("SELECT CASE WHEN random() < 0.1 THEN pg_terminate_backend(pid) ELSE pg_cancel_backend(pid) END "
                  "FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    set_standby(cluster, bank, "")
    bank.rows("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")


def set_standby(cluster, bank, name):
    cluster.rows("postgres", f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
    cluster.rows("postgres", "SELECT pg_reload_conf()")
    eventually(lambda: bank.rows("SHOW synchronous_standby_names")[0]["synchronous_standby_names"] == name, "reloaded")


BLOWS = [kill_a_backend, kill_the_server, restart_at_once, end_the_sessions, fill_the_disk, fill_the_log,
         cancel_synchronous_waits]


# --- The answers, compared with the tables ---

ZERO, ONE, EITHER = (0, 0), (1, 1), (0, 1)

# The text of an answer, and what it allows: the number of recorded successes with that id, and the number of times the
# amount may have left the source, or reached the target, without a record.
CLAIMS = [
    ("nothing was transferred", ZERO, ZERO, ZERO),
    ("has not reached", ZERO, ONE, ZERO),
    ("the money was moved", ZERO, ONE, ONE),
    ("so it may or may not have happened", EITHER, ZERO, ZERO),
    ("has not received it", ZERO, EITHER, ZERO),
    ("it was taken from", ZERO, ONE, EITHER),
    ("Both balances have changed", EITHER, ONE, ONE),
    ("is committed on this database server", ONE, ZERO, ZERO),
]


class Audit:
    """Compares the answers of one round with the tables."""

    def __init__(self, bank, crowd):
        self.untrue = []
        self.slack = collections.defaultdict(lambda: [decimal.Decimal(0), decimal.Decimal(0)])
        self.recorded = collections.Counter(
            row["trace_id"] for row in bank.rows("SELECT trace_id FROM transfers WHERE status = 'success'"))
        for racer in crowd.racers:
            for (source, target), answer in zip(racer.pairs, racer.answers):
                self._judge(source, target, answer)
        self._compare_balances(bank)

    def _judge(self, source, target, answer):
        said = answer.json()
        count = self.recorded[said.get("trace_id")]
        if answer.status == 200:
            wanted = 1 if said["status"] == "success" else 0
            if count != wanted:
                self.untrue.append(f"{said['status']}, and {count} successes recorded: {said}")
            return
        claim = next((claim for claim in CLAIMS if claim[0] in said["detail"]), None)
        if claim is None:
            self.untrue.append(f"says nothing about the money: {said}")
            return
        _, records, left, arrived = claim
        if not records[0] <= count <= records[1]:
            self.untrue.append(f"{count} successes recorded: {said}")
        if count == 0:
            self._allow(source, -left[1], -left[0])
            self._allow(target, arrived[0], arrived[1])

    def _allow(self, account, least, most):
        self.slack[account][0] += least * AMOUNT
        self.slack[account][1] += most * AMOUNT

    def _compare_balances(self, bank):
        for row in bank.rows("SELECT id, drift FROM account_audit"):
            least, most = self.slack[row["id"]]
            if not least <= row["drift"] <= most:
                self.untrue.append(f"{row['id']} is off by {row['drift']}, and the answers explain {least} to {most}")


def play_round(cluster, bank, strategy, blow):
    """Plays one round; returns the statuses of the answers and the untrue answers."""
    bank.set(strategy=strategy)
    reset = bank.post("/reset")
    assert reset.status == 200, reset
    with Crowd(bank, size=8, amounts=(str(AMOUNT),)) as crowd:
        eventually(lambda: crowd.count(200) >= 50, "transfers before the blow")
        blow(cluster, bank, crowd)
        eventually(cluster.accepts, "the cluster takes connections")
        bank.until_healthy()
        before = crowd.count(200)
        eventually(lambda: crowd.count(200) >= before + 50, "transfers after the blow")
    bank.until_in_progress(0)
    audit = Audit(bank, crowd)
    return collections.Counter(answer.status for answer in crowd.answers()), audit.untrue


def play(rounds, report=lambda *_: None):
    """Plays rounds of every blow with every strategy in turn; returns (blow, strategy, statuses, untrue answers) of
    each."""
    disk = small_disk_cluster if os.geteuid() == 0 else running_cluster
    blows = [blow for blow in BLOWS if blow not in (fill_the_disk, fill_the_log) or disk is small_disk_cluster]
    with tempfile.TemporaryDirectory() as folder, disk() as cluster:
        bank = Bank(cluster, cluster.new_database(), pathlib.Path(folder) / "log", {})
        try:
            bank.until_healthy()
            # Every pair of blow and strategy comes once before any comes again.
            pairs = itertools.cycle(itertools.product(range(len(STRATEGIES)), range(len(blows))))
            for number, (shift, index) in enumerate(itertools.islice(pairs, rounds), 1):
                blow, strategy = blows[index], STRATEGIES[(shift + index) % len(STRATEGIES)]
                statuses, untrue = play_round(cluster, bank, strategy, blow)
                report(number, blow.__name__, strategy, statuses, untrue)
                yield blow.__name__, strategy, statuses, untrue
        finally:
            bank.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random.seed(options.seed)

    def report(number, blow, strategy, statuses, untrue):
        answers = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
        print(f"{number:4d}/{options.rounds}  {blow:26s} {strategy:16s} {answers}; untrue: {len(untrue)}", flush=True)
        for line in untrue[:5]:
            print(f"           {line}", flush=True)
    total, untrue = collections.Counter(), 0
    for _, _, statuses, lies in play(options.rounds, report):
        total += statuses
        untrue += len(lies)
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(total.items()))
    print(f"{options.rounds} rounds, {sum(total.values())} answers ({answers}): {untrue} untrue")
    sys.exit(1 if untrue else 0)


if __name__ == "__main__":
    main()
