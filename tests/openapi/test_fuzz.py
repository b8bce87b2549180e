"""schemathesis fuzzes the API from its document, against the real program on a real PostgreSQL. It sends requests that
fit the document and requests that do not, and every answer must be a documented one."""

import os
import pathlib
import re
import subprocess

import pytest

from bank import Bank
from cluster import running_cluster
from conftest import TOOLS
from document import FILE, Document

SEED = "21"
EXAMPLES = "40"  # for each operation, besides those of the coverage phase
SECONDS = 240    # limit of one run, which takes about fifteen

# GET /events does not end, so schemathesis would wait forever. test_openapi_answers tests its refusals.
NEVER_ENDING = "/events"
HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """A bank with the largest pool, because the document names the largest barrier."""
    with running_cluster() as cluster:
        bank = Bank(cluster, cluster.new_database(), tmp_path_factory.mktemp("bank") / "log", {"WORKER_THREADS": "512"})
        try:
            yield bank.until_healthy()
        finally:
            bank.stop()


def fuzz(bank, tmp_path, *which):
    """Runs schemathesis on these operations; returns its report and the number of tested operations."""
    outcome = subprocess.run(
        [TOOLS / "schemathesis", "run", str(FILE), "--url", f"http://127.0.0.1:{bank.port}", *which,
         "--phases", "examples,coverage,fuzzing", "--checks", "all", "--seed", SEED, "--max-examples", EXAMPLES,
         "--generation-database", "none", "--request-timeout", "30", "--warnings", "off", "--no-color"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "hooks",
             "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"},
        cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=SECONDS)
    tested = re.search(r"^\s*Tested: (\d+)$", outcome.stdout, re.MULTILINE)
    assert outcome.returncode == 0 and tested, outcome.stdout[-6000:]
    return int(tested[1])


def count(admin):
    paths = [path for _, path, _ in Document().operations() if path != NEVER_ENDING]
    return len([path for path in paths if path.startswith("/admin") is admin])


def test_the_bank(bank, tmp_path):
    """Tests all operations except the settings, which keep their defaults: no barrier, no delay."""
    assert fuzz(bank, tmp_path, "--exclude-path-regex", f"^(/admin|{NEVER_ENDING}$)") == count(admin=False)
    for status in ("success", "insufficient_funds"):
        assert bank.metric("transfers_total", status=status) > 3, "it has moved money, and been refused"
    assert bank.get("/health").status == 200


def test_the_settings(bank, tmp_path):
    assert fuzz(bank, tmp_path, "--include-path-regex", "^/admin") == count(admin=True)
    assert bank.get("/health").status == 200
