#!/usr/bin/env python3
"""The cost of race-proxy beside PgBouncer in session mode, and beside no proxy: pgbench -S, interleaved rounds.

    loadtest/proxy_bench.py --program build/release/race-proxy [--rounds 4] [--seconds 2] [--clients 32]

It starts a private PostgreSQL, a PgBouncer and the proxy on free ports of 127.0.0.1, and prints medians: transactions
a second, the ratio to the direct connection, the processor time of the proxy for each transaction, and the resident
memory with 100 idle sessions. Ratios count; the figures of one machine do not compare with those of another.
"""

import argparse
import contextlib
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/api"))

from cluster import PASSWORD, free_port, running_cluster  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
PGBOUNCER = "/usr/sbin/pgbouncer"
IDLE_SESSIONS = 100


def wait_for(port):
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"nothing listens on port {port}"
            time.sleep(0.05)


@contextlib.contextmanager
def process(arguments, **settings):
    started = subprocess.Popen(list(map(str, arguments)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, **settings)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(30)


@contextlib.contextmanager
def bouncer(cluster, folder):
    """PgBouncer refuses to run as root, so it runs as the user of the cluster."""
    port = free_port()
    users = folder / "users.txt"
    users.write_text(f'"postgres" "{PASSWORD}"\n')
    settings = folder / "pgbouncer.ini"
    settings.write_text(f"[databases]\n* = host=127.0.0.1 port={cluster.port}\n[pgbouncer]\n"
                        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
                        f"auth_file = {users}\npool_mode = session\nmax_client_conn = 300\ndefault_pool_size = 200\n"
                        "ignore_startup_parameters = extra_float_digits\n")
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    with process([PGBOUNCER, "-q", settings], **user) as started:
        wait_for(port)
        yield "PgBouncer", port, started.pid


@contextlib.contextmanager
def proxy(program, cluster, name, *options):
    port = free_port()
    with process([program, "--listen", f"127.0.0.1:{port}", "--upstream", cluster.url_over_tcp("postgres"), *options]) as started:
        wait_for(port)
        yield name, port, started.pid


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


def pgbench(port, mode, arguments):
    found = subprocess.run(["pgbench", "-n", "-S", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-M", mode,
                            "-c", str(arguments.clients), "-j", "2", "-T", str(arguments.seconds), "postgres"],
                           capture_output=True, text=True, timeout=120 + arguments.seconds,
                           env={**os.environ, "PGPASSWORD": PASSWORD})
    assert found.returncode == 0 and "tps = " in found.stdout, found.stdout + found.stderr
    transactions = int(re.search(r"actually processed: (\d+)", found.stdout).group(1))
    return float(re.search(r"tps = ([\d.]+)", found.stdout).group(1)), transactions


def measure(ways, arguments):
    """(name, mode) -> the list of (transactions a second, microseconds of the proxy for each)."""
    figures = {}
    for _ in range(arguments.rounds):
        for mode in ("simple", "prepared"):
            for name, port, pid in ways:
                before = processor_seconds(pid) if pid else 0
                rate, transactions = pgbench(port, mode, arguments)
                spent = processor_seconds(pid) - before if pid else 0
                figures.setdefault((name, mode), []).append((rate, spent / transactions * 1e6))
    return figures


def memory_of_idle_sessions(port, pid):
    import psycopg2
    sessions = [psycopg2.connect(host="127.0.0.1", port=port, user="postgres", password=PASSWORD, dbname="postgres")
                for _ in range(IDLE_SESSIONS)]
    found = resident_kib(pid)
    for session in sessions:
        session.close()
    return found


def report(ways, figures):
    print(f"{'':28} {'simple':>8} {'ratio':>6} {'us/tx':>6} {'prepared':>9} {'ratio':>6} {'us/tx':>6} {'KiB with 100':>13}")
    direct = {mode: statistics.median(rate for rate, _ in figures["direct", mode]) for mode in ("simple", "prepared")}
    for name, port, pid in ways:
        cells = [f"{name:28}"]
        for mode, width in (("simple", 8), ("prepared", 9)):
            rate = statistics.median(rate for rate, _ in figures[name, mode])
            spent = statistics.median(spent for _, spent in figures[name, mode])
            cells.append(f"{rate:{width}.0f} {rate / direct[mode]:6.2f} {spent:6.1f}")
        cells.append(f"{memory_of_idle_sessions(port, pid) if pid else '':>13}")
        print(" ".join(cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/race-proxy")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--clients", type=int, default=32)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(running_cluster())
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lab-proxy-", dir="/tmp")))
        folder.chmod(0o755)
        subprocess.run(["pgbench", "-i", "-q", "-h", str(cluster.folder), "-p", str(cluster.port), "-U", "postgres",
                        "postgres"], check=True, capture_output=True)
        ways = [("direct", cluster.port, None)]
        entered = [proxy(arguments.program, cluster, "race-proxy"),
                   proxy(arguments.program, cluster, "race-proxy --force", "--force")]
        if os.path.exists(PGBOUNCER):
            entered.insert(0, bouncer(cluster, folder))
        for each in entered:
            ways.append(stack.enter_context(each))
        report(ways, measure(ways, arguments))


if __name__ == "__main__":
    main()
