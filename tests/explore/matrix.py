"""Writes the matrix of strategies and anomalies, and every order of its cases, from what the explorer finds.

    matrix.py PROGRAM SERVER [--check|--quick]    writes docs/matrix.md, server/page/matrix.json and orders.json
    matrix.py --case NAME                         prints a case, such as foreign_writer.for_update

PROGRAM is race-explore, SERVER a conninfo of PostgreSQL. With --check nothing is written: the exit status is 1 if a
file is not what this script would write. --quick is a check that takes a tenth of the time: of orders.json it compares
the numbers of orders and verdicts, and does not step through every order.
"""

import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile
import textwrap

from every_order import Stepper, every_order
from matrix_cases import COLUMNS, RESTS_ON, ROOT, STRATEGIES, case_of

LEVELS = {"rc": "READ COMMITTED", "rr": "REPEATABLE READ", "ser": "SERIALIZABLE"}
BROKEN = {"nobody_below_zero": "an account goes below zero", "no_money_made": "money is made or lost",
          "somebody_is_left": "nobody is left"}
JOBS = 2  # programs side by side
ORDERS_SHOWN = 260  # a case with more of them has no grid


def identity(case):
    """The name of a case at its level: one file may be run at several."""
    return case.name if case.level in ("rc", "as-written") else f"{case.name}.{case.level}"


def cases():
    found = [case_of(strategy, column) for strategy in STRATEGIES for column in COLUMNS]
    return {identity(case): case for case in found if case is not None}


# --- The explorer's documents ---

def explore(program, server, case, folder):
    """The document of one case at its level."""
    path = folder / f"{case.name}.sql"
    path.write_text(case.text, encoding="utf-8")
    done = subprocess.run([program, "--server", server, "--jobs", "1", "--no-shrink", "--levels", case.level, "--json", "-",
                           path.name], cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"matrix.py: race-explore ended with status {done.returncode} for {case.name}")
    return json.loads(done.stdout)["cases"][0]


def orders_of(program, server, case, exploration):
    if exploration["orders"] > ORDERS_SHOWN:
        return []
    stepper = Stepper(program, server)
    try:
        return every_order(stepper, case.name, case.text, "rc" if case.level == "as-written" else case.level, exploration)
    finally:
        stepper.close()


def explored(program, server, case, is_quick=False):
    """The document of one case, with each of its orders if it has few enough."""
    with tempfile.TemporaryDirectory() as folder:
        found = explore(program, server, case, pathlib.Path(folder))
    [exploration] = found["explorations"]
    orders = [] if is_quick else orders_of(program, server, case, exploration)
    file = f"{case.name}.sql" if case.file is None else str(case.file.relative_to(ROOT))
    for outcome in exploration["outcomes"]:
        outcome["replay"] = outcome["replay"].replace(f"{case.name}.sql", file)
        outcome.pop("beside", None)
    return {"id": identity(case), "file": file, "made": case.file is None, "text": case.text,
            "sessions": found["sessions"], "exploration": exploration, "orders": orders}


def all_explored(program, server, is_quick):
    wanted = cases()
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return dict(zip(wanted, pool.map(lambda case: explored(program, server, case, is_quick), wanted.values())))


# --- The matrix ---

def words_of(exploration):
    orders = exploration["orders"]
    broken = {name for outcome in exploration["outcomes"] for name in outcome["invariants"]}
    wrong = sum(outcome["count"] for outcome in exploration["outcomes"] if outcome["kind"] != "serial")
    if wrong > 0:
        names = sorted({outcome["name"] for outcome in exploration["outcomes"] if outcome["name"]})
        effect = " and ".join(BROKEN[name] for name in BROKEN if name in broken) or ", ".join(names)
        return f"{wrong} of {orders} orders: {effect}"
    costs = [f"{exploration[key]} {verb}" for key, verb in (("blocked", "wait"), ("aborted", "abort and are repeated"))
             if exploration[key] > 0]
    return f"0 of {orders} orders" + (f"; {' and '.join(costs)}" if costs else "")


def cell(strategy, column, found):
    if (strategy, column) in RESTS_ON:
        ends, words, place = RESTS_ON[strategy, column]
        return {"ends": ends, "words": words, "rests_on": place}
    name = identity(case_of(strategy, column))
    exploration = found[name]["exploration"]
    assert exploration["complete"], name
    ends = exploration["anomalous"] == exploration["broken"] == exploration["new_errors"] == 0
    return {"ends": ends, "words": words_of(exploration), "case": name}


def matrix(found):
    return {"columns": [{"name": name, "title": title, "text": text} for name, (title, text) in COLUMNS.items()],
            "rows": [{"strategy": strategy, "cells": [cell(strategy, column, found) for column in COLUMNS]}
                     for strategy in STRATEGIES]}


def matrix_json(made):
    rows = ",\n".join(json.dumps(row) for row in made["rows"])
    return f'{{"columns": {json.dumps(made["columns"])},\n"rows": [\n{rows}\n]}}\n'


def matrix_page(made, found):
    lines = ["# Which strategy ends which anomaly", "", textwrap.fill(
        "Each cell is a run of the explorer over every order of two sessions on a real PostgreSQL, at READ COMMITTED, the "
        "server's default level; `repeatable_read` and `serializable` name their own level. The page is made by "
        "tests/explore/matrix.py: do not edit it. The bank's page `/explore` shows the same table, and each order of "
        "each cell.", 120, break_on_hyphens=False), ""]
    lines += [f"- **{title}**: {text}" for title, text in COLUMNS.values()]
    lines += ["", "| strategy | " + " | ".join(title for title, _ in COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in made["rows"]:
        cells = [f"{'ends' if each['ends'] else '**does not end**'}: {each['words']}{proof(each, found)}"
                 for each in row["cells"]]
        lines.append(f"| `{row['strategy']}` | {' | '.join(cells)} |")
    lines += ["", textwrap.fill(
        "A case without a link is made from the strategy's own case: `tests/explore/matrix.py --case NAME` prints it, and "
        "`./lab explore` runs what it prints.", 120, break_on_hyphens=False)]
    return "\n".join(lines) + "\n"


def proof(each, found):
    if "case" not in each:
        return f" ([{pathlib.Path(each['rests_on']).name}](../{each['rests_on']}))"
    made = found[each["case"]]
    return f" (`{each['case']}`)" if made["made"] else f" ([{pathlib.Path(made['file']).stem}](../{made['file']}))"


# --- The orders, in a short form: equal steps and tables stand once ---

class Pool:
    """Values that are named by their numbers."""

    def __init__(self):
        self.values, self._numbers = [], {}

    def number(self, value):
        key = json.dumps(value, sort_keys=True)
        if key not in self._numbers:
            self._numbers[key] = len(self.values)
            self.values.append(value)
        return self._numbers[key]


def short_step(pool, number, step):
    rest = {name: value for name, value in step.items() if name not in ("completed_after", "blocked_by")}
    place = pool.number(rest)
    if step["completed_after"] == number and not step["blocked_by"]:
        return place
    return [place, step["completed_after"], step["blocked_by"]]


def short_order(pool, order):
    return {"outcome": order["outcome"],
            "steps": [short_step(pool, number, step) for number, step in enumerate(order["steps"], start=1)],
            "committed": [[pool.number(table) for table in tables] for tables in order["committed"]]}


def short_case(pool, each):
    exploration = {key: value for key, value in each["exploration"].items() if key not in ("times", "smallest")}
    for part in [*exploration["outcomes"], *exploration["serial"]]:
        part["steps"] = [short_step(pool, number, step) for number, step in enumerate(part["steps"], start=1)]
        part["state"] = [pool.number(table) for table in part["state"]]
    return {**each, "exploration": exploration, "orders": [short_order(pool, order) for order in each["orders"]]}


def orders_json(found):
    """One file for each page that shows it, with a line for each case."""
    pool = Pool()
    lines = [json.dumps(short_case(pool, each), separators=(",", ":")) for each in found.values()]
    values = ",\n".join(json.dumps(value, separators=(",", ":")) for value in pool.values)
    return '{"version":1,"cases":[\n' + ",\n".join(lines) + '\n],"pool":[\n' + values + "\n]}\n"


def wrong_counts(found):
    """The cases whose part of orders.json has other numbers than the explorer found."""
    stored = {each["id"]: each for each in json.loads((ROOT / "server/page/orders.json").read_text(encoding="utf-8"))["cases"]}
    for name, each in found.items():
        new, old = each["exploration"], stored[name]["exploration"] if name in stored else {}
        shown = [old["outcomes"][order["outcome"]]["kind"] for order in stored[name]["orders"]] if old else []
        wrong = sum(outcome["count"] for outcome in new["outcomes"] if outcome["kind"] != "serial")
        expected = 0 if new["orders"] > ORDERS_SHOWN else new["orders"]
        if any(old.get(key) != new[key] for key in ("orders", "anomalous", "broken", "new_errors", "aborted")) or \
                len(shown) != expected or (expected and sum(kind != "serial" for kind in shown) != wrong):
            yield name
    yield from set(stored) - set(found)


def main(program, server, *options):
    is_quick = "--quick" in options
    found = all_explored(str(pathlib.Path(program).resolve()), server, is_quick)
    made = matrix(found)
    texts = {"docs/matrix.md": matrix_page(made, found), "server/page/matrix.json": matrix_json(made)}
    counts = list(wrong_counts(found)) if is_quick else []
    for name in counts:
        print(f"server/page/orders.json has other numbers for {name}")
    if not is_quick:
        texts["server/page/orders.json"] = orders_json(found)
    wrong = [name for name, text in texts.items()
             if not (ROOT / name).is_file() or (ROOT / name).read_text(encoding="utf-8") != text]
    for name in wrong:
        if is_quick or "--check" in options:
            print(f"{name} is not what tests/explore/matrix.py writes")
        else:
            (ROOT / name).write_text(texts[name], encoding="utf-8")
    return 1 if counts or (wrong and (is_quick or "--check" in options)) else 0


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--case":
        sys.exit(print(cases()[sys.argv[2]].text, end=""))
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
