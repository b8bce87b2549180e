#!/usr/bin/python3
"""Measures how each strategy scales: 1 to 2,000 clients, and 1 to 3 servers on one PostgreSQL.

Starts a PostgreSQL and servers of its own on loopback, and leaves nothing running. wrk sends transfers in a closed loop
over kept connections, from one hot account or spread over 1,000 accounts; a refused client sends again at once, the
worst that a client can do. The runs are interleaved, and the results are medians. Prints the figures and a sizing
table, and writes scale.json, scale.md and charts.

Exit status: 0 if the promises held (goodput under overload, no broken connection, books that balance), 1 if not. The
method: docs/benchmarks/README.md."""

import argparse
import contextlib
import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from comparison import scaling  # noqa: E402
from harness import lab, machine, wrk  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLIENTS = (1, 2, 8, 32, 128, 512, 2000)
REPLICAS = (1, 2, 3)
SHAPES = ("hot", "spread")
SETTLE_SECONDS = 1.5  # before and after each run, for the estimate
WRK_TIMEOUT_S = 60  # a slow answer is no broken connection
IDLE_SECONDS = 300  # a full queue of a slow strategy, on a busy machine


def numbers(most):
    def parse(text):
        found = sorted({int(each) for each in text.split(",")})
        if found[0] < 1 or found[-1] > most:
            raise ValueError
        return found
    return parse


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="loadtest/scale.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="32, 512 and 2,000 clients of one server on the hot account, for_update and batched, one "
                             "run of two seconds")
    parser.add_argument("--strategy", action="append", metavar="NAME",
                        help="measure only this strategy; may be repeated (all safe ones)")
    parser.add_argument("--clients", type=numbers(8000), metavar="N,...", help="(1,2,8,32,128,512,2000)")
    parser.add_argument("--replicas", type=numbers(3), metavar="N,...", help="numbers of servers (1,2,3)")
    parser.add_argument("--shape", action="append", choices=SHAPES, help="only this load (both)")
    parser.add_argument("--runs", type=int, help="runs of each measurement; the median is reported (3; quick: 1)")
    parser.add_argument("--seconds", type=int, help="length of each run; longer latencies are not seen (5; quick: 2)")
    parser.add_argument("--minutes", type=float, default=240, help="begin no further run after this time (240)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER",
                        help="where to write scale.json, scale.md and the charts (docs/benchmarks; quick: nowhere)")
    parser.add_argument("--from", dest="measured", type=pathlib.Path, metavar="FILE",
                        help="measure nothing: write the reports again, from this scale.json")
    options = parser.parse_args(arguments)
    usual = ({"runs": 1, "seconds": 2, "clients": [32, 512, 2000], "replicas": [1], "shape": ["hot"],
              "strategy": ["for_update", "batched"]} if options.quick else
             {"runs": 3, "seconds": 5, "clients": list(CLIENTS), "replicas": list(REPLICAS), "shape": list(SHAPES)})
    for name, value in usual.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.runs < 1 or options.seconds < 1 or options.minutes <= 0:
        parser.error("--runs and --seconds must be at least 1, --minutes above 0")
    if options.out is None and not options.quick:
        options.out = ROOT / "docs" / "benchmarks"
    lab.check_out_folder(parser, options.out)
    return options


def chosen(bank, names):
    listed = {each["name"]: each["safe"] for each in bank.get("/strategies").json()["strategies"]}
    unknown = [name for name in names or () if name not in listed]
    if unknown:
        raise SystemExit(f"scale: there is no strategy {', '.join(unknown)}; there are: {', '.join(listed)}")
    return {name: listed[name] for name in names or [name for name, safe in listed.items() if safe]}


def once(cluster, banks, strategy, shape, clients, seconds):
    """One run over all of the servers, with an audit of the books after it."""
    lab.settle(cluster, banks[0].database)
    for bank in banks:
        bank.set(strategy=strategy)
    seen = wrk.transfers(banks[0].port, shape, clients, seconds, [bank.port for bank in banks[1:]], WRK_TIMEOUT_S)
    for bank in banks:
        lab.until_idle(bank, IDLE_SECONDS)
    return {"rate": seen.rate, "p50_ms": seen.p50_ms, "p99_ms": seen.p99_ms, "refused": seen.refused / seconds,
            "broken": seen.broken, "consistent": lab.audit(cluster, banks[0].database)}


def median_of(runs):
    totals = {key: statistics.median(run[key] for run in runs) for key in ("rate", "p50_ms", "p99_ms", "refused")}
    return totals | {"broken": sum(run["broken"] for run in runs), "runs": len(runs),
                     "consistent": all(run["consistent"] for run in runs)}


def measure_all(cluster, banks, strategies, options):
    """Every combination once, then every combination again, in the opposite order."""
    kinds = [(strategy, shape, replicas, clients) for replicas in options.replicas for shape in options.shape
             for clients in options.clients for strategy in strategies]
    total, ends = len(kinds) * options.runs, time.monotonic() + 60 * options.minutes
    lab.say(f"{total} runs, about {total * (options.seconds + SETTLE_SECONDS) / 60:.0f} minutes")
    seen, done = {}, 0
    for number in range(options.runs):
        for kind in kinds if number % 2 == 0 else kinds[::-1]:
            if time.monotonic() > ends:
                lab.say(f"the time is over after {done} of {total} runs")
                return seen
            strategy, shape, replicas, clients = kind
            run = once(cluster, banks[:replicas], strategy, shape, clients, options.seconds)
            seen.setdefault(kind, []).append(run)
            done += 1
            lab.say(f"  {done}/{total} {strategy}, {shape}, {replicas} servers, {clients} clients: "
                    f"{run['rate']:.0f}/s, p99 {run['p99_ms']:.0f} ms, {run['refused']:.0f} refused/s")
    return seen


def measure(options):
    with lab.cluster() as cluster, contextlib.ExitStack() as stack:
        database = cluster.new_database()
        banks = [stack.enter_context(lab.bank(cluster, database, BANK_API_REPLICA=name))
                 for name in "abc"[:max(options.replicas)]]
        lab.add_accounts(cluster, database)
        strategies = chosen(banks[0], options.strategy)
        seen = measure_all(cluster, banks, strategies, options)
        who = machine.describe(lambda query: cluster.rows(database, query))
    points = [{"strategy": strategy, "safe": strategies[strategy], "shape": shape, "replicas": replicas,
               "clients": clients, **median_of(runs)} for (strategy, shape, replicas, clients), runs in seen.items()]
    return {"machine": who, "runs": options.runs, "seconds": options.seconds, "points": points}


def write_files(folder, outcome):
    words = machine.in_words(outcome["machine"])
    (folder / "scale.json").write_text(json.dumps(outcome, indent=1) + "\n")
    (folder / "scale.md").write_text(scaling.markdown(outcome, words))
    try:
        from comparison import scale_charts
    except ImportError:
        lab.say("no charts: matplotlib is not installed (Debian: python3-matplotlib)")
        return
    for path in scale_charts.draw(folder, outcome["points"], words):
        lab.say(f"drawn: {path}")


def main():
    options = options_of(sys.argv[1:])
    if options.measured:
        outcome = json.loads(options.measured.read_text())
    else:
        lab.missing(("wrk", "wrk"))
        outcome = measure(options)
    print("\n".join(scaling.table(outcome["points"])))
    promises = scaling.promises(outcome["points"])
    for each in promises:
        print(f"{'held  ' if each['held'] else 'MISSED'} {each['what']}: {each['value']} ({each['promise']})")
    if options.out:
        write_files(options.out, outcome)
    return 0 if all(each["held"] for each in promises) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
