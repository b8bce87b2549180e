"""The launcher under test, with a state folder of its own: it disturbs no lab that runs, and builds nothing."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("BANK_API", ROOT / "build/release/bank-api")).resolve()


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


class Lab:
    """One state folder; PostgreSQL's user must be able to enter it."""

    def __init__(self):
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="lab-state-", dir="/tmp"))
        self.state.chmod(0o755)
        self.url = None

    def run(self, *arguments, timeout=600, **environment):
        """The launcher's CompletedProcess; both its outputs in stdout."""
        kept = {name: value for name, value in os.environ.items()
                if name in ("PATH", "HOME") or name.endswith("SAN_OPTIONS")}
        return subprocess.run(
            [ROOT / "lab", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=timeout,
            env={**kept, "LAB_STATE": str(self.state), "LAB_PROGRAM": str(PROGRAM), **environment})

    def up(self, *options):
        port = free_port()
        outcome = self.run("up", "--no-install", "--port", port, *options)
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
