"""The comparison in words: a table for the terminal, one for Markdown, and the verdict."""

COLUMNS = ("strategy", "", "forced rounds", "spread/s", "p99 ms", "hot/s", "p50 ms", "p99 ms", "retries", "503s",
           "lock waiters", "books")
GREEN, RED, BOLD, PLAIN = "\033[32m", "\033[31m", "\033[1m", "\033[0m"


def rounds_in_words(result):
    """"1000 clean", "200/200 double_spend"."""
    verdicts = result.get("rounds")
    if not verdicts:
        return "-"
    total = sum(verdicts.values())
    if set(verdicts) == {"clean"}:
        return f"{total} clean"
    return ", ".join(f"{seen}/{total} {name}" for name, seen in sorted(verdicts.items()) if name != "clean") + (
        f", {verdicts['clean']} clean" if "clean" in verdicts else "")


def row(result):
    spread, hot = (result.get("load", {}).get(shape) for shape in ("spread", "hot"))
    cells = [result["name"], "safe" if result["safe"] else "WRONG", rounds_in_words(result)]
    if spread is None:
        return cells + ["-"] * (len(COLUMNS) - len(cells))
    both = (spread, hot)
    return cells + [
        f"{spread['rate']:.0f}", f"{spread['p99_ms']:.1f}", f"{hot['rate']:.0f}", f"{hot['p50_ms']:.1f}",
        f"{hot['p99_ms']:.1f}", str(sum(sum(run["retries"].values()) for run in both)),
        str(sum(run["refused"] for run in both)), f"{hot['lock_waiters']:.1f}",
        "balance" if all(run["consistent"] for run in both) else "BROKEN"]


def table(results, colour=False):
    rows = [list(COLUMNS)] + [row(result) for result in results]
    widths = [max(len(each[i]) for each in rows) for i in range(len(COLUMNS))]
    lines = []
    for number, cells in enumerate(rows):
        padded = [cell.ljust(width) if i < 3 else cell.rjust(width) for i, (cell, width) in
                  enumerate(zip(cells, widths))]
        line = "  ".join(padded).rstrip()
        if colour:
            line = f"{BOLD}{line}{PLAIN}" if number == 0 else f"{GREEN if 'safe' in cells else RED}{line}{PLAIN}"
        lines.append(line)
    return "\n".join(lines)


def markdown(results):
    lines = ["| " + " | ".join(name or "kind" for name in COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    return "\n".join(lines + ["| " + " | ".join(row(result)) + " |" for result in results])


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
        elif verdicts.get("clean") and not result.get("one_server_is_right"):
            found.append(f"{result['name']} is said to be wrong, and got away with {verdicts['clean']} forced rounds")
    return found
