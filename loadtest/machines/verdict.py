"""Resolves what the clients do not know, and compares what they were answered with what is in the database."""

import time

from machines import settings
from machines.clients import ACCOUNTS, send
from machines.cluster import request
from machines.process import Failure

LONGEST_GAP = settings.TTL + 5
RESOLVE_SECONDS = 120


def make_accounts(cluster):
    """The accounts of the load, beside those that the bank begins with."""
    values = ", ".join(f"('{account}', 1000, 1000)" for account in ACCOUNTS)
    cluster.sql(f"INSERT INTO accounts (id, balance, initial_balance) VALUES {values} ON CONFLICT DO NOTHING")


def resolve(port, key, pair, identity):
    """How a transfer of unknown outcome ended: "was there" or "posted now". Its id, if the client has one, is asked
    first; then its key is sent again. Both must say the same."""
    by_id = ask_for(port, identity) if identity else None
    deadline = time.monotonic() + RESOLVE_SECONDS
    while time.monotonic() < deadline:
        status, body, headers = send(port, key, pair)
        if status == 200:
            was_there = headers.get("Idempotent-Replayed") == "true"
            if by_id is not None and by_id != was_there:
                return "contradicted", body["id"]
            if identity and was_there and body["id"] != identity:
                return "contradicted", body["id"]
            return ("was there" if was_there else "posted now"), body["id"]
        time.sleep(0.2)  # 409: the transfer still runs; 503: a session is being opened again
    raise Failure(f"the transfer with the key {key} could not be resolved within {RESOLVE_SECONDS} s (status {status})")


def ask_for(port, identity):
    """Whether there is a record with this id; asked until there is an answer."""
    deadline = time.monotonic() + RESOLVE_SECONDS
    while time.monotonic() < deadline:
        status, _ = request(port, "GET", f"/transfers/{identity}")
        if status in (200, 404):
            return status == 200
        time.sleep(0.2)
    raise Failure(f"GET /transfers/{identity} had no answer within {RESOLVE_SECONDS} s")


def resolve_all(port, load):
    """{key: (how it ended, id, whether the client had an id)}"""
    return {key: (*resolve(port, key, pair, identity), identity is not None)
            for key, (pair, identity) in sorted(load.unknown.items())}


def records(cluster):
    """{key: id} of the records that have a key, and the number of those that have none."""
    rows = cluster.sql("SELECT t.id, k.key FROM transfers t LEFT JOIN transfer_keys k USING (seq)")
    return {key: identity for identity, key in rows if key}, sum(1 for _, key in rows if not key)


def drift(cluster):
    """The money that is not where the records say, and the money that was made or lost."""
    [[accounts, supply]] = cluster.sql("SELECT (SELECT coalesce(sum(abs(drift)), 0) FROM account_audit), "
                                       "(SELECT abs(drift) FROM money_supply)")
    return float(accounts) + float(supply)


def judge(load, resolved, found, without_key, off_by):
    """The figures of one round. `found` may have the keys of other rounds too."""
    lost = [key for key, (identity, _) in load.acknowledged.items() if found.get(key) != identity]
    missing = [key for key, (_, identity, _) in resolved.items() if found.get(key) != identity]
    ends = [how for how, _, _ in resolved.values()]
    return {
        "acknowledged": len(load.acknowledged),
        "lost": len(lost),
        "twice": without_key,
        "unknown": len(load.unknown),
        "with_id": sum(1 for _, _, had_id in resolved.values() if had_id),
        "was_there": ends.count("was there"),
        "posted_now": ends.count("posted now"),
        "unresolved": len(load.unknown) - len(resolved) + ends.count("contradicted") + len(missing),
        "refused": load.refused,
        "gap_s": round(load.gap(), 1),
        "drift": off_by,
    }


def broken_promises(mode, figures):
    """The promises of the mode that did not hold, in words. An asynchronous standby promises nothing about lost
    transfers."""
    broken = []
    if mode == "sync" and figures["lost"]:
        broken.append(f"{figures['lost']} acknowledged transfers are lost")
    if figures["twice"]:
        broken.append(f"{figures['twice']} transfers are posted twice")
    if figures["unresolved"]:
        broken.append(f"{figures['unresolved']} unknown transfers could not be resolved")
    if figures["drift"]:
        broken.append(f"the books are off by {figures['drift']:.2f}")
    if figures["gap_s"] > LONGEST_GAP:
        broken.append(f"no transfer for {figures['gap_s']} s, more than {LONGEST_GAP} s")
    return broken
