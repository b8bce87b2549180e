"""Starts a lab and finds a k6. Without a k6 the tests are skipped."""

import os
import shutil

import pytest

from lab import PROGRAM, ROOT, Lab

PLACES = os.pathsep.join([os.environ["PATH"], str(ROOT / ".lab/k6")])
SKIPPED = 77  # the same number as in CMakeLists.txt


def pytest_configure(config):
    if config.option.collectonly:
        return
    if not PROGRAM.is_file():
        pytest.exit(f"no program at {PROGRAM}: build it, or name it in BANK_API", returncode=2)
    if not shutil.which("k6", path=PLACES):
        pytest.exit("skipped: no k6 on this machine: './lab load --install' builds it", returncode=SKIPPED)


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    try:
        lab.up()
        yield lab
    finally:
        lab.close()


@pytest.fixture
def load(lab, tmp_path):
    """load(NAME, ...) runs `lab load` for seconds. It returns the outcome and the summary that k6 exported."""
    def run(name, *options, **environment):
        summary = tmp_path / f"{name}.json"
        outcome = lab.run("load", name, "-q", f"--summary-export={summary}", *options,
                          **{"QUICK": "1", "PATH": PLACES, **environment})
        return outcome, summary
    return run
