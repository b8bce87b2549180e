"""The explorer's page, as one file and as /explore of the bank: real documents of race-explore in a real Chromium."""

import json
import re

import pytest
from selenium.webdriver.common.keys import Keys

from browser import PHONE
from explorations import HOSTILE, PROGRAM, Explorations, sessions
from waiting import eventually
from test_axe import LOOKS, violations, violations_in

WIDTHS = [320, 390, 600, 768, 1024, 1280, 1440, 1920]


@pytest.fixture(scope="module")
def explorations(cluster, tmp_path_factory):
    if not PROGRAM.is_file():
        pytest.fail(f"no program at {PROGRAM}: build it, or name it in RACE_EXPLORE")
    return Explorations(cluster.url("postgres"), tmp_path_factory.mktemp("explorations"))


@pytest.fixture
def open_alone(open_browser):
    """Opens a page that race-explore has written from disk, without a server."""
    def start(files, **options):
        page = open_browser(**options)
        page.driver.get(files[1].as_uri())
        eventually(lambda: page.shown("#position"), "the order is shown")
        return page
    return start


@pytest.fixture
def served(bank, open_browser):
    page = open_browser().open(bank, "/explore")
    eventually(lambda: page.text("#theme") == "Theme: system", "the page has started")
    return page


def give(page, path):
    page.one("#file").send_keys(str(path))


def steps(page, part="here"):
    return page.texts(f"#{part}-lanes .step:not(.continued) .name")


def position(page):
    match = re.match(r"Step (\d+) of", page.text("#position"))
    return int(match.group(1)) if match else 0


def states(page, part="here"):
    return page.texts(f"#{part}-lanes .state")


def choose(page, box, name):
    page.press(lambda: next(each for each in page.all(f"{box} button") if name in each.text), name)


# --- Stepping ---

def test_it_steps_backward_and_forward(explorations, open_alone):
    page = open_alone(explorations.case("vulnerable_branch"))
    order = steps(page)
    assert order == ["A1", "B1", "B2", "B3", "B4", "A2", "A3", "A4"] and position(page) == 8
    assert page.one("#next").get_property("disabled") and not page.one("#back").get_property("disabled")
    for expected in range(7, -1, -1):
        page.keys(Keys.ARROW_LEFT)
        assert position(page) == expected
        assert len(page.all("#here-lanes .step.ahead")) == 8 - expected
    assert page.one("#back").get_property("disabled") and states(page) == ["not begun", "not begun"]
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.text("#position") == "Step 2 of 8. B1: enough=t."
    assert page.texts("#here-lanes .now .name") == ["B1"] and page.texts("[aria-current=step] .name")[0] == "B1"
    assert states(page) == ["behind A1", "behind B1"]
    shown = page.script("return [...document.querySelectorAll('#here-lanes .answer')].map((e) => getComputedStyle(e).visibility)")
    assert shown[:2] == ["visible", "visible"] and set(shown[2:]) == {"hidden"}
    for button, expected in (("next", 3), ("back", 2), ("last", 8), ("first", 0)):
        page.click(f"#{button}")
        assert position(page) == expected


def test_the_rows_go_with_the_steps(explorations, open_alone):
    page = open_alone(explorations.case("vulnerable_branch"))

    def alice():
        return [row for row in page.texts("#here-rows tbody tr") if "alice" in row and "8" not in row[:3]][0]

    assert alice() == "* alice-600" and "A row with *" in page.text("#rows-note")
    assert page.all("#here-rows .only-here")
    page.click("#first")
    assert alice() == "alice1000" and not page.all("#here-rows .only-here")
    for _ in range(3):
        page.keys(Keys.ARROW_RIGHT)
    assert alice() == "alice200", "B2 is an autocommit statement"


def test_the_keyboard_alone_is_enough(explorations, open_alone):
    page = open_alone(explorations.case("vulnerable_branch"))
    seen = []
    for _ in range(60):
        page.keys(Keys.TAB)
        name = page.script("const e = document.activeElement; return e.id || e.textContent")
        if seen and name == seen[0]:
            break
        seen.append(name)
    for wanted in ("file", "theme", "READ COMMITTED", "SERIALIZABLE", "first", "back", "again"):
        assert wanted in seen, seen
    page.script("document.querySelector('#back').focus()")
    page.keys(Keys.ENTER)
    assert position(page) == 7
    for _ in range(10):
        page.keys(Keys.ARROW_LEFT)
    assert page.focused() == "next", "the focus has left the button that was disabled"
    page.script("document.querySelector('#file').focus()")
    page.keys(Keys.ARROW_RIGHT)
    assert position(page) == 0, "a field keeps its keys"


# --- Waits, and the same order at another level ---

def test_a_wait_is_drawn_while_it_lasts(explorations, open_alone):
    page = open_alone(explorations.case("absolute_update", "--levels", "rc"))
    order = steps(page)
    waiting = order.index("B3")
    released = order.index("A4")
    assert released > waiting
    page.click("#first")
    for at in range(1, len(order) + 1):
        page.keys(Keys.ARROW_RIGHT)
        waits = waiting + 1 <= at < released + 1
        assert (states(page)[1] == "waits for A") == waits, (at, states(page))
        assert bool(page.all("#here-lanes .wait.holds")) == waits
    page.click("#first")
    for _ in range(released + 1):
        page.keys(Keys.ARROW_RIGHT)
    assert "A4 COMMIT. B3 continues: UPDATE 1." in page.text("#position")


def test_the_same_order_is_shown_at_the_other_levels(explorations, open_alone):
    page = open_alone(explorations.case("absolute_update"))
    assert page.texts("#beside-levels button") == ["REPEATABLE READ", "SERIALIZABLE"]
    choose(page, "#beside-levels", "REPEATABLE READ")
    assert page.text("#beside-verdict") == "✓ serial, after an abort: retry it"
    assert page.text("#beside-text") == "B3 waits for A. B3 ends with the error 40001. B4 cannot be launched."
    assert "ERROR 40001" in page.text("#beside-lanes .answer.bad")
    assert states(page, "beside") == ["ended", "ended by an error"] and "B4" not in steps(page, "beside")
    while "B3" not in page.texts("#here-lanes .now .name"):
        page.keys(Keys.ARROW_LEFT)
    page.keys(Keys.ARROW_LEFT)
    assert page.texts("#beside-lanes .now .name") == page.texts("#here-lanes .now .name"), "both show the same moment"
    choose(page, "#levels", "SERIALIZABLE")
    assert not page.shown("#beside") and "No finding in" in page.text("#level-text")
    choose(page, "#levels", "READ COMMITTED")
    assert page.shown("#beside")


def test_a_deadlock_has_an_outcome_for_each_victim(explorations, open_alone):
    page = open_alone(explorations.case("deadlock", "--levels", "rc", "--replay", "A1 A2 B1 B2 B3 A3"))
    names = page.texts("#beside-levels button")
    assert names == ["REPEATABLE READ (1)", "REPEATABLE READ (2)", "SERIALIZABLE (1)", "SERIALIZABLE (2)"]
    assert {"40P01"} == set(re.findall(r"40P01", page.text("#beside-lanes")))


def test_levels_that_the_file_names_are_not_changed(explorations, open_alone):
    case = "-- setup\nCREATE TABLE t (id integer PRIMARY KEY, n integer);\nINSERT INTO t VALUES (1, 0);\n" \
           "-- session A\nBEGIN ISOLATION LEVEL READ COMMITTED;\nSELECT n + 1 AS next FROM t \\gset\n" \
           "UPDATE t SET n = :next;\nCOMMIT;\n-- session B like A\n"
    page = open_alone(explorations.text("named", case))
    assert page.texts("#levels button") == ["as written"] and not page.shown("#beside")


# --- The conflict graph, and the serial outcomes ---

def test_the_conflict_graph_says_why(explorations, open_alone):
    page = open_alone(explorations.case("write_skew", "--levels", "rc"))
    assert page.texts("#graph .node-name") == ["A", "B"]
    edges = page.texts("#edges .cycle")
    assert len(edges) == 2 and len(page.all("#graph .edge.cycle")) == 2
    assert edges[0].startswith("rw A2 read doctors (name=bob) before B3 changed it. So A comes before B.")
    assert page.text("#why") == ("A serial order would need A before B and B before A. No order has both, "
                                 "so no serial order gives these answers and rows.")
    assert page.texts("#serial h3") == ["A, then B", "B, then A"]
    assert "in this order" in page.text("#serial .answers")


def test_another_outcome_can_be_chosen(explorations, open_alone):
    page = open_alone(explorations.case("write_skew", "--levels", "rc"))
    names = page.texts("#outcomes .outcome-name")
    assert names[0].startswith("not serializable: write skew") and names[-1] == "serial"
    choose(page, "#outcomes li:last-child", "serial")
    assert page.text("#graph-title") == "Conflicts" and not page.all("#graph svg")
    assert page.text("#why") == "A serial order gives the same answers and rows."
    assert page.all("#outcomes li:last-child button[aria-pressed=true]")
    assert not page.shown("#beside"), "only the smallest order was run at the other levels"


def test_a_clean_case_can_be_stepped_through(explorations, open_alone):
    page = open_alone(explorations.case("for_update", "--levels", "rc"))
    assert page.text("#level-text").startswith("No finding in 36 orders.")
    page.keys(Keys.ARROW_LEFT)
    assert position(page) == len(steps(page)) - 1


# --- The bank's page opens a file ---

def test_the_bank_opens_a_document(explorations, served):
    found, _ = explorations.case("vulnerable_branch")
    assert served.shown("#empty") and not served.shown("#found")
    give(served, found)
    eventually(lambda: position(served) == 8, "the document is shown")
    assert not served.shown("#empty") and served.shown("#beside")
    assert served.text("#what") == "vulnerable_branch: sessions A, B"
    other, _ = explorations.case("write_skew", "--levels", "rc")
    give(served, other)
    served.until("#what", "write_skew")
    assert len(served.all("#levels button")) == 1


DROP = """
const transfer = new DataTransfer();
transfer.items.add(new File([arguments[0]], "dropped.json"));
document.querySelector("main").dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
"""


def test_a_document_can_be_dropped(explorations, served):
    found, _ = explorations.case("knex", "--levels", "rc")
    served.script(DROP, found.read_text(encoding="utf-8"))
    served.until("#what", "knex: sessions A, B")


def changed(explorations, change):
    document = json.loads(explorations.case("knex", "--levels", "rc")[0].read_text(encoding="utf-8"))
    change(document)
    return document


WRONG = {
    "words.json": ("hello", "words.json cannot be shown. It is no JSON: "),
    "empty.json": ("", "empty.json cannot be shown. It is no JSON: "),
    "null.json": ("null", "It is no document of race-explore --json: the document is not an object."),
    "other.json": ('{"a": 1}', 'the document has no member "version".'),
    "newer.json": ('{"version": 2}', "its version is 2, and this page reads version 1."),
    "none.json": ('{"version": 1, "unit": "session", "cases": []}', "The document has no case."),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_gets_a_clear_message(explorations, served, name):
    content, message = WRONG[name]
    give(served, explorations.write(name, content))
    served.until("#problem-text", message)
    assert served.shown("#problem") and not served.shown("#found")
    served.click("#problem-close")
    assert not served.shown("#problem")


def test_a_damaged_document_leaves_the_picture(explorations, served):
    give(served, explorations.case("knex", "--levels", "rc")[0])
    served.until("#what", "knex")

    def break_it(document):
        document["cases"][0]["explorations"][0]["outcomes"][1]["steps"][2]["session"] = "Z"

    give(served, explorations.write("broken.json", changed(explorations, break_it)))
    served.until("#problem-text", "step B1 is of session Z, which the case does not have")
    give(served, explorations.write("rows.json", changed(
        explorations, lambda document: document["cases"][0]["explorations"][0]["serial"][0].update(state=[{}]))))
    served.until("#problem-text", 'cases[0].explorations[0].serial[0].state[0] has no member "table"')
    assert served.text("#what").startswith("knex") and served.shown("#found"), "the last good document stays"


def test_a_case_that_could_not_be_run_says_why(explorations, served):
    document = changed(explorations, lambda each: each["cases"].insert(0, {
        "file": "bad.sql", "name": None, "sessions": [], "invariants": [], "explorations": [], "problem": "bad.sql:2: no"}))
    give(served, explorations.write("two.json", document))
    served.until("#problem-text", "The case could not be run: bad.sql:2: no")
    assert served.texts("#case option") == ["bad.sql", "knex"] and not served.shown("#player")
    served.choose("#case", "1")
    served.until("#what", "knex")
    assert served.shown("#player") and not served.shown("#problem")


def test_a_huge_file_is_not_read(explorations, served):
    give(served, explorations.write("huge.json", " " * (20 * 1024 * 1024)))
    served.until("#problem-text", "huge.json cannot be shown. It has 20.0 MiB, and this page opens at most 16.0 MiB.")
    served.keys(Keys.ARROW_RIGHT)


def test_many_outcomes_are_bounded(explorations, served):
    def multiply(document):
        found = document["cases"][0]["explorations"][0]
        found["outcomes"] *= 100

    give(served, explorations.write("many.json", changed(explorations, multiply)))
    served.until("#outcomes-more", "more outcomes not listed.")
    assert len(served.all("#outcomes li")) == 200


# --- Hostile texts ---

def test_texts_are_never_markup(explorations, open_alone, served):
    files = explorations.text("hostile", HOSTILE, "--levels", "rc")
    alone = open_alone(files)
    session, invariant = "<svg/onload=alert(8)>", "<script>alert(7)</script>"  # the readers of files refuse such names
    text = files[0].read_text(encoding="utf-8").replace('"A"', json.dumps(session)).replace('"two_frames"', json.dumps(invariant))
    give(served, explorations.write("hostile.json", text))
    served.until("#what", session)
    assert served.texts("#here-lanes .lane-head b") == [session, "B"] and invariant in served.text("#outcomes .outcome-name")
    for page in (alone, served):
        assert "</script><script>alert(5)</script>" in page.text("#here-lanes .sql")
        assert page.text("#here-rows caption") == '"<img src=x onerror=alert(1)>"'
        assert page.script("return document.querySelectorAll('img, iframe, svg[onload], main script, main b b').length") == 0
    html = files[1].read_text(encoding="utf-8")
    assert len(re.findall("</script>", html)) == 3 and "<script>alert" not in html and "<!--<" not in html


def test_the_page_alone_needs_nothing_else(explorations, open_alone):
    files = explorations.case("vulnerable_branch")
    html = files[1].read_text(encoding="utf-8")
    head = html.split("<style", maxsplit=1)[0]
    assert "default-src 'none'" in head and "unsafe" not in head
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=", html) and "\nimport " not in html
    page = open_alone(files)
    assert not page.shown("nav .served")
    assert [url for url in page.requested() if not url.startswith("file:")] == []
    page.click("#theme")
    assert page.text("#theme") == "Theme: light"


# --- How it looks ---

@pytest.mark.parametrize("count", [2, 3, 5])
def test_no_width_scrolls_sideways(explorations, open_alone, count):
    page = open_alone(explorations.text(f"sessions{count}", sessions(count), "--levels", "rc", "--max", "20"))
    for width in WIDTHS:
        page.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        eventually(lambda: page.script("return innerWidth") == width, "the window has its width")
        page.until_it_fits()
        assert page.script("return [...document.querySelectorAll('#found .step')].filter((e) => e.scrollWidth > e.clientWidth + 1).length") == 0


def test_sessions_stand_side_by_side_where_they_have_room(explorations, open_alone):
    page = open_alone(explorations.case("vulnerable_branch"))
    places = "return [...document.querySelectorAll('#here-lanes .step')].map((e) => Math.round(e.getBoundingClientRect().left))"
    assert len(set(page.script(places))) == 2
    page.command("Emulation.setDeviceMetricsOverride", width=320, height=700, deviceScaleFactor=1, mobile=True)
    eventually(lambda: len(set(page.script(places))) == 1, "one below the other")
    assert page.shown("#here-lanes .whose")


def test_axe_finds_nothing(explorations, open_alone, axe):
    page = open_alone(explorations.case("absolute_update"))
    looks = [*LOOKS, (PHONE, "dark")]
    assert violations_in(page, axe, looks) == []
    page.keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert violations_in(page, axe, looks) == []


def test_axe_finds_nothing_before_a_document_is_open(served, axe, explorations):
    assert violations(served, axe) == []
    give(served, explorations.write("words.json", "hello"))
    eventually(lambda: served.shown("#problem"), "a problem is shown")
    assert violations(served, axe) == []


def test_forced_colours_keep_the_signs(explorations, open_alone):
    page = open_alone(explorations.case("absolute_update"))
    page.command("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
    page.keys(Keys.ARROW_LEFT)
    style = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    assert page.script(style, "#here-lanes .step.now", "outlineStyle") == "solid"
    assert page.script(style, "#levels button[aria-pressed=true]", "outlineStyle") == "solid"
    assert page.script(style, "#graph .edge.cycle path", "strokeWidth") != page.script(style, "#graph .edge:not(.cycle) path", "strokeWidth")


def test_print_has_the_whole_order(explorations, open_alone):
    page = open_alone(explorations.case("absolute_update"))
    page.click("#first")
    page.command("Emulation.setEmulatedMedia", media="print")
    hidden = page.script("return [...document.querySelectorAll('.step .answer, .step .waits')].filter((e) => getComputedStyle(e).visibility === 'hidden').length")
    assert hidden == 0 and not page.shown("#next") and not page.shown("nav")
    assert page.shown("#here-lanes") and page.shown("#graph svg") and page.shown("#serial")
    pdf = page.driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.3, "paperHeight": 11.7})
    assert len(pdf["data"]) > 10_000
