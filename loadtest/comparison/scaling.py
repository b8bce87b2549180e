"""The figures of scale.py in words: where each strategy bends, what to size it for, and the promises under overload."""

from comparison.report import aligned

MEASURED = ("strategy", "load", "servers", "clients", "transfers/s", "p50 ms", "p99 ms", "503s/s", "broken", "books")
SIZING = ("strategy", "load", "servers", "most/s", "90 % from clients", "p99 ms there", "most/s with p99 <= 100 ms",
          "with most clients / most", "503s/s there")
NEAR = 0.9       # a share of the highest rate: with more clients than that, clients only wait longer
P99_MS = 100
OVERLOAD = 0.8   # goodput with the most clients, of the goodput with 512
GROWTH = 1.5     # batched with 512 clients, of the rate with 32


def curves(points):
    """The points of each strategy, load and number of servers, by the number of clients."""
    found = {}
    for point in sorted(points, key=lambda each: each["clients"]):
        found.setdefault((point["strategy"], point["shape"], point["replicas"]), []).append(point)
    return found


def measured(points):
    return [[name, shape, str(replicas), str(point["clients"]), f"{point['rate']:.0f}", f"{point['p50_ms']:.1f}",
             f"{point['p99_ms']:.1f}", f"{point['refused']:.0f}", str(point["broken"]),
             "balance" if point["consistent"] else "BROKEN" if point["safe"] else "broken"]
            for (name, shape, replicas), curve in curves(points).items() for point in curve]


def sizing(points):
    rows = []
    for (name, shape, replicas), curve in curves(points).items():
        most = max(point["rate"] for point in curve)
        bend = next(point for point in curve if point["rate"] >= NEAR * most)
        quick = [point["rate"] for point in curve if point["p99_ms"] <= P99_MS]
        last = curve[-1]
        rows.append([name, shape, str(replicas), f"{most:.0f}", str(bend["clients"]), f"{bend['p99_ms']:.1f}",
                     f"{max(quick):.0f}" if quick else "none", f"{last['rate'] / most if most else 0:.2f}",
                     f"{last['refused']:.0f}"])
    return rows


def table(points):
    return ["Measured:", *aligned(MEASURED, measured(points), 2), "", "Sizing:", *aligned(SIZING, sizing(points), 2), ""]


def promises(points):
    """The promises: each has a sentence, the value, the bound, and whether it held."""
    found = []

    def promise(what, value, promise_text, held):
        found.append({"what": what, "value": value, "promise": promise_text, "held": held})

    for (name, shape, replicas), curve in curves(points).items():
        rates = {point["clients"]: point["rate"] for point in curve}
        most = max(rates)
        where = f"{shape}, {replicas} server{'s' if replicas > 1 else ''}"
        if curve[0]["safe"] and rates.get(512) and most > 512:
            ratio = rates[most] / rates[512]
            promise(f"{name} ({where}): {most} clients / 512", f"{ratio:.2f}", f">= {OVERLOAD}", ratio >= OVERLOAD)
        if name == "batched" and shape == "hot" and replicas == 1 and rates.get(32) and rates.get(512):
            ratio = rates[512] / rates[32]
            promise(f"{name} ({where}): 512 clients / 32", f"{ratio:.2f}", f">= {GROWTH}", ratio >= GROWTH)
    broken = sum(point["broken"] for point in points)
    promise("broken connections", str(broken), "0", broken == 0)
    wrong = [point["strategy"] for point in points if point["safe"] and not point["consistent"]]
    promise("books of a safe strategy that do not balance", str(len(wrong)), "0", not wrong)
    return found


def rows_of(header, rows):
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header),
            *("| " + " | ".join(row) + " |" for row in rows)]


def markdown(outcome, words):
    points = outcome["points"]
    promised = [[each["what"], each["value"], each["promise"], "held" if each["held"] else "MISSED"]
                for each in promises(points)]
    return "\n".join(["## Sizing", "", *rows_of(SIZING, sizing(points)), "", "## Promises", "",
                      *rows_of(("what", "value", "promise", ""), promised), "", "## Every figure", "",
                      *rows_of(MEASURED, measured(points)), "",
                      f"Medians of {outcome['runs']} runs of {outcome['seconds']} s. {words}", ""])
