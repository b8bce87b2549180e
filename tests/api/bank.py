"""The program under test: a test starts it with an environment, waits until it is ready, stops it and checks its
end."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

from client import JSON_TYPE, Client
from cluster import free_port
from pace import HANG_GUARD, eventually
from scrape import Scrape
from wire import Wire

PROGRAM = pathlib.Path(os.environ.get(
    "BANK_API", pathlib.Path(__file__).resolve().parent / "../../build/release/bank-api")).resolve()

SANITIZER_REPORT = re.compile(
    r"ERROR: AddressSanitizer|LeakSanitizer|runtime error:|WARNING: ThreadSanitizer|CHECK failed|Assertion")

DEFAULT_SETTINGS = {"delay_enabled": False, "delay_ms": 100, "barrier_enabled": False, "barrier_count": 2,
                    "barrier_timeout_ms": 30000, "use_transactions": False}


def program_environment(**settings):
    """An environment that has none of our variables except the given settings (and the sanitizers' variables)."""
    kept = {name: value for name, value in os.environ.items()
            if name in ("PATH", "HOME", "LD_LIBRARY_PATH") or name.endswith("SAN_OPTIONS")}
    return {**kept, "LC_ALL": "C.UTF-8", **{name: str(value) for name, value in settings.items()}}


def run_to_the_end(*arguments, **settings):
    """Runs the program in a case where it must end by itself; returns the CompletedProcess."""
    outcome = subprocess.run([PROGRAM, *arguments], env=program_environment(**settings), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=HANG_GUARD)
    assert not SANITIZER_REPORT.search(outcome.stderr), outcome.stderr
    return outcome


class Bank:
    """One running bank-api on its own database."""

    def __init__(self, cluster, database, log, settings, program=PROGRAM):
        self.cluster = cluster
        self.database = database
        self.port = int(settings.get("BANK_API_PORT", free_port()))
        self.host = settings.get("BANK_API_HOST", "127.0.0.1")
        self._log = pathlib.Path(log)
        token = settings.get("ADMIN_TOKEN")
        self._admin = {"Authorization": f"Bearer {token}"} if token else {}
        environment = {"DATABASE_URL": cluster.url(database), "BANK_API_PORT": self.port, **settings}
        with open(self._log, "wb") as stderr:
            self.process = subprocess.Popen(
                [program], env=program_environment(**{key: value for key, value in environment.items()
                                                      if value is not None}),
                stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr)
        self._checked = False

    # Start and end

    def _health(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log()}"
        try:
            with Client(self.port, self.host) as client:
                return client.get("/health")
        except OSError:
            return None

    def until_serving(self):
        """/health answers, with any status."""
        eventually(self._health, "/health answers")
        return self

    def until_healthy(self):
        """/health says ok."""
        eventually(lambda: (answer := self._health()) and answer.status == 200, "/health is 200")
        return self

    def until_unhealthy(self):
        """/health reports that the database is unavailable."""
        eventually(lambda: (answer := self._health()) and answer.status == 503, "/health is 503")
        return self

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return time.monotonic()

    def until_gone(self):
        """Returns the exit status; kills the program and fails if it hangs."""
        try:
            return self.process.wait(HANG_GUARD)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not end by itself; log:\n{self.log()[-3000:]}") from None

    def ends_well(self):
        """Exit status 0 and no sanitizer report. Only the first call checks; later calls do nothing."""
        if self._checked:
            return
        self._checked = True
        status = self.until_gone()
        self.has_no_sanitizer_report()
        assert status == 0, f"exit status {status}; log:\n{self.log()[-3000:]}"

    def ends_by_itself(self):
        """An exit, not a death by signal, and no sanitizer report: for ends that may not be clean."""
        self._checked = True
        status = self.until_gone()
        self.has_no_sanitizer_report()
        assert status >= 0, f"killed by signal {-status}"
        return status

    def kill(self):
        """Kills it as a crash of its machine would."""
        self._checked = True
        self.signal(signal.SIGKILL)
        assert self.until_gone() == -signal.SIGKILL
        self.has_no_sanitizer_report()

    def has_no_sanitizer_report(self):
        log = self.log()
        report = SANITIZER_REPORT.search(log)
        assert not report, log[report.start():][:6000]

    def stop(self):
        if self._checked:
            return
        if self.process.poll() is None:
            self.signal()
        self.ends_well()

    # Requests, each on its own connection

    def client(self):
        return Client(self.port, self.host)

    def wire(self):
        return Wire(self.port, self.host)

    def get(self, target, **headers):
        with self.client() as client:
            return client.get(target, **headers)

    def post(self, target, value=None):
        with self.client() as client:
            return client.post(target, value)

    def request(self, method, target, body=None, headers=None):
        with self.client() as client:
            return client.request(method, target, body, headers)

    def transfer(self, source="alice", target="bob", amount="800", strategy=None):
        with self.client() as client:
            return client.transfer(source, target, amount, strategy)

    # The views, the log and the metrics

    def log(self):
        return self._log.read_text(errors="replace")

    def log_since(self, position):
        return self.log()[position:]

    def scrape(self):
        answer = self.get("/metrics")
        assert answer.status == 200, answer
        return Scrape(answer.text())

    def metric(self, name, **labels):
        return self.scrape().total(name, **labels)

    def balance(self, account):
        return self.get(f"/accounts/{account}").json()["balance"]

    def balances(self):
        return {each["id"]: each["balance"] for each in self.get("/accounts").json()["accounts"]}

    def transactions(self, limit=1000):
        return self.get(f"/transactions?limit={limit}").json()["transactions"]

    def rows(self, query, *values):
        return self.cluster.rows(self.database, query, *values)

    def recorded(self):
        """The ids of the transfers in the table."""
        return [row["id"] for row in self.rows("SELECT id FROM transfers ORDER BY seq")]

    def waiting_for_locks(self):
        """The number of PostgreSQL's sessions in this database that wait for a lock."""
        return self.rows("SELECT count(*) AS waiting FROM pg_stat_activity "
                         "WHERE datname = current_database() AND wait_event_type = 'Lock'")[0]["waiting"]

    # States

    def set(self, **settings):
        answer = self.request("POST", "/admin/settings", json.dumps(settings), {**JSON_TYPE, **self._admin})
        assert answer.status == 200, answer
        return answer.json()

    def back_to_the_initial_state(self):
        self.set(**DEFAULT_SETTINGS)
        answer = self.request("POST", "/reset", None, self._admin)
        assert answer.status == 200, answer

    def until_waiting_at_the_barrier(self, transfers):
        eventually(lambda: self.metric("barrier_waiting_count") == transfers, f"{transfers} waiting at the barrier")

    def until_waiting_for_locks(self, sessions):
        eventually(lambda: self.waiting_for_locks() == sessions, f"{sessions} sessions wait for a lock")

    def until_in_progress(self, transfers):
        eventually(lambda: self.metric("concurrent_transfers") == transfers, f"{transfers} transfers in progress")

    def until_waiting(self, transfers):
        """Waits until `transfers` transfers have arrived and are unanswered, anywhere in the program."""
        eventually(lambda: (scrape := self.scrape()).total("concurrent_transfers") +
                   scrape.total("transfer_queue_depth") == transfers, f"{transfers} transfers under way")

    def until_queued(self, transfers):
        eventually(lambda: self.metric("transfer_queue_depth") == transfers, f"{transfers} transfers in the queue")
