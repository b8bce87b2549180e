"""The rules that the fuzzer cannot read in the document: rules between two fields, and the accounts that exist.

schemathesis loads this file (SCHEMATHESIS_HOOKS) in its own Python. A body is changed only where one of these rules
applies: other faults in it stay."""

import re
import uuid

import schemathesis

ACCOUNTS = ("alice", "bob", "charlie")
STANDBY = ("replica_read", "replica_guard", "replica_wait", "remote_apply")
KEY = re.compile(r'"(?:[ !#-\[\]-~]|\\["\\]){1,255}"|[!#-+.-:<-\[\]-~-]{1,255}')
ID_MAX = 64  # bytes, which JSON Schema cannot count


def mend_amount(body):
    """An amount in range gets at most two decimals; a larger one gets none."""
    amount = body.get("amount")
    if isinstance(amount, float) and 0.01 <= amount <= 1e12:
        body["amount"] = round(amount, 2) if amount < 1e9 else int(amount)


def mend_transfer(body):
    """The two accounts differ, and every other transfer is between existing accounts: the others are answered with
    404."""
    names = [body.get("from_account"), body.get("to_account")]
    if not all(isinstance(name, str) for name in names):
        return
    length = len("".join(names))
    known = length % 2 == 0 and all(names)
    if known:
        body["from_account"], body["to_account"] = ACCOUNTS[length % 3], ACCOUNTS[(length + 1) % 3]
    elif names[0] == names[1] and len(names[0]) > 1:
        body["to_account"] = names[0][:-1]
    elif names[0] == names[1] and names[0]:
        body["to_account"] = names[0] * 2
    for name in ("from_account", "to_account"):
        encoded = body[name].encode("utf-8", "surrogatepass")
        if len(body[name]) <= ID_MAX < len(encoded):
            body[name] = encoded[:ID_MAX].decode("utf-8", "ignore")


def mend_settings(body):
    """A strategy and use_transactions do not contradict each other."""
    if isinstance(body.get("strategy"), str) and isinstance(body.get("use_transactions"), bool):
        del body["use_transactions"]


def mend_strategy(fields, name):
    """The bank of the test has no standby."""
    if fields.get(name) in STANDBY:
        fields[name] = "for_update"


def mend_key(headers):
    """Each key is new: a known one with another body is answered with 422."""
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and KEY.fullmatch(key):
        headers["Idempotency-Key"] = f'"{uuid.uuid4()}"' if key.startswith('"') else str(uuid.uuid4())


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.headers and case.operation.path == "/transfer":
        mend_key(case.headers)
    if isinstance(case.query, dict) and case.operation.path == "/admin/strategy":
        mend_strategy(case.query, "name")
    if not isinstance(case.body, dict):
        return
    if case.operation.path == "/transfer":
        mend_amount(case.body)
        mend_transfer(case.body)
        mend_strategy(case.body, "strategy")
    elif case.operation.path == "/admin/settings":
        mend_settings(case.body)
        mend_strategy(case.body, "strategy")
