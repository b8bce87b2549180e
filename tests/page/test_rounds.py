"""All rounds of a run at once: the lanes, the share that raced, the keyboard, and the entry of the run in the list."""

import pytest
from selenium.webdriver.common.keys import Keys

from waiting import eventually
from test_axe import LOOKS, violations_in


def run(page, rounds):
    page.enter("#rounds", rounds)
    page.click("#run")
    for number in range(1, rounds + 1):  # each round has the whole time: many take long on a busy machine
        eventually(lambda least=number: page.one("#progress").get_property("value") >= least, f"round {number} has ended")
    page.until("#tally", f"{rounds} of {rounds} rounds")
    eventually(lambda: not page.shown("#stop"), "the run has ended")
    eventually(lambda: page.one("#rounds-lanes").get_attribute("aria-valuemax") == str(rounds), "the last round is drawn")


def ink(page, name):
    """How many pixels of the canvas have a colour of the legend."""
    return page.script("""
        const canvas = document.querySelector("#rounds-lanes canvas");
        const wanted = getComputedStyle(document.querySelector(`.rounds-legend .${arguments[0]} i`)).color.match(/\\d+/g).slice(0, 3);
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
        let found = 0;
        for (let i = 0; i < data.length; i += 4) {
          found += wanted.every((value, channel) => data[i + channel] === Number(value)) ? 1 : 0;
        }
        return found;""", name)


def value(page):
    return int(page.one("#rounds-lanes").get_attribute("aria-valuenow"))


def words(page):
    return page.one("#rounds-lanes").get_attribute("aria-valuetext")


@pytest.fixture
def raced(bank, page):
    """A run of six rounds that all raced."""
    page.set_barrier(bank, 2)
    run(page, 6)
    return page


def test_each_round_is_a_lane_and_the_share_is_large(raced):
    raced.until("#rounds-share", "6 of 6 raced (vulnerable: 6 double spends)")
    size = "return parseFloat(getComputedStyle(document.querySelector(arguments[0])).fontSize)"
    assert raced.script(size, "#rounds-share strong") > 1.8 * raced.script(size, "body")
    assert raced.one("#rounds-lanes").get_attribute("aria-valuemax") == "6"
    eventually(lambda: ink(raced, "read") > 50 and ink(raced, "write") > 20, "reads and writes are drawn")
    assert ink(raced, "wrong") > 6 * 7 * 10 and ink(raced, "fine") == 0


def test_rounds_that_are_fine_are_green(bank, page):
    page.choose("#strategy", "for_update")
    eventually(lambda: bank.settings()["strategy"] == "for_update", "strategy")
    run(page, 5)
    page.until("#rounds-share", "0 of 5 raced")
    eventually(lambda: ink(page, "fine") > 5 * 2 * 10, "they are green")
    assert ink(page, "wrong") == 0


def test_the_keyboard_goes_through_the_lanes_and_opens_one(bank, raced):
    raced.script("document.querySelector('#rounds-lanes').focus()")
    eventually(lambda: "Lane 1 of 6. Round 1: Double spend" in words(raced), "the first lane is chosen")
    raced.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    eventually(lambda: value(raced) == 3, "the third")
    raced.keys(Keys.END)
    eventually(lambda: value(raced) == 6, "the last")
    raced.keys(Keys.HOME, Keys.ARROW_UP)
    eventually(lambda: value(raced) == 1, "no lane before the first")
    raced.keys(Keys.ARROW_DOWN)
    eventually(lambda: "between the two reads" in words(raced) and value(raced) == 2, "it says how close the reads were")
    link = raced.one("#rounds-here a").get_attribute("href")
    raced.keys(Keys.ENTER)
    eventually(lambda: raced.driver.current_url == link, "its race has an address")
    eventually(lambda: raced.address_of("race") and set(ids(raced.address_of("race"))) == set(ids(link)), "and is drawn above")
    assert raced.shown("#pinned")


def ids(address):
    return address.split("race=")[1].split(",")


def test_a_click_opens_the_lane_under_the_pointer(raced):
    raced.script("""
        const canvas = document.querySelector("#rounds-lanes canvas");
        canvas.scrollIntoView({ block: "center" });
        const box = canvas.getBoundingClientRect();
        const at = { clientX: box.left + 100, clientY: box.top + 22 + 18 * 3 + 9, bubbles: true };
        canvas.dispatchEvent(new MouseEvent("click", at));""")
    eventually(lambda: "race=" in raced.driver.current_url and value(raced) == 4, "the fourth round is opened")


def test_a_run_is_one_entry_of_the_last_races(bank, raced):
    def entries():
        return raced.texts("#history li .verdict")

    eventually(lambda: entries()[:1] == ["✕ 6 rounds: 6 double spends"], "the run is the newest entry")
    assert sum("6 rounds" in entry for entry in entries()) == 1
    raced.race()
    eventually(lambda: entries()[:2] == ["✕ Double spend", "✕ 6 rounds: 6 double spends"], "another race has its own entry")
    raced.script("document.querySelector('#history a[data-run]').click()")
    assert raced.focused() == "rounds-lanes"


def test_the_closest_reads_can_stand_first(bank, page):
    page.set_barrier(bank, 2)  # so each round has two reads
    run(page, 8)
    eventually(lambda: page.script("return document.querySelector('#rounds-lanes').ariaValueMax") == "8", "all are drawn")
    page.script("document.querySelector('#rounds-lanes').focus()")
    eventually(lambda: "between the two reads" in words(page), "the steps are known")
    page.choose("#rounds-order", "gap")
    page.script("document.querySelector('#rounds-lanes').focus()")
    gaps = []
    page.keys(Keys.HOME)
    for lane in range(1, 9):
        eventually(lambda number=lane: value(page) == number, "the lane is chosen")
        if "between" in words(page):
            gaps.append(float(words(page).split(", ")[-1].split(" ms")[0]))
        page.keys(Keys.ARROW_DOWN)
    assert len(gaps) >= 6 and gaps == sorted(gaps)


def test_many_rounds_have_room_at_every_width(bank, page):
    page.set_barrier(bank, 2)
    run(page, 30)
    page.until("#history li .verdict", "30 rounds: 30 double spends")
    for width in (1920, 1280, 768, 390, 320):
        page.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        eventually(lambda most=width: page.script(
            "const canvas = document.querySelector('#rounds-lanes canvas'); return canvas.width === canvas.clientWidth && canvas.width < arguments[0]",
            most), "it is drawn again")
        page.until_it_fits()
        assert page.script("return document.querySelector('#rounds-lanes').clientHeight") <= 0.76 * 900


def test_axe_finds_nothing(bank, page, axe):
    page.set_barrier(bank, 2)
    run(page, 4)
    page.script("document.querySelector('#rounds-lanes').focus()")
    eventually(lambda: page.all("#rounds-here a"), "a lane is chosen")
    assert violations_in(page, axe, LOOKS) == []
