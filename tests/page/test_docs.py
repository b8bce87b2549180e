"""/docs in a real Chromium: it shows the whole document, can try a request, and loads nothing from elsewhere (the
fixture checks the console and every request)."""

import json
import pathlib

import pytest

from browser import DESKTOP, PHONE
from waiting import eventually

DOCUMENT = json.loads((pathlib.Path(__file__).resolve().parents[2] / "server/page/openapi.json").read_text("utf-8"))
OPERATIONS = [(path, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
              if method in ("get", "post")]

# The findings of axe-core in the markup of the viewer, which is not ours: links inside the buttons that open an
# operation, headings that skip a level, and its title outside of a landmark.
OF_THE_VIEWER = {"nested-interactive", "heading-order", "landmark-unique", "region"}
AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then((found) => done(found.violations.map(
    (each) => [each.id, `${each.help}: ${each.nodes[0].html.slice(0, 160)}`])));
"""


@pytest.fixture
def open_docs(bank, open_browser):
    """Opens /docs and waits until the viewer has drawn it."""
    def start(**options):
        page = open_browser(**options).open(bank, "/docs")
        eventually(lambda: page.count("#docs .opblock") == len(OPERATIONS), "every operation is shown")
        return page
    return start


def unfold(page, tag, name):
    """Opens an operation; returns the selector of its content."""
    operation = f"#operations-{tag}-{name}"
    page.click(f"{operation} .opblock-summary-control")
    eventually(lambda: page.shown(f"{operation} .responses-wrapper"), f"{name} is open")
    return operation


def until_answered(page, operation, status):
    answer = f"{operation} .live-responses-table tbody .response-col_status"
    eventually(lambda: page.text(answer).startswith(status), f"the answer is {status}")


def test_every_operation_is_shown(open_docs):
    page = open_docs()
    assert page.text("#docs h1").startswith(DOCUMENT["info"]["title"])
    assert page.texts("#docs .opblock-summary-description") == [each["summary"] for _, each in OPERATIONS]
    for _, operation in OPERATIONS:
        assert page.all(f"#operations-{operation['tags'][0]}-{operation['operationId']}"), operation["operationId"]
    assert not page.all("#docs .errors-wrapper"), "the viewer understands the whole document"


def test_a_transfer_can_be_tried(bank, open_docs):
    page = open_docs()
    transfer = unfold(page, "bank", "transfer")
    page.click(f"{transfer} .execute")
    until_answered(page, transfer, "200")
    assert '"status": "success"' in page.text(f"{transfer} .live-responses-table .highlight-code")
    assert bank.balance("alice") == 200


def test_a_setting_can_be_tried_with_the_token(start_bank, open_browser):
    bank = start_bank(ADMIN_TOKEN="s3cret-token")
    page = open_browser().open(bank, "/docs")
    page.expected_errors = ("401",)
    eventually(lambda: page.all("#docs .opblock"), "it is drawn")
    delay = unfold(page, "settings", "changeDelay")
    page.click(f"{delay} .execute")
    until_answered(page, delay, "401")
    page.click("#docs .btn.authorize")
    eventually(lambda: page.shown("#docs .modal-ux input"), "the token is asked for")
    page.one("#docs .modal-ux input").send_keys("s3cret-token")
    page.click("#docs .modal-ux .btn.authorize")
    page.click("#docs .modal-ux .btn-done")
    page.click(f"{delay} .execute")
    until_answered(page, delay, "200")
    assert bank.settings()["delay_enabled"] is True


def test_the_stream_cannot_be_tried(open_docs):
    """The response would never end."""
    page = open_docs()
    events = unfold(page, "races", "listen")
    assert page.all(f"{events} table") and not page.all(f"{events} .execute")


def test_it_is_accessible_and_fits(open_docs, axe):
    page = open_docs(size=PHONE)
    transfer = unfold(page, "bank", "transfer")
    unfold(page, "settings", "changeBarrier")
    unfold(page, "races", "listen")
    page.click(f"{transfer} .execute")
    eventually(lambda: page.all(f"{transfer} .live-responses-table"), "it is answered")
    page.click("#docs section.models button")
    page.command("Runtime.evaluate", expression=axe)
    for size, scheme in ((PHONE, "light"), (DESKTOP, "light"), (DESKTOP, "dark")):
        page.look(size, scheme)
        eventually(lambda dark=scheme == "dark": page.script(
            "return document.documentElement.classList.contains('dark-mode')") is dark, f"it is {scheme}")
        page.until_it_fits()
        found = [(rule, what) for rule, what in page.driver.execute_async_script(AXE) if rule not in OF_THE_VIEWER]
        assert found == [], (size, scheme)
