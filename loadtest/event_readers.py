#!/usr/bin/python3
"""What readers of GET /events cost the transfers, as a ratio taken side by side in one run.

One server in safe mode under one load (wrk, 32 connections, transfers between random pairs of 1,000 accounts), now
without a reader, now with a hundred attached, in turns. Each measurement with readers lies between two without, from an
empty log of transfers every time, and is compared with their mean: what drifts, drifts for both. The ratio is the
median over the rounds. The readers are one process with one thread, which reads and throws away; it shares the machine
with the server, so what it takes is part of what is measured.
"""

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
    """The readers' process: attaches them all, reads until its standard input closes, and says what came."""
    poll = select.epoll()
    readers = {}
    for _ in range(count):
        reader = socket.create_connection(("127.0.0.1", port))
        reader.sendall(REQUEST)
        reader.setblocking(False)
        readers[reader.fileno()] = reader
        poll.register(reader, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    received = ended = 0
    buffer = bytearray(1 << 18)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == sys.stdin.fileno():
                print(json.dumps({"received": received, "ended": ended}), flush=True)
                return
            length = readers[descriptor].recv_into(buffer)
            received += length
            if length == 0:
                ended += 1
                poll.unregister(descriptor)


class Readers:
    """So many readers, attached."""

    def __init__(self, bank, count):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--attach", str(bank.port), "--readers", str(count)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        eventually(lambda: bank.metric("event_readers") == count, f"{count} readers are attached")

    def leave(self):
        """What they received, and how many of them were let go."""
        told, _ = self.process.communicate(b"\n", timeout=20)
        return json.loads(told)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--strategy", default="for_update")
    parser.add_argument("--attach", type=int, metavar="PORT", help="only read, from the server on this port")
    options = parser.parse_args()
    if options.attach:
        return read_on(options.attach, options.readers)
    if shutil.which("wrk") is None:
        raise SystemExit("event_readers.py: install wrk first (Debian: wrk)")

    folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-readers-"))
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
            readers = Readers(bank, options.readers)
            rate = transfers_per_second(bank, script, options.seconds)
            attached_mebibytes = max(attached_mebibytes, resident_mebibytes(bank))
            told = readers.leave()
            eventually(lambda: bank.metric("event_readers") == 0, "they have left")
            after = transfers_per_second(bank, script, options.seconds)
            ratios.append(rate / ((before + after) / 2))
            received, ended = received + told["received"], ended + told["ended"]
            say(f"  round {number + 1}: {rate:.0f}/s with {options.readers} readers ({ratios[-1]:.3f}), "
                f"{before:.0f}/s before, {after:.0f}/s after; {told['received'] / 1e6:.1f} MB read")
            before = after
        ratio = statistics.median(ratios)
        held = ratio >= PROMISE and ended == 0
        print(f"{options.readers} readers, {options.strategy}: {ratio:.3f} x of none   promise >= {PROMISE}  "
              f"{'held' if held else 'MISSED'}   {received / 1e6:.0f} MB read, {ended} let go, "
              f"{alone_mebibytes:.1f} MiB resident without readers, at most {attached_mebibytes:.1f} with them")
        return 0 if held else 1
    finally:
        if bank is not None:
            bank.stop()
        cluster.remove()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
