"""The row that the transfers contest, the SQL beside the picture, and why a race is wrong: in a real browser, on real
races."""

import pytest

from browser import DESKTOP, PHONE
from waiting import eventually
from strategies import SAFE
from test_axe import violations_in


def raced(bank, page, name, delay=5):
    """Races two transfers under a strategy. Returns the part of the page that shows them: "race" or "fix"."""
    bank.set(strategy=name, barrier_enabled=True, barrier_count=2, delay_enabled=True, delay_ms=delay)
    eventually(lambda: page.one("#strategy").get_property("value") == name, "the strategy is selected")
    slot = "fix" if name in SAFE else "race"
    page.click("#race")
    eventually(lambda: page.text(f"#panel-{slot}.judged .facts code") == name and page.address_of(slot), "it is drawn")
    return slot


def open_versions(page):
    eventually(lambda: page.all("#panel-race .versions summary"), "the versions are drawn")
    eventually(lambda: page.script("""
        const versions = document.querySelector("#panel-race .versions");
        if (!versions.open) versions.querySelector("summary").click();
        return versions.open"""), "the versions are shown")


def values(page, slot):
    return page.texts(f"#panel-{slot} .row-value")


def test_the_row_stands_between_the_lanes_and_falls_below_zero(bank, page):
    raced(bank, page, "vulnerable")
    assert values(page, "race") == ["$1000", "$200", "-$600"]
    places = page.script("""
        const top = (e) => e.getBoundingClientRect().top;
        const svg = document.querySelector("#panel-race svg");
        const colour = (e) => getComputedStyle(e).stroke;
        return {lanes: [...svg.querySelectorAll(".lane .badge")].map(top), rows: [...svg.querySelectorAll(".row-line")].map(top),
                bad: colour(svg.querySelector(".tone-bad .row-line")), plain: colour(svg.querySelector(".tone-plain .row-line")),
                wrong: getComputedStyle(document.querySelector("#panel-race .facts .bad")).color}""")
    assert all(places["lanes"][0] < top < places["lanes"][1] for top in places["rows"])
    assert places["bad"] == places["wrong"] != places["plain"]


def test_the_row_changes_at_the_commit_and_not_at_the_write(bank, page):
    """A bar ends when the answer to the commit arrived, so the commit was over by then; and the next writer of the row
    has waited for it."""
    raced(bank, page, "vulnerable")
    ends = eventually(lambda: page.script("""
        const svg = document.querySelector("#panel-race svg");
        const bar = (letter) => svg.querySelector(`.committing[data-letter="${letter}"][data-step="deduct"] rect`);
        const end = (e) => Number(e.getAttribute("x")) + Number(e.getAttribute("width"));
        const start = (e) => Number(e.getAttribute("x"));
        const areas = [...svg.querySelectorAll(".row-area")];
        const both = ["A", "B"].map(bar);
        return {bars: both.map(end), writes: both.map(start), steps: areas.slice(1).map(start)}"""), "both bars are drawn")
    bars, steps, writes = ends["bars"], ends["steps"], sorted(ends["writes"])
    first, second = (0, 1) if ends["writes"][0] < ends["writes"][1] else (1, 0)
    assert writes[0] < steps[0] <= min(bars[first], writes[1]) + 1, ends
    assert writes[1] < steps[1] and abs(bars[second] - steps[1]) < 1, ends


def test_the_versions_of_the_row_name_their_writers_and_readers(bank, page):
    raced(bank, page, "vulnerable")
    assert not page.all("#panel-race .versions[open]")
    open_versions(page)
    rows = page.script("""return [...document.querySelectorAll("#panel-race .versions tbody tr")].map((row) =>
        [...row.cells].map((cell) => cell.textContent))""")
    assert [row[0] for row in rows] == ["$1000.00", "$200.00", "-$600.00"]
    assert rows[0][1] == "before the race" and {row[1] for row in rows[1:]} == {"A", "B"}
    assert "A (" in rows[0][4] and "B (" in rows[0][4] and rows[1][4] == rows[2][4] == "nobody"


@pytest.mark.parametrize("name", ["vulnerable", "absolute_update", "process_mutex"])
def test_without_a_transaction_there_is_no_bracket_and_no_commit(bank, page, name):
    raced(bank, page, name)
    assert not page.all("#panel-race .bracket")
    labels = page.texts("#panel-race .mark .label")
    assert not {"BEGIN", "COMMIT", "commit"} & set(labels), labels


def test_a_transaction_has_a_bracket_from_begin_to_commit(bank, page):
    for name, begin in (("for_update", "BEGIN"), ("serializable", "BEGIN, serializable")):
        raced(bank, page, name)
        assert len(page.all("#panel-fix .bracket")) >= 2
        labels = page.texts("#panel-fix .mark .label")
        assert begin in labels and "COMMIT" in labels, labels
        edges = page.script("""
            const boxes = (selector) => [...document.querySelectorAll(selector)].map((each) => each.getBoundingClientRect());
            return boxes("#panel-fix .mark.commit .shape").map(({ left, right }) => [left, right,
                boxes("#panel-fix .bracket").map((bracket) => bracket.right)])""")
        assert len(edges) == 2 and all(any(left - 2 <= end <= right + 2 for end in ends) for left, right, ends in edges)


@pytest.mark.parametrize("name", ["cte_snapshot", "subselect_predicate"])
def test_a_statement_shows_its_snapshot_and_the_red_line_begins_there(bank, page, name):
    raced(bank, page, name)
    assert page.texts("#panel-race .mark.snapshot .label") == ["statement begins: sees $1000"] * 2
    distance = page.script("""
        const line = document.querySelector("#panel-race .link-line");
        const mark = document.querySelector("#panel-race .mark.snapshot.tone-stale circle").getBBox();
        return Math.abs(line.getPointAtLength(0).x - (mark.x + mark.width / 2))""")
    assert distance < 2


def test_a_lost_update_is_money_from_nothing(bank, page):
    raced(bank, page, "cte_snapshot")
    assert "$800.00 came from nothing" in page.text("#panel-race .facts")
    assert page.text("#panel-race .together") == \
        "alice, bob and charlie together: $1700.00 before, $2500.00 after. $800.00 came from nothing."
    page.until("#balances .total .amount", "$2500.00")
    page.until("#balances .total .note", "$800.00 came from nothing")
    assert bank.get("/audit").json()["money"]["drift"] == 800
    page.click("#reset")
    page.until("#balances .total .amount", "$1700.00")
    assert page.text("#balances .total .note") == ""


def test_why_no_serial_order_exists_and_which_one_does(bank, page):
    raced(bank, page, "vulnerable")
    assert "No order has both" in page.text("#panel-race .why p")
    assert len(page.all("#panel-race .why .edge.cycle")) == 2
    raced(bank, page, "for_update")
    order = "A, then B" if page.texts("#panel-fix .lane .lane-outcome")[0] == "succeeded" else "B, then A"
    assert page.text("#panel-fix .why p") == f"The result is that of a serial order: {order}."
    assert not page.all("#panel-fix .why .edge.cycle") and len(page.all("#panel-fix .why .edge")) == 1
    assert page.script("""const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
        return ids.filter((id, index) => ids.indexOf(id) !== index)""") == []


def test_every_strategy_shows_its_sql_and_what_differs(bank, page):
    for served in bank.get("/strategies").json()["strategies"]:
        if not served["available"]:
            continue
        name = served["name"]
        slot = raced(bank, page, name)
        assert page.texts(f"#panel-{slot} .sketch-line code") == [each["line"] for each in served["sketch"]], name
        assert page.text(f"#panel-{slot} .watch-for").endswith(f"{served['watch_for']}."), name
        assert bool(page.all(f"#panel-{slot} .sketch-line mark")) == (name != "vulnerable"), name
        width = page.script("return [document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], name


HERE = "return [...document.querySelectorAll('#panel-race .sketch-lines .here')].map((e) => [e.querySelector('.at').textContent, e.textContent])"


def test_a_step_marks_its_line_and_a_line_its_steps_with_the_keyboard_alone(bank, page):
    raced(bank, page, "vulnerable")
    page.command("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    page.script("document.querySelector('#panel-race .mark[tabindex=\"0\"]').focus()")
    marked = page.script(HERE)
    assert len(marked) == 1 and "SELECT balance" in marked[0][1] and marked[0][0] in ("A", "B")
    seen = set()
    for _ in range(9):
        page.keys("\ue014")  # arrow right
        seen |= {text for _, text in page.script(HERE)}
    assert any("refuse if" in text for text in seen) and any("balance - :amount" in text for text in seen)
    page.script("document.querySelector('#panel-race .sketch-line').focus()")
    assert {each.get_attribute("data-step") for each in page.all("#panel-race .picture .linked")} == {"read"}
    page.keys("\ue015")  # arrow down
    assert {each.get_attribute("data-step") for each in page.all("#panel-race .picture .linked")} == {"check"}


def test_a_running_transfer_stands_at_its_line(bank, page, background):
    bank.set(barrier_enabled=True, barrier_count=2)
    first = background(bank.transfer, "alice", "bob", "800")
    eventually(lambda: page.text("#panel-race .sketch-pause.here .at") == "A", "A waits at the barrier")
    bank.transfer("alice", "charlie", "800")
    assert first.result().status == 200
    eventually(lambda: not page.all("#panel-race .sketch-lines .here"), "both have ended")


def test_no_page_scrolls_sideways(bank, page):
    raced(bank, page, "repeatable_read")
    raced(bank, page, "cte_snapshot")
    open_versions(page)
    for width in (320, 390, 768, 1280, 1920):
        page.look((width, 900), "light")
        page.until_it_fits()


def test_axe_finds_nothing_in_what_explains_a_race(bank, page, axe):
    raced(bank, page, "serializable")
    raced(bank, page, "cte_snapshot")
    open_versions(page)
    page.script("document.querySelector('#panel-race .sketch-line').focus()")
    assert violations_in(page, axe, [(DESKTOP, "light"), (PHONE, "dark")]) == []
