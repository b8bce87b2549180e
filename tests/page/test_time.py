"""The time cursor over a race: it is dragged, stepped and played, and the page shows that moment. The axis: its true
scale, its breaks, and its last labels. And the start of one transfer, moved against the other."""

import pytest
from selenium.webdriver.common.keys import Keys

from browser import DESKTOP, PHONE
from waiting import HANG_GUARD, eventually
from test_axe import LOOKS, violations
from test_order import race

RANGE = "#panel-{} .scrub input"


@pytest.fixture
def open_raced(bank, background, open_browser):
    """Opens the page at a double spend, and at the same race under the fix, which takes twice as long."""
    def start(delay=50, calm=False, **options):
        for strategy in ("for_update", "vulnerable"):
            race(bank, background, strategy, delay)
        page = open_browser(bank, calm=calm, **options)
        page.until_finished("race")
        page.until_finished("fix")
        return page
    return start


@pytest.fixture
def both(open_raced):
    return open_raced()


def focus(page, slot="race"):
    page.script("document.querySelector(arguments[0]).focus()", RANGE.format(slot))


def words(page, slot="race"):
    return page.one(RANGE.format(slot)).get_attribute("aria-valuetext")


def press_until(page, key, part, slot="race"):
    """Presses the key until the cursor says `part`."""
    for _ in range(60):
        if part in words(page, slot):
            return
        page.keys(key)
    raise AssertionError(f"no stop says {part!r}")


def cursor(page, slot="race"):
    """The place of the cursor along the picture, or None."""
    return page.script("""const line = document.querySelector(`#panel-${arguments[0]} .cursor-line`);
        const upright = document.querySelector(`#panel-${arguments[0]} svg.upright`) !== null;
        return line && Number(line.getAttribute(upright ? "y1" : "x1"))""", slot)


def balances(page):
    return [page.balance(account) for account in ("alice", "bob", "charlie")]


def first_writer(page):
    """The letter of the transfer that went well: the other one overdrew the account later."""
    return "A" if page.texts("#panel-race .lane .lane-outcome")[0] == "succeeded" else "B"


def is_later(page, selector):
    return page.script("return document.querySelector(arguments[0]).closest('.later') !== null", selector)


def test_the_balances_follow_the_cursor_from_event_to_event(both):
    focus(both)
    both.keys(Keys.HOME)
    assert words(both).startswith("0.0 ms: ") and cursor(both) is not None
    assert balances(both) == ["$1000.00", "$500.00", "$200.00"]
    assert " at 0.0 ms" in both.text('[data-account="alice"] h3')
    press_until(both, Keys.ARROW_RIGHT, f"{first_writer(both)} deducts $800.00: alice is $200.00")
    assert both.balance("alice") == "$1000.00", "the write is not committed yet"
    press_until(both, Keys.ARROW_RIGHT, f"now committed by {first_writer(both)}: alice $200.00")
    assert both.balance("alice") == "$200.00"
    assert "alice $200.00" in both.text("#panel-race .then")
    both.keys(Keys.END)
    assert balances(both) == ["-$600.00", "$1300.00", "$1000.00"]
    before = words(both)
    both.keys(Keys.ARROW_LEFT)
    assert words(both) != before


def test_the_other_race_has_its_own_balances(both):
    focus(both, "fix")
    both.keys(Keys.HOME)
    assert cursor(both, "fix") is not None and cursor(both) is None
    other = next(name for name in ("bob", "charlie") if "not in this race" in both.text(f'[data-account="{name}"] h3'))
    both.keys(Keys.END)
    assert both.balance("alice") == "$200.00"
    assert both.balance(other) in ("$1300.00", "$1000.00"), "the balance of now"


def test_escape_goes_back_to_now(both):
    focus(both)
    both.keys(Keys.HOME)
    both.until_balance("alice", "$1000.00")
    assert both.all("#panel-race .part.later")
    both.keys(Keys.ESCAPE)
    eventually(lambda: cursor(both) is None, "the cursor is closed")
    assert not both.all(".later") and not both.all(".at-cursor")
    assert balances(both) == ["-$600.00", "$1300.00", "$1000.00"]
    assert both.script("return document.activeElement.type") == "range", "the focus stays"


def test_verdict_and_red_line_wait_for_the_cursor(both):
    verdict, line, sentence = "#panel-race .facts .verdict", "#panel-race .link", "#panel-race .below li"
    focus(both)
    both.keys(Keys.HOME)
    assert is_later(both, verdict) and is_later(both, line) and is_later(both, sentence)
    assert not both.one(verdict).is_displayed() and not both.one(sentence).is_displayed()
    press_until(both, Keys.ARROW_RIGHT, f"{first_writer(both)} deducts $800.00: alice is $200.00")
    assert is_later(both, verdict) and not is_later(both, line) and not is_later(both, sentence)
    both.keys(Keys.END)
    assert not both.all("#panel-race .later")
    assert both.texts("#words-race tr.here")[0] == both.texts("#words-race tbody tr")[-1]


def test_it_plays_to_the_end_of_its_own_race(both):
    focus(both)
    both.keys(Keys.END)
    both.keys(Keys.ARROW_LEFT)
    both.keys(" ")
    eventually(lambda: both.text("#panel-race .replay") == "Play", "it ended")
    assert words(both).startswith(f"{float(both.texts('#words-race .ms')[-1]):.1f} ms")
    own = both.script("return Math.max(...[...document.querySelectorAll('#panel-race .part')].map((e) => Number(e.dataset.reveal)))")
    assert abs(cursor(both) - own) < 1, "the axis continues to the end of the other race, the cursor does not"
    assert not both.all("#panel-race .later")


def test_space_pauses(both):
    focus(both)
    both.keys(" ")
    eventually(lambda: both.text("#panel-race .replay") == "Pause" and cursor(both), "it plays")
    start = cursor(both)
    eventually(lambda: cursor(both) > start, "it moves")
    both.keys(" ")
    assert both.text("#panel-race .replay") == "Play"
    place = cursor(both)
    both.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0])))")
    assert cursor(both) == place


def test_a_person_who_wants_no_motion_gets_steps(open_raced):
    page = open_raced(calm=True)
    page.script("""window.seen = new Set(); new MutationObserver(() => {
        const line = document.querySelector("#panel-race .cursor-line"); if (line) seen.add(Number(line.getAttribute("x1")));
    }).observe(document.querySelector("#panel-race .picture"), {subtree: true, childList: true, attributes: true})""")
    focus(page)
    page.keys(Keys.END)
    for _ in range(3):
        page.keys(Keys.ARROW_LEFT)
    page.script("window.seen.clear()")
    page.keys(" ")
    eventually(lambda: page.text("#panel-race .replay") == "Play", "it ended")
    assert page.script("return seen.size") <= 5, "no place between two events"


def picture_box(page, slot):
    page.script("document.querySelector(`#panel-${arguments[0]} .picture`).scrollIntoView({block: 'center'})", slot)
    return page.script("""const box = document.querySelector(`#panel-${arguments[0]} svg`).getBoundingClientRect();
        return {x: box.x, y: box.y, width: box.width, height: box.height}""", slot)


def is_near(place, wanted, pixels=2):
    return place is not None and abs(place - wanted) < pixels


def test_a_mouse_drags_it(both):
    box = picture_box(both, "race")
    at = {"x": box["x"] + box["width"] * 0.4, "y": box["y"] + 60}
    both.command("Input.dispatchMouseEvent", type="mousePressed", button="left", clickCount=1, **at)
    eventually(lambda: is_near(cursor(both), box["width"] * 0.4), "it is where the mouse was pressed")
    at["x"] = box["x"] + box["width"] * 0.5
    both.command("Input.dispatchMouseEvent", type="mouseMoved", button="left", buttons=1, **at)
    eventually(lambda: is_near(cursor(both), box["width"] * 0.5), "it follows")
    both.command("Input.dispatchMouseEvent", type="mouseReleased", button="left", clickCount=1, **at)
    at["x"] += 60
    both.command("Input.dispatchMouseEvent", type="mouseMoved", **at)
    both.until_next_frame()
    assert is_near(cursor(both), box["width"] * 0.5), "it was released"
    both.keys(Keys.ESCAPE)
    eventually(lambda: cursor(both) is None, "the keyboard continues where the mouse was")


def touch(page, kind, *points):
    page.command("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y} for x, y in points])


def test_a_finger_taps_and_drags_the_knob(open_raced):
    page = open_raced(size=PHONE)
    page.command("Emulation.setTouchEmulationEnabled", enabled=True)
    box = picture_box(page, "race")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch(page, "touchStart", (x, y))
    touch(page, "touchEnd")
    eventually(lambda: is_near(cursor(page), box["height"] / 2), "a tap moves the cursor")
    knob = page.script("""const box = document.querySelector("#panel-race .cursor-knob").getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2]""")
    before = page.script("return scrollY")
    touch(page, "touchStart", knob)
    for moved in (10, 20, 40):
        touch(page, "touchMove", (knob[0], knob[1] + moved))
    touch(page, "touchEnd")
    eventually(lambda: is_near(cursor(page), box["height"] / 2 + 40, 3), "the knob is dragged")
    assert page.script("return scrollY") == before, "and the page does not scroll"


def test_a_new_race_and_a_reset_close_it(bank, both):
    focus(both)
    both.keys(Keys.HOME)
    both.race()
    eventually(lambda: cursor(both) is None and not both.all(".later"), "the new race closes it")
    focus(both)
    both.keys(Keys.HOME)
    both.click("#reset")
    eventually(lambda: cursor(both) is None, "the reset closes it")
    both.until_balance("bob", "$500.00")


def test_the_cursor_stays_when_the_window_changes(both):
    focus(both)
    press_until(both, Keys.ARROW_LEFT, f"now committed by {first_writer(both)}: alice $200.00")
    before = both.balance("alice")
    both.command("Emulation.setDeviceMetricsOverride", width=700, height=900, deviceScaleFactor=1, mobile=False)
    eventually(lambda: both.all("#panel-race svg.upright"), "the picture is drawn anew")
    both.until_steady()
    assert cursor(both) is not None and both.balance("alice") == before == "$200.00"


def scrolls_sideways(page):
    return page.script("""return [document.documentElement, ...document.querySelectorAll(".picture")]
        .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className || e.tagName)""")


def cut_off(page):
    """Labels that end outside their picture."""
    return page.script("""return [...document.querySelectorAll(".picture svg")].flatMap((svg) => {
        const box = svg.getBoundingClientRect();
        return [...svg.querySelectorAll("text")].filter((text) => text.textContent !== "").filter((text) => {
            const own = text.getBoundingClientRect();
            return own.right > box.right + 1 || own.left < box.left - 1 || own.bottom > box.bottom + 1;
        }).map((text) => text.textContent); })""")


def test_nothing_is_cut_off_at_any_width(bank, both):
    focus(both)
    both.keys(Keys.HOME)
    for width in (320, 360, 390, 600, 768, 1024, 1280, 1366, 1440, 1920):
        both.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        eventually(lambda: abs(both.script("return document.documentElement.clientWidth") - width) < 2, "resized")
        both.until_steady()
        inside = ["picture"] * 2 if width < 360 else []  # two lanes have no room: the picture scrolls in its box
        assert (width, scrolls_sideways(both), cut_off(both)) == (width, inside, [])


def test_the_axis_says_where_time_is_cut(open_raced):
    page = open_raced(delay=200)
    for size in (DESKTOP, PHONE):
        page.look(size, "light")
        eventually(lambda upright=size is PHONE: bool(page.all("svg.upright")) == upright, "the picture is drawn for the width")
        for slot in ("race", "fix"):
            assert page.all(f"#panel-{slot} .axis-line.stretched") and page.all(f"#panel-{slot} .strip-mark")
            assert len(page.all(f"#panel-{slot} .axis-break")) == 2 * len(page.all(f"#panel-{slot} .axis-line.cut"))
            assert all(text.endswith((" ms", " s")) for text in page.texts(f"#panel-{slot} .tick"))


def test_the_legend_has_every_sign(both):
    assert both.shown("#legend ul")
    for name in ("reads", "checks", "writes", "commit", "barrier", "waits for a lock", "cut short", "true scale"):
        assert name in both.text("#legend ul"), name


@pytest.mark.parametrize("size, scheme", LOOKS)
def test_axe_finds_nothing_at_a_cursor(open_raced, axe, size, scheme):
    page = open_raced(size=size, scheme=scheme)
    focus(page)
    page.keys(Keys.HOME)
    for _ in range(4):
        page.keys(Keys.ARROW_RIGHT)
    assert violations(page, axe) == []


def squares(page):
    return page.all("#apart .try")


def until_tried(page, number):
    eventually(lambda: f"{number} race" in page.text("#apart-summary"), f"{number} races were tried", HANG_GUARD * max(1, number))


def test_moving_the_start_of_one_transfer_races_for_real(bank, page):
    page.set_delay(bank, 300)
    page.set_barrier(bank, 2)
    page.script("document.querySelector('#apart-ms').focus()")
    page.keys(Keys.ARROW_RIGHT)
    page.until("#apart-words", "0.5 ms after the transfer to bob")
    until_tried(page, 1)
    assert page.one("#apart-ms").get_attribute("aria-valuetext") == "0.5 ms after the transfer to bob"
    records = bank.transactions()
    assert {(each["from_account"], each["to_account"], each["amount"]) for each in records} == {
        ("alice", "bob", 800), ("alice", "charlie", 800)}
    steps = {step["step"] for each in records for step in bank.get(f"/races/{each['id']}").json()["transfers"][0]["steps"]}
    assert "barrier" not in steps and "delay" not in steps
    now = bank.settings()
    assert (now["delay_enabled"], now["delay_ms"], now["barrier_enabled"]) == (True, 300, True), "restored"
    assert ("none went wrong" in page.text("#apart-summary")) == (
        not any(each["race_detected"] for each in records))
    page.until_finished("race")


def test_it_keeps_delay_and_barrier_if_asked(bank, page):
    page.set_delay(bank, 50)
    page.set_barrier(bank, 2)
    page.click("#apart-keep")
    page.script("document.querySelector('#apart-ms').focus()")
    page.keys(Keys.ARROW_LEFT)
    until_tried(page, 1)
    assert "1 went wrong" in page.text("#apart-summary") and bank.balance("alice") == -600
    page.set_barrier(bank, 3)
    page.script("document.querySelector('#apart-ms').focus()")
    page.keys(Keys.ARROW_LEFT)
    page.until("#problem-text", "The barrier waits for 3 transfers")
    assert len(bank.transactions()) == 2


def test_all_offsets_are_tried_and_can_be_stopped(bank, page):
    page.choose("#strategy", "for_update")
    eventually(lambda: bank.settings()["strategy"] == "for_update", "a safe strategy")
    page.click("#apart-all")
    eventually(lambda: len(squares(page)) >= 2 or "race" in page.text("#apart-summary"), "squares appear")
    assert page.is_off("#apart-all")
    page.click("#apart-stop")
    eventually(lambda: not page.shown("#apart-stop") and not page.is_off("#apart-all"), "it stops")
    page.until("#apart-summary", "none went wrong")
    assert not page.all("#apart .try.bad")
    stopped = len(bank.transactions())
    assert stopped < 2 * 63
    page.click("#apart-clear")
    assert not squares(page) and page.text("#apart-summary") == ""


def test_every_offset_is_raced(bank, page):
    page.click("#apart-all")
    until_tried(page, 63)
    far = page.script("return /(\\\\d+) arrived/.exec(document.querySelector('#apart-summary').textContent)?.[1] ?? '0'")
    columns = page.script("return new Set([...document.querySelectorAll('#apart .try rect')].map((e) => e.getAttribute('x'))).size")
    assert len(squares(page)) <= 63 - int(far) and columns <= 21
    page.until("#apart-words", "5 ms after")


def test_the_settings_are_restored_when_the_page_is_left(bank, page):
    page.set_barrier(bank, 2)
    page.click("#apart-all")
    eventually(lambda: not bank.settings()["barrier_enabled"], "the barrier is off")
    page.driver.get("about:blank")
    eventually(lambda: bank.settings()["barrier_enabled"], "and on again")


def test_the_squares_fit(page, axe):
    page.script("document.querySelector('#apart-ms').focus()")
    page.keys(Keys.ARROW_RIGHT)
    until_tried(page, 1)
    page.until_finished("race")
    for size in ((1920, 1080), (1280, 720), (768, 1024), PHONE, (320, 640)):
        page.look(size, "light")
        page.until_steady()
        assert set(scrolls_sideways(page)) <= ({"picture"} if size[0] < 360 else set())  # two lanes have no room there
        assert violations(page, axe) == [], size
