#!/usr/bin/env python3
"""pgbench through `race-proxy --find`: transactions that lock before they write have no proved finding.

Usage: for_update.py [--minutes N] [--clients N] [--exact]

The clients of pgbench read one of three rows, with or without FOR UPDATE, and write it: absolutely, relatively, or
behind a second read. Exit status: 0 if no finding of the run with FOR UPDATE is proved.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from proxy import Proxy  # also makes tests/api importable
from cluster import running_cluster

TABLE = """CREATE TABLE accounts (id integer PRIMARY KEY, balance bigint NOT NULL);
           INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 3) AS n"""
SCRIPT = r"""\set id random(1, 3)
\set way random(1, 3)
BEGIN;
SELECT balance FROM accounts WHERE id = :id {lock} \gset
\if :way = 1
UPDATE accounts SET balance = :balance + 1 WHERE id = :id;
\elif :way = 2
UPDATE accounts SET balance = balance + 1 WHERE id = :id;
\else
SELECT id, balance AS again FROM accounts WHERE id = :id {lock} \gset
UPDATE accounts SET balance = :again + 1 WHERE id = :id RETURNING balance;
\endif
COMMIT;
"""


def run(cluster, database, folder, lock, bound, clients=8, exact=False):
    """The number of transactions, and the proved findings. `bound`: ("-t", transactions of a client) or ("-T", s)."""
    cluster.rows(database, f"DROP TABLE IF EXISTS accounts; {TABLE}")
    script, found = folder / "script.sql", folder / "findings.json"
    script.write_text(SCRIPT.format(lock=lock))
    proxy = Proxy(cluster.url_over_tcp(database), folder / "log", f"--find={found}", *["--exact"] * exact)
    try:
        outcome = subprocess.run(["pgbench", "-n", "-M", "simple", "-c", str(clients), "-j", "2",
                                  *[str(each) for each in bound], "-f", str(script), proxy.url(database)],
                                 capture_output=True, text=True, check=True)
    finally:
        status = proxy.stop()
    assert status == 0, proxy.log()
    done = int(re.search(r"transactions actually processed: (\d+)", outcome.stdout).group(1))
    findings = json.loads(found.read_text())["findings"]
    return done, [each for each in findings if each["level"] == "proved"], proxy.lines("Observed")[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--exact", action="store_true", help="row versions are the judge")
    options = parser.parse_args()
    with running_cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        cluster.rows("postgres", "CREATE DATABASE pgbench_test")
        done, proved, words = run(cluster, "pgbench_test", pathlib.Path(folder), "FOR UPDATE",
                                  ("-T", max(1, round(options.minutes * 60))), options.clients, options.exact)
    for each in proved:
        print(each["sentence"])
    print(f"{done} transactions with FOR UPDATE: {len(proved)} proved findings")
    print(words)
    sys.exit(len(proved) > 0)


if __name__ == "__main__":
    main()
