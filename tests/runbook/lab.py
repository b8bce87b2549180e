"""The launcher under test, with a state folder of its own: it disturbs no lab that runs, and builds nothing."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("BANK_API", ROOT / "build/release/bank-api")).resolve()


def until(condition, what, pause=0.05):
    """Waits until the condition is true; fails with `what` after five minutes."""
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(pause)


def free_port():
    """A loopback TCP port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url, data=None, timeout=10):
    """The JSON at an address of this machine, whatever proxy is set."""
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"} if data else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=timeout) as answer:
        return json.load(answer)


def new_folder():
    """An empty folder that PostgreSQL's user can enter."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-state-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


class Lab:
    """A launcher and its state folder; PostgreSQL's user must be able to enter it."""

    def __init__(self, root=ROOT, state=None, program=PROGRAM):
        self.root = root
        self.state = state or new_folder()
        self.program = program
        self.url = None

    def _command(self, program, arguments, environment):
        kept = {name: value for name, value in os.environ.items()
                if name in ("PATH", "HOME") or name.endswith("SAN_OPTIONS")}
        return {"args": [program, *map(str, arguments)], "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True,
                "env": {**kept, "LAB_STATE": str(self.state), "LAB_PROGRAM": str(self.program), **environment}}

    def command(self, *arguments, **environment):
        """The arguments of subprocess.Popen that run the launcher."""
        return self._command(self.root / "lab", arguments, environment)

    def run(self, *arguments, timeout=600, **environment):
        """The launcher's CompletedProcess; both its outputs in stdout."""
        return subprocess.run(**self._command(self.root / "lab", arguments, environment), timeout=timeout)

    def start(self, *arguments, **environment):
        """The launcher as a Popen, in a process group of its own; both its outputs in stdout."""
        return self.start_program(self.root / "lab", *arguments, **environment)

    def start_program(self, program, *arguments, **environment):
        """Another program with the launcher's environment, likewise."""
        return subprocess.Popen(**self._command(program, arguments, environment), start_new_session=True)

    def up(self, *options, **environment):
        port = free_port()
        outcome = self.run("up", "--no-install", "--port", port, *options, **environment)
        assert outcome.returncode == 0, outcome.stdout
        self.url = f"http://127.0.0.1:{port}"
        return outcome.stdout

    def get(self, path):
        return fetch(self.url + path)

    def set(self, **settings):
        return fetch(self.url + "/admin/settings", json.dumps(settings).encode())

    def close(self):
        """Stops what runs, which must end well, and leaves no file behind."""
        outcome = self.run("down")
        shutil.rmtree(self.state)
        assert outcome.returncode == 0, outcome.stdout
