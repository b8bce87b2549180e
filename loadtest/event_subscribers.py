#!/usr/bin/python3
"""Measures the cost of subscribers of GET /events for the transfers, as a ratio taken side by side in one run.

One server in safe mode has one load (wrk, 32 connections, transfers between random pairs of 1,000 accounts), by turns
without a subscriber and with a hundred subscribers. Each measurement with subscribers lies between two without, with an
empty transfers table every time, and is compared with their mean, so that a drift of the machine affects both. The
ratio is the median over the rounds. The subscribers are one process with one thread, which reads and discards the
events. It shares the machine with the server, so its own cost is part of the result."""

import argparse
import json
import pathlib
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "api"))
from bank import Bank  # noqa: E402
from cluster import Cluster  # noqa: E402
from pace import eventually  # noqa: E402

from export_overhead import TRANSFERS, make_accounts, transfers_per_second  # noqa: E402
from yardsticks import resident_mebibytes, say  # noqa: E402

REQUEST = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
PROMISE = 0.95


def read_on(port, count):
    """The subscribers' process: connects all, reads until its standard input closes, and prints the totals."""
    poll = select.epoll()
    sockets = {}
    for _ in range(count):
        subscriber = socket.create_connection(("127.0.0.1", port))
        subscriber.sendall(REQUEST)
        subscriber.setblocking(False)
        sockets[subscriber.fileno()] = subscriber
        poll.register(subscriber, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    received = ended = 0
    buffer = bytearray(1 << 18)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == sys.stdin.fileno():
                print(json.dumps({"received": received, "ended": ended}), flush=True)
                return
            length = sockets[descriptor].recv_into(buffer)
            received += length
            if length == 0:
                ended += 1
                poll.unregister(descriptor)


class Subscribers:
    """`count` subscribers that are connected."""

    def __init__(self, bank, count):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--attach", str(bank.port), "--subscribers", str(count)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        eventually(lambda: bank.metric("event_readers") == count, f"{count} subscribers are connected")

    def leave(self):
        """Disconnects the subscribers. Returns the bytes they received and the number of connections that the server
        closed."""
        report, _ = self.process.communicate(b"\n", timeout=20)
        return json.loads(report)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--subscribers", type=int, default=100)
    parser.add_argument("--strategy", default="for_update")
    parser.add_argument("--attach", type=int, metavar="PORT", help="only subscribe to the server on this port")
    options = parser.parse_args()
    if options.attach:
        return read_on(options.attach, options.subscribers)
    if shutil.which("wrk") is None:
        raise SystemExit("event_subscribers.py: install wrk first (Debian: wrk)")

    folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-subscribers-"))
    cluster = Cluster()
    bank = None
    try:
        cluster.start()
        database = cluster.new_database()
        bank = Bank(cluster, database, folder / "log", {"LOG_LEVEL": "error"}).until_healthy()
        bank.set(strategy=options.strategy)
        make_accounts(cluster, database)
        script = folder / "transfers.lua"
        script.write_text(TRANSFERS)
        transfers_per_second(bank, script, options.seconds)
        alone_mebibytes = resident_mebibytes(bank)
        ratios, attached_mebibytes, received, ended = [], 0, 0, 0
        before = transfers_per_second(bank, script, options.seconds)
        for number in range(options.rounds):
            subscribers = Subscribers(bank, options.subscribers)
            rate = transfers_per_second(bank, script, options.seconds)
            attached_mebibytes = max(attached_mebibytes, resident_mebibytes(bank))
            totals = subscribers.leave()
            eventually(lambda: bank.metric("event_readers") == 0, "all have disconnected")
            after = transfers_per_second(bank, script, options.seconds)
            ratios.append(rate / ((before + after) / 2))
            received, ended = received + totals["received"], ended + totals["ended"]
            say(f"  round {number + 1}: {rate:.0f}/s with {options.subscribers} subscribers ({ratios[-1]:.3f}), "
                f"{before:.0f}/s before, {after:.0f}/s after; {totals['received'] / 1e6:.1f} MB read")
            before = after
        ratio = statistics.median(ratios)
        held = ratio >= PROMISE and ended == 0
        print(f"{options.subscribers} subscribers, {options.strategy}: {ratio:.3f} x of none   promise >= {PROMISE}  "
              f"{'held' if held else 'MISSED'}   {received / 1e6:.0f} MB read, {ended} let go, "
              f"{alone_mebibytes:.1f} MiB resident without subscribers, at most {attached_mebibytes:.1f} with them")
        return 0 if held else 1
    finally:
        if bank is not None:
            bank.stop()
        cluster.remove()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
