#!/usr/bin/python3
"""Compares all strategies: is it right in a forced race, and what does it cost under load?

Starts a PostgreSQL and servers of its own on loopback, and leaves nothing running. Each strategy first runs forced
rounds (two transfers of $800 out of $1000, released by a barrier; the books are audited after each), then load by wrk
over 32 kept connections: spread over 1,000 accounts, and all from one account. The runs are interleaved; the results
are their medians. The strategies that read at a standby get one: their rounds are one transfer after the other while it
is behind, and two at once while it is up to date; they get no load.

Exit status: 0 if every safe strategy was right in every round and every wrong one failed in every round, 1 if not."""

import argparse
import json
import pathlib
import sys
import textwrap

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from comparison import decision, load, report, rounds, standby_rounds  # noqa: E402
from harness import lab, machine  # noqa: E402


ROOT = pathlib.Path(__file__).resolve().parent.parent


def numbers(text):
    found = sorted({int(each) for each in text.split(",")})
    if found[0] < 1 or found[-1] > 1000:
        raise ValueError
    return found


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="lab compare", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short rounds and runs, in about a minute")
    parser.add_argument("--rounds", type=int, help="forced rounds of a safe strategy (1000; quick: 20); a wrong one has "
                                                   "a fifth of them")
    parser.add_argument("--runs", type=int, help="load runs of each strategy and shape (5; quick: 1)")
    parser.add_argument("--seconds", type=int, help="length of a load run (3; quick: 1)")
    parser.add_argument("--strategy", action="append", metavar="NAME", help="compare only this strategy; may be repeated")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER",
                        help="where to write compare.json, compare.md and the charts (docs/benchmarks; quick: nowhere)")
    parser.add_argument("--no-charts", action="store_true", help="draw no SVG charts")
    parser.add_argument("--clients", type=numbers, default=[], metavar="N,...",
                        help="run the load also with these numbers of connections, such as 2,8,32,128,512")
    parser.add_argument("--from", dest="measured", type=pathlib.Path, metavar="FILE",
                        help="measure nothing: write the reports again, from this compare.json")
    options = parser.parse_args(arguments)
    usual = {"rounds": 20, "runs": 1, "seconds": 1} if options.quick else {"rounds": 1000, "runs": 5, "seconds": 3}
    for name, value in usual.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
        elif getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if options.out is None and not options.quick:
        options.out = ROOT / "docs" / "benchmarks"
    lab.check_out_folder(parser, options.out)
    return options


def chosen(bank, names):
    """The strategies to compare, as the server lists them."""
    listed = {each["name"]: each for each in bank.get("/strategies").json()["strategies"]}
    unknown = [name for name in names or () if name not in listed]
    if unknown:
        raise SystemExit(f"compare: there is no strategy {', '.join(unknown)}; there are: {', '.join(listed)}")
    return [listed[name] for name in names or listed]


def run_rounds(cluster, bank, results, wanted):
    for result in list(results):
        lab.say(f"  forced rounds: {result['name']}")
        bank.set(strategy=result["name"])
        count = wanted if result["safe"] else max(1, wanted // 5)
        result["rounds"] = rounds.race(bank, count)
        if result["name"] == "process_mutex":
            # It is right with one server; only a second server makes it fail.
            result["one_server_is_right"] = True
            with lab.bank(cluster, bank.database) as other:
                other.set(strategy=result["name"])
                results.insert(results.index(result) + 1, {
                    "name": "process_mutex, 2 servers", "safe": False,
                    "rounds": rounds.race_between_servers(bank, other, count)})


def run_load(cluster, bank, results, runs, seconds, clients):
    """Runs every strategy once, then every strategy again, so that a change of the machine meanwhile affects all
    alike."""
    connections = sorted({lab.CONNECTIONS, *clients})
    seen = {result["name"]: {(shape, count): [] for shape in load.SHAPES for count in connections} for result in results}
    for number in range(runs):
        for name, kinds in seen.items():
            lab.say(f"  load {number + 1}/{runs}: {name}")
            for (shape, count), done in kinds.items():
                done.append(load.once(cluster, bank, name, shape, seconds, count))
    for result in results:
        medians = {kind: load.median_of(done) for kind, done in seen[result["name"]].items()}
        result["load"] = {shape: medians[shape, lab.CONNECTIONS] for shape in load.SHAPES}
        if clients:
            result["clients"] = {shape: {str(count): medians[shape, count] for count in connections}
                                 for shape in load.SHAPES}


def compare(options):
    with lab.cluster() as cluster:
        race_database, load_database = cluster.new_database(), cluster.new_database()
        with lab.bank(cluster, race_database) as bank:
            listed = chosen(bank, options.strategy)
            results = [{"name": each["name"], "safe": each["safe"], "idea": each["idea"]}
                       for each in listed if not each["needs_standby"]]
            strategies = list(results)
            run_rounds(cluster, bank, results, options.rounds)
        with lab.bank(cluster, load_database) as bank:
            lab.add_accounts(cluster, load_database)
            run_load(cluster, bank, strategies, options.runs, options.seconds, options.clients)
            who = machine.describe(lambda query: cluster.rows(load_database, query))
    replicated = [each for each in listed if each["needs_standby"]]
    if replicated:
        results += standby_rounds.run(replicated, options.rounds)
    return {"machine": who, "connections": lab.CONNECTIONS, "runs": options.runs, "seconds": options.seconds,
            "strategies": results}


def write_files(folder, outcome, with_charts):
    words = machine.in_words(outcome["machine"])
    (folder / "compare.json").write_text(json.dumps(outcome, indent=2) + "\n")
    (folder / "compare.md").write_text(f"{report.markdown(outcome['strategies'])}\n\n{words}\n")
    if decision.write_into(folder / "README.md", outcome):
        lab.say(f"written: the first table of {folder / 'README.md'}")
    if not with_charts:
        return
    try:
        from comparison import charts
    except ImportError:
        lab.say("no charts: matplotlib is not installed (Debian: python3-matplotlib)")
        return
    for path in charts.draw(folder, outcome["strategies"], words):
        lab.say(f"drawn: {path}")


def main():
    options = options_of(sys.argv[1:])
    if options.measured:
        outcome = json.loads(options.measured.read_text())
    else:
        lab.missing(("wrk", "wrk"))
        outcome = compare(options)
    print(report.table(outcome["strategies"], colour=sys.stdout.isatty()))
    print(f"\n{decision.in_words(outcome)}")
    print(textwrap.fill(machine.in_words(outcome["machine"]), 100))
    if options.out:
        write_files(options.out, outcome, not options.no_charts)
    found = report.complaints(outcome["strategies"])
    for each in found:
        print(f"NOT AS LISTED: {each}")
    if not found:
        print("Every safe strategy was right, every wrong one failed.")
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
