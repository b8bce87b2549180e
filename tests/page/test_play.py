"""The page on which a person is the scheduler: steps by key and button, waits, the goal, steps taken back."""

import pytest

from browser import DESKTOP
from waiting import eventually

LEFT, RIGHT, SPACE = "\ue012", "\ue014", " "


@pytest.fixture
def play(bank, open_browser):
    page = open_browser(size=DESKTOP)
    page.open(bank, "/play")
    eventually(lambda: page.all("#lane-B .program li"), "the lesson is shown")
    return page


def press(page, keys):
    """One key after the other, each when the answer to the one before is shown."""
    for number, key in enumerate(keys, start=len(order(page)) + 1):
        page.keys(key)
        eventually(lambda wanted=number: len(order(page)) == wanted, f"step {number} is shown")


def order(page):
    return page.text("#order").removeprefix("The order so far:").split()


def choose(page, name):
    page.click(f"#lessons [data-name={name}]")
    eventually(lambda: page.shown(f"#lessons [data-name={name}][aria-pressed=true]") and order(page) == [], "it is chosen")


def test_alice_becomes_negative_by_keys_alone(play):
    press(play, [LEFT, RIGHT, RIGHT, LEFT])
    assert order(play) == ["A1", "B1", "B2", "A2"]
    assert "Solved" in play.text("#verdict") and "-$600.00" in play.text("#rows")
    assert "$1000.00 → $200.00 → -$600.00" in play.text("#history-of-alice")


def test_a_step_is_taken_back(play):
    press(play, [LEFT, RIGHT, RIGHT])
    assert "$200.00" in play.text("#rows")
    play.keys(SPACE)
    eventually(lambda: order(play) == ["A1", "B1"], "the last step is gone")
    assert "$1000.00" in play.text("#rows")
    press(play, [LEFT])
    assert order(play) == ["A1", "B1", "A2"]


def test_under_the_fix_the_second_transfer_waits_and_is_refused(play):
    choose(play, "for_update")
    press(play, [LEFT, RIGHT, LEFT, RIGHT])
    assert play.text("#lane-B .standing").startswith("waits for A")
    assert play.is_off("#step-B")
    press(play, [LEFT, LEFT, LEFT])
    assert "enough = f" in play.text("#lane-B")
    press(play, [RIGHT])
    assert "not negative" in play.text("#verdict") and play.all("#lane-B .skipped")


def test_serializable_refuses_one_of_them(play):
    choose(play, "serializable")
    press(play, [LEFT, RIGHT, LEFT, RIGHT, LEFT, LEFT, LEFT, RIGHT])
    assert "40001" in play.text("#lane-B .failed")


def test_the_buttons_do_what_the_keys_do(play):
    for button in ("#step-A", "#step-B"):
        before = len(order(play))
        play.click(button)
        eventually(lambda wanted=before + 1: len(order(play)) == wanted, "the step is shown")
    play.click("#again")
    eventually(lambda: order(play) == [], "it starts again")


def test_a_problem_is_said(play):
    play.script("window.fetch = async () => { throw new TypeError('offline'); }")
    play.keys(LEFT)
    eventually(lambda: "did not answer" in play.text("#problem"), "the problem is shown")
    assert order(play) == []


def test_nothing_is_wider_than_the_screen(play):
    for width in (320, 768, 1920):
        play.look((width, 900), "light")
        play.until_it_fits()


def test_axe_finds_nothing(play, axe):
    press(play, [LEFT, RIGHT, RIGHT, LEFT])
    play.script(axe)
    found = play.driver.execute_async_script("axe.run().then((found) => arguments[0](found.violations.map((v) => v.id)))")
    assert found == []
