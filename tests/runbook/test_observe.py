"""`lab up --observe`: a Prometheus beside the lab, with the project's settings and rules, gone with the lab."""

import os
import re
import shutil
import signal
import time

import pytest

from lab import ROOT, fetch

pytestmark = pytest.mark.skipif(not shutil.which("prometheus"), reason="no prometheus on this machine")


def eventually(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (outcome := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)
    return outcome


def address(output):
    found = re.search(r"Prometheus +(?:running +)?(http://127\.0\.0\.1:\d+)", output)
    assert found, output
    return found.group(1)


def query(prometheus, expression):
    answer = fetch(f"{prometheus}/api/v1/query?query={expression}")
    return [float(each["value"][1]) for each in answer["data"]["result"]]


def test_it_scrapes_this_bank_with_the_projects_rules(lab):
    prometheus = address(lab.up("--observe"))
    assert address(lab.run("status").stdout) == prometheus
    eventually(lambda: query(prometheus, 'up{job="bank-api"}') == [1], "the bank is scraped")
    eventually(lambda: query(prometheus, 'account_balance{account_id="alice"}') == [1000], "Alice's balance is there")

    rules = fetch(f"{prometheus}/api/v1/rules")["data"]["groups"]
    loaded = {rule["name"] for group in rules for rule in group["rules"]}
    written = set(re.findall(r"^ *- (?:alert|record): (\S+)", "\n".join(
        file.read_text() for file in (ROOT / "observability/prometheus/rules").glob("*.yml")), re.MULTILINE))
    assert loaded == written and written


def test_it_can_come_later_and_goes_with_the_lab(lab):
    assert "Prometheus  " not in lab.up()
    assert "Prometheus  stopped" in lab.run("status").stdout
    prometheus = address(lab.run("up", "--no-install", "--observe").stdout)
    assert address(lab.run("up", "--no-install").stdout) == prometheus
    down = lab.run("down")
    assert down.returncode == 0 and "Prometheus stopped" in down.stdout
    with pytest.raises(OSError):
        fetch(f"{prometheus}/-/ready")


def test_a_killed_prometheus_is_reported_and_started_again(lab):
    lab.up("--observe")
    pid = int((lab.state / "observe/prometheus.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: "stopped, not by ./lab down" in lab.run("status").stdout, "the status reports it")
    address(lab.run("up", "--no-install", "--observe").stdout)
