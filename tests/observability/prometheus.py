"""A real Prometheus on a free port, with the lab's configuration and rules, at the speed that the test needs."""

import json
import math
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from cluster import free_port
from pace import HANG_GUARD, eventually

CONFIGURATION = pathlib.Path(__file__).resolve().parents[2] / "observability/prometheus"

SPEED = 10  # times the lab's speed: a minute of the lab takes six seconds
MILLISECONDS = {"s": 1000, "m": 60000}

# Grafana makes $__rate_interval at least four scrape intervals long. This one is longer, because a loaded machine skips
# a scrape.
RATE_INTERVAL = "3s"


def faster(text, speed):
    """Divides every duration of a configuration or rule file: [1m] becomes [6000ms]."""
    return re.sub(r"(\[|: )(\d+)([sm])(?=\]|\s|$)",
                  lambda found: f"{found[1]}{int(found[2]) * MILLISECONDS[found[3]] // speed}ms", text)


class Prometheus:
    """One running server that scrapes one bank."""

    def __init__(self, folder, bank_port, speed=SPEED, proxy_port=None):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self._configure(bank_port, speed)
        self._write_target("race-proxy", proxy_port)
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [shutil.which("prometheus"), f"--config.file={self.folder}/prometheus.yml",
                 f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}",
                 "--enable-feature=exemplar-storage", "--log.level=warn"],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _configure(self, bank_port, speed):
        for folder in ("rules", "targets"):
            (self.folder / folder).mkdir()
        for path in (CONFIGURATION / "prometheus.yml", *(CONFIGURATION / "rules").glob("*.yml")):
            copy = self.folder / path.relative_to(CONFIGURATION)
            copy.write_text(faster(path.read_text(encoding="utf-8"), speed), encoding="utf-8")
        for job, port in (("bank-api", bank_port), ("prometheus", self.port)):
            self._write_target(job, port)

    def _write_target(self, job, port):
        """Without a port the job has no target."""
        words = "[]\n" if port is None else f'- targets: ["127.0.0.1:{port}"]\n'
        (self.folder / "targets" / f"{job}.yml").write_text(words)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(HANG_GUARD)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    # The HTTP API

    def _ask(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=HANG_GUARD) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refusal:
            if refusal.code == 503:  # still starting
                raise
            raise AssertionError(f"{parameters}: {refusal.read().decode()}") from None

    def value(self, expression):
        """The only number that an expression has now; None without any."""
        result = self._ask("query", query=expression)["result"]
        assert len(result) <= 1, f"{expression} gives {len(result)} series"
        return float(result[0]["value"][1]) if result else None

    def series_since(self, start, expression):
        """The values of the expression from `start` until now: (labels, finite values) for each series that had any."""
        data = self._ask("query_range", query=expression, start=start, end=time.time(), step="0.2")
        found = [(series["metric"], [float(value) for _, value in series["values"]]) for series in data["result"]]
        finite = [(labels, [value for value in values if math.isfinite(value)]) for labels, values in found]
        return [(labels, values) for labels, values in finite if values]

    def exemplars_since(self, start, expression):
        """The labels of the exemplars behind the expression's series."""
        data = self._ask("query_exemplars", query=expression, start=start, end=time.time())
        return [exemplar["labels"] for series in data for exemplar in series["exemplars"]]

    def firing(self):
        """The names of the alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self._ask("alerts")["alerts"] if alert["state"] == "firing"}

    # States

    def until(self, expression, holds):
        """Waits until `holds` accepts the value of the expression, and returns the value."""
        def right():
            assert self.process.poll() is None, self.log()
            try:
                value = self.value(expression)
            except OSError:
                return None
            return value is not None and holds(value)
        eventually(right, f"{expression} is right")

    def until_scraped(self):
        """Waits until the bank was scraped often enough for a rate."""
        self.until('count_over_time(up{job="bank-api"}[1m])', lambda scrapes: scrapes >= 2)

    def until_firing(self, alert):
        eventually(lambda: alert in self.firing(), f"{alert} fires")

    def until_quiet(self, alert):
        eventually(lambda: alert not in self.firing(), f"{alert} does not fire")
