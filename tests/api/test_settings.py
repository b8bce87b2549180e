"""GET and POST /admin/settings, POST /admin/delay, /admin/barrier, /admin/transactions."""

import pytest

from client import JSON_TYPE
from problem import assert_problem

TRUE = ["true", "TRUE", "True", "1", "on", "ON", "yes", "Yes"]
FALSE = ["false", "FALSE", "False", "0", "off", "Off", "no", "NO"]


def test_the_defaults(bank):
    """A bank that starts without settings is vulnerable, and has delay and barrier off."""
    settings = bank.get("/admin/settings").json()
    for key, value in {"delay_enabled": False, "delay_ms": 100, "barrier_enabled": False, "barrier_count": 2,
                       "use_transactions": False, "barrier_timeout_ms": 30000, "strategy": "vulnerable"}.items():
        assert settings[key] == value and type(settings[key]) is type(value), key


def test_the_first_keys_are_the_contracts(bank):
    """Scripts of the lab print the document: it starts with the five known keys."""
    assert list(bank.get("/admin/settings").json())[:5] == ["delay_enabled", "delay_ms", "barrier_enabled",
                                                            "barrier_count", "use_transactions"]


@pytest.mark.parametrize("change", [{"delay_enabled": True}, {"delay_ms": 0}, {"delay_ms": 60000},
                                    {"barrier_enabled": True},
                                    {"barrier_count": 28}, {"barrier_timeout_ms": 50}, {"use_transactions": True},
                                    {"delay_enabled": True, "delay_ms": 5, "barrier_count": 16}, {}])
def test_any_subset_can_be_changed(bank, change):
    """The answer is all settings after the change, and they stay."""
    before = bank.get("/admin/settings").json()
    answer = bank.post("/admin/settings", change)
    assert answer.status == 200
    after = answer.json()
    assert {key: after[key] for key in change} == change
    untouched = set(before) - set(change) - {"strategy"}
    assert {key: after[key] for key in untouched} == {key: before[key] for key in untouched}
    assert bank.get("/admin/settings").json() == after


def test_the_strategy_and_use_transactions_agree(bank):
    """The two settings have one meaning: each change of one changes the other."""
    assert bank.post("/admin/settings", {"use_transactions": True}).json()["strategy"] == "for_update"
    assert bank.post("/admin/settings", {"strategy": "vulnerable"}).json()["use_transactions"] is False
    assert bank.post("/admin/settings", {"strategy": "for_update"}).json()["use_transactions"] is True
    assert bank.post("/admin/transactions?enabled=false").status == 200
    assert bank.get("/admin/settings").json()["strategy"] == "vulnerable"


@pytest.mark.parametrize("path, document", [
    ("/admin/delay?enabled=true&ms=200", {"delay_enabled": True, "delay_ms": 200}),
    ("/admin/delay?ms=0&enabled=1", {"delay_enabled": True, "delay_ms": 0}),
    ("/admin/delay?ms=60000", {"delay_enabled": True, "delay_ms": 60000}),
    ("/admin/delay?enabled=false", {"delay_enabled": False, "delay_ms": 100}),
    ("/admin/delay", {"delay_enabled": True, "delay_ms": 100}),
    ("/admin/barrier?enabled=true&count=2", {"barrier_enabled": True, "barrier_count": 2}),
    ("/admin/barrier?count=28", {"barrier_enabled": True, "barrier_count": 28}),
    ("/admin/barrier?enabled=false", {"barrier_enabled": False, "barrier_count": 2}),
    ("/admin/barrier", {"barrier_enabled": True, "barrier_count": 2}),
    ("/admin/transactions?enabled=true", {"use_transactions": True}),
    ("/admin/transactions?enabled=false", {"use_transactions": False}),
    ("/admin/transactions", {"use_transactions": True})])
def test_the_query_endpoints(bank, path, document):
    """The exact answer, with the defaults of the contract, and the new setting."""
    answer = bank.post(path)
    assert answer.status == 200
    assert answer.json() == document
    settings = bank.get("/admin/settings").json()
    assert {key: settings[key] for key in document} == document


def test_the_delay_is_kept_when_no_ms_is_sent(bank):
    """The delay can be switched off and on again without a repetition of its length."""
    assert bank.post("/admin/delay?ms=250").json() == {"delay_enabled": True, "delay_ms": 250}
    assert bank.post("/admin/delay?enabled=false").json() == {"delay_enabled": False, "delay_ms": 250}
    assert bank.post("/admin/delay").json() == {"delay_enabled": True, "delay_ms": 250}


@pytest.mark.parametrize("written, meant", [(word, True) for word in TRUE] + [(word, False) for word in FALSE])
@pytest.mark.parametrize("switch, key", [("delay", "delay_enabled"), ("barrier", "barrier_enabled"),
                                         ("transactions", "use_transactions")])
def test_booleans_in_any_spelling(bank, switch, key, written, meant):
    bank.set(**{key: not meant})
    assert bank.post(f"/admin/{switch}?enabled={written}").json()[key] is meant


@pytest.mark.parametrize("query", [
    "delay?enabled=maybe", "delay?enabled=", "delay?enabled=2", "delay?enabled=true%20", "delay?ms=-1",
    "delay?ms=60001",
    "delay?ms=1.5", "delay?ms=abc", "delay?ms=", "delay?ms=99999999999999999999", "delay?ms=0x10", "delay?count=2",
    "delay?ms=5&ms=6", "barrier?count=1", "barrier?count=0", "barrier?count=-2", "barrier?count=29",
    "barrier?count=1000000",
    "barrier?count=18446744073709551618", "barrier?count=two", "barrier?enabled=enabled", "barrier?ms=5",
    "transactions?enabled=perhaps", "transactions?use=true", "transactions?enabled=true&enabled=false"])
def test_a_bad_query_is_422_and_changes_nothing(bank, query):
    before = bank.get("/admin/settings").json()
    assert_problem(bank.post(f"/admin/{query}"), 422)
    assert bank.get("/admin/settings").json() == before


@pytest.mark.parametrize("query, allowed", [("delay?ms=60001", "60000"), ("barrier?count=29", "28"),
                                            ("barrier?count=1", "2")])
def test_the_detail_names_what_is_allowed(bank, query, allowed):
    """The refusal names the limit."""
    assert allowed in assert_problem(bank.post(f"/admin/{query}"), 422)["detail"]


@pytest.mark.parametrize("body", [
    '{"delay_ms": -1}', '{"delay_ms": 60001}', '{"delay_ms": 1.5}', '{"delay_ms": "5"}', '{"delay_ms": true}',
    '{"delay_ms": null}', '{"delay_ms": 1e400}', '{"delay_ms": 99999999999999999999}', '{"delay_enabled": "true"}',
    '{"delay_enabled": 1}', '{"delay_enabled": null}', '{"barrier_count": 1}', '{"barrier_count": 29}',
    '{"barrier_count": 4294967298}', '{"barrier_count": [2]}', '{"barrier_enabled": {}}', '{"use_transactions": "yes"}',
    '{"strategy": "magic"}', '{"strategy": 1}', '{"barrier_timeout_ms": -1}', '{"barrier_timeout_ms": "soon"}',
    '{"unknown": 1}', '{"Delay_ms": 1}', '[]', '"delay"', '5', 'null'])
def test_a_bad_setting_is_422(bank, body):
    before = bank.get("/admin/settings").json()
    assert_problem(bank.request("POST", "/admin/settings", body, JSON_TYPE), 422)
    assert bank.get("/admin/settings").json() == before


def test_a_change_is_all_or_nothing(bank):
    """One bad key: the good ones beside it are not changed either."""
    answer = bank.post("/admin/settings", {"delay_enabled": True, "delay_ms": 7, "barrier_count": 1000})
    assert_problem(answer, 422)
    settings = bank.get("/admin/settings").json()
    assert (settings["delay_enabled"], settings["delay_ms"], settings["barrier_count"]) == (False, 100, 2)


@pytest.mark.parametrize("body", ["", "{", '{"delay_ms": 5,}', '{"delay_ms": 5} x', '{"delay_ms": 5, "delay_ms": 6}',
                                  "NaN"])
def test_malformed_settings_are_400(bank, body):
    assert_problem(bank.request("POST", "/admin/settings", body, JSON_TYPE), 400)
    assert bank.get("/admin/settings").json()["delay_ms"] == 100


def test_settings_act_on_the_next_transfer(bank):
    """The changed strategy is in the next record."""
    bank.post("/admin/transactions?enabled=true")
    assert bank.transfer("alice", "bob", "1").json()["strategy"] == "for_update"
    bank.post("/admin/transactions?enabled=false")
    assert bank.transfer("alice", "bob", "1").json()["strategy"] == "vulnerable"


def test_the_delay_is_in_the_record(bank):
    """The duration in the record of a transfer that slept is at least the delay."""
    bank.post("/admin/delay?enabled=true&ms=50")
    for safe in ("false", "true"):
        bank.post(f"/admin/transactions?enabled={safe}")
        assert bank.transfer("alice", "bob", "1").json()["duration_ms"] >= 50
