"""The commands of the lab's first runbook, as written (curl, bash), against a private bank."""

import json
import shutil
import subprocess
from decimal import Decimal

import pytest

from pace import HANG_GUARD

pytestmark = pytest.mark.race

TRANSFERS = """
curl -s -X POST http://localhost:8000/transfer \\
  -H "Content-Type: application/json" \\
  -d '{"from_account": "alice", "to_account": "bob", "amount": 800}' &
PID1=$!

curl -s -X POST http://localhost:8000/transfer \\
  -H "Content-Type: application/json" \\
  -d '{"from_account": "alice", "to_account": "charlie", "amount": 800}' &
PID2=$!

wait $PID1 $PID2
"""


@pytest.fixture
def shell(bank):
    """Runs commands that were written for port 8000 against the test's bank; returns their output."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")

    def run(commands):
        commands = commands.replace(":8000", f":{bank.port}")
        outcome = subprocess.run(["bash", "-euc", commands], capture_output=True, text=True, timeout=3 * HANG_GUARD)
        assert outcome.returncode == 0, outcome
        return outcome.stdout
    return run


def said(output):
    return json.loads(output, parse_float=Decimal)


def test_verify_api(shell):
    assert said(shell("curl -s http://localhost:8000/health"))["status"] == "ok"
    accounts = said(shell("curl -s http://localhost:8000/accounts"))["accounts"]
    assert [each["id"] for each in accounts] == ["alice", "bob", "charlie"]


def test_single_transfer(shell):
    record = said(shell("""curl -s -X POST http://localhost:8000/transfer \\
      -H "Content-Type: application/json" \\
      -d '{"from_account": "alice", "to_account": "bob", "amount": 100}'"""))
    assert (record["status"], record["from_balance_after"]) == ("success", 900)


def test_race_with_barrier(shell):
    """enable-delay, enable-barrier, race-with-barrier: Alice is at -600.0."""
    assert said(shell('curl -s -X POST "http://localhost:8000/admin/delay?enabled=true&ms=200"')) == {
        "delay_enabled": True, "delay_ms": 200}
    shell("curl -s -X POST http://localhost:8000/reset > /dev/null")
    assert said(shell('curl -s -X POST "http://localhost:8000/admin/barrier?enabled=true&count=2"')) == {
        "barrier_enabled": True, "barrier_count": 2}
    shell(TRANSFERS)
    assert '"balance":-600.0' in shell("curl -s http://localhost:8000/accounts/alice").replace(" ", "")
    metrics = shell("curl -s http://localhost:8000/metrics "
                    '| grep -E "race_condition|double_spend|transfers_total|account_balance"')
    assert 'account_balance{account_id="alice"} -600' in metrics


def test_with_fix(shell):
    """enable-safe-mode, test-with-fix, view-transactions: 200.0, one success, one refusal, with delay and barrier still
    on."""
    shell('curl -s -X POST "http://localhost:8000/admin/delay?enabled=true&ms=200"')
    shell('curl -s -X POST "http://localhost:8000/admin/barrier?enabled=true&count=2"')
    shell("curl -s -X POST http://localhost:8000/reset > /dev/null")
    answer = shell('curl -s -X POST "http://localhost:8000/admin/transactions?enabled=true"')
    assert said(answer) == {"use_transactions": True}
    settings = said(shell("curl -s http://localhost:8000/admin/settings"))
    assert (settings["delay_enabled"], settings["barrier_enabled"], settings["use_transactions"]) == (True, True, True)
    shell(TRANSFERS)
    assert '"balance":200.0' in shell("curl -s http://localhost:8000/accounts/alice").replace(" ", "")
    log = said(shell('curl -s "http://localhost:8000/transactions?limit=5"'))["transactions"]
    assert sorted(record["status"] for record in log) == ["failed_insufficient_funds", "success"]


def test_curl_with_a_large_body_and_expect(shell):
    """curl sends Expect: 100-continue before a large upload, and gets 413 without uploading it."""
    status = shell("head -c 3000000 /dev/zero | curl -s -o /dev/null -w '%{http_code} %{size_upload}' "
                   "-X POST http://localhost:8000/transfer -H 'Content-Type: application/json' "
                   "-H 'Expect: 100-continue' --data-binary @-")
    code, uploaded = status.split()
    assert code == "413"
    assert int(uploaded) < 3000000


def test_curl_offering_http_2(shell):
    """--http2 on a plain connection offers h2c; the answer is HTTP/1.1."""
    curl = "curl -s -o /dev/null -w '%{http_version} %{http_code}' http://localhost:8000/health"
    assert shell(f"{curl} --http2") == "1.1 200"
    assert shell("curl -s --http1.0 -o /dev/null -w '%{http_code}' http://localhost:8000/health") == "200"
    assert shell("curl -s -I -o /dev/null -w '%{http_code}' http://localhost:8000/health") == "200"
