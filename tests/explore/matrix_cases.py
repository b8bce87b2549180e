"""The cases of the matrix: for each strategy and each anomaly, what the explorer runs."""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = ROOT / "sql" / "cases"

STRATEGIES = ["vulnerable", "absolute_update", "subselect_predicate", "cte_snapshot", "process_mutex", "for_update",
              "atomic_update", "optimistic", "repeatable_read", "serializable", "advisory_lock", "batched"]

COLUMNS = {
    "double_spend": ("Double spend", "Two transfers of $800 from an account that holds $1000. Both must not succeed."),
    "lost_update": ("Lost update", "Two transfers of $100 from the same account. Both must be in the balances."),
    "write_skew": ("Write skew", "A rule about two rows: one of two administrators must stay. Each transaction reads both rows "
                                 "and changes its own. A transfer protects its own rows only, and so do these cases."),
    "second_server": ("Second server", "The double spend, with each transfer on a server of its own."),
    "foreign_writer": ("Foreign writer", "The double spend, and the other client is no part of the program: one correct "
                                         "UPDATE with its condition, without the strategy's lock, mutex or version."),
}

# The levels that the statements of these strategies name.
OWN_LEVELS = {"repeatable_read": "rr", "serializable": "ser"}

WRITE_SKEW = {
    "vulnerable": "write_skew.wrong", "absolute_update": "write_skew.wrong",
    "subselect_predicate": "write_skew.count_in_where", "cte_snapshot": "write_skew.count_in_where",
    "atomic_update": "write_skew.count_in_where", "for_update": "write_skew.own_row", "batched": "write_skew.own_row",
    "optimistic": "write_skew.version", "advisory_lock": "write_skew.own_number",
    "repeatable_read": "write_skew.wrong", "serializable": "write_skew.wrong",
}

FOREIGN_SESSION = """-- session B
WITH deducted AS (
    UPDATE accounts SET balance = balance - 800 WHERE id = 'alice' AND balance >= 800 RETURNING id
)
UPDATE accounts SET balance = balance + 800 WHERE id = 'charlie' AND EXISTS (SELECT FROM deducted);
"""

# The cells that no run of the explorer can show.
RESTS_ON = {
    ("process_mutex", "write_skew"): (True, "one mutex serializes all accounts of one server",
                                      "workers/strategies/process_mutex.c"),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A case for the explorer. `file`: None if the text is made from other files."""
    name: str
    text: str
    level: str  # as in --levels; "as-written": the statements name it
    file: pathlib.Path | None = None


def _read(name):
    return (CASES / f"{name}.sql").read_text(encoding="utf-8")


def _source(strategy):
    return "mutex_of_the_program.right" if strategy == "process_mutex" else strategy


def _level(strategy):
    return "as-written" if strategy in OWN_LEVELS else "rc"


def _committed(name, level):
    return Case(name, _read(name), level, CASES / f"{name}.sql")


def _without_head(text):
    return text[text.index("-- setup\n"):]


def _made(column, strategy, text):
    words = {"lost_update": "Two transfers of 100, which the account covers both.",
             "foreign_writer": "Another client takes 800 with one correct statement, and knows nothing of the strategy."}
    head = f"-- Made from sql/cases/{_source(strategy)}.sql by tests/explore/matrix.py.\n-- {words[column]}\n\n"
    return Case(f"{column}.{strategy}", head + text, _level(strategy))


def case_of(strategy, column):
    """The case of a cell, or None."""
    if column == "write_skew":
        name = WRITE_SKEW.get(strategy)
        return name and _committed(name, OWN_LEVELS.get(strategy, "rc"))
    if column == "second_server" and strategy == "process_mutex":
        return _committed("mutex_of_the_program.wrong", "rc")
    if column in ("double_spend", "second_server"):
        return _committed(_source(strategy), _level(strategy))
    text = _without_head(_read(_source(strategy)))
    if column == "lost_update":
        return _made(column, strategy, re.sub(r"\b800\b", "100", text))
    own, count = re.subn(r"-- session B like A[^\n]*\n", FOREIGN_SESSION, text)
    assert count == 1, strategy
    return _made(column, strategy, own)
