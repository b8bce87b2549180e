#!/usr/bin/env python3
"""How fast race-explore is on this machine: orders a second, time to the first finding, memory.

Usage: explore_bench.py [--program FILE] [--seconds S] SERVER

SERVER is the connection string of a PostgreSQL that may be used for it, such as that of ./lab explore. Every order is
run (--no-reduction), because a reduced run ends too soon to be measured. The figures of one run are compared with each
other: one cell and two, plain and blocking cases, the first level and the others.
"""
import argparse
import json
import pathlib
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CASES = ROOT / "tests/explore/cases"
NAMES = ("vulnerable", "in_transaction", "for_update", "write_skew", "skip_locked")


def explore(program, server, name, level, cells):
    command = [program, "--server", server, "--json", "-", "--no-reduction", "--levels", level, "--jobs", str(cells),
               CASES / f"{name}.sql"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{name}: {done.stderr.strip()}")
    found = json.loads(done.stdout)["cases"][0]["explorations"][0]
    return found


def measure(program, server, name, level, cells, seconds):
    """Runs a case again and again, and returns the best rate: other work on the machine only makes it slower."""
    best, first, until = 0.0, None, time.monotonic() + seconds
    while time.monotonic() < until or best == 0.0:
        found = explore(program, server, name, level, cells)
        times = found["times"]
        best = max(best, times["runs"] * 1000 / times["milliseconds"])
        if times.get("first_finding_milliseconds"):
            first = min(first or 1e9, times["first_finding_milliseconds"])
    return best, first


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default=ROOT / "build/release/race-explore")
    parser.add_argument("--seconds", type=float, default=3, help="for each line")
    parser.add_argument("server")
    options = parser.parse_args()
    print(f"{'case':16} {'level':5} {'cells':>5} {'runs/s':>8} {'first finding':>14}")
    for name in NAMES:
        for level in ("rc", "rr", "ser"):
            for cells in (1, 2):
                rate, first = measure(options.program, options.server, name, level, cells, options.seconds)
                shown = "" if first is None else f"{first:11.1f} ms"
                print(f"{name:16} {level:5} {cells:5} {rate:8.0f} {shown:>14}", flush=True)
    print(f"largest resident size of a run: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.1f} MiB")


if __name__ == "__main__":
    main()
