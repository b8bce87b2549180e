"""POST /transfer with every mistake of people and attackers: the status of the contract, a helpful detail, no money
moved, and the connection still works."""

import re

import pytest

from client import JSON_TYPE, transfer_body
from problem import assert_problem


def refused(bank, body, *statuses, headers=None):
    """Sends a body that must be refused; the connection works and the balances are as before."""
    with bank.client() as client:
        answer = client.request("POST", "/transfer", body, JSON_TYPE if headers is None else headers)
        problem = assert_problem(answer, *statuses)
        assert client.get("/health").status == 200
    assert bank.balances() == {"alice": 1000, "bob": 500, "charlie": 200}
    assert bank.rows("SELECT count(*) AS n FROM transfers") == [{"n": 0}]
    return problem


@pytest.mark.parametrize("amount", ["0", "0.0", "0e5", "-0", "-0.0", "-1", "-0.01", "-1e12"])
def test_an_amount_that_is_not_positive(bank, amount):
    assert "amount" in refused(bank, transfer_body("alice", "bob", amount), 422)["detail"]


@pytest.mark.parametrize("amount", ["0.001", "12.345", "1e-3", "0.005", "1e-400", "1.0001e1",
                                    pytest.param("0." + "0" * 400 + "1", id="400 zeros")])
def test_an_amount_of_more_than_two_decimals(bank, amount):
    """The amount is refused and never rounded."""
    assert "amount" in refused(bank, transfer_body("alice", "bob", amount), 422)["detail"]


@pytest.mark.parametrize("amount", ["1000000000000.01", "1e13", "1e400", "1e999999999999999999999",
                                    pytest.param("9" * 400, id="400 nines"), "-1e400",
                                    "123456789012345678901234567890", "9223372036854775808", "92233720368547758.08",
                                    "184467440737095516.17"])
def test_a_huge_amount(bank, amount):
    """Above 1e12, beyond a double, beyond 64 bits of cents (where it would wrap to a small number)."""
    assert re.search("amount|number", refused(bank, transfer_body("alice", "bob", amount), 422)["detail"])


@pytest.mark.parametrize("amount", ['"100"', "true", "null", "[]", "{}", '"NaN"', "[100]"])
def test_an_amount_of_the_wrong_type(bank, amount):
    assert "amount" in refused(bank, transfer_body("alice", "bob", amount), 422)["detail"]


@pytest.mark.parametrize("amount", ["NaN", "nan", "Infinity", "-Infinity", "01", "+1", ".5", "5.", "0x10", "1e",
                                    "1_000",
                                    "1,5", "--1", "1.2.3", "- 1", "٣"])
def test_an_amount_json_does_not_know(bank, amount):
    refused(bank, transfer_body("alice", "bob", amount), 400)


@pytest.mark.parametrize("key, value", [("from_account", "5"), ("from_account", "null"), ("from_account", '["alice"]'),
                                        ("to_account", "true"), ("to_account", '{"id": "bob"}')])
def test_an_account_of_the_wrong_type(bank, key, value):
    fields = {"from_account": '"alice"', "to_account": '"bob"', "amount": "1", key: value}
    body = "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}"
    assert key in refused(bank, body, 422)["detail"]


@pytest.mark.parametrize("missing", ["from_account", "to_account", "amount"])
def test_a_missing_field(bank, missing):
    fields = {"from_account": '"alice"', "to_account": '"bob"', "amount": "1"}
    del fields[missing]
    body = "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}"
    assert missing in refused(bank, body, 422)["detail"]


@pytest.mark.parametrize("extra", ["note", "Amount", "from", ""])
def test_an_unknown_field(bank, extra):
    body = f'{{"from_account": "alice", "to_account": "bob", "amount": 1, "{extra}": 1}}'
    assert extra in refused(bank, body, 422)["detail"]


@pytest.mark.parametrize("body", ["{}", "[]", '["alice", "bob", 1]', '"transfer"', "5", "true", "null", "1e400"])
def test_json_that_is_not_a_transfer(bank, body):
    refused(bank, body, 422)


@pytest.mark.parametrize("source, target", [("alice", "nobody"), ("nobody", "alice"), ("nobody", "noone"),
                                            ("ALICE", "bob"),
                                            ("alice ", "bob"), ("alice", "'; DROP TABLE accounts; --"),
                                            ("alice' OR '1'='1", "bob"), ("alice\"; --", "bob"), ("$1", "bob"),
                                            ("alice/**/", "bob"), ("\\x", "bob"), ("аlice", "bob")])
def test_an_unknown_account(bank, source, target):
    """SQL in a name is only a name, and no account has it."""
    for safe in (False, True):
        bank.set(use_transactions=safe)
        refused(bank, transfer_body(source, target, "1"), 404)


def test_the_unknown_account_is_named(bank):
    assert "nobody" in refused(bank, transfer_body("alice", "nobody", "1"), 404)["detail"]


@pytest.mark.parametrize("name", ["", "x" * 65, "x" * 60000])
def test_a_name_no_account_can_have(bank, name):
    refused(bank, transfer_body(name, "bob", "1"), 404, 422)


def test_to_oneself(bank):
    problem = refused(bank, transfer_body("alice", "alice", "1"), 422)
    assert "account" in problem["detail"]


@pytest.mark.parametrize("body", [
    b"", b" ", b"{", b"}", b'{"from_account"', b'{"from_account": "alice", "to_account": "bob", "amount": 1',
    b'{"from_account": "alice", "to_account": "bob", "amount": 1,}', b"{'from_account': 'alice'}",
    b"from_account=alice",
    b'{"from_account": "alice", "to_account": "bob", "amount": 1} trailing',
    b'{"from_account": "alice", "to_account": "bob", "amount": 1}{}',
    b'{"from_account": "alice", "to_account": "bob", "amount": 1} // done', b'\xef\xbb\xbf{"amount": 1}', b"\x00",
    b"nul", b"\xff\xfe{\x00}\x00",
    b'{"from_account": "alice", "to_account": "bob", "amount": 1}\x00',
    b'{"from_account": "alice", "to_account": "bob", "amount": 1\x00}',
    b'{"from_account": "alice", "to_account": "bob", "amount": 1e400,}', b'{"a\\u0000b": 1,}',
    b'{"from_account": "al\nice", "to_account": "bob", "amount": 1}',
    b'{"from_account": "alice", "to_account": "bob", "amount": 1, "amount": 2}',
    b'{"from_account": "alice", "from_account": "charlie", "to_account": "bob", "amount": 1}'])
def test_malformed_json(bank, body):
    """Cut, trailing, not JSON at all, and repeated keys (it would be unclear which one counts)."""
    refused(bank, body, 400)


@pytest.mark.parametrize("name", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\\ud800",
                                  b"\\udc00\\ud800", b"\\u12", b"\\x41"])
def test_text_that_is_not_utf_8(bank, name):
    """Broken, overlong and surrogate sequences, and escapes that stand for no character."""
    refused(bank, b'{"from_account": "' + name + b'", "to_account": "bob", "amount": 1}', 400)


def test_a_nul_in_a_name(bank):
    """PostgreSQL's text has no NUL: the name must not be cut there and become alice."""
    problem = refused(bank, transfer_body("alice\0x", "bob", "1"), 422)
    assert '"from_account" must not hold a NUL' in problem["detail"]


@pytest.mark.parametrize("body, says", [
    (b'{"strategy": 1e400, "from_account": "alice", "to_account": "bob", "amount": 1}', "line 1, column 18"),
    (b'{"from_account": 99999999999999999999, "to_account": "bob", "amount": 1}', '"from_account" must be a string'),
    (b'{"from_account": "alice", "to_account": "bob", "strategy": 0.001, "amount": 800}', '"strategy" must be'),
    (b'{"from_account": "alice", "to_account": "bob", "amount": -1e30}', "greater than zero")])
def test_the_detail_is_about_the_field_that_is_wrong(bank, body, says):
    """A number in another field is not taken for the amount."""
    assert says in refused(bank, body, 422)["detail"]


@pytest.mark.parametrize("body", [b"nul", b"{", b"{} {}", b"\xef\xbb\xbf{}", b'"\xff"', b'"\\u12"',
                                  b'{"amount": 01}', b"\x00"])
def test_the_detail_is_in_our_own_words(bank, body):
    """The JSON library's own texts name its options and quote the body, so they are not used."""
    detail = refused(bank, body, 400)["detail"]
    assert detail.startswith("The body is not valid JSON: ")
    assert not re.search(r"near|token|JSON_|expected|unable|decode", detail), detail


@pytest.mark.parametrize("body, says", [
    (b'{"a": 1, "a": 2}', "two fields of the same name"), (b"[" * 3000, "nested too deeply"),
    (b'{"a": "\\ud800"}', "an escape stands for no Unicode character"),
    (b'{"\\udc00\\ud800": 1}', "an escape stands for no Unicode character")])
def test_a_body_that_is_json_syntax_is_not_called_malformed(bank, body, says):
    detail = refused(bank, body, 400)["detail"]
    assert detail.startswith("The body cannot be read: ") and says in detail
    assert not re.search(r"near|token|JSON_|expected|unable|decode|invalid", detail), detail


def test_a_nul_in_a_field_name_is_no_other_character(bank):
    """U+0000 and U+0001 make two different names."""
    assert "NUL" in refused(bank, b'{"a\\u0000": 1, "a\\u0001": 2}', 422)["detail"]


@pytest.mark.parametrize("body", [b"[" * 30000, b'{"a":' * 10000, b"[" * 30000 + b"]" * 30000,
                                  b'{"amount": ' + b"[" * 30000 + b"]" * 30000 + b"}"])
def test_deep_nesting(bank, body):
    """The recursion is limited."""
    refused(bank, body, 400, 422)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml",
                                          "multipart/form-data; boundary=x", "application/jsonx", "application/json5",
                                          "text/json", "application", "", "json"])
def test_another_content_type(bank, content_type):
    """A web page's form can send text/plain without a preflight: only application/json is accepted."""
    problem = refused(bank, transfer_body("alice", "bob", "1"), 415, headers={"Content-Type": content_type})
    assert "application/json" in problem["detail"]


def test_no_content_type(bank):
    problem = refused(bank, transfer_body("alice", "bob", "1"), 415, headers={})
    assert "application/json" in problem["detail"]


def test_no_body(bank):
    refused(bank, None, 400, 415, 422)
    refused(bank, "", 400, headers=JSON_TYPE)


def test_an_encoded_body(bank):
    """Content-Encoding is not supported, and is not ignored either."""
    refused(bank, b"\x1f\x8b\x08\x00", 400, 415, headers={**JSON_TYPE, "Content-Encoding": "gzip"})


def test_an_unknown_query_parameter(bank):
    with bank.client() as client:
        answer = client.request("POST", "/transfer?force=true", transfer_body("alice", "bob", "1"), JSON_TYPE)
        assert_problem(answer, 422)
    assert bank.balance("alice") == 1000
