"""A step has the same words at psql (the view transfer_steps), on the page (server/page/words.js) and in the terminal
(race.jq of the launcher).

Every kind of step, with every outcome that changes its words, is written as one record. The view describes the steps of
that record, and so does the page's function, which gets them from GET /races/{transfer_id} as the page does."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = ROOT / "server" / "page" / "words.js"
LAUNCHER = ROOT / "compose" / "native" / "lib"
KINDS = re.compile(r'case STEP_\w+: return "(\w+)";')

TRANSFER = "0a1b2c3d"
STARTED_US = 1769862896000000
# Times below 10 ms, and whole milliseconds of a delay: beyond that the page rounds more than the view.
STEPS = [
    {"step": "mutex", "took_us": 1500},
    {"step": "lock", "account": "alice", "value": 1000.00, "took_us": 2500},
    {"step": "read", "account": "alice", "value": 1000.00},
    {"step": "read", "account": "bob", "value": -12.30},
    {"step": "read", "account": "alice", "value": 1000.00, "outcome": "standby"},
    {"step": "replay", "took_us": 2500},
    {"step": "batch", "account": "alice", "value": 1000.00, "parties": 7, "took_us": 3500},
    *({"step": step, "outcome": outcome, "parties": 2, "took_us": 4000}
      for step in ("barrier", "hold") for outcome in ("released", "timed out", "settings changed", "reset", "shutdown")),
    {"step": "delay", "outcome": "timed out", "took_us": 200000},
    {"step": "retry", "outcome": "40001"},
    {"step": "check", "account": "alice", "value": 1000.00},
    {"step": "check", "account": "alice", "value": 799.99},
    {"step": "deduct", "account": "alice", "value": 200.00},
    {"step": "deduct", "account": "alice", "value": -600.00, "committed_us": 1200},
    {"step": "deduct", "account": "alice", "value": 200.00, "outcome": "overwrote"},
    {"step": "credit", "account": "bob", "value": 1300.00, "committed_us": 1200},
]

# The page's lane of a transfer that met no other.
SAY = """
import { stepWords } from "./words.mjs";
const lane = { from: "alice", to: "bob", amount: 800, outcome: "succeeded", staleWrite: null, valueRead: null, anomaly: null };
const steps = JSON.parse(process.argv[2]);
console.log(JSON.stringify(steps.map((step) => stepWords(lane, { ...step, blockedBy: [] }).map(({ text }) => text))));
"""


def as_recorded(steps):
    """The steps as transfers.steps has them: one a second."""
    for place, step in enumerate(steps):
        at_us = STARTED_US + place * 1000000
        recorded = {"took_us": 0, **step, "at_us": at_us}
        if "committed_us" in step:
            recorded["committed_at_us"] = at_us + recorded.pop("committed_us")
        yield recorded


@pytest.fixture
def record(bank):
    # Two decimals, as the program writes them.
    steps = re.sub(r'("value": -?\d+\.\d)\b', r"\g<1>0", json.dumps(list(as_recorded(STEPS))))
    bank.rows("INSERT INTO transfers (id, timestamp, from_account, to_account, amount, from_balance_before,"
              " from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy,"
              " race_detected, steps) VALUES (%s, to_timestamp(%s), 'alice', 'bob', 800, 1000, 200, 500, 1300, 'success',"
              " 'worker-1', 30000, 'vulnerable', false, %s)", TRANSFER, STARTED_US / 1000000, steps)


def said_by_the_page(steps, folder):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node (apt install nodejs)")
    shutil.copy(WORDS, folder / "words.mjs")
    (folder / "say.mjs").write_text(SAY)
    output = subprocess.run([node, "say.mjs", json.dumps(steps, default=float)], cwd=folder, check=True, capture_output=True, text=True)
    return json.loads(output.stdout)


def said_by_the_launcher(race):
    """The words of the first transfer's steps; `./lab races` draws the same answer of the bank."""
    if shutil.which("jq") is None:
        pytest.skip("no jq (apt install jq)")
    words = '[.] | model | .lanes[0] as $lane | [$lane.steps[] | select(.step != "commit") | [moments($lane).text]]'
    output = subprocess.run(["jq", "-L", LAUNCHER, "--argjson", "width", "100", "--argjson", "color", "{}",
                             f'include "race"; {words}'], input=race, check=True, capture_output=True, text=True)
    return json.loads(output.stdout)


def test_every_kind_of_step_is_here():
    assert {step["step"] for step in STEPS} == set(KINDS.findall((ROOT / "workers/transfer/step.c").read_text()))


def said_by_the_view(bank, count):
    by_view = [[] for _ in range(count)]
    for row in bank.rows("SELECT position, description FROM transfer_steps WHERE transfer_id = %s "
                         "ORDER BY position, moment", TRANSFER):
        by_view[row["position"] - 1].append(row["description"])
    assert all(by_view)
    return by_view


def test_the_launcher_says_what_the_view_says(bank, record):
    assert said_by_the_launcher(bank.get(f"/races/{TRANSFER}").text()) == said_by_the_view(bank, len(STEPS))


def test_the_page_says_what_the_view_says(bank, record, tmp_path):
    steps = bank.get(f"/races/{TRANSFER}").json()["transfers"][0]["steps"]
    steps = [step for step in steps if step["step"] != "commit"]  # only the page has the end of a transfer
    assert [step["step"] for step in steps] == [step["step"] for step in STEPS]
    assert said_by_the_page(steps, tmp_path) == said_by_the_view(bank, len(steps))
