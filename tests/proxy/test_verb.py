"""./lab proxy stands before the PostgreSQL that --upstream names, or before that of ./lab up."""

import shutil
import signal
import subprocess
import sys

import psycopg2
import pytest
from proxy import LISTENING, PROGRAM, ROOT

sys.path.append(str(ROOT / "tests/runbook"))

from lab import Lab, new_folder  # noqa: E402


@pytest.fixture
def lab():
    lab = Lab(state=new_folder(), program=PROGRAM.parent / "bank-api")
    yield lab
    lab.run("down")
    shutil.rmtree(lab.state)


def started(lab, *arguments):
    """The running launcher, its port, and what it has printed so far."""
    process = lab.start("proxy", "--no-install", "--listen", "127.0.0.1:0", *arguments)
    printed = ""
    while not LISTENING.search(printed):
        line = process.stdout.readline()
        assert line, printed
        printed += line
    return process, int(LISTENING.search(printed).group(1)), printed


def test_before_another_server(lab, cluster, database):
    process, port, _ = started(lab, "--force", "--upstream", cluster.url("postgres"))
    psycopg2.connect(f"postgresql://postgres@127.0.0.1:{port}/{database}").close()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def test_before_the_lab_a_password_is_needed(lab):
    outcome = lab.run("proxy", "--no-install")
    assert outcome.returncode == 1 and "./lab up" in outcome.stdout
    lab.up()
    process, port, printed = started(lab, "--force")
    file = printed.split("password: ")[1].split(")")[0]
    assert "Cannot ask" not in printed
    with open(file, encoding="utf-8") as password:
        psycopg2.connect(host="127.0.0.1", port=port, user="bank", dbname="bank", password=password.read().strip()).close()
    with pytest.raises(psycopg2.OperationalError, match="no password"):
        psycopg2.connect(host="127.0.0.1", port=port, user="bank", dbname="bank")
    with open(f"/proc/{process.pid}/cmdline", "rb") as command:
        assert b"race-proxy" in command.read()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_prove_before_another_server(lab, cluster, database):
    """The command keeps its options and its folder, and the exit status is race-proxy's."""
    program = "import os, psycopg2; s = psycopg2.connect(os.environ['DATABASE_URL']); c = s.cursor(); " \
              "c.execute('SELECT n FROM once'); c.execute('UPDATE once SET n = %s', (c.fetchone()[0] + 1,)); s.commit()"
    cluster.rows(database, "CREATE TABLE once (id integer PRIMARY KEY, n integer)")
    cluster.rows(database, "INSERT INTO once VALUES (1, 1)")
    outcome = lab.run("prove", "--no-install", "--listen", "127.0.0.1:0", "--upstream", cluster.url_over_tcp(database),
                      "--", sys.executable, "-c", program)
    assert outcome.returncode == 1 and "FORCED" in outcome.stdout, outcome.stdout
    outcome = lab.run("prove", "--no-install", "--upstream", cluster.url_over_tcp(database))
    assert outcome.returncode == 2 and "give a command behind --" in outcome.stdout


def test_they_are_listed():
    found = subprocess.run([ROOT / "lab", "--help"], capture_output=True, text=True, timeout=30).stdout
    assert "\n  proxy " in found and "\n  prove " in found
