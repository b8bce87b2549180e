"""Forced rounds of the strategies that read at a standby, with a PostgreSQL and a standby of their own."""

import contextlib

from comparison import rounds
from harness import lab

from standby import running_standby, synchronous  # in tests/api, whose folder harness.lab adds to the path

DELAY = "30ms"  # the standby is this far behind where a transfer waits for it


def before(standby, delay):
    """Prepares a round: the standby has the initial balances, and is behind by the delay from then on."""
    def prepare():
        standby.catch_up()
        standby.set_delay(delay)
    return prepare


def race(bank, standby, listed, count):
    """The results of one strategy: one transfer after the other with a standby that is behind, and where that must be
    right, two at once with one that is up to date."""
    result = {key: listed[key] for key in ("name", "safe", "idea")}
    waits = result["name"] in ("replica_wait", "remote_apply")
    result["rounds"] = rounds.in_turn(bank, count, before(standby, DELAY if waits else "1d"))
    yield result
    if waits or result["safe"]:
        result["in_turn_is_right"] = True
        yield {"name": f"{result['name']}, at once", "safe": result["safe"],
               "rounds": rounds.race(bank, count, before(standby, "0"))}


def run(listed, wanted):
    """The results of all strategies in the list, each with `wanted` rounds, a wrong one with a fifth of them."""
    results = []
    with lab.cluster() as cluster, running_standby(cluster) as standby:
        database = cluster.new_database()
        with lab.bank(cluster, database, BANK_API_STANDBY_URL=standby.url(database)) as bank:
            for each in listed:
                lab.say(f"  forced rounds with a standby: {each['name']}")
                standby.catch_up()
                bank.set(strategy=each["name"])
                count = wanted if each["safe"] else max(1, wanted // 5)
                with synchronous(standby) if each["name"] == "remote_apply" else contextlib.nullcontext():
                    results += race(bank, standby, each, count)
    return results
