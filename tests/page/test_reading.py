"""The parts of the page that newcomers misread: letters, verdicts, and times that something covered."""

from browser import PHONE
from waiting import eventually

TABLET = (768, 1024)
HALL = (1920, 1080)

# The times beside an upright axis that the strip or the edge of the picture covers.
COVERED = """return [...document.querySelectorAll(".timeline.upright")].flatMap((svg) => {
    const strip = svg.querySelector(".strip").getBoundingClientRect().right;
    return [...svg.querySelectorAll(".tick")].filter((tick) => tick.getBoundingClientRect().left < strip)
        .map((tick) => tick.textContent);
})"""

# Cards whose words touch each other or stand over the border.
CROWDED = """return [...document.querySelectorAll(".balance")].filter((card) => {
    const box = (each) => { const range = document.createRange(); range.selectNodeContents(each); return range.getBoundingClientRect(); };
    const boxes = [...card.querySelectorAll("h3, .note, .amount")].map(box).filter(({ width }) => width > 0);
    return boxes.some(({ right }) => right > card.getBoundingClientRect().right - 2) || boxes.some((one, index) =>
        boxes.slice(index + 1).some((other) => one.top < other.bottom - 8 && other.top < one.bottom - 8 &&
            one.left < other.right + 3 && other.left < one.right + 3));
}).map((card) => card.textContent)"""


def raced(bank, open_browser, path="/", **options):
    """A double spend, and the same transfers under the fix, with times of three digits."""
    bank.set(barrier_enabled=True, delay_enabled=True, delay_ms=120)
    page = open_browser(bank, path, **options)
    page.race_under_the_fix()
    page.race()
    page.until_balance("alice", "-$600.00")
    return page


def test_no_time_and_no_name_is_covered(bank, open_browser):
    for size, path in ((TABLET, "/"), (PHONE, "/"), (HALL, "/?present")):
        page = open_browser(bank, path, size=size) if size != TABLET else raced(bank, open_browser, size=size)
        page.until_finished("race")
        page.until_finished("fix")
        eventually(lambda shown=page: len(shown.all(".timeline.upright .tick")) > 4, "both pictures are upright")
        page.until_steady()
        assert page.script(COVERED) == [], size
        assert page.script(CROWDED) == [], size


def test_a_transfer_keeps_its_letter_under_the_fix(bank, open_browser):
    page = raced(bank, open_browser)
    for slot in ("race", "fix"):
        assert page.texts(f"#panel-{slot} .lane .lane-title") == ["$800 to bob", "$800 to charlie"], slot


def test_the_page_says_whether_the_pictures_share_an_axis(bank, open_browser):
    page = raced(bank, open_browser)
    ticks = [page.texts(f"#panel-{slot} .tick") for slot in ("race", "fix")]
    assert ("share one axis" in page.text("#axes")) == (ticks[0] == ticks[1])
    assert ("axis of its own" in page.text("#axes")) == (ticks[0] != ticks[1])


def test_a_mutex_is_right_only_with_one_server(bank, page):
    """The verdict, the list of races and the switch say so; the colour is neither that of a fix nor that of a fault."""
    page.choose("#strategy", "process_mutex")
    page.until("#strategy-safety", "right with one server")
    page.set_barrier(bank, 2)
    page.race()
    page.until("#panel-race .verdict", "! Clean with one server")
    assert page.one("#panel-race .verdict").get_attribute("class") == "verdict limited"
    assert "A transfer on a second server does not wait for it" in page.text("#panel-race .below")
    page.until("#history", "Clean with one server")
