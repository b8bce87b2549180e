"""The program under test, and what its output says. Only this file knows what the output looks like."""

import os
import pathlib
import re
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("RACE_EXPLORE", ROOT / "build/release/race-explore")).resolve()
CASES = ROOT / "tests/explore/cases"
LEVELS = {"READ COMMITTED": "rc", "REPEATABLE READ": "rr", "SERIALIZABLE": "ser", "as written": "as-written"}
ROW = re.compile(rf"^ +({'|'.join(LEVELS)}) +(\d.*)$")


class Level:
    """The line of the table for one level: orders, runs, outcomes, anomalous, blocked, aborted, deadlocks, complete."""

    def __init__(self, names, values):
        for name, value in zip(names, values):
            name = {"deadlock": "deadlocks"}.get(name, name)
            setattr(self, name, int(value) if value.isdigit() else value)
        self.complete = self.complete == "yes"

    def numbers(self, *names):
        """A column of zeroes alone may be left out of the table."""
        return tuple(getattr(self, name, 0) for name in names)


class Found:
    """How a run of the program ended, and what it printed."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err
        self.levels = {}
        names = []
        for line in out.split("\n"):
            row = ROW.match(line)
            if line.split()[:2] == ["level", "orders"]:
                names = line.split()[1:]
            elif row and names:
                self.levels[LEVELS[row.group(1)]] = Level(names, row.group(2).split())

    def numbers(self, *names):
        """level -> the numbers of these columns."""
        return {level: row.numbers(*names) for level, row in self.levels.items()}

    def preemptions(self):
        """The number of preemptions of the smallest wrong order that is shown first."""
        return int(re.search(r"(\d+) preemption", self.out).group(1))

    def replay(self):
        """The order that the first line to repeat it gives."""
        return re.search(r"--replay '([^']+)'", self.out).group(1)

    def says_incomplete(self):
        """Whether the first line says so."""
        return "not complete" in self.out.split("\n")[0].lower()

    def without_times(self):
        """The output without the columns that a clock gives."""
        lines = [line for line in self.out.split("\n") if not re.match(r" +\d+ runs? in ", line)]
        return "\n".join(re.sub(r"(?:yes|no) +[\d.]+ +[\d.]+$", "", line) for line in lines)

    def not_compared(self):
        """The columns that are not compared."""
        text = re.search(r"not compared[^:]*:\s*(\S+(?:, \S+)*)", self.out)
        return text.group(1).split(", ") if text else []


class Explorer:
    """race-explore on one server."""

    def __init__(self, server, *options, program=PROGRAM):
        self._program, self._options = program, ("--server", server, *options)

    def _command(self, arguments):
        return {"args": [self._program, *self._options, *map(str, arguments)], "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                "env": {name: value for name, value in os.environ.items() if not name.startswith("PG")}}

    def run(self, *arguments):
        outcome = subprocess.run(**self._command(arguments), timeout=600)
        return Found(outcome.returncode, outcome.stdout, outcome.stderr)

    def case(self, name, *options):
        """Explores a file of tests/explore/cases."""
        return self.run(*options, CASES / f"{name}.sql")

    def interrupt(self, number, until, *arguments):
        """Sends a signal as soon as until() is true."""
        process = subprocess.Popen(**self._command(arguments))
        try:
            while not until():
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            process.send_signal(number)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
        return Found(process.returncode, out, err)


SIGNALS = (signal.SIGINT, signal.SIGTERM)
