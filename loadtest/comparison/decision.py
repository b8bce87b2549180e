"""The table "which fix for which load", with thresholds computed from the measured figures."""

import textwrap

BEGIN, END = "<!-- decision: written by ./lab compare -->", "<!-- /decision -->"

# The case, the strategy for it, and the strategy that it is compared with.
CASES = (
    ("one row, and the rule fits into the WHERE of its UPDATE", "atomic_update", "for_update"),
    ("the program decides between the read and the write", "for_update", "optimistic"),
    ("a person thinks in between, or conflicts are rare", "optimistic", "for_update"),
    ("the rule spans rows that are only read (write skew)", "serializable", "for_update"),
    ("one very hot account", "batched", "atomic_update"),
    ("there is no row to lock yet", "advisory_lock", "for_update"),
)
COLUMNS = ("your case", "take", "spread/s", "hot/s", "p99 ms, spread / hot", "retries per transfer, spread / hot",
           "503s, hot", "threshold")


def transfers_of(run, seconds):
    """The transfers that were answered with 2xx in all runs."""
    return run["rate"] * seconds * run["runs"]


def retries_per_transfer(run, seconds):
    return sum(run["retries"].values()) / max(1, transfers_of(run, seconds))


def points_of(result):
    """(shape, clients, run) of every measured load of a strategy."""
    if "clients" in result:
        return [(shape, int(count), run) for shape, counts in result["clients"].items() for count, run in counts.items()]
    return [(shape, None, run) for shape, run in result.get("load", {}).items()]


def band(run, key, form):
    """The median, and the smallest and the largest value of all runs where they were kept."""
    value = format(run[key], form)
    low, high = run.get(f"{key}_band", (None, None))
    return value if low is None or run["runs"] < 2 else f"{value} ({format(low, form)} to {format(high, form)})"


def noise(outcome):
    """The largest distance of a run from its median, as a share of it; None if single runs were not kept."""
    distances = [max(run["rate"] - run["rate_band"][0], run["rate_band"][1] - run["rate"]) / run["rate"]
                 for result in outcome["strategies"] for _, _, run in points_of(result)
                 if "rate_band" in run and run["runs"] > 1 and run["rate"] > 0]
    return max(distances) if distances else None


def at(shape, clients, default):
    return f"{shape}, {clients or default} clients"


def threshold(outcome, mine, other):
    """Where the strategy keeps up with the other one, and where it does not: the loads with the lowest and the highest
    ratio of their rates."""
    theirs = {(shape, clients): run for shape, clients, run in points_of(other)}
    ratios = [(run["rate"] / theirs[shape, clients]["rate"], shape, clients, run)
              for shape, clients, run in points_of(mine)
              if (shape, clients) in theirs and theirs[shape, clients]["rate"] > 0]
    if not ratios:
        return "not measured"
    best, worst = max(ratios, key=lambda each: each[0]), min(ratios, key=lambda each: each[0])

    def words(point):
        ratio, shape, clients, run = point
        retries = retries_per_transfer(run, outcome["seconds"])
        return f"{ratio:.2f} x at {at(shape, clients, outcome['connections'])}" + (
            f" and {retries:.2g} retries per transfer" if retries >= 0.005 else "")
    return f"against {other['name']}: {words(best)}; {words(worst)}"


def rows(outcome):
    found = {result["name"]: result for result in outcome["strategies"] if result.get("load")}
    for case, name, against in CASES:
        if name not in found:
            continue
        spread, hot = (found[name]["load"][shape] for shape in ("spread", "hot"))
        retries = [retries_per_transfer(run, outcome["seconds"]) for run in (spread, hot)]
        yield (case, f"`{name}`", band(spread, "rate", ".0f"), band(hot, "rate", ".0f"),
               f"{band(spread, 'p99_ms', '.0f')} / {band(hot, 'p99_ms', '.0f')}",
               "none" if not any(retries) else " / ".join(f"{each:.2g}" for each in retries), str(hot["refused"]),
               threshold(outcome, found[name], found[against]) if against in found else f"against {against}: not measured")


def accuracy(outcome):
    """How many runs there were, and how much they differ."""
    distance = noise(outcome)
    if outcome["runs"] == 1:
        return f"One run of {outcome['seconds']} s with {outcome['connections']} clients: nothing is known of its noise."
    return "Medians of {} runs of {} s with {} clients. {}".format(
        outcome["runs"], outcome["seconds"], outcome["connections"],
        "The single runs were not kept, so nothing is known of their noise." if distance is None else
        f"A single run was at most {100 * distance:.0f}% away from its median: smaller differences mean nothing.")


def table(outcome):
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(outcome)]
    return "\n".join([*lines, "", accuracy(outcome)])


def in_words(outcome, width=100):
    """The table for a terminal: each case, the strategy for it, and the threshold."""
    lines = [f"{case}:\n" + textwrap.fill(f"{name.strip('`')}: {limit}", width, initial_indent="    ",
                                          subsequent_indent="      ")
             for case, name, *_, limit in rows(outcome)]
    return "\n".join(["Which fix for which load?", *lines, "", textwrap.fill(accuracy(outcome), width)])


def write_into(page, outcome):
    """Replaces the table between the two marks of a page; False if the page has none."""
    text = page.read_text() if page.exists() else ""
    if BEGIN not in text or END not in text:
        return False
    before, rest = text.split(BEGIN, 1)
    page.write_text(f"{before}{BEGIN}\n\n{table(outcome)}\n\n{END}{rest.split(END, 1)[1]}")
    return True
