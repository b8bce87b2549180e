"""The page for a lecture hall, on paper, and with forced colours."""

import base64
import re

from selenium.webdriver.common.keys import Keys

from waiting import eventually

HALL = (1920, 1080)
LEAST = HALL[1] / 40


def drawn(bank, open_browser, path="/", **options):
    """A page with both pictures."""
    page = open_browser(bank, path, **options)
    page.script("fetch('/admin/settings', {method: 'POST', headers: {'Content-Type': 'application/json'}, "
                "body: '{\"barrier_enabled\": true, \"barrier_count\": 2}'})")
    eventually(lambda: bank.settings()["barrier_enabled"], "the barrier is on")
    eventually(lambda: page.one("#barrier").is_selected() or page.script("return barrier.checked"), "the page knows it")
    page.race()
    page.race_under_the_fix()
    return page


def presenting(page):
    return page.script("return document.documentElement.classList.contains('presenting')")


SMALL_TEXTS = """
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const small = [];
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (walker.currentNode.textContent.trim() && element.checkVisibility() && !element.closest(".unseen, title, .skip, option")) {
        const size = parseFloat(getComputedStyle(element).fontSize);
        if (size < arguments[0] - 0.01) {
          small.push(`${walker.currentNode.textContent.trim()}: ${size}`);
        }
      }
    }
    return small"""


def test_both_pictures_are_on_the_screen_in_large_letters(bank, open_browser):
    page = drawn(bank, open_browser, "/?present", size=HALL)
    for slot in ("race", "fix"):
        box = page.script("const box = document.querySelector(arguments[0]).getBoundingClientRect(); "
                          "return [box.left, box.top, box.right, box.bottom]", f"#panel-{slot} svg")
        assert box[0] >= 0 and box[1] >= 0 and box[2] <= HALL[0] and box[3] <= HALL[1], (slot, box)
    assert page.script(SMALL_TEXTS, LEAST) == []
    assert not page.shown("#theme") and not page.shown("#strategy")
    assert page.shown("#race") and page.shown('[data-account="alice"] .amount')
    assert page.script("return document.documentElement.scrollWidth") <= HALL[0]


def test_it_is_toggled_by_key_and_button_and_the_address_keeps_it(bank, page):
    page.keys("p")
    assert presenting(page) and page.script("return location.search") == "?present"
    page.driver.refresh()
    page.until_live()
    assert presenting(page)
    page.keys(Keys.ESCAPE)
    assert not presenting(page) and page.script("return location.search") == ""
    page.script("document.querySelector('#present').focus()")
    page.keys(Keys.ENTER)
    assert presenting(page) and page.focused() == "present-end"
    page.keys(Keys.ENTER)
    assert not presenting(page) and page.focused() == "present"
    page.keys("p", "p")
    assert not presenting(page)
    page.open(bank, "/#present").until_live()
    assert presenting(page) and page.script("return location.search + location.hash") == "?present"


def test_a_p_that_is_typed_is_a_letter(page):
    page.script("document.querySelector('#rounds').focus()")
    page.keys("p")
    assert not presenting(page)


def test_escape_closes_the_tour_first(bank, open_browser):
    page = open_browser(bank, "/?present#tour")
    eventually(lambda: page.shown("#tour") and presenting(page), "both")
    page.keys(Keys.ESCAPE)
    assert presenting(page) and not page.shown("#tour") and page.focused() == "timelines"
    page.keys(Keys.ESCAPE)
    assert not presenting(page)


def test_a_race_and_its_link_leave_the_presentation_on(bank, open_browser):
    page = drawn(bank, open_browser, "/?present", size=HALL)
    address = page.address_of("race").split("/?")[1]
    page.open(bank, f"/?{address}&present").until_live()
    page.until("#pinned-text", "one saved race")
    page.until("#pinned-text", "works as long as the race is among the newest 1,000 records")
    page.click("#show-newest")
    assert presenting(page) and page.script("return location.search") == "?present"


# Paper

def test_on_paper_it_is_a_few_pages_without_buttons(bank, open_browser):
    page = drawn(bank, open_browser)
    pdf = base64.b64decode(page.command("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=False)["data"])
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 3
    page.command("Emulation.setEmulatedMedia", media="print")
    page.script("dispatchEvent(new Event('beforeprint'))")
    for gone in ("button", "#controls", "#history", "nav", "#counted", ".explained"):
        assert not page.shown(gone), gone
    for there in ('[data-account="alice"] .amount', "#panel-race svg", "#panel-fix svg", "#words-race table", ".below"):
        assert page.shown(there), there
    written = page.text("#on-paper")
    assert written.startswith(f"http://127.0.0.1:{bank.port}/?race=")
    assert all(each["id"] in written for each in bank.get("/races").json()["races"][:2])
    page.until_steady()
    wide = page.script("return [...document.querySelectorAll('svg')].filter((e) => e.getBoundingClientRect().right > innerWidth).length")
    assert wide == 0
    page.command("Emulation.setEmulatedMedia", media="")


# Forced colours

def test_bars_lamp_and_verdicts_can_be_distinguished_in_forced_colours(bank, open_browser):
    page = drawn(bank, open_browser)
    page.command("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
    assert page.script("return matchMedia('(forced-colors: active)').matches")

    def colour(selector):
        return page.script("return getComputedStyle(document.querySelector(arguments[0])).backgroundColor", selector)

    def border(selector):
        return page.script("return getComputedStyle(document.querySelector(arguments[0])).borderTopStyle", selector)

    assert colour(".fill") != colour(".bar") and colour(".zero") != colour(".bar")
    assert colour(".lamp") != colour("body")
    assert border("#panel-race .verdict.bad") == "dashed" and border("#panel-fix .verdict.good") == "solid"
    assert page.text("#panel-race .verdict").startswith("✕") and page.text("#panel-fix .verdict").startswith("✓")
