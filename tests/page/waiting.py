"""Waits for a page. It draws when it has time, and it replaces elements while it draws."""

import os
import time

from selenium.common.exceptions import JavascriptException, NoSuchElementException, StaleElementReferenceException

import pace

# How many times slower the page's scripts run than this machine could run them: 6 shows what a busy machine does.
SLOWDOWN = float(os.environ.get("LAB_PAGE_SLOWDOWN") or 1)

# A browser is many processes, so a busy machine delays a page more than a program.
HANG_GUARD = pace.HANG_GUARD * max(3, SLOWDOWN)

# Each look at a page costs processor time in the driver and in the browser.
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.1

# The element is being replaced: the next look finds the new one.
REPLACED = (JavascriptException, NoSuchElementException, StaleElementReferenceException)


def eventually(holds, what, within=None):
    """Returns the first true value of `holds()`; fails with `what`, a text or a function that makes it, when the hang
    guard is over. An element that is missing or has been replaced is no value."""
    deadline = time.monotonic() + (within or HANG_GUARD)
    pause = FIRST_PAUSE
    while True:
        try:
            value = holds()
        except REPLACED as problem:
            value, seen = None, problem.msg
        else:
            seen = repr(value)
        if value:
            return value
        assert time.monotonic() < deadline, f"did not come about: {what() if callable(what) else what} (last seen: {seen})"
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
