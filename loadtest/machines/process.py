"""Processes that outlive the launcher: each has a session and a log of its own, and is found again by its process id
and the kernel's start time, because a process id is used again after a while."""

import os
import pathlib
import signal
import subprocess
import time


class Failure(Exception):
    """One line for the user."""


def wait_until(check, what, seconds, log=None):
    """The first true value of `check`."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds} s" + (f" (its log: {log})" if log else ""))
        time.sleep(0.1)


def started_at(pid):
    """The kernel's start time of a process that runs; None if it has ended."""
    try:
        state, *fields = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else fields[18]


def children(parent):
    """The process ids below a process, at any depth."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = pathlib.Path(f"/proc/{entry}/stat").read_text(errors="replace")
            except OSError:
                continue
            parents[int(entry)] = int(text.rpartition(")")[2].split()[1])
    found, added = set(), {parent}
    while added:
        added = {pid for pid, above in parents.items() if above in added} - found
        found |= added
    return sorted(found)


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Process:
    """One program of the cluster. `owner`: the pwd entry of the user that runs it, or None for the present user."""

    def __init__(self, place, name, owner=None):
        self.name = name
        self.log = place / "log" / f"{name}.log"
        self._file = place / f"{name}.pid"
        self._owner = owner
        self._child = None

    def start(self, command, folder, environment):
        switch = {}
        if self._owner:
            switch = {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(command, cwd=folder, env={**base_environment(), **environment},
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                           **switch)
        self._file.write_text(f"{self._child.pid} {started_at(self._child.pid)}\n")

    def pid(self):
        """The process id, or None if the process has ended."""
        if self._child:
            self._child.poll()  # so that an ended child leaves the table of processes
        try:
            pid, started = self._file.read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if started_at(int(pid)) == started else None

    def kill(self, number=signal.SIGKILL):
        pid = self.pid()
        if pid:
            send([pid], number)
        return pid

    def wait_end(self, seconds):
        deadline = time.monotonic() + seconds
        while self.pid() and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.pid() is None

    def stop(self, seconds):
        """Asks the process to end; kills it if it does not. False: it had to be killed."""
        if not self.pid():
            return True
        self.kill(signal.SIGTERM)
        in_order = self.wait_end(seconds)
        if not in_order:
            self.kill()
            self.wait_end(30)
        return in_order


def base_environment():
    """Nothing of the caller's but what finds programs: PG* and BANK_API_* variables must not lead elsewhere."""
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "TMPDIR", "LOG_LEVEL")}
    return {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **kept}
