"""Mistakes that newcomers make at the API: each answer names what was written, and what to write instead."""

import pytest

from client import JSON_TYPE
from problem import assert_problem

TRANSFER = '{"from_account":"alice","to_account":"bob","amount":5}'
ENVIRONMENT = {"WORKER_THREADS": "32"}
SLOTS = 28

BODIES = {
    TRANSFER.replace('"', "'"): (400, "double quotes, not single ones (line 1, column 2)"),
    TRANSFER.replace('"alice"', "'alice'"): (400, "double quotes, not single ones (line 1, "),
    TRANSFER.replace('"from_account"', "from_account"): (400, "double quotes around every name and every text"),
    TRANSFER.replace("5}", "5,}"): (400, "a comma stands before the closing bracket"),
    TRANSFER.replace('"to_account":"bob",', ""): (422, '"to_account" is missing: it names an account'),
    TRANSFER.replace("from_account", "from"): (422, 'no field "from" in a transfer: send from_account'),
    TRANSFER.replace("5}", '5,"strategy":"optimstic"}'): (422, "did you mean optimistic?"),
}

POSTS = {
    "/admin/barrier?count=99": f"count is 99, but must be a whole number from 2 to {SLOTS}",
    "/admin/barrier?count=two": f"count must be a whole number from 2 to {SLOTS}",
    "/admin/delay?ms=-1": "ms is -1, but must be a whole number from 0 to 60000",
    "/admin/delay?ms=fast": "ms must be a whole number from 0 to 60000",
    "/admin/delay?delay=50": 'This path has no parameter "delay": use enabled or ms',
    "/admin/strategy?name=optimstic": "strategy must be one of vulnerable, for_update, ",
}

SETTINGS = {
    '{"barrier_count":99}': f"barrier_count is 99, but must be a whole number from 2 to {SLOTS}",
    '{"strategy":"optimstic"}': "strategy must be one of vulnerable, for_update, ",
}

GETS = {
    "/transactions?limit=0": (422, "limit is 0, but must be a whole number from 1 to 1000"),
    "/transactions?limit=abc": (422, "limit must be a whole number from 1 to 1000"),
    "/races?limit=101": (422, "limit is 101, but must be a whole number from 1 to 100"),
    "/races/nope": (404, "eight hexadecimal digits in lower case, such as 0123abcd: GET /races lists the races"),
    "/races/0123ABCD": (404, "eight hexadecimal digits in lower case, such as 0123abcd: GET /races lists the races"),
    "/races/0123abcd": (404, 'no transfer "0123abcd" among the newest 1,000 records: GET /races lists the races'),
    "/transfers/nope": (404, "eight hexadecimal digits in lower case, such as 0123abcd: GET /transactions lists the newest"),
    "/account": (404, "/docs"),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_transfer(bank, body):
    status, words = BODIES[body]
    answer = bank.request("POST", "/transfer", body, JSON_TYPE)
    assert words in assert_problem(answer, status)["detail"]


@pytest.mark.parametrize("target", POSTS)
def test_a_shortcut(bank, target):
    assert assert_problem(bank.post(target), 422)["detail"].startswith(POSTS[target])


@pytest.mark.parametrize("body", SETTINGS)
def test_the_settings(bank, body):
    answer = bank.request("POST", "/admin/settings", body, JSON_TYPE)
    assert SETTINGS[body] in assert_problem(answer, 422)["detail"]


@pytest.mark.parametrize("target", GETS)
def test_a_reading(bank, target):
    status, words = GETS[target]
    assert words in assert_problem(bank.get(target), status)["detail"]
