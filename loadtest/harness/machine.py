"""Describes the machine, the versions and the date. Every result includes them."""

import datetime
import os
import pathlib
import platform
import re
import subprocess


def first_line(*command):
    try:
        outcome = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except OSError:
        return None
    return next(iter((outcome.stdout or outcome.stderr).splitlines()), None)


def processor():
    found = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return found.group(1).strip() if found else platform.machine()


def distribution():
    found = re.search(r'PRETTY_NAME="(.+)"', pathlib.Path("/etc/os-release").read_text())
    return found.group(1) if found else platform.system()


def describe(rows):
    """`rows(query)` asks the PostgreSQL that was measured."""
    return {
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
        "processor": processor(),
        "system": f"{distribution()}, Linux {platform.release()}",
        "postgresql": rows("SELECT split_part(version(), ' ', 2) AS version")[0]["version"],
        "wrk": (first_line("wrk", "-v") or "").split(" ")[1] or None,
        "compiler": first_line("cc", "--version"),
    }


def in_words(machine):
    return (f"{machine['date']}: {machine['cores']} cores of {machine['processor']}, {machine['system']}, "
            f"PostgreSQL {machine['postgresql']}, wrk {machine['wrk']}, {machine['compiler']}")
