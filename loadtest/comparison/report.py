"""The comparison in words: a table for the terminal, one for Markdown, and the verdict."""

RIGHT = ("strategy", "kind", "forced rounds", "books")
COST = ("spread/s", "spread p99", "hot/s", "hot p50", "hot p99", "retries", "503s", "lock waiters")
COLUMNS = RIGHT + COST
GREEN, RED, BOLD, PLAIN = "\033[32m", "\033[31m", "\033[1m", "\033[0m"


def case_in_words(result):
    """The case in which a wrong strategy is right, such as " (1 server)"; "" for any other result."""
    return " (1 server)" if result.get("one_server_is_right") else " (in turn)" if result.get("in_turn_is_right") else ""


def rounds_in_words(result):
    """"1000 clean", "200/200 double_spend", "200 clean (1 server)"."""
    verdicts = result.get("rounds")
    if not verdicts:
        return "-"
    total = sum(verdicts.values())
    if set(verdicts) == {"clean"}:
        return f"{total} clean" + case_in_words(result)
    return ", ".join(f"{seen}/{total} {name}" for name, seen in sorted(verdicts.items()) if name != "clean") + (
        f", {verdicts['clean']} clean" if "clean" in verdicts else "")


def books_in_words(result):
    load = result.get("load")
    return "-" if load is None else "balance" if all(run["consistent"] for run in load.values()) else "BROKEN"


def correctness(result):
    return [result["name"], "safe" if result["safe"] else "WRONG", rounds_in_words(result), books_in_words(result)]


def cost(result):
    spread, hot = (result.get("load", {}).get(shape) for shape in ("spread", "hot"))
    if spread is None:
        return ["-"] * len(COST)
    both = (spread, hot)
    return [f"{spread['rate']:.0f}", f"{spread['p99_ms']:.1f}", f"{hot['rate']:.0f}", f"{hot['p50_ms']:.1f}",
            f"{hot['p99_ms']:.1f}", str(sum(sum(run["retries"].values()) for run in both)),
            str(sum(run["refused"] for run in both)), f"{hot['lock_waiters']:.1f}"]


def aligned(header, rows, texts, safe=None):
    """The lines of a table: its first columns, as many as `texts`, are text and the others are numbers. `safe` has the
    colour of each row, or is None for no colour."""
    widths = [max(map(len, cells)) for cells in zip(header, *rows)]
    lines = []
    for number, cells in enumerate([header, *rows]):
        line = "  ".join(cell.ljust(width) if i < texts else cell.rjust(width)
                         for i, (cell, width) in enumerate(zip(cells, widths))).rstrip()
        if safe is not None:
            line = f"{BOLD if number == 0 else GREEN if safe[number - 1] else RED}{line}{PLAIN}"
        lines.append(line)
    return lines


def by_clients(results, colour):
    """The rates with every number of clients, one table per shape; nothing without --clients."""
    measured = [result for result in results if "clients" in result]
    for shape in ("spread", "hot") if measured else ():
        counts = list(measured[0]["clients"][shape])
        yield ["", f"Transfers per second, {shape}, by the number of clients:",
               *aligned(["strategy", *counts],
                        [[result["name"]] + [f"{result['clients'][shape][count]['rate']:.0f}" for count in counts]
                         for result in measured], 1, [result["safe"] for result in measured] if colour else None)]


def table(results, colour=False):
    """The two questions as two tables, so that each fits a terminal of 100 columns."""
    loaded = [result for result in results if result.get("load")]
    lines = ["Is it right? Forced rounds, and the books after the load:",
             *aligned(RIGHT, [correctness(result) for result in results], len(RIGHT),
                      [result["safe"] for result in results] if colour else None)]
    if loaded:
        lines += ["", "What does it cost? Transfers per second; p50 and p99 in milliseconds:",
                  *aligned((RIGHT[0], *COST), [[result["name"], *cost(result)] for result in loaded], 1,
                           [result["safe"] for result in loaded] if colour else None)]
    return "\n".join(lines + [line for each in by_clients(results, colour) for line in each])


def markdown(results):
    header = [f"{name} ms" if name.endswith(("p50", "p99")) else name for name in COLUMNS]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(COLUMNS)]
    return "\n".join(lines + ["| " + " | ".join(correctness(result) + cost(result)) + " |" for result in results])


def complaints(results):
    """The contradictions to the list of strategies: a safe one that failed, a wrong one that was right."""
    found = []
    for result in results:
        verdicts = result.get("rounds") or {}
        if result["safe"]:
            fallen = sum(seen for name, seen in verdicts.items() if name != "clean")
            if fallen:
                found.append(f"{result['name']} is said to be safe, and fell in {fallen} forced rounds")
            found += [f"{result['name']} is said to be safe, and left inconsistent books under {shape} load"
                      for shape, run in result.get("load", {}).items() if not run["consistent"]]
        elif verdicts.get("clean") and not case_in_words(result):
            found.append(f"{result['name']} is said to be wrong, and got away with {verdicts['clean']} forced rounds")
    return found
