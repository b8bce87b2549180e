"""./lab explore: it starts a PostgreSQL of its own, passes the options on, and leaves nothing running."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from explorer import CASES, PROGRAM, ROOT, Found

sys.path.insert(0, str(ROOT / "tests/runbook"))

from lab import Lab, new_folder  # noqa: E402

NOW = CASES / "now.sql"
MAKING = "Making a private PostgreSQL cluster"


def servers(state):
    """The processes of PostgreSQL whose folder is below the state."""
    for link in pathlib.Path("/proc").glob("[0-9]*/cwd"):
        try:
            if str(state) in os.readlink(link):
                yield int(link.parts[2])
        except OSError:
            continue


class Launcher(Lab):
    """The launcher with its two outputs apart."""

    def _command(self, program, arguments, environment):
        return {**super()._command(program, arguments, environment), "stderr": subprocess.PIPE}

    def explore(self, *arguments):
        outcome = self.run("explore", "--no-install", *arguments)
        return Found(outcome.returncode, outcome.stdout, outcome.stderr)


@pytest.fixture(params=[""])
def lab(request):
    folder = new_folder()
    state = folder / request.param
    state.mkdir(exist_ok=True)
    lab = Launcher(state=state, program=PROGRAM.parent / "bank-api")
    yield lab
    left = list(servers(state))
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)
    assert left == []


@pytest.mark.parametrize("lab", ["", "a folder, with 'spaces'"], indirect=True)
def test_a_cluster_is_made_once_and_used_again(lab):
    first = lab.explore("--levels", "rc", CASES / "vulnerable.sql")
    assert first.status == 1 and MAKING in first.err, first.err
    assert first.out.startswith("vulnerable, READ COMMITTED")
    assert first.numbers("orders", "anomalous", "complete") == {"rc": (70, 40, True)}
    assert list(servers(lab.state)) == []
    second = lab.explore(NOW)
    assert (second.status, second.err) == (0, "")


@pytest.mark.parametrize("arguments, status", [
    ((), 2), (("--bogus", NOW), 2), (("missing.sql",), 2), (("--server", "host=/nonexistent", NOW), 4),
    (("--url", "postgresql:///bank?host=/nonexistent", NOW), 4), (("--version",), 0)])
def test_the_status_is_the_programs(lab, arguments, status):
    found = lab.explore(*arguments)
    assert found.status == status, found.err
    assert "--server" not in arguments and "--url" not in arguments or MAKING not in found.err


def test_another_server_is_used_as_it_is(cluster, lab):
    found = lab.explore("--server", cluster.url("postgres"), NOW)
    assert (found.status, found.err) == (0, "")


def test_explorations_run_beside_each_other(lab):
    runs = [lab.start("explore", "--no-install", NOW) for _ in range(2)]
    for run in runs:
        _, err = run.communicate(timeout=300)
        assert run.returncode == 0, err


def explorers(parent):
    """The processes race-explore that are children of `parent`. A new machine has no pgrep."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = file.read_text(errors="replace").partition("(")[2].rpartition(")")
        except OSError:
            continue  # it has ended
        if name == "race-explore" and rest.split()[1] == str(parent):
            found.append(int(file.parent.name))
    return found


@pytest.mark.parametrize("number, is_group", [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False)])
def test_a_signal_stops_all(lab, tmp_path, number, is_group):
    steps = "".join(f"INSERT INTO visits VALUES (:'who', {step});\n" for step in range(5))
    case = tmp_path / "long.sql"
    case.write_text("-- setup\nCREATE TABLE visits (who text, number integer);\n"
                    f"-- session A who=a\n{steps}-- session B like A who=b\n-- session C like A who=c\n")
    run = lab.start("explore", "--no-install", "--no-reduction", case)
    log = lab.state / "explore/postgres/postgres.log"
    deadline = time.monotonic() + 120
    while not (log.exists() and explorers(run.pid)):
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)
    if is_group:
        os.killpg(run.pid, number)
    else:
        os.kill(run.pid, number)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 130, (out, err)
    assert list(servers(lab.state)) == []
    assert MAKING not in lab.explore(NOW).err


def test_a_killed_program_leaves_nothing_to_the_next_run(lab, tmp_path):
    case = tmp_path / "sleeps.sql"
    case.write_text("-- session A\nSELECT pg_sleep(20);\n")
    run = lab.start("explore", "--no-install", case)
    deadline = time.monotonic() + 120
    while not (found := explorers(run.pid)):
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(found[0], signal.SIGKILL)
    run.communicate(timeout=120)
    assert run.returncode == 128 + signal.SIGKILL
    assert MAKING in lab.explore(NOW).err


def test_the_help_names_options_that_there_are(lab):
    of_program = subprocess.run([PROGRAM, "--help"], check=True, text=True, stdout=subprocess.PIPE).stdout
    outcome = lab.run("explore", "--help")
    assert outcome.returncode == 0 and outcome.stdout.startswith("Usage: ./lab explore")
    named = set(re.findall(r"^  (--[a-z-]+)", outcome.stdout, re.MULTILINE)) - {"--no-install"}
    assert named and named <= set(re.findall(r"--[a-z-]+", of_program))
    assert "  explore " in lab.run("help").stdout
