"""What the fuzzer cannot read in the document: rules between two fields, and which accounts there are.

Loaded by schemathesis (SCHEMATHESIS_HOOKS), in its own Python."""

import schemathesis

ACCOUNTS = ("alice", "bob", "charlie")
SAFE = ("for_update", "atomic_update", "optimistic", "repeatable_read", "serializable", "advisory_lock", "batched")


def is_too_long(name):
    """Ids are bounded in bytes, which JSON Schema cannot count."""
    return isinstance(name, str) and len(name.encode("utf-8", "surrogatepass")) > 64


def contradicts_itself(body):
    """Settings that select a strategy, and say the contrary of it as well."""
    return "strategy" in body and "use_transactions" in body and \
        (body["strategy"] in SAFE) is not body["use_transactions"]


@schemathesis.hook
def filter_body(context, body):
    """Not those bodies that the schema allows and the server must refuse."""
    if not isinstance(body, dict):
        return True
    names = [body.get("from_account"), body.get("to_account")]
    same = names[0] is not None and names[0] == names[1]
    return not same and not contradicts_itself(body) and not any(is_too_long(name) for name in names)


@schemathesis.hook
def map_body(context, body):
    """Every other transfer is between accounts that are there: the rest would all end at 404."""
    if isinstance(body, dict) and all(isinstance(body.get(name), str) for name in ("from_account", "to_account")):
        place = len(body["from_account"]) + len(body["to_account"])
        if place % 2 == 0:
            return {**body, "from_account": ACCOUNTS[place % 3], "to_account": ACCOUNTS[(place + 1) % 3]}
    return body
