#!/usr/bin/env python3
"""Which is faster on PostgreSQL's own isolation tests: race-explore --isolationtester, or isolationtester?

Usage: tester_race.py [--rounds N] [--program FILE] [--only NAME] SOURCE

SOURCE is an unpacked source of PostgreSQL (isolation_source.sh fetches one), of the release of the server programs that
are used (LAB_POSTGRES_BIN, or those of this machine). Each file of its schedule is run by both programs, one after the
other, so that other work on the machine slows both; each has a server of its own, because files leave tables. A file
whose output is not the expected one is named.
"""
import argparse
import collections
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))

from explorer import PROGRAM  # noqa: E402
from isolation import Programs, Source  # noqa: E402

from cluster import running_cluster  # noqa: E402

SHOWN = 10  # files in which race-explore loses or wins most


def run_round(testers, source, names):
    """The seconds of each file for each program, and the names of the files with an unexpected output."""
    seconds, different = {label: collections.Counter() for label in testers}, []
    for label, (programs, _) in testers.items():
        programs.clear()  # files leave tables
    for name in names:
        for label, (programs, run) in testers.items():
            began = time.monotonic()
            outcome = run(source.spec(name))
            seconds[label][name] = time.monotonic() - began
            if outcome.stdout not in source.expected_outputs(name):
                different.append(f"{name} ({label})")
                programs.clear()
    return seconds, different


def report(seconds, rounds):
    real, ours = seconds["isolationtester"], seconds["race-explore"]
    slowest = sorted(real, key=lambda name: ours[name] - real[name], reverse=True)
    print(f"{'seconds a round':32} {'isolationtester':>16} {'race-explore':>16}")
    for name in [*slowest[:SHOWN], *slowest[-SHOWN:]]:
        print(f"{name:32} {real[name] / rounds:16.2f} {ours[name] / rounds:16.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", default=PROGRAM)
    parser.add_argument("--only", action="append", help="run only this file; may be given again")
    parser.add_argument("source")
    options = parser.parse_args()
    source = Source(options.source)
    names = options.only or source.schedule()
    if not names:
        parser.error(f"there is no src/test/isolation/isolation_schedule in {options.source}")
    with running_cluster() as one, running_cluster() as other:
        for cluster in (one, other):
            cluster.rows("postgres", "ALTER SYSTEM SET fsync = off")
            cluster.rows("postgres", "SELECT pg_reload_conf()")
        real, ours = Programs(one, options.program), Programs(other, options.program)
        testers = {"isolationtester": (real, real.real), "race-explore": (ours, ours.ours)}
        total = {label: collections.Counter() for label in testers}
        print(f"{'round':>5} {'isolationtester':>16} {'race-explore':>16} {'ratio':>6}   not as expected")
        for number in range(options.rounds):
            seconds, different = run_round(testers, source, names)
            for label, times in seconds.items():
                total[label].update(times)
            real_sum, our_sum = (sum(times.values()) for times in seconds.values())
            print(f"{number + 1:5} {real_sum:14.1f} s {our_sum:14.1f} s {our_sum / real_sum:6.2f}   "
                  f"{', '.join(different)}", flush=True)
    report(total, options.rounds)


if __name__ == "__main__":
    main()
