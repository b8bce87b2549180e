"""The whole scenario, played on the page alone. It is still there after a reload, under its own address, and in another
browser."""

import re

import pytest

from browser import PHONE
from waiting import eventually


@pytest.fixture
def played(bank, page):
    """A race with barrier and delay, then the same race under the fix: all with the page's own switches and buttons."""
    page.set_delay(bank, 200)
    page.set_barrier(bank, 2)
    page.race()
    page.until_balance("alice", "-$600.00")
    assert "overdrawn" in page.text('[data-account="alice"]')
    page.race_under_the_fix()
    return page


def marks(page, slot, kind):
    return page.texts(f"#panel-{slot} .mark.{kind} .label")


def test_a_race_with_the_barrier(bank, page):
    page.set_delay(bank, 200)
    page.set_barrier(bank, 2)
    page.race()
    page.until_balance("alice", "-$600.00")
    assert bank.balance("alice") == -600
    page.until_balance("bob", "$1300.00")
    page.until_balance("charlie", "$1000.00")
    page.until("#panel-race .facts", "Double spend")
    assert "Both succeeded; alice went down to -$600.00." in page.text("#panel-race .facts")
    assert marks(page, "race", "read") == ["reads $1000", "reads $1000"]
    assert marks(page, "race", "check") == ["check: $1000 ≥ $800"] * 2
    assert sorted(marks(page, "race", "deduct")) == ["deducts → $200", "deducts → -$600"]
    assert sorted(marks(page, "race", "credit")) == ["bob → $1300", "charlie → $1000"]
    assert marks(page, "race", "commit") == ["recorded", "recorded"]
    assert page.texts("#panel-race .band.barrier .label") == ["barrier", "barrier"]
    assert all(re.fullmatch(r"delay \d+ ms", label) for label in page.texts("#panel-race .band.delay .label"))
    assert page.texts("#panel-race .mark.tone-bad .label") == ["deducts → -$600"]
    eventually(lambda: page.shown('[data-total="double-spends"].bad'), "it is counted")


def test_a_negative_balance_goes_to_the_left_of_zero_in_red(bank, page):
    def bars():
        return page.script("""return [...document.querySelectorAll("#balances [data-account]")].map((e) => {
            const [bar, zero] = [".fill", ".zero"].map((part) => e.querySelector(part).getBoundingClientRect());
            return [Math.round(bar.left - zero.left), Math.round(bar.right - zero.right), Math.round(bar.width)]; })""")

    eventually(lambda: all(abs(left) < 3 and right > 0 for left, right, _ in bars()), "all to the right of zero")
    page.set_barrier(bank, 2)
    page.race()
    page.until_balance("alice", "-$600.00")
    eventually(lambda: bars()[0][0] < -20 and abs(bars()[0][1]) < 3, "alice to the left of it")
    bob, charlie = bars()[1:]
    assert abs(bob[2] / charlie[2] - 1.3) < 0.05  # $1300 and $1000, on one scale
    color = "return getComputedStyle(document.querySelector(arguments[0])).color"
    assert page.script(color, '[data-account="alice"] .amount') == page.script(color, "#panel-race .facts .bad")
    assert page.text('[data-account="alice"] .note') == "overdrawn"
    assert page.text('[data-account="bob"] .note') == ""


def test_the_stale_read_is_joined_to_the_write_it_missed(bank, page):
    page.set_delay(bank, 200)
    page.set_barrier(bank, 2)
    page.race()
    page.until("#panel-race .below", "It never saw that ")
    ends = page.script("""
        const svg = document.querySelector("#panel-race svg");
        const line = svg.querySelector(".link-line");
        const end = (at) => { const p = line.getPointAtLength(at); return [p.x, p.y]; };
        const center = (e) => { const b = e.getBBox(); return [b.x + b.width / 2, b.y + b.height / 2]; };
        return {from: end(0), to: end(line.getTotalLength()),
                read: center(svg.querySelector(".mark.read.tone-stale .shape")),
                write: center(svg.querySelector(".mark.deduct.tone-plain .shape")),
                color: getComputedStyle(line).stroke, bad: getComputedStyle(document.querySelector("#panel-race .facts .bad")).color};
    """)
    assert abs(ends["from"][0] - ends["read"][0]) < 2 and abs(ends["to"][0] - ends["write"][0]) < 2
    assert 0 < abs(ends["from"][1] - ends["read"][1]) < 20 and 0 < abs(ends["to"][1] - ends["write"][1]) < 20
    assert ends["color"] == ends["bad"]
    writer = "A" if page.texts("#panel-race .lane .lane-outcome")[0] == "succeeded" else "B"
    assert page.texts("#panel-race .link .label") == [f"stale: {writer} wrote $200 since"]
    assert f"It never saw that {writer} wrote $200.00" in page.text("#panel-race .below")


def test_the_same_race_under_the_fix(bank, played):
    played.until_balance("alice", "$200.00")
    assert bank.balance("alice") == 200
    played.until("#panel-fix .facts", "Clean")
    assert "1 succeeded, 1 refused; alice went down to $200.00." in played.text("#panel-fix .facts")
    assert played.text("#panel-fix .facts code") == "for_update"
    holder = "A" if played.texts("#panel-fix .lane .lane-outcome")[0] == "succeeded" else "B"
    assert f"waits for {holder}" in played.texts("#panel-fix .band.tone-blocked .label")
    assert "check: $200 < $800, refused" in marks(played, "fix", "check")
    # Both pictures are there, one below the other, on one scale.
    assert played.shown("#panel-race svg") and played.shown("#panel-fix svg")
    places = played.script("return [...document.querySelectorAll('#panel-race, #panel-fix')].map((e) => e.getBoundingClientRect().top)")
    assert places == sorted(places)
    ticks = played.script("""return ["race", "fix"].map((slot) => [...document.querySelectorAll(`#panel-${slot} .ruler line`)]
        .map((e) => e.getAttribute("x1")))""")
    assert len(ticks[0]) > 3 and (ticks[0] == ticks[1]) == ("share one axis" in played.text("#axes"))
    assert "Double spend" in played.text("#panel-race .facts")


def test_the_words_say_what_the_picture_shows(played):
    race = " | ".join(played.texts("#words-race tbody tr"))
    for words in ("reads alice: $1000.00", "waits at the barrier", "leaves the barrier: released",
                  "checks $1000.00 >= $800.00: enough", "deducts $800.00: alice is $200.00, committed within",
                  "deducts $800.00: alice is -$600.00 (it had read $1000.00, but found $200.00)"):
        assert words in race, words
    fix = " | ".join(played.texts("#words-fix tbody tr"))
    for words in ("asks for the row locks of alice and", r"\(held by [AB]\), reads alice: \$200\.00",
                  r"checks \$200\.00 >= \$800\.00: not enough, refused"):
        assert re.search(words, fix), words


def facts(page):
    return [page.text(f"#panel-{slot} .facts") for slot in ("race", "fix")]


def test_a_reload_shows_the_same(played):
    before = facts(played)
    steps = [played.texts(f"#words-{slot} tbody tr") for slot in ("race", "fix")]
    played.driver.refresh()
    played.until_live()
    eventually(lambda: facts(played) == before, "the same two races")
    assert [played.texts(f"#words-{slot} tbody tr") for slot in ("race", "fix")] == steps
    played.until_balance("alice", "$200.00")
    eventually(lambda: played.one("#barrier").is_selected() and played.one("#delay-ms").get_property("value") == "200",
               "the switches show the server's settings")


def test_a_race_is_opened_again_by_its_address(bank, played, open_browser):
    eventually(lambda: len(played.all("#history li")) >= 2, "both races are in the history")
    address = next(link.get_attribute("href") for link in played.all("#history a[data-race]") if "Double spend" in link.text)
    ids = [each["id"] for each in bank.transactions() if each["strategy"] == "vulnerable"]
    played.race()
    again = open_browser(bank, address[address.index("/?race="):])
    again.until("#panel-race .facts", "Double spend")
    assert again.shown("#pinned")
    assert set(address.split("race=")[1].split(",")) == set(
        again.one("#panel-race .links a").get_attribute("href").split("race=")[1].split(","))
    assert "panel empty" == again.one("#panel-fix").get_attribute("class")
    assert not ids or "-$600.00" in again.text("#panel-race .facts")


def test_the_history_opens_races_and_the_back_button_returns(played):
    eventually(lambda: len(played.all("#history li")) >= 2, "both races are in the history")
    newest = facts(played)
    played.script("document.querySelector('#history li:last-child a').click()")
    eventually(lambda: "race=" in played.driver.current_url and played.shown("#pinned"), "the address names the race")
    played.driver.back()
    eventually(lambda: "race=" not in played.driver.current_url and facts(played) == newest, "the newest are back")


def test_an_address_of_no_race_says_so(bank, open_browser):
    page = open_browser(bank, "/?race=nobody")
    page.expected_errors = ("404",)
    page.until("#pinned-text", 'No race of the transfer "nobody"')
    assert page.shown("#pinned") and not page.shown("#problem")


def test_two_browsers_see_one_bank(bank, page, open_browser):
    other = open_browser(bank, size=PHONE, scheme="dark")
    page.set_delay(bank, 150)
    page.set_barrier(bank, 2)
    eventually(lambda: other.one("#barrier").is_selected() and other.one("#delay-ms").get_property("value") == "150",
               "the other's switches follow")
    page.race()
    other.until_balance("alice", "-$600.00")
    other.until("#panel-race .facts", "Double spend")
    other.until("#panel-race .below", "It never saw that ")
    eventually(lambda: other.texts("#words-race tbody tr") == page.texts("#words-race tbody tr"), "in the same words")
    other.choose("#strategy", "optimistic")
    eventually(lambda: page.one("#strategy").get_property("value") == "optimistic", "and the other way round")
    page.until("#strategy-safety", "safe")
