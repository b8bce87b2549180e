"""The program under test: race-proxy before a real PostgreSQL. Only this file knows its log."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/api"))

from cluster import PASSWORD, USER  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("RACE_PROXY", ROOT / "build/release/race-proxy")).resolve()
LISTENING = re.compile(r"Listening on \S+:(\d+),")
PAGE = re.compile(r"/metrics are at (http://\S+)/")


def eventually(condition, seconds=30):
    """Waits until the condition is true, and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.005)


class Proxy:
    """A running proxy. It must end with status 0, and leave no process. `within`: a program that runs it."""

    def __init__(self, upstream, log, *options, listen="127.0.0.1:0", http="off", environment=None, within=()):
        self._log = pathlib.Path(log)
        self.ends_itself = False  # set by a test that stops it
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("PG", "OTEL_"))} | (environment or {})
        with open(self._log, "wb") as out:
            self.process = subprocess.Popen(
                [*within, PROGRAM, "--verbose", "--listen", listen, "--http", http, "--upstream", upstream, *options],
                env=environment,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        found = eventually(lambda: LISTENING.search(self.log()) or self.process.poll() is not None)
        assert found is not True, self.log()
        self.port = int(found.group(1))
        page = PAGE.search(self.log())
        self.page = page.group(1) if page else None  # its HTTP side: "http://127.0.0.1:6433"

    def log(self):
        return self._log.read_text(errors="replace")

    def lines(self, words):
        """The lines of the log that contain the words."""
        return [line for line in self.log().split("\n") if words in line]

    def url(self, database, user=USER, password=PASSWORD, options=""):
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}{options}"

    def ask(self, path, body=None, headers=None, raw=False):
        """The status and the JSON (or the text) of the answer on the HTTP side. A body makes it a POST."""
        request = urllib.request.Request(self.page + path, headers=headers or {},
                                         data=None if body is None else body.encode())
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            status, text = refusal.code, refusal.read().decode()
        return status, text if raw else json.loads(text)

    def get(self, path):
        """The JSON of a good answer."""
        status, found = self.ask(path)
        assert status == 200, found
        return found

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1))

    def grows_by_less(self, before, kib):
        """Whether it takes less than so much more memory. AddressSanitizer keeps what was freed, so there it does."""
        is_sanitized = "libasan" in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()
        return is_sanitized or self.resident_kib() - before < kib

    def stop(self, number=signal.SIGTERM):
        """Sends the signal, and returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()


@contextlib.contextmanager
def running(upstream, log, *options, **settings):
    proxy = Proxy(upstream, log, *options, **settings)
    try:
        yield proxy
        assert proxy.ends_itself or proxy.process.poll() is None, proxy.log()
    finally:
        status = proxy.stop()
    assert status == 0 and "ERROR: " not in proxy.log(), proxy.log()  # a sanitizer's report begins with ERROR:
