"""Every page at every width: nothing scrolls sideways, and no amount is torn from its sign."""

import pytest

from waiting import eventually

WIDTHS = [320, 360, 390, 480, 600, 768, 900, 1024, 1280, 1440, 1920]

TORN = """
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const torn = [];
    while (walker.nextNode()) {
      const node = walker.currentNode;
      for (const found of node.textContent.matchAll(/-?\\$[\\d,]+(?:\\.\\d\\d)?/g)) {
        const range = document.createRange();
        range.setStart(node, found.index);
        range.setEnd(node, found.index + found[0].length);
        if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) {
          torn.push(node.textContent);
        }
      }
    }
    return torn"""


def wide(page, width):
    page.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    page.until_steady()


def sideways(page):
    """The widths at which the page scrolls sideways or tears an amount."""
    bad = []
    for width in WIDTHS:
        wide(page, width)
        if page.script("return document.documentElement.scrollWidth") > width:
            bad.append((width, page.script("return document.documentElement.scrollWidth")))
        bad += [(width, text) for text in page.script(TORN)]
    return bad


def test_the_live_page_and_the_presentation(bank, page):
    bank.set(delay_enabled=True, delay_ms=20, barrier_enabled=True, barrier_count=2)
    eventually(lambda: page.script("return document.querySelector('#barrier').checked"), "the page knows it")
    page.race()
    page.race_under_the_fix()
    assert sideways(page) == []
    page.open(bank, "/?present").until_live()
    page.until_finished("race")
    page.until_finished("fix")
    assert sideways(page) == []


@pytest.mark.parametrize("path", ["/#tour", "/#fixes"])
def test_the_tours(bank, open_browser, path):
    page = open_browser(bank, path)
    eventually(lambda: page.all("#tour-answers .answer"), "the tour asks")
    page.click("#tour-answers .answer:last-child")
    eventually(lambda: page.text("#tour-outcome"), "it has run")
    assert sideways(page) == []


def test_three_balances_stand_in_one_row_where_there_is_room(bank, page):
    for width in (700, 768, 900, 1440):
        wide(page, width)
        tops = page.script("return [...document.querySelectorAll('.balance[data-account]')].map((card) => card.getBoundingClientRect().top)")
        assert len(set(tops)) == 1, (width, tops)


@pytest.mark.parametrize("path, there", [("/play", "#lane-B .program li"), ("/docs", "#docs .opblock"), ("/explore", "#empty")])
def test_the_other_pages(bank, open_browser, path, there):
    page = open_browser().open(bank, path)
    eventually(lambda: page.all(there), "it is shown")
    assert sideways(page) == []


def test_the_chosen_theme_holds_on_the_other_pages(bank, open_browser):
    page = open_browser(bank, scheme="light")
    page.click("#theme")
    page.click("#theme")
    page.until("#theme", "Theme: dark")
    for path in ("/docs", "/play", "/explore"):
        page.open(bank, path)
        red, green, blue = page.script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")[:3]
        assert red + green + blue < 200, f"{path} is dark"
