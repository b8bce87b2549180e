"""Writes docs/catalogue/ from what the explorer finds in sql/cases.

    catalogue_pages.py PROGRAM SERVER [--check]

PROGRAM is race-explore, SERVER a conninfo of PostgreSQL. With --check nothing is written: the exit status is 1 if a
page is not what this script would write.
"""

import os
import pathlib
import re
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = ROOT / "sql" / "cases"
PAGES = ROOT / "docs" / "catalogue"
LEVELS = {"rc": "READ COMMITTED", "rr": "REPEATABLE READ", "ser": "SERIALIZABLE", "as-written": "as written"}
LINE = re.compile(r"(\S+) +(rc|rr|ser|as-written) +(\S+(?:, \S+)*) +(\d+) of +(\d+) orders, +(\d+) wait, +(\d+) abort"
                  r"(?:  (?!DIFFERS)(.+?))?(  DIFFERS.*)?$")

TITLES = {
    "ambiguous_commit": "A request sent again after its answer was lost",
    "balance_as_sum": "A balance that is a sum",
    "check_constraint": "A check constraint as a net",
    "job_claimed_twice": "A job claimed twice",
    "lease_without_fencing": "A lease without a fencing token",
    "limit_by_counting": "A limit kept by counting",
    "mutex_of_the_program": "A mutex of the program",
    "lock_after_read": "A lock taken after the read",
    "lock_released_early": "A lock released before COMMIT",
    "overlapping_ranges": "Ranges that overlap",
    "select_then_insert": "SELECT, then INSERT",
    "strategies": "The lab's strategies",
    "write_skew": "The last administrator (write skew)",
}
# The order of the files of a page.
VARIANTS = {"wrong": 0, "right": 2}


def run(program, server, *arguments):
    """The standard output of the program. An anomaly (status 1) is a result like any other."""
    done = subprocess.run([program, "--server", server, *map(str, arguments)], cwd=ROOT, text=True, check=False,
                          stdout=subprocess.PIPE, env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"})
    if done.returncode not in (0, 1):
        sys.exit(f"catalogue_pages.py: race-explore ended with status {done.returncode}")
    return done.stdout


def findings(program, server):
    """For each file's name, a list of rows: level, finding, bad orders, orders, orders that wait, that abort, name."""
    found = {}
    for line in run(program, server, "--catalogue", "sql/cases").splitlines():
        match = LINE.match(line)
        if match:
            found.setdefault(match[1], []).append(match.groups()[1:8])
    return found


def wrapped(words):
    return textwrap.fill(words, width=120, break_long_words=False, break_on_hyphens=False)


def words_of(path):
    """The comment at the head of a file, and the SQL below it."""
    head, lines = [], path.read_text().splitlines()
    while lines[0].startswith("-- ") and not lines[0].startswith("-- expect"):
        head.append(lines.pop(0)[3:])
    while lines[0].startswith("-- expect") or not lines[0]:
        lines.pop(0)
    return " ".join(head), "\n".join(lines).rstrip()


def story(program, server, path, level):
    """The smallest order that goes wrong, with all of its steps: those that do not help are what a page is about."""
    lines = run(program, server, "--jobs", 1, "--no-shrink", "--levels", level, path.relative_to(ROOT)).splitlines()
    end = next((i for i, line in enumerate(lines) if re.match(r" +level +orders", line)), len(lines))
    return "\n".join(line.rstrip() for line in lines[:end]).rstrip()


def table(rows):
    lines = ["| level | found | orders that go wrong | of | that wait | that abort | name |",
             "|---|---|---:|---:|---:|---:|---|"]
    for level, finding, bad, orders, wait, abort, name in rows:
        lines.append(f"| {LEVELS[level]} | {finding} | {bad} | {orders} | {wait} | {abort} | {name or ''} |")
    return "\n".join(lines)


def section(program, server, path, rows):
    text, sql = words_of(path)
    parts = [f"## `{path.name}`", wrapped(text), f"```sql\n{sql}\n```", table(rows)]
    bad = [row for row in rows if row[1] != "clean"]
    if bad:
        parts.append(f"The smallest order that goes wrong at {LEVELS[bad[0][0]]}:")
        parts.append(f"```text\n{story(program, server, path, bad[0][0])}\n```")
    return "\n\n".join(parts)


def pages():
    """The name of each page with its files in order."""
    found = {}
    for path in sorted(CASES.glob("*.sql")):
        name, _, variant = path.stem.partition(".")
        found.setdefault(name if variant else "strategies", []).append((VARIANTS.get(variant, 1), path))
    return {name: [path for _, path in sorted(files)] for name, files in sorted(found.items())}


def page(program, server, name, files, found):
    parts = [f"# {TITLES[name]}"]
    if name == "strategies":
        parts.append(wrapped(
            "The statements of the lab's strategies, for two transfers of 800 from an account that holds 1000. "
            "`process_mutex` locks inside the program: [its page](mutex_of_the_program.md) has an advisory lock for the "
            "mutex. [The matrix](../matrix.md) shows which strategy ends which anomaly."))
        rows = [(f"[{path.name}](../../sql/cases/{path.name})", *row) for path in files for row in found[path.stem]]
        lines = ["| case | level | found | orders that go wrong | of | that wait | that abort | name |",
                 "|---|---|---|---:|---:|---:|---:|---|"]
        lines += [f"| {case} | {LEVELS[level]} | {' | '.join(rest)} | {anomaly or ''} |"
                  for case, level, *rest, anomaly in rows]
        return "\n\n".join(parts + ["\n".join(lines)]) + "\n"
    return "\n\n".join(parts + [section(program, server, path, found[path.stem]) for path in files]) + "\n"


def index(all_pages, found):
    lines = ["# The catalogue of races", "",
             wrapped("Wrong fixes that people write, each beside a right one. `./lab explore --catalogue` runs all of "
                     "them and checks what each must show. The pages are made by tests/explore/catalogue_pages.py from "
                     "what the explorer finds: do not edit them. A cell gives the orders that go wrong; *wait* and "
                     "*abort* are the cost of a fix."),
             "", "| page | case | READ COMMITTED | REPEATABLE READ | SERIALIZABLE |", "|---|---|---|---|---|"]
    for name, files in all_pages.items():
        for path in files:
            rows = {row[0]: row for row in found[path.stem]}
            cells = []
            for level in ("rc", "rr", "ser"):
                row = rows.get(level) or rows.get("as-written")
                _, finding, bad, orders, wait, abort, _ = row
                cells.append(f"{finding} {bad} of {orders}" if finding != "clean"
                             else f"clean ({wait} of {orders} wait, {abort} abort)")
            if "as-written" in rows:
                cells = [cells[0] + " as written", "", ""]
            lines.append(f"| [{TITLES[name]}]({name}.md) | `{path.stem}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(program, server, *options):
    program = str(pathlib.Path(program).resolve())
    found, all_pages = findings(program, server), pages()
    texts = {f"{name}.md": page(program, server, name, files, found) for name, files in all_pages.items()}
    texts["README.md"] = index(all_pages, found)
    if "--check" in options:
        present = {path.name: path.read_text() for path in PAGES.glob("*.md")}
        wrong = sorted(name for name in texts.keys() | present.keys() if texts.get(name) != present.get(name))
        for name in wrong:
            print(f"docs/catalogue/{name} is not what tests/explore/catalogue_pages.py writes")
        return 1 if wrong else 0
    PAGES.mkdir(exist_ok=True)
    for name, text in texts.items():
        (PAGES / name).write_text(text)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
