#!/usr/bin/python3
"""Measures the promises of the program side by side in one run, and reports for each whether it held:

  - GET /health against nginx with one worker and the same body (wrk, 1 thread, 64 connections): a ratio
  - the time from exec to the first healthy answer, with the database up
  - resident memory, idle with every database session open, and with 5,000 idle keep-alive connections
  - the skew of a released barrier of two transfers, at the 99th percentile

It needs wrk and nginx besides the tools of the tests (Debian: wrk nginx-light). Load goes to loopback only.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "api"))
from bank import PROGRAM, Bank, program_environment  # noqa: E402
from cluster import Cluster, free_port  # noqa: E402

HEALTH = '{"status":"ok","service":"bank-api","database":"ok"}'
SESSIONS = 32
SLOTS = 28  # transfers that 32 workers run at once
KIBIBYTES_A_MEBIBYTE = 1024


def say(text):
    print(text, file=sys.stderr, flush=True)


# --- nginx, for the ratio ---

NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; default_type application/json; keepalive_requests 1000000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port} backlog=1024; client_max_body_size 64m; location = {location} {{ return 200 '{body}'; }} }}
}}
"""


class Nginx:
    """One worker that answers one location with the body of a healthy bank."""

    def __init__(self, folder, location="/health"):
        self.port = free_port()
        conf = pathlib.Path(folder) / "nginx.conf"
        conf.write_text(NGINX.format(folder=folder, port=self.port, body=HEALTH, location=location))
        self.process = subprocess.Popen(["nginx", "-c", str(conf)], stdin=subprocess.DEVNULL)
        until_connectable(self.port)

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)


def until_connectable(port):
    for _ in range(2000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.005)
    raise SystemExit(f"nothing listens on port {port}")


# --- The measurements ---

def requests_per_second(port, seconds):
    answer = subprocess.run(["wrk", "-t1", "-c64", f"-d{seconds}s", f"http://127.0.0.1:{port}/health"],
                            check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in answer and "Socket errors" not in answer, answer
    return float(re.search(r"Requests/sec:\s+([\d.]+)", answer).group(1))


def health_ratio(bank, nginx, rounds, seconds):
    """The runs are interleaved, in the opposite order every second round, so that a drift affects both alike."""
    ratios = []
    requests_per_second(bank.port, 1)
    requests_per_second(nginx.port, 1)
    for number in range(rounds):
        order = (bank, nginx) if number % 2 == 0 else (nginx, bank)
        rate = {id(server): requests_per_second(server.port, seconds) for server in order}
        ratios.append(rate[id(bank)] / rate[id(nginx)])
        say(f"  round {number + 1}: bank-api {rate[id(bank)]:.0f}/s, nginx {rate[id(nginx)]:.0f}/s")
    return statistics.median(ratios)


def milliseconds_to_ready(cluster, database, rounds):
    """The time from exec to the first 200 of GET /health, which is asked for without a pause."""
    times = []
    for _ in range(rounds):
        port = free_port()
        environment = program_environment(DATABASE_URL=cluster.url(database), BANK_API_PORT=port)
        started = time.monotonic()
        process = subprocess.Popen([PROGRAM], env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not is_healthy(port):
            assert process.poll() is None and time.monotonic() - started < 20, "never became healthy"
        times.append((time.monotonic() - started) * 1000)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    return statistics.median(times)


def is_healthy(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def resident_mebibytes(bank):
    status = pathlib.Path(f"/proc/{bank.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / KIBIBYTES_A_MEBIBYTE


def open_all_sessions(bank):
    """Runs a barrier as wide as the pool, and reads while it is full, so that every worker opens its database
    session."""
    bank.post(f"/admin/barrier?enabled=true&count={SLOTS}")
    with concurrent.futures.ThreadPoolExecutor(SESSIONS) as pool:
        transfers = [pool.submit(bank.post, "/transfer", {"from_account": "alice", "to_account": "bob", "amount": 1})
                     for _ in range(SLOTS)]
        for transfer in transfers:
            assert transfer.result().status == 200
    bank.post("/admin/barrier?enabled=false")
    with concurrent.futures.ThreadPoolExecutor(SESSIONS) as pool:
        list(pool.map(lambda _: bank.get("/accounts"), range(400)))


def with_idle_connections(bank, count):
    connections = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", bank.port))
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connections.append(connection)
    resident = resident_mebibytes(bank)
    for connection in connections:
        connection.close()
    return resident


def barrier_skew_within(bank, rounds, limit):
    """The share of released barriers whose skew was within the limit (a bound of the histogram)."""
    before = skew_counts(bank, limit)
    bank.post("/admin/barrier?enabled=true&count=2")
    with bank.client() as one, bank.client() as two, concurrent.futures.ThreadPoolExecutor(2) as pool:
        for _ in range(rounds):
            racers = [pool.submit(client.post, "/transfer",
                                  {"from_account": "alice", "to_account": to, "amount": 0.01})
                      for client, to in ((one, "bob"), (two, "charlie"))]
            for racer in racers:
                assert racer.result().status == 200
    bank.post("/admin/barrier?enabled=false")
    after = skew_counts(bank, limit)
    assert after[1] - before[1] == rounds, "not every round was released"
    return (after[0] - before[0]) / rounds


def skew_counts(bank, limit):
    page = bank.get("/metrics").body.decode()
    within = re.search(rf'barrier_release_skew_seconds_bucket{{le="{limit}"}} (\d+)', page)
    return int(within.group(1)), int(re.search(r"barrier_release_skew_seconds_count (\d+)", page).group(1))


# --- The run ---

def measure(quick):
    results = []

    def note(what, value, unit, promise, held):
        results.append({"what": what, "value": round(value, 3), "unit": unit, "promise": promise, "held": held})

    rounds, seconds, races = (3, 2, 300) if quick else (15, 2, 2000)
    folder = tempfile.mkdtemp(prefix="lab-yardsticks-")
    cluster = Cluster()
    nginx = bank = None
    try:
        cluster.start()
        database = cluster.new_database()
        bank = Bank(cluster, database, pathlib.Path(folder) / "bank-api.log",
                    {"WORKER_THREADS": SESSIONS, "LOG_LEVEL": "warn"}).until_healthy()
        nginx = Nginx(folder)
        say("GET /health against nginx ...")
        ratio = health_ratio(bank, nginx, rounds, seconds)
        note("GET /health, requests/s against nginx's", ratio, "x", ">= 1.0", ratio >= 1.0)
        say("Memory ...")
        open_all_sessions(bank)
        idle = resident_mebibytes(bank)
        note(f"resident memory, idle, {SESSIONS} sessions", idle, "MiB", "<= 16", idle <= 16)
        crowded = with_idle_connections(bank, 5000)
        note("resident memory, 5,000 idle connections", crowded, "MiB", "<= 36", crowded <= 36)
        say("Barrier ...")
        share = barrier_skew_within(bank, races, "0.0002")
        note("barrier releases with a skew within 200 us", share * 100, "%", ">= 99", share >= 0.99)
        say("Start ...")
        ready = milliseconds_to_ready(cluster, database, rounds)
        note("from exec to ready", ready, "ms", "<= 150", ready <= 150)
    finally:
        for part in (bank, nginx):
            if part is not None:
                part.stop()
        cluster.remove()
        shutil.rmtree(folder)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", metavar="FILE", help="also write the results to this file")
    options = parser.parse_args()
    try:
        if options.json:
            open(options.json, "a", encoding="utf-8").close()
    except OSError as error:
        parser.error(f"--json: {options.json} cannot be written ({error.strerror}): name another file")
    missing = [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"yardsticks.py: install {' and '.join(missing)} first (Debian: wrk, nginx-light)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    results = measure(options.quick)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}")
    for result in results:
        print(f"{result['what']:<48} {result['value']:>9.3f} {result['unit']:<4} promise {result['promise']:<8}"
              f" {'held' if result['held'] else 'MISSED'}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=2) + "\n")
    return 0 if all(result["held"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
