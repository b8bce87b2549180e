"""The matrix of strategies and anomalies, and the orders behind it: the files are what the script writes."""

import subprocess
import sys

import matrix
from every_order import Stepper, every_order
from explorer import PROGRAM


def test_the_files_are_what_the_script_writes(cluster):
    done = subprocess.run([sys.executable, "-B", matrix.__file__, PROGRAM, cluster.url("postgres"), "--quick"], text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_order_has_the_explorers_verdict(cluster, tmp_path):
    case = matrix.cases()["foreign_writer.optimistic"]
    [exploration] = matrix.explore(PROGRAM, cluster.url("postgres"), case, tmp_path)["explorations"]
    stepper = Stepper(PROGRAM, cluster.url("postgres"))
    try:
        orders = every_order(stepper, case.name, case.text, "rc", exploration)
    finally:
        stepper.close()
    assert len(orders) == exploration["orders"] and len({str(order["steps"]) for order in orders}) == len(orders)
    wrong = [order for order in orders if exploration["outcomes"][order["outcome"]]["kind"] == "anomaly"]
    assert len(wrong) == exploration["anomalous"] > 0
    for order in wrong:
        accounts = [table for tables in order["committed"] for table in tables if table["table"] == "accounts"]
        assert ["alice", "-600", "2"] in accounts[-1]["rows"]  # the version says that one transfer has written


def test_a_made_case_can_be_printed():
    done = subprocess.run([sys.executable, "-B", matrix.__file__, "--case", "lost_update.for_update"], text=True,
                          capture_output=True, check=True)
    assert "balance - 100" in done.stdout and "800" not in done.stdout and "-- session B like A" in done.stdout
