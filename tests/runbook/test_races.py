"""`lab races`, `lab watch` and `lab status`: the races and the state of a running lab, with and without a terminal."""

import re
import signal
import threading

import pytest

from lab import Lab, fetch, free_port

NOTHING = "00000000"


@pytest.fixture(scope="module")
def running():
    """A lab that is up, for the whole file; its races stay."""
    lab = Lab()
    lab.up()
    yield lab
    lab.close()


def send(lab, to="bob", amount=800):
    return fetch(lab.url + "/transfer", f'{{"from_account":"alice","to_account":"{to}","amount":{amount}}}'.encode(), 60)


def race(lab, **settings):
    """Two transfers that meet at the barrier; returns their records."""
    fetch(lab.url + "/reset", b"")
    lab.set(barrier_enabled=True, **settings)
    records = []
    other = threading.Thread(target=lambda: records.append(send(lab, "charlie")))
    other.start()
    records.append(send(lab))
    other.join()
    return records


def fits(terminal):
    return [line for line in terminal.lines() if len(line.rstrip()) > terminal.columns] == []


def test_before_the_first_race(running):
    assert running.run("races", "--list").stdout == "No transfers have raced yet.\n"
    assert running.run("races").stdout.startswith("No transfers have raced yet.")
    assert "No transfers have raced yet." in running.run("watch").stdout


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_the_last_race_is_drawn(running, terminal, columns):
    race(running, strategy="for_update")
    ids = {each["id"] for each in race(running, strategy="vulnerable")}
    picture = terminal(running, columns, "races")
    assert picture.end() == 0 and fits(picture), picture.text()
    text = picture.text()
    shown = re.match(r"Race (\w{8}) at [\d:.]{12} UTC, vulnerable: double spend\n", text)
    assert shown and shown.group(1) in ids, text
    words = " ".join(text.replace("|", " ").split())
    assert "alice in the database: $1000.00 -> $200.00 -> -$600.00" in words
    assert re.search(r"[AB] read \$1000\.00 at [\d.]+ ms\. It never saw that [AB] wrote \$200\.00|"
                     r"[AB] had written \$200\.00 at [\d.]+ ms but not committed it", words), text
    assert "Both succeeded; alice went down to -$600.00." in words
    assert "\x1b[31mdeducts $800.00: alice is" in picture.printed and "$-" not in text
    assert ("| A: $800 alice -> " in text) == (columns >= 80)


def test_another_race_by_any_of_its_transfers(running):
    first = race(running, strategy="for_update")
    race(running, strategy="vulnerable")
    for record in first:
        outcome = running.run("races", record["id"])
        assert outcome.returncode == 0 and "for_update: clean" in outcome.stdout, outcome.stdout
        assert re.search(r"\| commits\b", outcome.stdout) and "ends: refused" in outcome.stdout, outcome.stdout
        assert "\x1b" not in outcome.stdout
        assert max(map(len, outcome.stdout.split("\n"))) <= 100


def test_the_list_of_races(running, terminal):
    race(running, strategy="for_update")
    race(running, strategy="vulnerable")
    rows = running.run("races", "--list", "--port", running.url.rpartition(":")[2]).stdout.splitlines()
    assert [row.split() for row in rows[1:]][0][2:] == ["double", "spend", "-$600.00", "alice,", "vulnerable"]
    assert "clean" in rows[2] and "for_update" in rows[2]
    narrow = terminal(running, 60, "races", "--list")
    assert narrow.end() == 0 and fits(narrow) and "alice, vulnerable" in narrow.text(), narrow.text()


def test_an_account_cannot_change_the_terminal(running):
    assert running.run("psql", "-qc", "UPDATE accounts SET balance = balance; INSERT INTO accounts (id, balance, "
                       "initial_balance) VALUES (E'\\x1b[31mred', 0, 0)").returncode == 0
    outcome = running.run("watch")
    assert running.run("psql", "-qc", r"DELETE FROM accounts WHERE id LIKE '%red'").returncode == 0
    assert outcome.returncode == 0 and "?[31mred" in outcome.stdout and "\x1b" not in outcome.stdout, outcome.stdout


@pytest.mark.parametrize("arguments, complaint", [
    (("races",), "races: the lab does not run: './lab up' starts it (or name another server's port with --port)"),
    (("watch",), "watch: the lab does not run: './lab up' starts it (or name another server's port with --port)"),
    (("races", "nonsense"), "races: the id of a transfer has 8 characters from 0 to 9 and a to f, unlike 'nonsense': "
                            "'./lab races --list' lists the races"),
    (("races", NOTHING, NOTHING), f"races: one race at a time: leave '{NOTHING}' out"),
    (("races", "--list", NOTHING), f"races: --list shows all races: leave '{NOTHING}' out"),
    (("races", "--last"), "races: no option '--last': './lab races --help' lists them"),
    (("watch", "--last"), "watch: no option '--last': './lab watch --help' lists them")])
def test_what_cannot_be_shown(lab, arguments, complaint):
    outcome = lab.run(*arguments)
    assert (outcome.returncode, outcome.stdout) == (1, f"lab: {complaint}\n")


def test_a_port_where_nothing_answers(lab):
    port = free_port()
    for verb in ("races", "watch"):
        outcome = lab.run(verb, "--port", port)
        assert (outcome.returncode, outcome.stdout) == (1, f"lab: {verb}: no bank API answers on http://127.0.0.1:{port}\n")


def test_a_race_that_is_none(running):
    outcome = running.run("races", NOTHING)
    assert outcome.returncode == 1 and outcome.stdout.count("\n") == 1
    assert outcome.stdout.startswith(f"lab: races: There is no transfer \"{NOTHING}\""), outcome.stdout


def test_the_live_view(running, terminal):
    """It is drawn again after an event; q ends it, and the terminal is as it was before."""
    view = terminal(running, 60, "watch", rows=20)
    view.until("q: the end")
    assert "alice" in view.text()
    race(running, strategy="absolute_update")
    view.until("alice, absolute_update")
    race(running, strategy="vulnerable")
    view.until("alice          -$600.00")
    assert re.search(r"\x1b\[31malice +-\$600\.00", view.printed)
    running.set(strategy="optimistic", barrier_enabled=False)
    view.until("strategy optimistic (safe); delay off; barrier off")
    view.press("q")
    assert view.end() == 0 and view.is_restored()
    assert view.printed.endswith("\x1b[?25h\x1b[?1049l")
    for frame in view.text().split("\x1b[H"):
        assert all(len(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line)) <= 60 for line in frame.split("\n")), frame
        assert frame.count("\n") < 20


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_restores_the_terminal(running, terminal, number, status):
    view = terminal(running, 80, "watch")
    view.until("q: the end")
    view.process.send_signal(number)
    assert view.end() == status and view.is_restored()
    assert view.printed.endswith("\x1b[?25h\x1b[?1049l")


def test_the_live_view_outlives_the_server(running, terminal):
    view = terminal(running, 80, "watch")
    view.until("q: the end")
    port = running.url.rpartition(":")[2]
    assert running.run("down").returncode == 0
    view.until("No answer from")
    assert running.run("up", "--no-install", "--port", port).returncode == 0
    shown = view.text().count("alice")
    view.until("alice", shown + 1)
    view.press("q")
    assert view.end() == 0


def test_one_picture_without_a_terminal(running):
    race(running, strategy="vulnerable")
    outcome = running.run("watch")
    assert outcome.returncode == 0, outcome.stdout
    assert re.search(r"alice +-\$600\.00\n", outcome.stdout)
    totals = running.get("/races")["totals"]
    assert f"{totals['transfers']} transfers, {totals['raced_transfers']} raced, " in " ".join(outcome.stdout.split())
    assert "q: the end" not in outcome.stdout and "\x1b" not in outcome.stdout


def test_the_status_has_the_settings(running):
    running.set(strategy="optimistic", barrier_enabled=True, delay_enabled=True, delay_ms=250)
    shown = running.run("status").stdout
    version = re.fullmatch(r"Race Conditions Lab (\d+\.\d+\.\d+)\n", running.run("--version").stdout).group(1)
    assert re.search(rf"^  version   {re.escape(version)}, up for \d+ s$", shown, re.MULTILINE), shown
    assert "  strategy  optimistic (safe)\n  delay     250 ms\n" in shown
    assert "  barrier   for 2 transfers, 0 waiting (at most 30 s)\n" in shown
    running.set(barrier_enabled=False, delay_enabled=False)
    assert "  delay     off\n  barrier   off\n" in running.run("status").stdout
    running.set(strategy="vulnerable")


def test_a_view_that_is_none(running):
    outcome = running.run("psql", "-c", "TABLE nope")
    assert outcome.returncode == 1 and 'relation "nope" does not exist' in outcome.stdout
    assert outcome.stdout.splitlines()[-1].startswith("lab: psql: './lab psql --help' lists the views"), outcome.stdout
    assert running.run("psql", "-Atc", "SELECT 1").stdout == "1\n"
    assert running.run("psql", "-At", "-c", "SELECT 1").stdout == "1\n"


def test_the_status_needs_no_token(lab):
    lab.up(ADMIN_TOKEN="secret")
    assert "  barrier   off\n" in lab.run("status").stdout
    assert lab.run("down").returncode == 0
    assert "version" not in lab.run("status").stdout


def test_the_hints_do_not_hang(lab):
    """The commands that `lab up` prints, as they are pasted into a shell."""
    hints = lab.up()
    commands = hints.split("makes race:\n")[1].split("\n\n")[0].replace("./lab races", "true")
    outcome = lab.start_program("/bin/bash", "-c", commands)
    shown, _ = outcome.communicate(timeout=25)
    assert '"balance":-600.0' in shown, shown
    assert lab.run("races").stdout.count("vulnerable: double spend") == 1
    assert max(map(len, hints.split("\n"))) <= 80
    assert max(map(len, lab.run("status").stdout.split("\n"))) <= 80


def test_an_error_is_not_broken_in_a_word(lab, terminal):
    refused = terminal(lab, 60, "races", "nonsense")
    assert refused.end() == 1 and fits(refused), refused.text()
    assert " ".join(refused.text().split()).endswith("'./lab races --list' lists the races")
