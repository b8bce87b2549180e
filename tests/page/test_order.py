"""Answers may come in another order than their questions: the page shows the answer to the last question."""

import urllib.parse

import pytest

from waiting import eventually


def race(bank, background, strategy=None, delay=0):
    """Sends two racing transfers of $800 from outside the page; returns the id of their race."""
    bank.back_to_the_initial_state()
    bank.set(barrier_enabled=True, barrier_count=2, delay_enabled=delay > 0, delay_ms=delay)
    both = [background(bank.transfer, "alice", to, "800", strategy) for to in ("bob", "charlie")]
    ids = {each.result().json()["id"] for each in both}
    bank.set(barrier_enabled=False)
    return next(each["id"] for each in bank.get("/races").json()["races"] if set(each["transfer_ids"]) == ids)


@pytest.fixture
def two_races(bank, background):
    return [race(bank, background) for _ in range(2)]


def shown(page, slot="race"):
    """The ids of the transfers of the race in the panels."""
    address = page.address_of(slot)
    return set(ids_of(address)) if address else set()


def ids_of(address):
    return urllib.parse.parse_qs(urllib.parse.urlsplit(address).query).get("race", [""])[0].split(",")


def listed(page, race_id):
    """The address of a race in "The last races"."""
    return eventually(lambda: page.script("return document.querySelector(arguments[0])?.href", f'[data-race="{race_id}"]'),
                      "it is in the list")


def press(page, race_id):
    page.script("document.querySelector(arguments[0]).click()", f'[data-race="{race_id}"]')


@pytest.fixture
def held(proxy, two_races, open_browser):
    """A page on which the older of two races was pressed in the list, and the answer is still held."""
    page = open_browser(proxy)
    page.until_finished("race")
    older, newer = two_races
    for each in two_races:
        listed(page, each)
    hold = proxy.hold_answer("GET", f"/races/{ids_of(listed(page, older))[0]}")
    press(page, older)
    hold.until_reached()
    return page, hold, older, newer


def test_of_two_races_that_were_pressed_the_last_is_shown(held):
    page, hold, _, newer = held
    wanted = set(ids_of(listed(page, newer)))
    press(page, newer)
    eventually(lambda: shown(page) == wanted, "the second one is shown")
    page.until_taken(hold, "/races/")
    assert shown(page) == wanted == set(ids_of(page.driver.current_url))


def test_the_back_button_is_newer_than_an_answer_that_is_late(held):
    page, hold, _, newer = held
    wanted = set(ids_of(listed(page, newer)))
    page.driver.back()
    eventually(lambda: "race=" not in page.driver.current_url and shown(page) == wanted, "the newest are back")
    page.until_taken(hold, "/races/")
    assert shown(page) == wanted and not page.shown("#pinned")


def test_a_race_of_this_page_is_newer_than_an_answer_that_is_late(bank, held):
    page, hold, *_ = held
    page.set_barrier(bank, 2)
    page.race()
    wanted = shown(page)
    assert wanted == {each["id"] for each in bank.transactions()}
    page.until_taken(hold, "/races/")
    assert shown(page) == wanted and not page.shown("#pinned")


def test_a_late_answer_of_the_newest_race_does_not_hide_a_newer_one(bank, proxy, two_races, open_browser):
    older, newer = two_races
    page = open_browser(proxy, f"/?race={older}")
    page.until("#panel-race .facts", "Double spend")
    listed(page, newer)
    hold = proxy.hold_answer("GET", f"/races/{newer}")
    page.click("#show-newest")
    hold.until_reached()
    page.set_barrier(bank, 2)
    page.race()
    wanted = shown(page)
    assert wanted == {each["id"] for each in bank.transactions()}
    page.until_taken(hold, "/races/")
    assert shown(page) == wanted


@pytest.mark.parametrize("held_at", ["hold_request", "hold_answer"])
def test_of_two_presses_of_a_switch_the_last_counts(bank, proxy, open_browser, held_at):
    page = open_browser(proxy)
    hold = getattr(proxy, held_at)("POST", "/admin/*")
    page.click("#delay")
    hold.until_reached()
    page.click("#delay")
    assert not page.one("#delay").is_selected(), "the switch shows what was chosen while the answer is on its way"
    hold.release()
    eventually(lambda: page.answers("/admin/") >= 2, "both are answered")
    eventually(lambda: not page.one("#delay").is_selected() and bank.settings()["delay_enabled"] is False,
               "the last press is what the server has and the page shows")


def test_of_two_presses_whose_answers_change_places_the_last_is_shown(bank, proxy, open_browser):
    page = open_browser(proxy)
    page.switch("delay", True)
    eventually(lambda: bank.settings()["delay_enabled"], "it is on")
    hold = proxy.hold_answer("POST", "/admin/*")
    page.enter("#delay-ms", 17)
    hold.until_reached()
    bank.set(delay_ms=23)
    page.script("document.activeElement.blur()")
    page.until_taken(hold, "/admin/")
    eventually(lambda: page.one("#delay-ms").get_property("value") == "23", "what was set last is shown")


def test_a_race_waits_for_the_settings_that_were_chosen_before_it(bank, proxy, open_browser):
    page = open_browser(proxy)
    page.set_barrier(bank, 2)
    hold = proxy.hold_request("POST", "/admin/*")
    page.enter("#barrier-count", 3)
    hold.until_reached()
    page.until("#race", "Race three transfers")
    page.click("#race")
    hold.release()
    page.until_finished("race")
    assert len(bank.transactions()) == 3


def test_balances_from_before_a_reset_are_not_shown_after_it(bank, proxy, open_browser):
    page = open_browser(proxy)
    eventually(lambda: page.answers("/accounts") >= 2, "those of the start are read")
    hold = proxy.hold_answer("GET", "/accounts")
    bank.transfer("alice", "bob", "100")
    hold.until_reached()
    page.until_balance("alice", "$900.00")
    bank.back_to_the_initial_state()
    page.until_balance("alice", "$1000.00")
    page.until_taken(hold, "/accounts")
    assert page.balance("alice") == "$1000.00"
