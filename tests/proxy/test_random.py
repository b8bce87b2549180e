"""Random transactions: the verdict of each row write is that of the judge. random_transactions.py is the long form."""

import os

import pytest
from random_transactions import run, verdict

TRANSACTIONS = min(int(os.environ.get("LAB_ROUNDS", "1000")), 1000) // 4


@pytest.mark.skipif(TRANSACTIONS < 4, reason="too few rounds")
def test_no_verdict_is_false(tmp_path):
    counted, _, stories, rows, words = run(TRANSACTIONS, 4, 1, tmp_path)
    assert verdict(counted)[0] == 0, stories
    assert rows > TRANSACTIONS / 8 and "0 only by the order" in words
