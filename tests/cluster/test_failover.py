"""./lab cluster: up, a failover of the leader in each mode, down."""

import glob
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("BANK_API", ROOT / "build/release/bank-api")).resolve()
NEEDED = ("/usr/bin/patroni", "/usr/bin/etcd", "/usr/sbin/haproxy")
missing = [path for path in NEEDED if not os.path.exists(path)]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"missing: {', '.join(missing)}; './lab cluster up' installs them")


@pytest.fixture(scope="module")
def lab():
    """lab(ARGUMENT...) runs the launcher with a state folder that PostgreSQL's user can enter."""
    state = pathlib.Path(tempfile.mkdtemp(prefix="lab-cluster-", dir="/tmp"))
    state.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    environment = {**kept, "LAB_STATE": str(state), "LAB_PROGRAM": str(PROGRAM), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments):
        return subprocess.run([ROOT / "lab", "cluster", *arguments], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600, check=False)

    run.place = state / "cluster"
    try:
        yield run
    finally:
        run("down")
        shutil.rmtree(state)


@pytest.fixture(scope="module")
def running(lab):
    outcome = lab("up", "--mode", "async", "--no-install")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return lab


def failover(lab, *options):
    outcome = lab("failover", "--json", "--seconds", "2", "--clients", "4", "--no-install", *options)
    assert outcome.returncode in (0, 1), outcome.stderr
    report = json.loads(outcome.stdout)
    broken = [reason for reason in report["broken"] if "no transfer for" not in reason]  # a busy machine
    assert broken == [], report
    assert outcome.returncode == (1 if report["broken"] else 0)
    return report


def test_what_does_not_run(lab):
    assert lab("status").returncode == 3
    assert lab("down").returncode == 0
    wrong = lab("failover", "--kill", "nobody")
    assert wrong.returncode == 1 and wrong.stderr.count("\n") == 1 and "nobody" in wrong.stderr


def test_an_asynchronous_leader_loses_acknowledged_transfers(running):
    [figures] = failover(running, "--mode", "async")["rounds"]
    assert figures["lost"] > 0
    assert figures["lost"] < figures["acknowledged"]


def test_a_synchronous_leader_loses_none(running):
    report = failover(running, "--mode", "sync")
    assert report["total"]["acknowledged"] > 0
    assert report["total"]["lost"] == 0


def test_a_bank_that_is_killed_costs_nothing(running):
    report = failover(running, "--kill", "replica")
    assert report["total"]["lost"] == 0
    status = running("status")
    assert status.returncode == 0, status.stdout + status.stderr
    assert "Replication is synchronous." in status.stdout


def test_nothing_is_left_but_logs(running):
    place = running.place
    processes = processes_of(place)
    assert processes
    down = running("down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert processes_of(place) == []
    assert {path.name for path in place.iterdir()} == {"log", "lock"}


def processes_of(place):
    """The processes that work in the folder, or that its programs have started."""
    found = []
    for folder in glob.glob("/proc/[0-9]*/cwd"):
        try:
            if pathlib.Path(os.readlink(folder)).is_relative_to(place):
                found.append(folder)
        except OSError:
            continue
    return found
