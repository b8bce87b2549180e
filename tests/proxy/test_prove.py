"""race-proxy prove forces the candidates of a command, or says what protects them."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import xml.etree.ElementTree

import pytest
from cluster import free_port
from proxy import PROGRAM, eventually

SHOP = pathlib.Path(__file__).parent / "shop.py"


class Prover:
    """Runs race-proxy prove before one database."""

    def __init__(self, url, folder):
        self.url, self.folder = url, folder
        self.port = free_port()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}

    def arguments(self, *command, options=()):
        reset = f"exec {sys.executable} {SHOP} reset"
        return [PROGRAM, "prove", "--upstream", self.url, "--listen", f"127.0.0.1:{self.port}", "--reset", reset,
                *options, "--", *map(str, command)]

    def run(self, *command, options=()):
        return subprocess.run(self.arguments(*command, options=options), env=self.environment, capture_output=True,
                              text=True, timeout=120, stdin=subprocess.DEVNULL)

    def candidates(self, way, status, options=()):
        """The candidates of a way to use the shop, by the JSON."""
        path = self.folder / "prove.json"
        outcome = self.run(sys.executable, SHOP, way, options=(*options, "--json", str(path)))
        assert outcome.returncode == status, outcome.stderr + outcome.stdout
        return json.loads(path.read_text())["candidates"]

    def verdict(self, way, status, options=()):
        found = self.candidates(way, status, options)
        assert len(found) == 1, found
        return found[0]["verdict"], found[0]["reason"]


@pytest.fixture
def prover(cluster, database, tmp_path):
    url = cluster.url_over_tcp(database)
    subprocess.run([sys.executable, SHOP, "reset"], env={**os.environ, "DATABASE_URL": url}, check=True, timeout=60)
    prover = Prover(url, tmp_path)
    if "without libpg_query" in prover.run("true").stderr:
        pytest.skip("the build has no libpg_query")
    return prover


@contextlib.contextmanager
def shop(prover, how="serve"):
    """The shop over HTTP, with the address of the proxy in its DATABASE_URL. It is there before the proxy is."""
    port = free_port()
    url = prover.url.split("@")[0] + f"@127.0.0.1:{prover.port}/" + prover.url.rsplit("/", 1)[1]
    process = subprocess.Popen([sys.executable, SHOP, how, str(port)],
                               env={**prover.environment, "DATABASE_URL": url}, stdin=subprocess.DEVNULL)

    def answers():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 5).close()
            return True

    try:
        eventually(answers)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_a_lost_update_is_forced(prover):
    report = prover.folder / "junit.xml"
    found = prover.candidates("plain", 1, ("--junit", str(report)))
    assert [(each["verdict"], each["level"], each["kind"], each["table"], each["row"]) for each in found] == [
        ("forced", "proved", "lost_update", "public.accounts", "alice")]
    assert "both read" in found[0]["sentence"] or "replaced" in found[0]["sentence"]
    assert {each["event"] for each in found[0]["events"]} >= {"statement", "held", "released", "committed", "proved"}
    suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "1", "0")
    assert "A " in suite.find("testcase/failure").text


def test_autocommit_is_forced(prover):
    assert prover.verdict("autocommit", 1)[0] == "forced"


def test_a_check_before_an_insert_is_forced(prover):
    assert prover.verdict("twice", 1)[0] == "forced"


@pytest.mark.parametrize("way, reason", [
    ("locked", "lock"), ("serializable", "40001"), ("guarded", "0_rows"), ("unique", "23505")])
def test_a_protection_refutes(prover, way, reason):
    assert prover.verdict(way, 0) == ("refuted", reason)


def test_an_application_that_runs_already(prover):
    with shop(prover) as address:
        outcome = prover.run("curl", "-sf", "-X", "POST", f"{address}/plain")
        assert outcome.returncode == 1, outcome.stderr + outcome.stdout
        assert "FORCED, a wrong result" in outcome.stdout and "both are here: go on" in outcome.stdout
        outcome = prover.run("curl", "-sf", "-X", "POST", f"{address}/locked")
        assert outcome.returncode == 0 and "protected by a lock" in outcome.stdout, outcome.stderr + outcome.stdout
    assert "1 candidate: 0 forced, 1 refuted, 0 not forced." in outcome.stderr


def test_one_request_at_a_time_is_not_decided(prover):
    with shop(prover, "queue") as address:
        outcome = prover.run("curl", "-sf", "-X", "POST", f"{address}/plain", options=("--limit", "300"))
    assert outcome.returncode == 3, outcome.stderr + outcome.stdout
    assert "NOT FORCED" in outcome.stdout and "second request" in outcome.stdout


def test_a_spent_balance_is_not_decided(prover):
    """Without --reset the second run finds what the first one left."""
    arguments = prover.arguments(sys.executable, SHOP, "plain")
    place = arguments.index("--reset")
    outcome = subprocess.run(arguments[:place] + arguments[place + 2:], env=prover.environment, capture_output=True,
                             text=True, timeout=120)
    assert outcome.returncode == 3, outcome.stderr + outcome.stdout
    assert "--reset" in outcome.stdout.replace("\n   ", " ")


def test_nothing_to_force(prover):
    assert prover.candidates("look", 0) == []
    assert prover.candidates("log_in", 0) == []
    outcome = prover.run("true")
    assert outcome.returncode == 3 and "no statement came through the proxy" in outcome.stderr


def test_a_command_that_fails_alone(prover):
    outcome = prover.run("sh", "-c", "echo out of paper; exit 7")
    assert outcome.returncode == 2
    assert "exit status 7; its output:\nout of paper" in outcome.stderr
    outcome = prover.run("/no/such/program")
    assert outcome.returncode == 2 and "/no/such/program cannot be started" in outcome.stderr


def test_the_environment_of_the_command(prover):
    outcome = prover.run("sh", "-c", "echo $PGHOST $PGPORT $PGUSER $PGDATABASE $PROVE_COPY $DATABASE_URL; exit 1")
    database = prover.url.rsplit("/", 1)[1]
    assert f"127.0.0.1 {prover.port} postgres {database} 1 postgresql://postgres:" in outcome.stderr
    assert f"@127.0.0.1:{prover.port}/{database}" in outcome.stderr


def test_what_is_wrong(prover):
    assert "give a command behind --" in prover.run(options=("--limit", "5")).stderr
    outcome = prover.run("true", options=("--reset", "echo no ink; exit 4"))
    assert outcome.returncode == 2 and "--reset has failed, with exit status 4; its output:\nno ink" in outcome.stderr
    outcome = prover.run("true", options=("--reset", "echo $DATABASE_URL; exit 4"))
    assert f"its output:\n{prover.url}\n" in outcome.stderr + "\n"
    outcome = prover.run("true", options=("--upstream", f"postgresql://x@127.0.0.1:{free_port()}/x"))
    assert outcome.returncode == 2 and "the database cannot be used" in outcome.stderr
    outcome = prover.run("true", options=("--json", "/no/folder/file"))
    assert outcome.returncode == 2 and "--json /no/folder/file: the file cannot be written" in outcome.stderr


def test_a_command_that_does_not_end(prover):
    outcome = prover.run("sleep", "600", options=("--time", "5"))
    assert outcome.returncode == 3 and "did not end within --time" in outcome.stderr


def test_an_interrupt_leaves_nothing(prover):
    mark = f"6{os.getpid()}"
    process = subprocess.Popen(prover.arguments("sh", "-c", f"trap '' TERM; sleep {mark} & wait; sleep {mark}"),
                               env=prover.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def sleepers():
        found = []
        for place in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                found += [place] if place.read_bytes() == f"sleep\0{mark}\0".encode() else []
        return found

    eventually(sleepers)
    process.send_signal(signal.SIGINT)
    words = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "interrupted" in words, words
    eventually(lambda: not sleepers())
