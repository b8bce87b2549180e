"""A PostgreSQL and a bank of the benchmark's own, with a thousand accounts. It reuses the fixtures of the API tests."""

import contextlib
import pathlib
import re
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "api"))
from bank import PROGRAM, Bank  # noqa: E402
from cluster import Cluster, free_port  # noqa: E402, F401
from pace import eventually  # noqa: E402

ACCOUNTS = 1000
CONNECTIONS = 32


def say(text):
    print(text, file=sys.stderr, flush=True)


def missing(*tools):
    """Stops with the packages to install if a tool is missing."""
    absent = [f"{tool} (Debian: {package})" for tool, package in tools if shutil.which(tool) is None]
    if absent:
        raise SystemExit(f"install first: {', '.join(absent)}")


def check_out_folder(parser, folder):
    """Checks before the long measurements that the folder of the results can be made and written."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        parser.error(f"--out: no file can be written in {folder} ({error.strerror}): name another folder")


@contextlib.contextmanager
def cluster():
    """A private PostgreSQL with fsync on. Nothing of it is left at the end."""
    own = Cluster()
    try:
        own.start()
        yield own
    finally:
        own.remove()


@contextlib.contextmanager
def bank(own, database, **settings):
    """A bank-api that logs little. It is stopped at the end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-bench-"))
    started = Bank(own, database, folder / "log", {"LOG_LEVEL": "error", **settings})
    try:
        yield started.until_healthy()
    finally:
        started.stop()
        shutil.rmtree(folder)


def add_accounts(own, database):
    """acct-1 .. acct-1000, with enough money for any run."""
    own.rows(database, "INSERT INTO accounts (id, balance, initial_balance) "
                       "SELECT 'acct-' || i, 1000000, 1000000 FROM generate_series(1, %s) AS i", ACCOUNTS)


def until_idle(running, within=None):
    """Waits after the load until the server has finished its last transfers, at most `within` seconds."""
    eventually(lambda: running.metric("concurrent_transfers") + running.metric("transfer_queue_depth") == 0, "idle",
               within)


def is_quiet(own, database):
    """True when no session works in the database, neither the server's nor another one's."""
    return own.rows(database, "SELECT count(*) AS busy FROM pg_stat_activity WHERE datname = current_database() "
                              "AND state <> 'idle' AND pid <> pg_backend_pid()")[0]["busy"] == 0


def settle(own, database):
    """Makes the same start for every run: an empty transfers table, the initial balances, no dead rows, no checkpoint
    due."""
    eventually(lambda: is_quiet(own, database), f"no session works in {database}")
    own.rows(database, "TRUNCATE transfers RESTART IDENTITY")
    own.rows(database, "UPDATE accounts SET balance = initial_balance, version = 0")
    own.rows(database, "VACUUM (FULL, ANALYZE) accounts")
    own.rows(database, "CHECKPOINT")


def audit(own, database):
    """Whether the books of a database balance, by the bank's own view."""
    return own.rows(database, "SELECT count(*) AS found FROM audit_violations")[0]["found"] == 0


def memory_mib(pid):
    """The resident and the proportional memory of a process and its child processes."""
    found = {"rss": 0.0, "pss": 0.0}
    for each in family(pid):
        text = pathlib.Path(f"/proc/{each}/smaps_rollup").read_text()
        for name in found:
            found[name] += int(re.search(rf"^{name.capitalize()}:\s+(\d+) kB", text, re.MULTILINE).group(1)) / 1024
    return found


def family(pid):
    yield pid
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))
