"""Runs every order of a case through race-explore --stepper, and finds the explorer's verdict on each."""

import itertools
import json
import subprocess

TRIES = 3


def _answers(steps):
    """The explorer compares the answers that count, and which of them were undone."""
    return sorted((step["step"], answer["undone"], None if answer["undone"] else json.dumps(answer, sort_keys=True))
                  for step in steps for answer in step["answers"])


def _key(run):
    return json.dumps([_answers(run["steps"]), run["state"]], sort_keys=True)


class Stepper:
    """The program that answers orders of one case after another."""

    def __init__(self, program, server):
        self._process = subprocess.Popen([program, "--server", server, "--stepper"], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE)

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def position(self, name, text, level, order):
        """Where the sessions stand after these steps. On a busy machine an answer may come too late: then it is asked
        for again."""
        content = text.encode()
        line = f"{level} {','.join(order) or '-'} {len(content)} {name}.sql\n"
        for _ in range(TRIES):
            self._process.stdin.write(line.encode() + content)
            self._process.stdin.flush()
            kind, _, words = self._process.stdout.readline().decode().partition(" ")
            if kind == "ok":
                return json.loads(words)
            if kind != "database":
                break
        raise RuntimeError(f"{name} {order}: {kind} {words}")


def _committed(positions):
    """The tables before the first step, and those that each step has changed."""
    changes = [positions[0]["state"]]
    for before, after in itertools.pairwise(positions):
        changes.append([table for table in after["state"] if table not in before["state"]])
    return changes


def _ways(stepper, name, text, level):
    """Each order as the list of its positions."""
    def follow(order, positions):
        here = stepper.position(name, text, level, order)
        ready = [session["name"] for session in here["sessions"] if session["standing"] == "ready"]
        for session in ready:
            yield from follow([*order, session], [*positions, here])
        if not ready:
            yield [*positions, here]

    yield from follow([], [])


def every_order(stepper, name, text, level, exploration):
    """A list of {outcome, steps, committed}: `outcome` is the number of an outcome of the explorer's document."""
    outcomes = {_key(outcome): number for number, outcome in enumerate(exploration["outcomes"])}
    orders = []
    for positions in _ways(stepper, name, text, level):
        last = positions[-1]
        orders.append({"outcome": outcomes[_key(last)], "steps": last["steps"], "committed": _committed(positions)})
    counted = [sum(order["outcome"] == number for order in orders) for number in range(len(exploration["outcomes"]))]
    assert counted == [outcome["count"] for outcome in exploration["outcomes"]], f"{name}: {counted}"
    assert len(orders) == exploration["orders"], name
    return orders
