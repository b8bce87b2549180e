#!/usr/bin/python3
"""Compares the bank with pgbench, nginx and two common services in one run.

Starts everything it measures on loopback, with one PostgreSQL of its own, and leaves nothing running. The rounds are
interleaved, in the opposite order every second time. The results are medians of at least 5 rounds, shown as ratios,
each with its promise. Exit status: 0 if every promise held, 1 if not. The method: docs/benchmarks/README.md."""

import argparse
import contextlib
import json
import pathlib
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import disk, lab, machine, peers, pgbench, wrk  # noqa: E402
from yardsticks import Nginx  # noqa: E402

STRATEGIES = ("for_update", "atomic_update", "batched")  # a selection that is enough here; lab compare has all
HOT_CLIENTS = (1, 2, 4, 8, 16)
ROOT = pathlib.Path(__file__).resolve().parent.parent
PARTS = ("transfers", "reads", "health")


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="lab bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="rounds of each measurement; the median is reported (5; quick: 1)")
    parser.add_argument("--seconds", type=int, help="length of each run (3; quick: 1)")
    parser.add_argument("--only", action="append", choices=PARTS, help="run only this part; may be repeated")
    parser.add_argument("--quick", action="store_true",
                        help="one round of one second, too short for a result; --rounds and --seconds override it")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER",
                        help="where to write bench.json and bench.md (docs/benchmarks; quick: nowhere)")
    options = parser.parse_args(arguments)
    for name, usual in (("rounds", 1 if options.quick else 5), ("seconds", 1 if options.quick else 3)):
        if getattr(options, name) is None:
            setattr(options, name, usual)
    if options.out is None and not options.quick:
        options.out = ROOT / "docs" / "benchmarks"
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds must be at least 1")
    lab.check_out_folder(parser, options.out)
    return options


class Figures:
    """The measurements by name, with one value for each round; and the promises about the ratios of the medians."""

    def __init__(self):
        self.values = {}
        self.promises = []
        self.ceilings = []

    def note(self, name, value):
        self.values.setdefault(name, []).append(value)

    def median(self, name):
        return statistics.median(self.values[name])

    def promise(self, what, ours, theirs, least=None, most=None):
        """Promises that the ratio of two medians is at least, or at most, a value. Skipped if one was not measured."""
        if ours not in self.values or theirs not in self.values:
            return
        ratio = self.median(ours) / self.median(theirs)
        held = ratio >= least if least is not None else ratio <= most
        self.promises.append({"what": what, "ratio": round(ratio, 3), "ours": ours, "theirs": theirs, "held": held,
                              "promise": f">= {least}" if least is not None else f"<= {most}"})


    def ceiling(self, what, ours, limit):
        """Prints the ratio of the median to the machine's limit. It is information only and no promise."""
        if ours in self.values and limit in self.values:
            self.ceilings.append({"what": what, "ours": ours, "theirs": limit,
                                  "ratio": round(self.median(ours) / self.median(limit), 3)})


def in_turns(rounds, runs):
    """Every run once a round, in the opposite order every second time."""
    for number in range(rounds):
        lab.say(f"round {number + 1} of {rounds}")
        for run in runs if number % 2 == 0 else reversed(runs):
            run()


# --- Transfers ---

def transfer_runs(stack, cluster, figures, seconds):
    """All services and pgbench on the same job, each on a database of its own."""
    runs = []

    def database():
        name = cluster.new_database()
        with lab.bank(cluster, name):  # makes the tables
            lab.add_accounts(cluster, name)
        return name

    def load(label, name, port, pid, shape):
        lab.settle(cluster, name)
        seen = wrk.transfers(port, shape, lab.CONNECTIONS, seconds)
        if seen.refused or seen.broken:
            raise RuntimeError(f"{label}: {seen}")
        figures.note(f"{label} {shape}", seen.rate)
        figures.note(f"{label} {shape} p99 ms", seen.p99_ms)
        memory = lab.memory_mib(pid)
        figures.note(f"{label} rss MiB", memory["rss"])
        figures.note(f"{label} pss MiB", memory["pss"])

    own = database()
    bank = stack.enter_context(lab.bank(cluster, own))

    def ours(strategy, shape):
        bank.set(strategy=strategy)
        load(strategy, own, bank.port, bank.process.pid, shape)
        lab.until_idle(bank)
        if not lab.audit(cluster, own):
            raise RuntimeError(f"{strategy}: the books do not balance after {shape} load")

    def plain(name, shape, clients, label):
        lab.settle(cluster, name)
        figures.note(label, pgbench.run(cluster.url(name), (shape, "for_update"), clients, seconds))

    bench = database()
    for shape in ("spread", "hot"):
        runs += [lambda strategy=strategy, shape=shape: ours(strategy, shape) for strategy in STRATEGIES]
        runs.append(lambda shape=shape: plain(bench, shape, lab.CONNECTIONS, f"pgbench {shape}"))
    runs += [lambda clients=clients: plain(bench, "hot", clients, f"pgbench hot, {clients} clients")
             for clients in HOT_CLIENTS]
    if disk.program():
        runs.append(lambda: figures.note("flushes to disk", disk.flushes(cluster.folder)))
    for label, command in peers.build().items():
        name = database()
        port, process = stack.enter_context(peers.running(label, command, cluster.url_over_tcp(name)))
        runs += [lambda label=label, name=name, port=port, pid=process.pid, shape=shape:
                 load(label, name, port, pid, shape) for shape in ("spread", "hot")]
    return runs


def promise_transfers(figures):
    best = max(STRATEGIES, key=lambda name: figures.median(f"{name} spread"))
    figures.promise(f"spread: {best} / pgbench FOR UPDATE", f"{best} spread", "pgbench spread", least=1.3)
    figures.promise("spread: for_update / pgbench FOR UPDATE", "for_update spread", "pgbench spread", least=1.0)
    figures.promise("hot: for_update / pgbench FOR UPDATE", "for_update hot", "pgbench hot", least=4)
    figures.promise("hot: batched / pgbench FOR UPDATE", "batched hot", "pgbench hot", least=25)
    most = max(["pgbench hot", *(f"pgbench hot, {clients} clients" for clients in HOT_CLIENTS)], key=figures.median)
    figures.promise("hot: batched / pgbench's best at any clients", "batched hot", most, least=8)
    # A transfer keeps the row locked until its commit is on disk.
    figures.ceiling("hot: for_update / flushes to disk", "for_update hot", "flushes to disk")
    figures.ceiling("hot: pgbench FOR UPDATE / flushes to disk", "pgbench hot", "flushes to disk")
    for peer, least in (("go", 2), ("fastapi", 8)):
        for shape in ("spread", "hot"):
            figures.promise(f"{shape}: {best} / {peer}", f"{best} {shape}", f"{peer} {shape}", least=least)
            figures.promise(f"{shape}: p99 of {best} / {peer}", f"{best} {shape} p99 ms", f"{peer} {shape} p99 ms",
                            most=1)
        figures.promise(f"resident memory: bank-api / {peer}", f"{best} rss MiB", f"{peer} rss MiB", most=0.2)
        figures.promise(f"proportional memory: bank-api / {peer}", f"{best} pss MiB", f"{peer} pss MiB", most=0.2)


# --- Reads and health ---

def read_runs(stack, cluster, figures, seconds):
    name = cluster.new_database()
    bank = stack.enter_context(lab.bank(cluster, name))
    return [
        lambda: figures.note("GET /accounts/alice",
                             wrk.run(bank.port, "/accounts/alice", lab.CONNECTIONS, seconds).rate),
        lambda: figures.note("pgbench select", pgbench.run(cluster.url(name), ("account",), lab.CONNECTIONS, seconds)),
    ]


def promise_reads(figures):
    figures.promise("GET /accounts/alice / pgbench select", "GET /accounts/alice", "pgbench select", least=0.5)


def health_runs(stack, cluster, figures, seconds):
    bank = stack.enter_context(lab.bank(cluster, cluster.new_database()))
    nginx = Nginx(stack.enter_context(tempfile.TemporaryDirectory()))
    stack.callback(nginx.stop)
    return [lambda: figures.note("GET /health", wrk.run(bank.port, "/health", 64, seconds).rate),
            lambda: figures.note("nginx", wrk.run(nginx.port, "/health", 64, seconds).rate)]


def promise_health(figures):
    figures.promise("GET /health / nginx", "GET /health", "nginx", least=1.0)


def measure(options):
    figures = Figures()
    with lab.cluster() as cluster:
        for part in options.only or PARTS:
            lab.say(f"{part} ...")
            with contextlib.ExitStack() as stack:
                runs = globals()[f"{part.removesuffix('s')}_runs"](stack, cluster, figures, options.seconds)
                in_turns(options.rounds, runs)
            globals()[f"promise_{part}"](figures)
        who = machine.describe(lambda query: cluster.rows("postgres", query))
    return {"machine": who, "connections": lab.CONNECTIONS, "rounds": options.rounds, "seconds": options.seconds,
            "promises": figures.promises, "ceilings": figures.ceilings,
            "medians": {name: round(figures.median(name), 3) for name in figures.values}, "values": figures.values}


# --- The report ---

def lines(outcome):
    for each in outcome["promises"]:
        ours, theirs = outcome["medians"][each["ours"]], outcome["medians"][each["theirs"]]
        yield (each["what"], f"{ours:,.1f}", f"{theirs:,.1f}", f"{each['ratio']:.2f}", each["promise"],
               "held" if each["held"] else "MISSED")
    for each in outcome["ceilings"]:
        ours, limit = outcome["medians"][each["ours"]], outcome["medians"][each["theirs"]]
        yield (each["what"], f"{ours:,.1f}", f"{limit:,.1f}", f"{each['ratio']:.2f}", "< 1", "a ceiling")


def markdown(outcome):
    head = "| what | ours | theirs | ratio | promise | |\n|---|---|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(line)} |\n" for line in lines(outcome)) + (
        f"\nMedians of {outcome['rounds']} rounds of {outcome['seconds']} s, {outcome['connections']} connections. "
        f"{machine.in_words(outcome['machine'])}\n")


def main():
    options = options_of(sys.argv[1:])
    lab.missing(("wrk", "wrk"), ("pgbench", "postgresql-contrib"), ("nginx", "nginx-light"))
    outcome = measure(options)
    for what, ours, theirs, ratio, promise, held in lines(outcome):
        print(f"{what:<46} {ours:>10} {theirs:>10} {ratio:>7}  {promise:<7} {held}")
    print(machine.in_words(outcome["machine"]))
    if options.out:
        (options.out / "bench.json").write_text(json.dumps(outcome, indent=2) + "\n")
        (options.out / "bench.md").write_text(markdown(outcome))
    return 0 if all(each["held"] for each in outcome["promises"]) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
