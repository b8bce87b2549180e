"""The matrix of strategies and anomalies on /explore, and the grid of every order of a case."""

import json

import pytest
from selenium.webdriver.common.keys import Keys

from conftest import ROOT
from waiting import eventually
from test_axe import LOOKS, violations_in

MATRIX = json.loads((ROOT / "server/page/matrix.json").read_text(encoding="utf-8"))


def opened(open_browser, bank, path, **options):
    page = open_browser(**options).open(bank, path)
    eventually(lambda: page.shown("#matrix-rows td") or page.shown("#grid-cells button"), "the page has its data")
    return page


def kinds(page):
    return page.script("return [...document.querySelectorAll('#grid-cells button')].map((cell) => cell.classList[1])")


def chosen(page):
    return page.script("return [...document.querySelectorAll('#grid-cells button')].findIndex((cell) => cell.ariaPressed === 'true')")


def test_the_matrix_has_every_strategy_and_each_cell_its_proof(bank, open_browser):
    page = opened(open_browser, bank, "/explore")
    strategies = [each["name"] for each in bank.get("/strategies").json()["strategies"] if not each["needs_standby"]]
    assert sorted(page.texts("#matrix-rows th")) == sorted(strategies)
    assert len(page.all("#matrix-rows td")) == 12 * 5
    assert len(page.all("#matrix-rows .ends")) == sum(cell["ends"] for row in MATRIX["rows"] for cell in row["cells"])
    page.click("#matrix-rows a[data-case='foreign_writer.optimistic']")
    eventually(lambda: page.shown("#grid-cells"), "its orders are shown")
    page.until("#grid-share", "4 of 7")
    assert kinds(page).count("bad") == 4
    assert "made from" in page.text("#grid-case") and "knows nothing of the strategy" in page.text("#grid-text")
    page.driver.back()
    eventually(lambda: page.shown("#matrix") and not page.shown("#found"), "back to the matrix")


def test_each_order_is_a_cell_and_a_click_steps_through_it(bank, open_browser):
    page = opened(open_browser, bank, "/explore?case=vulnerable")
    assert page.text("#grid-share") == "40 of 52 orders go wrong"
    assert kinds(page).count("bad") == 40 and kinds(page).count("fine") == 12
    page.click("#grid-cells button")
    eventually(lambda: page.text("#here-verdict").endswith("serial"), "the first order is serial")
    assert page.texts("#here-lanes .name") == ["A1", "A2", "A3", "A4", "B1", "B5"]  # B is refused
    assert page.driver.current_url.endswith("case=vulnerable&order=AAAABB")
    page.click("#first")
    page.click("#next")
    page.click("#next")
    assert "200" in page.text("#here-rows table"), "the committed rows follow the steps"
    assert "--replay 'A1 A2 A3 A4 B1 B5'" in page.text("#again")


def test_waits_and_aborts_have_kinds_of_their_own(bank, open_browser):
    page = opened(open_browser, bank, "/explore?case=optimistic")
    assert {kind: kinds(page).count(kind) for kind in set(kinds(page))} == {"aborts": 12, "fine": 2}
    page.choose("#case", page.script("return [...document.querySelectorAll('#case option')].find((o) => o.text === 'for_update').value"))
    eventually(lambda: len(kinds(page)) == 24, "another case")
    assert kinds(page).count("waits") == 14
    page.choose("#case", page.script("return [...document.querySelectorAll('#case option')].find((o) => o.text === 'mutex_of_the_program.wrong').value"))
    eventually(lambda: not page.shown("#grid"), "a case with very many orders has no grid")
    assert page.shown("#here-lanes .step")


def test_the_keyboard_goes_through_the_cells(bank, open_browser):
    page = opened(open_browser, bank, "/explore?case=vulnerable&order=AAAABB")
    eventually(lambda: chosen(page) == 0, "the order of the address is chosen")
    page.script("document.querySelector('#grid-cells button').focus()")
    position = page.text("#position")
    page.keys(Keys.ARROW_RIGHT)
    assert chosen(page) == 1 and page.text("#position") != "" and position.startswith("Step 6 of 6")
    page.keys(Keys.END)
    assert chosen(page) == 51
    page.keys(Keys.ARROW_UP, Keys.HOME)
    assert chosen(page) == 0
    assert page.script("return document.querySelectorAll('#grid-cells [tabindex=\"0\"]').length") == 1


def test_the_live_page_leads_to_the_orders_of_its_strategy(bank, page):
    page.choose("#strategy", "process_mutex")
    eventually(lambda: page.one("#strategy-orders").get_attribute("href").endswith("case=mutex_of_the_program.right"), "the link")
    page.choose("#strategy", "serializable")
    eventually(lambda: page.one("#strategy-orders").get_attribute("href").endswith("case=serializable"), "the link follows")
    page.click("#strategy-orders")
    eventually(lambda: len(kinds(page)) == 50, "its orders are shown")


def test_an_unknown_case_is_named(bank, open_browser):
    page = open_browser().open(bank, "/explore?case=nothing")
    page.until("#problem-text", 'no case "nothing"')


@pytest.mark.parametrize("path", ["/explore", "/explore?case=vulnerable", "/explore?case=write_skew.own_row"])
def test_it_has_room_at_every_width(bank, open_browser, path):
    page = opened(open_browser, bank, path)
    for width in (1920, 1280, 768, 390, 320):
        page.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        page.until_it_fits()


def test_axe_finds_nothing(bank, open_browser, axe):
    page = opened(open_browser, bank, "/explore")
    assert violations_in(page, axe, LOOKS) == []
    page.click("#matrix-rows a")
    eventually(lambda: page.shown("#grid-cells"), "the grid")
    assert violations_in(page, axe, LOOKS) == []
