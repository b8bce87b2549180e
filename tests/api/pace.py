"""How long the tests wait and how large they are: in one place, read from the environment."""

import os
import time

SANITIZER = os.environ.get("LAB_SANITIZER", "").strip().lower()
ROUNDS = int(os.environ.get("LAB_ROUNDS") or {"asan": 200, "tsan": 100}.get(SANITIZER, 1000))

# The time after which a test gives up on a hanging program. It is no measurement: no test passes by being faster.
HANG_GUARD = {"asan": 40, "tsan": 60}.get(SANITIZER, 20)

# Longer than any hang guard: an answer within the guard was not caused by this timeout.
BEYOND_THE_HANG_GUARD_MS = 1000 * HANG_GUARD * 4


def scaled(load):
    """The amount of load that suits the build under test."""
    return max(1, load // {"asan": 4, "tsan": 8}.get(SANITIZER, 1))


def eventually(holds, what, within=None):
    """Returns the first true value of `holds()`; fails with `what` when the hang guard is over."""
    deadline = time.monotonic() + (within or HANG_GUARD)
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f"did not come about: {what} (last seen: {value!r})"
        time.sleep(0.005)
