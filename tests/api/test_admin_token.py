"""ADMIN_TOKEN: the guarded endpoints, and the open ones."""

import pytest

from problem import assert_problem

ENVIRONMENT = {"ADMIN_TOKEN": "s3cret-token"}

GUARDED = [("GET", "/admin/settings"), ("POST", "/admin/settings"), ("POST", "/admin/delay"),
           ("POST", "/admin/barrier"), ("POST", "/admin/strategy?name=batched"),
           ("POST", "/admin/transactions"), ("POST", "/reset"), ("HEAD", "/admin/settings")]


@pytest.mark.parametrize("method, path", GUARDED)
@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer", "Bearer ", "Bearer s3cret-toke",
                                           "Bearer s3cret-token2",
                                           "Basic czNjcmV0LXRva2Vu", "s3cret-token", "Bearer S3CRET-TOKEN",
                                           "Bearer s3cret-token x"])
def test_the_admin_token_is_asked_for(bank, method, path, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = bank.request(method, path, None, headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].split()[0] == "Bearer"
    if method != "HEAD":
        assert_problem(answer, 401)
        assert "s3cret" not in answer.text()


def test_the_admin_token_opens(bank):
    """Bearer in any case, as RFC 6750 says. Endpoints outside the administration need no token."""
    for scheme in ("Bearer", "bearer", "BEARER"):
        token = {"Authorization": f"{scheme} s3cret-token"}
        assert bank.request("GET", "/admin/settings", None, token).status == 200
        assert bank.request("POST", "/admin/delay?enabled=false", None, token).status == 200
        assert bank.request("POST", "/reset", None, token).status == 200
    for path in ("/health", "/accounts", "/accounts/alice", "/transactions", "/metrics"):
        assert bank.get(path).status == 200
    assert bank.transfer("alice", "bob", "1").status == 200
    assert "s3cret-token" not in bank.log()
