"""How often the disk can be flushed: what one commit after another can reach at most, by PostgreSQL's own measure."""

import pathlib
import re
import shutil
import subprocess

SERVERS = pathlib.Path("/usr/lib/postgresql")


def program():
    found = shutil.which("pg_test_fsync") or next(iter(sorted(SERVERS.glob("*/bin/pg_test_fsync"))), None)
    return str(found) if found else None


def parse(output):
    """Flushes a second of one page, the way PostgreSQL flushes on Linux, of pg_test_fsync's report."""
    found = re.search(r"^\s+fdatasync\s+([\d.]+) ops/sec", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"pg_test_fsync failed: {output[-500:]}")
    return float(found.group(1))


def flushes(folder):
    """On the file system of the folder; None where there is no pg_test_fsync."""
    if program() is None:
        return None
    scratch = pathlib.Path(folder) / "flushes"
    try:
        # It goes on to measure much else: what is wanted is the first table.
        with subprocess.Popen([program(), "-s", "1", "-f", str(scratch)], stdout=subprocess.PIPE, text=True) as running:
            told = ""
            for line in running.stdout:
                told += line
                if re.match(r"\s+fdatasync\s", line):
                    break
            running.terminate()
        return parse(told)
    finally:
        scratch.unlink(missing_ok=True)
