"""How long `lab down` waits: the SHUTDOWN_TIMEOUT_MS that the bank was started with, and a little longer."""

import concurrent.futures
import json
import os
import re
import signal
import threading

import psycopg2

from lab import fetch


def database(lab):
    """A session with the private database."""
    port, socket_folder = (lab.state / "postgres/address").read_text().splitlines()
    session = psycopg2.connect(host=socket_folder, port=port, user="bank", dbname="bank")
    return session


def transfer(lab):
    body = {"from_account": "alice", "to_account": "bob", "amount": 100, "strategy": "for_update"}
    return fetch(lab.url + "/transfer", json.dumps(body).encode(), timeout=600)


def lines_of(process):
    """The lines of a launcher, as they come; a guard ends one that hangs."""
    guard = threading.Timer(500, process.kill)
    guard.start()
    yield from process.stdout
    guard.cancel()


def test_a_transfer_that_takes_longer_than_thirty_seconds_gets_its_answer(lab):
    lab.up(SHUTDOWN_TIMEOUT_MS="400000")
    with database(lab) as session, session.cursor() as cursor, concurrent.futures.ThreadPoolExecutor() as background:
        cursor.execute("SELECT 1 FROM accounts WHERE id = 'alice' FOR UPDATE")
        answer = background.submit(transfer, lab)
        while True:
            with database(lab) as other, other.cursor() as watch:
                watch.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                if watch.fetchone()[0] == 1:
                    break
        down = lab.start("down")
        said = []
        for line in lines_of(down):
            said.append(line)
            waited = re.search(r"Waiting for bank-api \(pid \d+\), which finishes the requests it has "
                               r"\((\d+) s, at most 420 s\)", line)
            if waited and int(waited.group(1)) > 31:
                session.commit()
        assert answer.result()["status"] == "success"
    assert down.wait() == 0, said
    assert any("stopped: exit status 0" in line for line in said), said


def test_a_bank_that_hangs_is_killed_when_its_time_is_over(lab):
    lab.up(SHUTDOWN_TIMEOUT_MS="100")
    pid = int((lab.state / "bank-api.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    outcome = lab.run("down")
    assert outcome.returncode == 1
    assert f"bank-api (pid {pid}) did not stop within 21 s: killed" in outcome.stdout
    assert "PostgreSQL stopped" in outcome.stdout


def test_an_idle_lab_stops_without_a_word_about_waiting(lab):
    lab.up()
    outcome = lab.run("down")
    assert outcome.returncode == 0 and "Waiting" not in outcome.stdout, outcome.stdout
