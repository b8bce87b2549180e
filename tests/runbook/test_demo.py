"""`lab demo`: readable at terminals of 60, 80 and 100 columns, step by step, and one step alone."""

import json
import os
import re
import shutil
import subprocess

import pytest

from lab import ROOT
from terminal import COLOUR, CONTROL

STEPS = 7


def overlong(terminal):
    return [line for line in terminal.lines() if len(line.rstrip()) > terminal.columns]


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_no_line_is_broken_by_the_terminal(lab, terminal, columns):
    demo = terminal(lab, columns, "demo", "--no-install")
    assert demo.end() == 0, demo.text()
    assert overlong(demo) == []
    text = demo.text()
    assert "all seen." in text and re.search(r"\x1b\[31m[^\x1b]*-\$600\.00", demo.printed)
    assert "$-600" not in text
    assert ("| must show" in text) == (columns >= 95)
    # Both transfers are shown as they are sent, and the commit of each.
    assert re.search(r"\$ curl -X POST http://127\.0\.0\.1:\d+/transfer", text)
    assert '"to_account":"charlie","amount":800}\' &' in text
    assert "| commits" in text and "ends: refused" in text
    assert "alice in the database: $1000.00 -> $200.00 -> -$600.00" in " ".join(text.split())


def test_a_pause_waits_for_enter(lab, terminal):
    demo = terminal(lab, 80, "demo", "--no-install", "--pause")
    for step in range(1, STEPS):
        demo.until("Enter: the next step", step)
        assert f"== Step {step} of 7" in demo.text() and f"== Step {step + 1} of 7" not in demo.text()
        demo.press("\n")
    assert demo.end() == 0, demo.text()


def test_a_pause_without_a_terminal_is_refused(lab):
    outcome = lab.run("demo", "--no-install", "--pause")
    assert outcome.returncode == 1
    assert outcome.stdout == ("lab: demo: --pause waits for Enter, so it needs a terminal: leave it out where there is "
                              "none\n")


@pytest.mark.parametrize("step, shown", [(1, "success, Alice at $900.00"), (3, "both succeed, Alice at -$600.00"),
                                         (5, "1 raced, 1 double spends"), (6, "one refused, Alice at $200.00"),
                                         (7, "1 success, 1 refused, drift $0.00")])
def test_one_step_with_what_it_needs(lab, step, shown):
    outcome = lab.run("demo", "--no-install", "--act", step)
    assert outcome.returncode == 0, outcome.stdout
    assert re.findall(r"== Step (\d) of 7", outcome.stdout) == [str(step)]
    assert shown in outcome.stdout and f"Step {step} showed what it must." in outcome.stdout


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"),
                    reason="only root can make a network without a cable, with unshare and ip (Debian: iproute2)")
def test_without_a_network(lab):
    """A machine that has everything installed needs only its loopback."""
    command = lab.command("demo", "--no-install", "--act", 4)
    command["args"] = ["unshare", "--net", "sh", "-ec", 'ip link set lo up; test -z "$(ip route)"; exec "$@"', "sh",
                       *command["args"]]
    outcome = subprocess.run(**command, timeout=600, check=False)
    assert outcome.returncode == 0 and "Step 4 showed what it must." in outcome.stdout, outcome.stdout


@pytest.mark.parametrize("number", ["0", "8", "two"])
def test_a_step_that_is_none(lab, number):
    outcome = lab.run("demo", "--no-install", "--act", number)
    assert (outcome.returncode, outcome.stdout) == (1, f"lab: demo: --act wants a number from 1 to 7, not '{number}'\n")


def test_the_recording_is_the_demo():
    """docs/casts/demo.cast, as docs/casts/record.sh made it: a whole demo, in which no line was broken."""
    text = (ROOT / "docs/casts/demo.cast").read_text(encoding="utf-8")
    head, *events = map(json.loads, text.splitlines())
    assert (head["version"], head["width"], set(head["env"])) == (2, 100, {"SHELL", "TERM"})
    assert len(text.encode()) < 200_000
    printed = COLOUR.sub("", "".join(data for _, kind, data in events if kind == "o"))
    assert all(f"== Step {step} of {STEPS}" in printed for step in range(1, STEPS + 1))
    assert "The race, the barrier and the fix: all seen." in printed and "WRONG" not in printed
    for line in printed.replace("\r\n", "\n").split("\n"):
        assert len(CONTROL.sub("", line.split("\r")[-1]).rstrip()) <= 100
