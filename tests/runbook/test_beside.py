"""Several launchers in one checkout: none takes another's files away."""

import os
import re
import shutil
import signal

import pytest

from lab import ROOT, Lab, free_port, new_folder, until


@pytest.fixture
def checkout():
    """A checkout of its own, so that `clean` has nothing of this one's to remove."""
    root = new_folder() / "checkout"
    (root / "compose").mkdir(parents=True)
    shutil.copy(ROOT / "lab", root)
    for folder in ("compose/native", "compose/proxy-shop", "tests/compose", "docs"):
        shutil.copytree(ROOT / folder, root / folder)
    lab = Lab(root, root / ".lab")
    yield lab
    if lab.state.exists():
        outcome = lab.run("down")
        assert outcome.returncode == 0, outcome.stdout
        lab.run("clean")
    shutil.rmtree(root.parent)


@pytest.fixture
def slow_tools(checkout, monkeypatch):
    """A cmake and a docker that run until their file `go` exists: what calls them is at work until then."""
    tools = checkout.root.parent / "tools"
    tools.mkdir()
    for name in ("cmake", "docker"):
        tool = tools / name
        tool.write_text(f"#!/bin/sh\ntouch {tools}/called\nwhile [ ! -e {tools}/go ]; do sleep 0.1; done\nexit 1\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    yield tools
    (tools / "go").touch()  # nothing waits for them after a test that failed


def ends(process):
    said, _ = process.communicate(timeout=500)
    return process.returncode, said


def is_refused_for(checkout, process, command):
    """clean names what runs, in one line, and has removed nothing."""
    outcome = checkout.run("clean")
    assert outcome.returncode == 1
    assert outcome.stdout == (f"lab: this checkout is in use by {command} (pid {process.pid}): "
                              "end it first, or wait for it\n")
    assert checkout.state.is_dir()


@pytest.mark.parametrize("verb", ["demo", "runbook"])
def test_clean_beside_a_verb_that_plays(checkout, verb):
    options = ("--no-install",) if verb == "demo" else ("--no-install", "--port", str(free_port()))
    playing = checkout.start(verb, *options)
    until((checkout.state / verb / "bank-api.pid").exists, "it has a server")
    is_refused_for(checkout, playing, " ".join(("./lab", verb, *options)))
    status, said = ends(playing)
    assert status == 0, said
    assert checkout.run("clean").returncode == 0
    assert not checkout.state.exists()


@pytest.mark.parametrize("command", [("test", "--no-install"), ("up", "--no-install", "--port", str(free_port())),
                                     ("test", "--postgres", "14", "--no-install")])
def test_clean_beside_a_build(checkout, slow_tools, command):
    if "--postgres" in command:
        (checkout.state / "postgres-14").mkdir(parents=True)
        release = re.search(r"^14 (\S+)", (ROOT / "compose/native/lib/postgres.sh").read_text(), re.MULTILINE).group(1)
        (checkout.state / f"postgres-14/release-{release}").touch()
    building = checkout.start(*command, LAB_PROGRAM="")
    until(lambda: (slow_tools / "called").exists() or building.poll() is not None, "it builds")
    if building.poll() is not None and "missing: " in (said := building.stdout.read()):
        pytest.skip(said)
    is_refused_for(checkout, building, " ".join(("./lab", *command)))
    (slow_tools / "go").touch()
    ends(building)


def test_clean_beside_the_compose_tests(checkout, slow_tools):
    root = checkout.root
    running = checkout.start_program(root / "tests/compose/run")
    until((slow_tools / "called").exists, "it asks for an engine")
    is_refused_for(checkout, running, f"{root}/tests/compose/run")
    (slow_tools / "go").touch()
    ends(running)


def test_a_killed_launcher_leaves_no_lock_and_no_server(checkout):
    playing = checkout.start("demo", "--no-install")
    pid_file = checkout.state / "demo/bank-api.pid"
    until(pid_file.exists, "it has a server")
    server = int(pid_file.read_text())
    os.killpg(playing.pid, signal.SIGKILL)
    playing.wait()
    outcome = checkout.run("clean")
    assert outcome.returncode == 0, outcome.stdout
    assert not os.path.exists(f"/proc/{server}") and not checkout.state.exists()


def test_a_lock_that_cannot_be_opened_is_one_line(checkout):
    """A folder of that name stands for every reason, another owner's file above all."""
    (checkout.state / "checkout.lock").mkdir(parents=True)
    outcome = checkout.run("demo", "--no-install", timeout=60)
    shutil.rmtree(checkout.state)
    assert outcome.returncode == 1, outcome.stdout
    assert "checkout.lock cannot be written" in outcome.stdout and outcome.stdout.count("\n") == 1


def test_clean_stops_a_lab_that_is_up(checkout):
    checkout.up()
    server = int((checkout.state / "bank-api.pid").read_text())
    assert checkout.run("clean").returncode == 0
    assert not os.path.exists(f"/proc/{server}") and not checkout.state.exists()


def test_clean_beside_psql(checkout):
    checkout.up()
    asking = checkout.start("psql", "-X", "-c", "SELECT pg_sleep(600)")
    until(lambda: "1\n" == checkout.run("psql", "-XAt", "-c", "SELECT count(*) FROM pg_stat_activity WHERE query = "
                                        "'SELECT pg_sleep(600)'").stdout, "it sleeps")
    outcome = checkout.run("clean")
    assert outcome.returncode == 1 and f"./lab psql -X -c SELECT pg_sleep(600) (pid {asking.pid})" in outcome.stdout
    os.killpg(asking.pid, signal.SIGTERM)
    asking.wait()


def test_two_ups_at_once_are_one_lab(checkout):
    port = free_port()
    both = [checkout.start("up", "--no-install", "--port", port) for _ in range(2)]
    outcomes = [ends(each) for each in both]
    assert [status for status, _ in outcomes] == [0, 0], outcomes
    assert all(f"http://127.0.0.1:{port}/" in said for _, said in outcomes)
    assert sum("The lab is up already" in said for _, said in outcomes) == 1
    assert checkout.run("status").returncode == 0


def test_two_labs_of_one_checkout_build_one_after_the_other(checkout, slow_tools):
    """They have states of their own, but build/ is the same."""
    other = Lab(checkout.root, checkout.root.parent / "other")
    first = checkout.start("up", "--no-install", "--port", "1", LAB_PROGRAM="")
    until(lambda: (slow_tools / "called").exists() or first.poll() is not None, "it builds")
    if first.poll() is not None and "missing: " in (said := first.stdout.read()):
        pytest.skip(said)
    second = other.start("up", "--no-install", "--port", "1", LAB_PROGRAM="")
    line = second.stdout.readline()
    while line and not line.startswith("Waiting"):
        line = second.stdout.readline()
    assert line == f"Waiting for ./lab up --no-install --port 1 (pid {first.pid}) to end\n"
    (slow_tools / "go").touch()
    ends(first)
    ends(second)
