#!/usr/bin/env python3
"""How fast race-explore is on this machine: orders a second, time to the first finding, memory.

Usage: explore_bench.py [--program FILE] [--seconds S] [--long-only] SERVER

SERVER is the connection string of a PostgreSQL that may be used for it, such as that of ./lab explore. Every order is
run (--no-reduction), because a reduced run ends too soon to be measured. The figures of one run are compared with each
other: one cell and two, plain and blocking cases, the first level and the others.

The cases of two sessions have so few orders that they end before the second cell stands. So the last lines explore a
case of three sessions (loadtest/explore_three.sql, 34,650 orders) with one cell and with two in turn, and end each
search after S seconds. Other work on the machine makes both slower: look at the ratio.
"""
import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CASES = ROOT / "tests/explore/cases"
THREE = ROOT / "loadtest/explore_three.sql"
ROUNDS = 3
NAMES = ("vulnerable", "in_transaction", "for_update", "write_skew", "skip_locked")


def explore(program, server, file, level, cells, *options):
    command = [program, "--server", server, "--json", "-", "--no-reduction", "--no-shrink", "--levels", level,
               "--jobs", str(cells), *options, file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 3):
        sys.exit(f"{file}: {done.stderr.strip()}")
    return json.loads(done.stdout)["cases"][0]["explorations"][0]


def measure(program, server, name, level, cells, seconds):
    """Runs a case again and again, and returns the best rate: other work on the machine only makes it slower."""
    best, first, until = 0.0, None, time.monotonic() + seconds
    while time.monotonic() < until or best == 0.0:
        found = explore(program, server, CASES / f"{name}.sql", level, cells)
        times = found["times"]
        best = max(best, times["runs"] * 1000 / times["milliseconds"])
        if times.get("first_finding_milliseconds"):
            first = min(first or 1e9, times["first_finding_milliseconds"])
    return best, first


def measure_long(program, server, file, seconds):
    """Searches of S seconds with one cell and with two in turn: other work on the machine hits both."""
    rates = {1: [], 2: []}
    for _ in range(ROUNDS):
        for cells, rate in rates.items():
            times = explore(program, server, file, "rc", cells, "--time", str(seconds))["times"]
            rate.append(times["runs"] * 1000 / times["milliseconds"])
    ratios = [two / one for one, two in zip(rates[1], rates[2])]
    for cells, rate in rates.items():
        print(f"{file.stem:16} {'rc':5} {cells:5} {max(rate):8.0f}", flush=True)
    print(f"two cells run {statistics.median(ratios):.2f} times as many orders as one (median of {ROUNDS} pairs of "
          f"{seconds} s)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default=ROOT / "build/release/race-explore")
    parser.add_argument("--seconds", type=int, default=3, help="for each line")
    parser.add_argument("--long-only", action="store_true", help="explore only the case of three sessions")
    parser.add_argument("server")
    options = parser.parse_args()
    print(f"{'case':16} {'level':5} {'cells':>5} {'runs/s':>8} {'first finding':>14}")
    for name in () if options.long_only else NAMES:
        for level in ("rc", "rr", "ser"):
            for cells in (1, 2):
                rate, first = measure(options.program, options.server, name, level, cells, options.seconds)
                shown = "" if first is None else f"{first:11.1f} ms"
                print(f"{name:16} {level:5} {cells:5} {rate:8.0f} {shown:>14}", flush=True)
    measure_long(options.program, options.server, THREE, options.seconds)
    print(f"largest resident size of a run: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.1f} MiB")


if __name__ == "__main__":
    main()
