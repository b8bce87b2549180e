"""Measures how often the disk can be flushed, with PostgreSQL's own tool. It is the limit for commits one after
another."""

import pathlib
import re
import shutil
import subprocess

SERVERS = pathlib.Path("/usr/lib/postgresql")


def program():
    found = shutil.which("pg_test_fsync") or next(iter(sorted(SERVERS.glob("*/bin/pg_test_fsync"))), None)
    return str(found) if found else None


def parse(output):
    """The flushes a second of one page, by the method that PostgreSQL uses on Linux, from the report of
    pg_test_fsync."""
    found = re.search(r"^\s+fdatasync\s+([\d.]+) ops/sec", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"pg_test_fsync failed: {output[-500:]}")
    return float(found.group(1))


def flushes(folder):
    """The flushes a second on the file system of the folder; None without pg_test_fsync."""
    if program() is None:
        return None
    scratch = pathlib.Path(folder) / "flushes"
    try:
        # pg_test_fsync measures much else after the first table, which is enough here.
        with subprocess.Popen([program(), "-s", "1", "-f", str(scratch)], stdout=subprocess.PIPE, text=True) as running:
            report = ""
            for line in running.stdout:
                report += line
                if re.match(r"\s+fdatasync\s", line):
                    break
            running.terminate()
        return parse(report)
    finally:
        scratch.unlink(missing_ok=True)
