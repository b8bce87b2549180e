"""axe-core finds no fault: in light, dark and phone width, with the pictures, the tours, the presentation and a problem
on the page, and on the other pages. test_docs.py and test_explore.py do the same for the contents of those two."""

import pytest

from browser import DESKTOP, PHONE
from waiting import eventually

RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then((found) => done({
  violations: found.violations.map((each) => `${each.id}: ${each.help}: ${each.nodes.map((node) => node.html.slice(0, 160) + " " + (node.any[0]?.message ?? "")).join(" | ")}`),
  passes: found.passes.length}), (error) => done({violations: [String(error)], passes: 0}));
"""


def violations(page, axe):
    page.command("Runtime.evaluate", expression=axe)  # as DevTools does: the page's own policy stays in force
    found = page.driver.execute_async_script(RUN)
    assert found["passes"] > 20 or found["violations"], "axe looked at nothing"
    return found["violations"]


def violations_in(page, axe, looks):
    """The findings in each look, a pair of size and scheme."""
    found = []
    for look in looks:
        page.look(*look)
        page.until_steady()
        found += [(look, each) for each in violations(page, axe)]
    return found


BOTH_SCHEMES = [(DESKTOP, "light"), (DESKTOP, "dark")]
LOOKS = [*BOTH_SCHEMES, (PHONE, "light")]


def test_nothing_to_complain_about(bank, page, axe):
    looks = [*LOOKS, (PHONE, "dark")]
    assert violations_in(page, axe, looks) == []
    page.set_delay(bank, 100)
    page.set_barrier(bank, 2)
    page.race()
    page.race_under_the_fix()
    page.click("#tour-open")
    page.expected_errors = ("422",)
    page.enter("#delay-ms", 99999)
    eventually(lambda: page.shown("#problem"), "a problem is shown")
    assert violations_in(page, axe, looks) == []


@pytest.mark.parametrize("path", ["/#tour", "/?present#fixes", "/?present"])
def test_nor_about_tours_and_presentation(bank, open_browser, axe, path):
    bank.set(barrier_enabled=True, barrier_count=2)
    page = open_browser(bank, path)
    if "#" not in path:
        page.race()
        page.race_under_the_fix()
    else:
        eventually(lambda: page.all("#tour-answers .answer"), "the tour asks")
        page.click("#tour-answers .answer:first-child")
        eventually(lambda: page.text("#tour-outcome") and not page.is_off("#tour-answers .answer"), "it has run")
    assert violations_in(page, axe, BOTH_SCHEMES) == []
    if "#tour" in path:
        for _ in range(5):
            page.click("#tour-next")
        page.until("#tour-title", "The end of the tour")
        assert violations_in(page, axe, BOTH_SCHEMES) == []


@pytest.mark.parametrize("path, there", [("/play", "#lane-B .program li"), ("/explore", "#empty")])
def test_nor_about_the_other_pages(bank, open_browser, axe, path, there):
    page = open_browser().open(bank, path)
    eventually(lambda: page.all(there), "it is shown")
    assert violations_in(page, axe, BOTH_SCHEMES) == []


def test_nor_about_the_dialog(start_bank, open_browser, axe):
    bank = start_bank(ADMIN_TOKEN="s3cret-token")
    page = open_browser(bank)
    page.expected_errors = ("401",)
    page.click("#reset")
    eventually(lambda: page.shown("#token"), "the token is asked for")
    assert violations(page, axe) == []
    page.click("#token-cancel")


def test_it_would_complain(page, axe):
    page.script("document.querySelector('#race').textContent = ''; document.querySelector('#tally').textContent = 'hard to read'; "
                "document.querySelector('#tally').style.color = '#eee'")
    assert len(violations(page, axe)) >= 2
