"""The guided tours ask for a prediction, run their own transfers, and explain the result, for any earlier state of the
switches and any changes from elsewhere."""

import itertools

import pytest
from selenium.webdriver.common.keys import Keys

from browser import DESKTOP, PHONE
from waiting import eventually

OTHERS = "changed from elsewhere meanwhile"
HALL = (1920, 1080)


def go_to(page, step, tour="tour"):
    """Opens the tour at a step, counted from one."""
    page.click(f"#{tour}-open")
    for _ in range(step - 1):
        page.click("#tour-next")
    page.until("#tour-title", f"{step} of 5")


def answer_selector(page, answer):
    eventually(lambda: answer in page.texts("#tour-answers .answer"), f"{answer} is an answer")
    return f"#tour-answers .answer:nth-child({page.texts('#tour-answers .answer').index(answer) + 1})"


def predict(page, answer, outcome=None):
    """Presses the answer, and waits for the tour's words about the result."""
    page.click(answer_selector(page, answer))
    if outcome:
        page.until("#tour-outcome", outcome)
    eventually(lambda: page.text("#tour-outcome") and not page.is_off("#tour-answers .answer"), "it has run")


def settings(bank):
    return {name: value for name, value in bank.settings().items()
            if name in ("strategy", "delay_enabled", "delay_ms", "barrier_enabled", "barrier_count")}


def test_it_races_two_whatever_the_barrier_was_before(bank, proxy, open_browser):
    page = open_browser(proxy)
    page.set_barrier(bank, 4)
    page.until("#race", "Race four transfers")
    go_to(page, 2)
    proxy.hold_events()  # the tour must work with the answers alone
    predict(page, "$200.00")
    assert len(bank.transactions()) == 2
    proxy.release_events()
    eventually(lambda: not page.one("#barrier").is_selected(), "the switches show what the tour has set")


def test_it_begins_at_the_initial_balances_whatever_the_box_says(bank, page):
    page.click("#reset-first")
    bank.transfer("alice", "bob", "500")
    go_to(page, 3)
    predict(page, "-$600.00", "You were right alice has -$600.00. Both had read $1000.00")
    assert "$1600 were spent out of $1000, every time." in page.text("#tour-outcome")
    assert bank.balance("alice") == -600
    assert page.texts("#tour-outcome .amount-in-text") == ["-$600.00."], "not broken behind its sign"


def test_a_wrong_prediction_is_called_wrong_and_explained(bank, page):
    go_to(page, 3)
    predict(page, "$200.00", "You predicted $200.00 alice has -$600.00. Both had read $1000.00 before they checked")
    assert page.text("#tour-outcome .verdict") == "✕ You predicted $200.00"
    assert page.text('.answer[aria-pressed="true"]') == "$200.00"
    predict(page, "-$600.00", "✓ You were right")


def test_it_races_under_its_own_strategy(bank, page):
    page.choose("#strategy", "serializable")
    eventually(lambda: bank.settings()["strategy"] == "serializable", "chosen")
    go_to(page, 3)
    predict(page, "$200.00", "alice has -$600.00")
    assert {each["strategy"] for each in bank.transactions()} == {"vulnerable"}
    eventually(lambda: page.one("#strategy").get_property("value") == "vulnerable", "the switch says so")


def test_from_begin_to_end_it_is_solved_and_the_settings_are_as_before(bank, page):
    bank.set(strategy="optimistic", delay_enabled=True, delay_ms=37, barrier_enabled=False, barrier_count=3)
    before = settings(bank)
    go_to(page, 1)
    predict(page, "$900.00", "✓ You were right alice has $900.00.")
    page.click("#tour-next")
    predict(page, "$200.00", "alice has")
    page.click("#tour-next")
    predict(page, "$200.00", "✕ You predicted $200.00 alice has -$600.00.")
    page.click("#tour-next")
    page.until("#tour-question", "read as alice's balance")
    predict(page, "$1000.00", "✓ You were right")
    assert "read $1000.00." in page.text("#tour-outcome")
    page.click("#tour-next")
    predict(page, "$200.00", "✓ You were right alice has $200.00. One succeeded. The other had to wait")
    assert page.all("#panel-race svg"), "the race that went wrong is still there, to compare with"
    page.click("#tour-next")
    assert page.text("#tour-title") == "✓ Solved"
    assert "of 5 right" in page.text("#tour-text") and page.focused() == "tour-title"
    strategies = [each for each in bank.get("/strategies").json()["strategies"] if not each["needs_standby"]]
    safe = sum(each["safe"] for each in strategies)
    assert f"{safe - 1} more strategies are safe, and {len(strategies) - safe} only look safe" in page.text("#tour-text")
    page.click("#tour-next")
    assert not page.shown("#tour") and page.focused() == "tour-open"
    eventually(lambda: settings(bank) == before, "the settings are restored")


def test_without_the_fix_it_is_not_solved(page):
    go_to(page, 5)
    page.click("#tour-next")
    assert page.text("#tour-title") == "The end of the tour" and "The fix has not run yet" in page.text("#tour-text")


def test_settings_that_somebody_else_has_chosen_meanwhile_stay(bank, page):
    go_to(page, 1)
    predict(page, "$900.00", "alice has $900.00")
    bank.set(strategy="batched", delay_ms=5)
    page.keys(Keys.ESCAPE)
    eventually(lambda: not page.shown("#tour"), "closed")
    page.until("#connection-text", "Live")
    eventually(lambda: page.one("#strategy").get_property("value") == "batched", "the page has heard of it")
    assert bank.settings()["strategy"] == "batched" and bank.settings()["delay_ms"] == 5


def test_a_page_that_is_left_restores_the_settings(bank, page):
    before = settings(bank)
    go_to(page, 3)
    predict(page, "$200.00", "alice has")
    assert settings(bank) != before
    page.open(bank, "/docs")
    eventually(lambda: settings(bank) == before, "the settings are restored")


def test_it_starts_with_empty_panels(bank, page):
    page.set_barrier(bank, 2)
    page.race()
    page.race_under_the_fix()
    go_to(page, 1)
    assert not page.all("#panel-race svg") and not page.all("#panel-fix svg")


def test_escape_closes_it_and_the_focus_is_never_lost(page):
    go_to(page, 1)
    assert page.focused() == "tour-title"
    page.script("arguments[0].focus()", page.one(answer_selector(page, "$900.00")))
    page.keys(Keys.ENTER)
    page.until("#tour-outcome", "alice has $900.00")
    eventually(lambda: page.script("return document.activeElement.textContent") == "$900.00", "the pressed answer has the focus")
    page.click("#tour-next")
    assert page.focused() == "tour-title"
    page.click("#tour-back")
    assert page.focused() == "tour-title" and not page.shown("#tour-back")
    page.keys(Keys.ESCAPE)
    assert not page.shown("#tour") and page.focused() == "tour-open"
    assert page.script("return location.hash") == ""


def test_the_balances_stay_in_sight(bank, open_browser):
    page = open_browser(bank, "/#tour")
    eventually(lambda: page.shown("#tour"), "it is open")
    for step in range(1, 6):
        page.until("#tour-title", f"{step} of 5")
        predict(page, page.texts("#tour-answers .answer")[0])
        for size, place in itertools.product((HALL, PHONE, DESKTOP), ("#tour-title", "#tour-outcome", "#panel-race", "#panel-fix")):
            if place == "#tour-title":
                page.look(size, "light")
                page.until_it_fits()
            page.script("document.querySelector(arguments[0]).scrollIntoView()", place)
            inside = page.script("""
                const box = document.querySelector('[data-account="alice"] .amount').getBoundingClientRect();
                const top = document.elementFromPoint(box.left + 5, box.top + box.height / 2);
                return box.top >= 0 && box.bottom <= innerHeight && top.closest('[data-account="alice"]') !== null""")
            assert inside, (step, size, place)
        page.click("#tour-next")


@pytest.fixture
def before_the_race(bank, proxy, open_browser):
    """A page whose tour has set its settings and sent the reset, whose answer is still held."""
    def start(step):
        page = open_browser(proxy)
        go_to(page, step)
        hold = proxy.hold_answer("POST", "/reset")
        page.click("#tour-answers .answer")
        hold.until_reached()
        return page, hold
    return start


def test_settings_that_change_meanwhile(bank, before_the_race):
    page, hold = before_the_race(3)
    bank.set(barrier_enabled=False, delay_enabled=False, strategy="serializable")
    hold.release()
    page.until("#tour-outcome", OTHERS)
    assert "1600" not in page.text("#tour-outcome") and not page.all("#tour-outcome .verdict")
    assert {each["strategy"] for each in bank.transactions()} == {"vulnerable"}, "its own transfers are what it says"


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_money_that_moves_meanwhile(bank, before_the_race, step):
    page, hold = before_the_race(step)
    bank.set(barrier_enabled=False, delay_enabled=False)
    bank.transfer("alice", "charlie", "950")
    hold.release()
    page.until("#tour-outcome", OTHERS)
    assert f"alice is at ${bank.balance('alice'):.2f} now" in page.text("#tour-outcome")


def test_a_token_that_is_not_given(start_bank, open_browser):
    bank = start_bank(ADMIN_TOKEN="s3cret-token")
    page = open_browser(bank)
    page.expected_errors = ("401",)
    go_to(page, 1)
    page.click("#tour-answers .answer")
    eventually(lambda: page.shown("#token"), "the token is asked for")
    page.click("#token-cancel")
    page.until("#tour-outcome", "This step has failed.")
    assert "ADMIN_TOKEN" in page.text("#tour-outcome")
    page.click("#tour-answers .answer")
    eventually(lambda: page.shown("#token-input"), "asked again")
    page.one("#token-input").send_keys("s3cret-token\n")
    page.until("#tour-outcome", "alice has $900.00")


def test_a_server_that_stops_meanwhile(start_bank, open_browser):
    bank = start_bank()
    page = open_browser(bank)
    page.expected_errors = ("ERR_",)
    go_to(page, 1)
    predict(page, "$900.00", "alice has $900.00")
    bank.stop()
    predict(page, "$900.00", "This step has failed. The server did not answer.")


def test_its_words_are_about_the_picture_that_is_there(bank, page):
    go_to(page, 4)
    page.until("#tour-text", "no stale read to look at")
    assert not page.shown("#tour-ask")
    page.set_barrier(bank, 2)
    page.race()
    page.until("#tour-question", "read as alice's balance")
    predict(page, "$200.00", "✕ You predicted $200.00")
    assert "read $1000.00." in page.text("#tour-outcome") and "written $200.00" in page.text("#tour-outcome")
    page.switch("barrier", False)
    eventually(lambda: not bank.settings()["barrier_enabled"], "off")
    before = page.address_of("race")
    bank.transfer("bob", "charlie", "1")
    eventually(lambda: page.address_of("race") != before, "another is shown")
    page.until("#tour-text", "no stale read to look at")


def test_its_buttons_wait_while_something_runs(bank, page):
    go_to(page, 2)
    page.enter("#rounds", 10000)
    page.click("#run")
    eventually(lambda: page.shown("#stop") and page.is_off("#tour-answers .answer"), "one thing at a time")
    page.click("#stop")
    eventually(lambda: not page.is_off("#tour-answers .answer"), "free again")


# The second tour

ENDS = {"vulnerable": "-$600.00", "absolute_update": "$2500.00", "subselect_predicate": "-$600.00", "cte_snapshot": "$2500.00",
        "process_mutex": "-$600.00"}


def test_each_of_the_five_fails_and_has_an_end(bank, open_browser):
    bank.set(strategy="batched")
    before = settings(bank)
    page = open_browser(bank, "/#fixes")
    wrong = [each["name"] for each in bank.get("/strategies").json()["strategies"] if not each["safe"] and not each["needs_standby"]]
    for number, name in enumerate(wrong, start=1):
        page.until("#tour-title", f"{number} of {len(wrong)}")
        assert name in page.text("#tour-settings")
        for _ in range(10):  # on a busy machine two transfers may miss each other
            predict(page, ENDS[name])
            if page.all("#tour-outcome .verdict.good"):
                break
        page.until("#tour-outcome", "✓ You were right")
        page.until("#tour-outcome", "What ends it:")
        own = {each["strategy"] for each in bank.transactions()}
        assert name in own and own <= {name, "vulnerable"}
        page.click("#tour-cure")
        page.until("#tour-outcome", "one transfer succeeded and the other was refused: alice has $200.00, all three together "
                                    "have $1700.00")
        assert page.focused() == "tour-cure"
        page.click("#tour-next")
    assert page.text("#tour-title") == "✓ Solved" and "You predicted 5 of 5 right." in page.text("#tour-text")
    assert all(f"{name}:" in page.text("#tour-text") for name in wrong)
    page.keys(Keys.ESCAPE)
    eventually(lambda: settings(bank) == before, "the settings are restored")


def test_both_have_an_address(bank, open_browser):
    page = open_browser(bank, "/#tour")
    page.until("#tour-title", "1 of 5: One transfer")
    page.script("location.hash = 'fixes'")
    page.until("#tour-title", "1 of 5: Check before you deduct")
    assert page.one("#fixes-open").get_attribute("aria-expanded") == "true"
    page.click("#tour-open")
    page.until("#tour-title", "1 of 5: One transfer")
    assert page.script("return location.hash") == "#tour"
    page.driver.refresh()
    page.until_live()
    page.until("#tour-title", "1 of 5: One transfer")
