"""docs/RUNBOOK.md, played natively: every block the runbook of the seed named, each doing what it says."""

import os
import pathlib
import re
import socket

from lab import ROOT, free_port, until

ENGINE = ["check-docker", "clean-previous", "start-lab", "wait-healthy", "view-logs", "load-test-basic",
          "load-test-barrier", "logs-all", "logs-bank-api", "resource-usage", "restart-bank-api", "full-reset",
          "cleanup", "shop-start"]
NATIVE = ["verify-api", "show-concept", "single-transfer", "concurrent-no-delay", "enable-delay", "race-with-delay",
          "enable-barrier", "race-with-barrier", "view-metrics", "show-urls", "enable-safe-mode", "test-with-fix",
          "view-transactions", "generate-traces", "shop-start-native", "shop-lamp", "shop-coupon", "shop-wallet", "shop-fix",
          "shop-log", "shop-stop"]

ROW = re.compile(r"^([a-z-]+) +\| +(\S+) \| (.*)$", re.MULTILINE)


def rows(output):
    """The table: (block, exit status, expectation)."""
    return ROW.findall(output[output.rindex("\nblock "):])[1:]


def test_every_block_that_needs_no_engine_does_what_it_says(lab):
    outcome = lab.run("runbook", "--no-install", "--port", free_port())
    assert outcome.returncode == 0, outcome.stdout
    table = rows(outcome.stdout)
    assert sorted(row[0] for row in table) == sorted(ENGINE + NATIVE)
    assert sorted(row[0] for row in table if row[2].startswith("skipped")) == sorted(ENGINE)
    assert all(row[1:] == ("0", "held") for row in table if row[0] in NATIVE), outcome.stdout


def test_nothing_is_left_running(lab):
    port = free_port()
    outcome = lab.run("runbook", "--no-install", "--port", port)
    assert outcome.returncode == 0, outcome.stdout
    assert not (lab.state / "runbook/postgres").exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "something still listens"


def test_a_shop_that_no_block_has_stopped_is_stopped(lab, tmp_path):
    text = (ROOT / "docs/RUNBOOK.md").read_text(encoding="utf-8")
    start = re.search(r"```bash \{\"name\": \"shop-start-native\"\}.*?```\n", text, re.DOTALL).group(0)
    short = tmp_path / "RUNBOOK.md"
    short.write_text(start + '\n```bash {"name": "pids"}\ncat "$SHOP_PLACE"/*.pid\n```\n', encoding="utf-8")
    outcome = lab.run("runbook", "--no-install", "--port", free_port(), "--file", short)
    assert outcome.returncode == 0, outcome.stdout
    pids = (lab.state / "runbook/output/pids").read_text().split()
    assert len(pids) == 2
    until(lambda: not any(pathlib.Path("/proc", pid).exists() for pid in pids), "the shop and the proxy have ended")


def shown_name():
    """The first word of this process's command line."""
    return pathlib.Path("/proc/self/cmdline").read_bytes().split(b"\0")[0].decode()


def test_a_taken_port_is_one_clear_line(lab):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = lab.run("runbook", "--no-install", "--port", port)
    assert outcome.returncode == 1
    assert outcome.stdout == (f"lab: port {port} is taken by {shown_name()} (pid {os.getpid()}): end it, or "
                              f"use './lab runbook --port {port + 1}'\n"), outcome.stdout


def test_a_bank_that_does_not_race_fails_the_play(lab, tmp_path):
    """The check can fail: the same runbook, with the fix turned on where it should be off."""
    text = (ROOT / "docs/RUNBOOK.md").read_text(encoding="utf-8")
    doctored = tmp_path / "RUNBOOK.md"
    doctored.write_text(text.replace("/admin/barrier?enabled=true&count=2\"",
                                     "/admin/settings\" -d '{\"use_transactions\": true, \"barrier_enabled\": true}' "
                                     "-H \"Content-Type: application/json\"", 1), encoding="utf-8")
    outcome = lab.run("runbook", "--no-install", "--port", free_port(), "--file", doctored)
    assert outcome.returncode == 1
    verdicts = {row[0]: row[2] for row in rows(outcome.stdout)}
    assert verdicts["race-with-delay"] == "held"
    assert verdicts["race-with-barrier"].startswith("NOT SEEN: "), outcome.stdout


def test_no_block_touches_what_is_not_the_labs():
    text = (ROOT / "docs/RUNBOOK.md").read_text(encoding="utf-8")
    assert "prune" not in text
