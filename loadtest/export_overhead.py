#!/usr/bin/python3
"""Measures the cost of the trace export for the transfers, as ratios taken side by side in one run.

Five servers on one database, all in safe mode, take turns under the same load (wrk, 32 connections, transfers between
random pairs of 1,000 accounts). One exports nothing. The others export with a ratio of 0.01, with every trace, to a
collector that refuses connections, and to a collector that takes a request and never answers. The working collector is
an nginx that answers 200. Each server is measured between two measurements of the server that exports nothing, with an
empty transfers table every time, and compared with their mean, so that a drift of the machine affects both. A ratio is
the median over the rounds."""

import argparse
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "api"))
from bank import Bank  # noqa: E402
from cluster import Cluster, free_port  # noqa: E402

from yardsticks import Nginx, resident_mebibytes, say  # noqa: E402

ACCOUNTS = 1000

TRANSFERS = """
math.randomseed(os.time())
function request()
  local from = math.random(0, %d)
  local to = (from + math.random(1, %d)) %% %d
  local body = string.format('{"from_account":"a%%d","to_account":"a%%d","amount":0.01}', from, to)
  return wrk.format("POST", "/transfer", {["Content-Type"] = "application/json"}, body)
end
""" % (ACCOUNTS - 1, ACCOUNTS - 1, ACCOUNTS)


def silent_listener():
    """Accepts connections into its backlog and never answers."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


def transfers_per_second(bank, script, seconds):
    assert bank.post("/reset").status == 200
    answer = subprocess.run(["wrk", "-t1", "-c32", f"-d{seconds}s", "-s", script, f"http://127.0.0.1:{bank.port}"],
                            check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in answer and "Socket errors" not in answer, answer
    return float(re.search(r"Requests/sec:\s+([\d.]+)", answer).group(1))


def make_accounts(cluster, database):
    cluster.rows(database, "INSERT INTO accounts (id, balance, initial_balance) "
                           f"SELECT 'a' || n, 1000, 1000 FROM generate_series(0, {ACCOUNTS - 1}) n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_args()
    missing = [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"export_overhead.py: install {' and '.join(missing)} first (Debian: wrk, nginx-light)")

    folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-overhead-"))
    cluster, silent = Cluster(), silent_listener()
    parts = []
    try:
        cluster.start()
        database = cluster.new_database()
        collector = Nginx(folder, location="/v1/traces")
        parts.append(collector)
        there = f"http://127.0.0.1:{collector.port}"
        limits = {"ratio 0.01": 0.95, "every trace": 0.85, "collector refuses": 0.95, "collector hangs": 0.95}
        environments = {
            "no export": {},
            "ratio 0.01": {"OTEL_EXPORTER_OTLP_ENDPOINT": there, "OTEL_TRACES_SAMPLER": "traceidratio",
                           "OTEL_TRACES_SAMPLER_ARG": "0.01"},
            "every trace": {"OTEL_EXPORTER_OTLP_ENDPOINT": there},
            "collector refuses": {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"},
            "collector hangs": {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"},
        }
        banks = {}
        for name, environment in environments.items():
            banks[name] = Bank(cluster, database, folder / f"{len(banks)}.log",
                               {"USE_TRANSACTIONS": "true", "LOG_LEVEL": "error", **environment}).until_healthy()
            parts.append(banks[name])
        make_accounts(cluster, database)
        script = folder / "transfers.lua"
        script.write_text(TRANSFERS)
        ratios = {name: [] for name in limits}
        for bank in banks.values():
            transfers_per_second(bank, script, 1)
        names = list(limits)
        for number in range(options.rounds):
            turn = names[number % len(names):] + names[:number % len(names)]
            before = transfers_per_second(banks["no export"], script, options.seconds)
            figures = []
            for name in turn:
                rate = transfers_per_second(banks[name], script, options.seconds)
                after = transfers_per_second(banks["no export"], script, options.seconds)
                ratios[name].append(rate / ((before + after) / 2))
                figures.append(f"{name} {rate:.0f}/s ({ratios[name][-1]:.3f})")
                before = after
            say(f"  round {number + 1}: " + ", ".join(figures) + f", no export {before:.0f}/s")
        held = True
        for name, limit in limits.items():
            ratio = statistics.median(ratios[name])
            dropped = banks[name].metric("otel_spans_dropped_total")
            exported = banks[name].metric("otel_spans_exported_total")
            held = held and ratio >= limit
            print(f"{name:<18} {ratio:>6.3f} x of no export   promise >= {limit}  {'held' if ratio >= limit else 'MISSED'}"
                  f"   exported {exported}, dropped {dropped} spans, {resident_mebibytes(banks[name]):.1f} MiB resident")
        return 0 if held else 1
    finally:
        for part in reversed(parts):
            part.stop()
        silent.close()
        cluster.remove()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
