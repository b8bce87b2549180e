#!/usr/bin/env python3
"""Runs the fuzz targets for many more inputs than CI does, and counts what was run.

Usage: long.py [--millions N] [--jobs N] [--hours H] [--folder FOLDER] [TARGET...]

Builds the targets with clang in FOLDER/build. A target is run by several processes at once, each with another seed.
They share the inputs found (FOLDER/corpus/TARGET), which the next run starts from. The longest input and the dictionary
are those of CI (CMakeLists.txt). libFuzzer ends at a finding: the input is kept in FOLDER/findings, and a new process
does the executions that are left. Exit status: 0 if nothing was found and every execution was done, 1 otherwise.
"""
import argparse
import concurrent.futures
import itertools
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
READERS = ("case_sql", "case_pgbench", "case_spec", "case_hermitage", "case_log")
TEST = re.compile(r"^add_fuzz_test\((\w+) \d+ (\d+)(?: -dict=\$\{CMAKE_CURRENT_SOURCE_DIR\}/(\S+))?\)$", re.MULTILINE)
EXECUTED = re.compile(r"^stat::number_of_executed_units: *(\d+)", re.MULTILINE)
INTERRUPTED = 72  # the exit status of libFuzzer after SIGINT or SIGTERM
FINDINGS_MAX = 20  # one fault is found again and again


def targets():
    """The name of each target, its longest input, and its dictionary or ''."""
    return {name: (length, dictionary) for name, length, dictionary in TEST.findall((HERE / "CMakeLists.txt").read_text())}


def build(folder, names):
    compiler = os.environ.get("CC", "clang")
    for command in (["cmake", "-G", "Ninja", "-S", HERE / "standalone", "-B", folder, f"-DCMAKE_C_COMPILER={compiler}"],
                    ["cmake", "--build", folder, "--target", *(f"fuzz_{name}" for name in names)]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Target:
    def __init__(self, name, options):
        self.name = name
        self._folder = options.folder
        self._until = time.monotonic() + options.hours * 3600
        length, dictionary = targets()[name]
        corpus = self._folder / "corpus" / name
        corpus.mkdir(parents=True, exist_ok=True)
        self._command = [self._folder / "build" / f"fuzz_{name}", f"-max_len={length}", "-timeout=60", "-verbosity=0",
                         "-rss_limit_mb=2048", "-print_final_stats=1",
                         f"-artifact_prefix={self._folder}/findings/{name}-"]
        self._command += [f"-dict={HERE / dictionary}"] if dictionary else []
        self._corpus = [corpus, HERE / "corpus" / name]

    def run(self, seed, executions):
        """One process after the other, until the executions are done. Returns how many were, and the findings."""
        done = findings = 0
        for attempt in itertools.count():
            left = int(self._until - time.monotonic())
            if done >= executions or findings >= FINDINGS_MAX or left <= 0:
                return done, findings
            log = self._folder / f"{self.name}-{seed}-{attempt}.log"
            with open(log, "w", encoding="utf-8") as out:
                outcome = subprocess.run([*self._command, f"-seed={seed + 1000 * attempt}", f"-runs={executions - done}",
                                          f"-max_total_time={left}", *self._corpus], stdout=out, stderr=out, check=False)
            counted = EXECUTED.search(log.read_text(errors="replace"))
            done += int(counted.group(1)) if counted else 0
            if outcome.returncode in (0, INTERRUPTED):
                log.unlink()
            else:
                findings += 1
            if outcome.returncode == INTERRUPTED:
                return done, findings


def run(target, options):
    began = time.monotonic()
    share = int(options.millions * 1e6) // options.jobs
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        ended = list(pool.map(lambda seed: target.run(seed, share), range(options.seed, options.seed + options.jobs)))
    done, findings = sum(each[0] for each in ended), sum(each[1] for each in ended)
    seconds = time.monotonic() - began
    print(f"{target.name:16} {done:12} {seconds:8.0f} {done / seconds:10.0f} {findings:8}", flush=True)
    return findings == 0 and done >= share * options.jobs


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--millions", type=float, default=10, help="executions of each target; default 10")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--hours", type=float, default=4, help="the most time that a target may take")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("/tmp/fuzz"))
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: {' '.join(READERS)}")
    options = parser.parse_args()
    names = options.targets or READERS
    unknown = sorted(set(names) - set(targets()))
    if unknown:
        parser.error(f"{unknown[0]} is no target: {' '.join(targets())}")
    options.folder = options.folder.resolve()
    (options.folder / "findings").mkdir(parents=True, exist_ok=True)
    build(options.folder / "build", names)
    print(f"{'target':16} {'executions':>12} {'seconds':>8} {'a second':>10} {'findings':>8}", flush=True)
    good = [run(Target(name, options), options) for name in names]
    if not all(good):
        print(f"the inputs and the logs are in {options.folder}")
        sys.exit(1)


if __name__ == "__main__":
    main()
