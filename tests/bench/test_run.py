"""A short run of each program on real parts."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not shutil.which("wrk"), reason="no wrk (Debian: wrk)")


def run(program, *options):
    """Runs the real program with the system's python; returns the CompletedProcess."""
    return subprocess.run(["/usr/bin/python3", ROOT / "loadtest" / program, *options], env=dict(os.environ),
                          capture_output=True, text=True, timeout=200, check=False)


def test_compare(tmp_path):
    names = ("vulnerable", "for_update", "batched", "process_mutex")
    outcome = run("compare.py", "--quick", "--rounds", "5", "--no-charts", "--out", tmp_path,
                  *(part for name in names for part in ("--strategy", name)))
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    results = {each["name"]: each for each in json.loads((tmp_path / "compare.json").read_text())["strategies"]}
    assert list(results) == [*names, "process_mutex, 2 servers"]
    assert results["vulnerable"]["rounds"] == {"double_spend": 1}
    assert results["for_update"]["rounds"] == results["batched"]["rounds"] == {"clean": 5}
    assert results["process_mutex, 2 servers"]["rounds"] == {"double_spend": 1}
    for name in ("for_update", "batched"):
        for load in results[name]["load"].values():
            assert load["rate"] > 0 and load["consistent"] and load["refused"] == 0
    for name in results:
        assert name in outcome.stdout and name in (tmp_path / "compare.md").read_text()
    assert list(tmp_path.glob("*.svg")) == []


def test_compare_gives_a_standby_to_the_strategies_that_need_one(tmp_path):
    names = ("replica_read", "replica_guard", "replica_wait", "remote_apply")
    outcome = run("compare.py", "--quick", "--rounds", "5", "--no-charts", "--out", tmp_path,
                  *(part for name in names for part in ("--strategy", name)))
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    results = {each["name"]: each["rounds"] for each in json.loads((tmp_path / "compare.json").read_text())["strategies"]}
    assert results == {"replica_read": {"double_spend": 1}, "replica_guard": {"clean": 5},
                       "replica_guard, at once": {"clean": 5}, "replica_wait": {"clean": 1},
                       "replica_wait, at once": {"double_spend": 1}, "remote_apply": {"clean": 1},
                       "remote_apply, at once": {"double_spend": 1}}


def test_compare_draws(tmp_path):
    pytest.importorskip("matplotlib")
    outcome = run("compare.py", "--quick", "--rounds", "5", "--strategy", "vulnerable", "--out", tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert sorted(path.name for path in tmp_path.glob("*.svg")) == [
        "correctness-dark.svg", "correctness.svg", "latency-dark.svg", "latency.svg", "throughput-dark.svg", "throughput.svg"]


def test_compare_with_several_numbers_of_clients(tmp_path):
    """The first table of a README beside the figures is written from them, also without measuring again."""
    page = tmp_path / "README.md"
    page.write_text("<!-- decision: written by ./lab compare -->\n<!-- /decision -->\n")
    outcome = run("compare.py", "--quick", "--rounds", "1", "--no-charts", "--clients", "2,8", "--strategy", "for_update",
                  "--strategy", "optimistic", "--out", tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    results = json.loads((tmp_path / "compare.json").read_text())["strategies"]
    for result in results:
        for counts in result["clients"].values():
            assert list(counts) == ["2", "8", "32"]
            assert all(load["rate"] > 0 and load["rate_band"] for load in counts.values())
    written = page.read_text()
    assert "`optimistic`" in written and "against for_update" in written
    again = run("compare.py", "--from", tmp_path / "compare.json", "--no-charts", "--out", tmp_path)
    assert again.returncode == 0 and page.read_text() == written


def test_compare_refuses_what_it_does_not_know():
    outcome = run("compare.py", "--quick", "--strategy", "hope")
    assert outcome.returncode == 1 and "there is no strategy hope" in outcome.stderr
    assert run("compare.py", "--rounds", "0").returncode == 2


def test_scale(tmp_path):
    """Two servers on one database share the load, and the report can be written again from the figures."""
    outcome = run("scale.py", "--quick", "--replicas", "1,2", "--clients", "1,8", "--shape", "spread", "--seconds", "1",
                  "--out", tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    points = json.loads((tmp_path / "scale.json").read_text())["points"]
    assert {(point["strategy"], point["replicas"], point["clients"]) for point in points} == {
        (name, replicas, clients) for name in ("for_update", "batched") for replicas in (1, 2) for clients in (1, 8)}
    assert all(point["rate"] > 0 and point["broken"] == 0 and point["consistent"] for point in points)
    report = (tmp_path / "scale.md").read_text()
    (tmp_path / "scale.md").unlink()
    assert run("scale.py", "--from", tmp_path / "scale.json", "--out", tmp_path).returncode == 0
    assert (tmp_path / "scale.md").read_text() == report


def test_scale_refuses_what_it_does_not_know():
    outcome = run("scale.py", "--quick", "--strategy", "hope")
    assert outcome.returncode == 1 and "there is no strategy hope" in outcome.stderr
    assert run("scale.py", "--clients", "0").returncode == 2


def test_bench(tmp_path):
    if not shutil.which("nginx"):
        pytest.skip("no nginx (Debian: nginx-light)")
    servers = next(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    os.environ["PATH"] += f":{servers}"
    outcome = run("bench.py", "--quick", "--only", "reads", "--only", "health", "--out", tmp_path)
    assert outcome.returncode in (0, 1), outcome.stdout + outcome.stderr
    report = json.loads((tmp_path / "bench.json").read_text())
    assert len(report["promises"]) == 2 and all(each["ratio"] > 0 for each in report["promises"])
    assert "nginx" in (tmp_path / "bench.md").read_text()
