"""Load by pgbench: prepared statements, the scripts of loadtest/pgbench/."""

import pathlib
import re
import subprocess
import tempfile

SCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "pgbench"


def parse(output):
    """The transactions a second, from pgbench's report."""
    found = re.search(r"^tps = ([\d.]+) ", output, re.MULTILINE)
    if found is None or re.search(r"aborted|number of failed transactions: [1-9]", output):
        raise RuntimeError(f"pgbench failed: {output[-500:]}")
    return float(found.group(1))


def run(url, scripts, clients, seconds):
    """One run of the named scripts as one transaction."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("".join((SCRIPTS / f"{name}.sql").read_text() for name in scripts))
        script.flush()
        outcome = subprocess.run(["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(2, clients)),
                                  "-T", str(seconds), "-f", script.name, url],
                                 capture_output=True, text=True, check=False)
    return parse(outcome.stdout + outcome.stderr)
