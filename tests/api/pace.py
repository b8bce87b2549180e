"""How patient and how big the tests are: one place, read from the environment."""

import os
import time

SANITIZER = os.environ.get("LAB_SANITIZER", "").strip().lower()
ROUNDS = int(os.environ.get("LAB_ROUNDS", "1000"))

# What a hanging program costs before a test gives up on it. Not a measurement: nothing passes by being faster.
HANG_GUARD = {"asan": 40, "tsan": 60}.get(SANITIZER, 20)

# Longer than any hang guard: who is answered within the guard was not freed by this timeout.
BEYOND_THE_HANG_GUARD_MS = 1000 * HANG_GUARD * 4


def scaled(load):
    """The amount of load that suits the build under test."""
    return max(1, load // {"asan": 4, "tsan": 8}.get(SANITIZER, 1))


def eventually(holds, what, within=None):
    """The first true value `holds()` gives; fails naming `what` when the hang guard is over."""
    deadline = time.monotonic() + (within or HANG_GUARD)
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f"did not come about: {what} (last seen: {value!r})"
        time.sleep(0.005)
