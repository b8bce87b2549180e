"""The switches and buttons: the requests they send, the state they show, and their behaviour after errors."""

from selenium.webdriver.common.keys import Keys

from browser import PHONE
from waiting import eventually


def test_the_switches_are_the_servers(bank, page):
    page.choose("#strategy", "serializable")
    eventually(lambda: bank.settings()["strategy"] == "serializable", "strategy")
    page.until("#strategy-idea", "Plain SELECT and UPDATE under SERIALIZABLE")
    page.until("#strategy-safety", "safe")
    page.choose("#strategy", "cte_snapshot")
    page.until("#strategy-safety", "wrong")
    page.set_delay(bank, 17)
    page.set_barrier(bank, 3)
    page.switch("barrier", False)
    eventually(lambda: not bank.settings()["barrier_enabled"], "off again")
    bank.set(delay_ms=23, barrier_enabled=True, barrier_count=4, strategy="for_update")
    eventually(lambda: page.one("#delay-ms").get_property("value") == "23" and page.one("#barrier").is_selected()
               and page.one("#strategy").get_property("value") == "for_update", "what others change is followed")
    page.until("#race", "Race four transfers")


def test_as_many_race_as_the_barrier_waits_for(bank, page):
    page.set_barrier(bank, 4)
    page.race()
    page.until_balance("alice", "-$2200.00")
    assert len(bank.transactions()) == 4
    assert len(page.all("#panel-race svg .lane")) == 4
    page.until("#panel-race .below", "It never saw")
    assert len(page.all("#panel-race .link")) == 3


def test_more_than_a_browser_can_send(bank, page):
    bank.set(barrier_enabled=True, barrier_count=8)
    page.until("#too-many", "waits for 8")
    assert page.is_off("#race") and page.is_off("#run")
    page.enter("#barrier-count", 2)
    eventually(lambda: not page.is_off("#race"), "free again")


def test_a_refused_change_is_reported_and_undone(bank, page):
    page.expected_errors = ("422",)
    page.switch("delay", True)
    page.enter("#delay-ms", 99999)
    page.until("#problem-text", "60000")
    eventually(lambda: page.one("#delay-ms").get_property("value") == "100" or page.focused() == "delay-ms", "back")
    assert bank.settings()["delay_ms"] == 100
    page.click("#problem-close")
    assert not page.shown("#problem")


def test_rounds_and_their_end(bank, page):
    page.set_barrier(bank, 2)
    page.enter("#rounds", 6)
    page.click("#run")
    page.until("#tally", "6 of 6 rounds: 6 raced, 6 double spends")
    assert page.one("#progress").get_property("value") == 6
    page.set_delay(bank, 100)
    page.enter("#rounds", 500)
    page.click("#run")
    eventually(lambda: page.shown("#stop"), "it can be stopped")
    page.click("#stop")
    eventually(lambda: not page.shown("#stop") and not page.is_off("#race"), "it has stopped")
    assert int(page.text("#tally").split()[0]) < 500


def test_reset(bank, page):
    bank.transfer("alice", "bob", "100")
    page.until_balance("alice", "$900.00")
    page.click("#reset")
    page.until_balance("alice", "$1000.00")
    assert bank.transactions() == []


def test_without_a_reset_balances_go_on(bank, page):
    page.click("#reset-first")
    page.choose("#fix", "atomic_update")
    page.race_under_the_fix()
    page.race_under_the_fix()
    assert {each["strategy"] for each in bank.transactions()} == {"atomic_update"}
    assert len(bank.transactions()) == 4
    page.until_balance("alice", "$200.00")


def test_by_keyboard_alone(bank, page):
    def tab_to(wanted):
        for _ in range(60):
            page.keys(Keys.TAB)
            if page.focused() == wanted:
                outline = page.script("return getComputedStyle(document.activeElement).outlineStyle")
                assert outline not in ("none", ""), f"the focus on {wanted} cannot be seen"
                return
        raise AssertionError(f"Tab never reaches {wanted}")

    tab_to("strategy")
    tab_to("delay")
    page.keys(Keys.SPACE)
    tab_to("delay-ms")
    page.keys(Keys.CONTROL + "a" + Keys.NULL, "120", Keys.TAB)
    eventually(lambda: bank.settings()["delay_ms"] == 120, "the delay is set")
    if page.focused() != "barrier":
        tab_to("barrier")
    page.keys(Keys.SPACE)
    eventually(lambda: bank.settings()["barrier_enabled"], "the barrier is on")
    tab_to("race")
    page.keys(Keys.ENTER)
    page.until_balance("alice", "-$600.00")
    page.until_finished("race")
    tab_to("race-fix")
    page.keys(Keys.ENTER)
    page.until_balance("alice", "$200.00")
    page.until_finished("fix")
    assert page.shown("#panel-race svg") and page.shown("#panel-fix svg")


def test_the_pressed_button_keeps_the_focus(bank, page):
    page.set_barrier(bank, 2)
    for button, slot in (("race", "race"), ("race-fix", "fix"), ("race", "race")):
        page.script("document.querySelector(arguments[0]).focus()", f"#{button}")
        before = page.address_of(slot)
        page.keys(Keys.ENTER)
        eventually(lambda slot=slot, before=before: page.address_of(slot) != before, "Enter races, and races again")
        page.until_finished(slot)
        assert page.focused() == button
    page.script("document.querySelector('#run').focus()")
    page.enter("#rounds", 2)
    page.script("document.querySelector('#run').focus()")
    page.keys(Keys.ENTER)
    page.until("#tally", "2 of 2 rounds")
    eventually(lambda: not page.is_off("#run"), "it has ended")
    assert page.focused() == "run"


def test_a_button_that_is_off_does_nothing(bank, page):
    bank.set(barrier_enabled=True, barrier_count=8)
    page.until("#too-many", "waits for 8")
    page.press(lambda: page.one("#race"), "the button that is off")
    assert page.one("#race").get_attribute("aria-disabled") == "true" and bank.transactions() == []


def test_the_totals_begin_again(bank, page):
    bank.rows("UPDATE lab_totals SET since = NULL")
    bank.transfer("alice", "bob", "100")
    page.until("#totals-since", "Since this database was made:")
    page.click("#count-anew")
    page.until("#totals-since", "Since ")
    eventually(lambda: page.text('[data-total="transfers"]') == "0 transfers", "they begin again")
    assert page.text("#totals-since").count(":") == 2 and "made" not in page.text("#totals-since")
    page.until_balance("alice", "$1000.00")


def test_the_theme_is_chosen_and_kept(page):
    def ground():
        return page.script("return getComputedStyle(document.body).backgroundColor")

    light = ground()
    page.click("#theme")
    assert ground() == light
    page.click("#theme")
    dark = ground()
    assert dark != light
    page.driver.refresh()
    page.until_live()
    assert ground() == dark and page.text("#theme") == "Theme: dark"


def test_reduced_motion(bank, open_browser):
    page = open_browser(bank, calm=True)
    assert page.script("return getComputedStyle(document.querySelector('.fill')).transitionDuration") in ("0s", "")
    page.race()
    page.click("#panel-race .replay")
    eventually(lambda: page.text("#panel-race .replay") == "Pause", "the replay jumps from step to step")
    page.click("#panel-race .replay")
    page.click("#panel-race .now")
    assert not page.all(".part.later")


def test_no_sideways_scrolling(bank, open_browser):
    page = open_browser(bank, size=PHONE)
    page.set_delay(bank, 100)
    page.set_barrier(bank, 2)
    page.race()
    page.race_under_the_fix()
    for size in (PHONE, (320, 640), (768, 1024), (1280, 720), (1920, 1080)):
        page.look(size, "light")
        eventually(lambda upright=size[0] < 1000: bool(page.all("svg.upright")) == upright, "the picture is drawn for the width")
        page.until_it_fits()


def test_a_safe_strategy_and_the_first_button_leave_no_older_race_as_the_result(bank, page):
    page.set_barrier(bank, 2)
    page.race()
    page.until("#panel-race .facts", "Double spend")
    page.choose("#strategy", "for_update")
    before = page.address_of("fix")
    page.click("#race")
    eventually(lambda: page.address_of("fix") != before, "its race is drawn")
    page.until_finished("fix")
    page.until("#panel-fix .facts", "Clean")
    assert page.text("#panel-fix .facts code") == "for_update"
    assert not page.all("#panel-race svg") and "Double spend" not in page.text("#panel-race")
    assert page.shown("#hint-safe") and "for_update, is safe: its races are drawn below" in page.text("#hint-safe")
    assert not page.shown("#hint-wrong")


def test_every_picture_says_which_race_it_shows_and_the_older_one_that_it_is(bank, page):
    page.set_barrier(bank, 2)
    page.race()
    assert not page.shown("#panel-race .earlier")
    page.race_under_the_fix()
    eventually(lambda: page.shown("#panel-race .earlier"), "the other picture says that it is older")
    newest = page.texts("#panel-race .earlier")[0]
    assert newest == "An earlier race. The newest one ran with for_update: see “Under the fix”, below."
    assert not page.shown("#panel-fix .earlier")
    page.race()
    eventually(lambda: page.shown("#panel-fix .earlier") and not page.shown("#panel-race .earlier"), "now it is the other")
    assert "ran with vulnerable: see “The race”, above" in page.text("#panel-fix .earlier")
    races = {each["id"]: each for each in bank.get("/races").json()["races"]}
    for slot in ("race", "fix"):
        which = page.text(f"#panel-{slot} .which")
        time, name = which.split(", race ")
        assert races[name]["strategies"] == [page.text(f"#panel-{slot} .facts code")]
        eventually(lambda name=name, time=time: page.text(f'[data-race="{name}"] time') == time, "as the list has it")
        caption = page.text(f"#words-{slot} caption")
        assert races[name]["strategies"][0] in caption and time in caption


def test_rounds_follow_a_barrier_that_is_changed_meanwhile(bank, proxy, open_browser):
    page = open_browser(proxy)
    page.set_barrier(bank, 2)
    hold = proxy.hold_answer("POST", "/reset")
    page.enter("#rounds", 1)
    page.click("#run")
    hold.until_reached()
    bank.set(barrier_count=3)
    page.until("#race", "Race three transfers")
    hold.release()
    page.until("#tally", "1 of 1 round")
    assert len(bank.transactions()) == 3
