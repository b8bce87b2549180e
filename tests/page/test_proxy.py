"""The page of race-proxy: the units and the finding that it draws, the rules, the gate, keys, a phone, no faults."""

import pathlib
import sys

import psycopg2
import pytest

from browser import DESKTOP, PHONE
from pace import eventually
from test_axe import violations

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "proxy"))
from application import at_once, make_accounts, paid_out, put_back, withdraw  # noqa: E402
from proxy import running  # noqa: E402

FORCE = "before write * if-read barrier 2"


class Served:
    """A server as a Browser needs it."""

    def __init__(self, proxy):
        self.port = int(proxy.page.rsplit(":", 1)[1])


@pytest.fixture
def database(cluster):
    name = cluster.new_database()
    make_accounts(cluster, name)
    put_back(cluster, name)
    yield name
    cluster.give_back(name)


@pytest.fixture
def raced(cluster, database, tmp_path):
    """A proxy that has seen one forced race."""
    with running(cluster.url_over_tcp("postgres"), tmp_path / "log", "--find", "--force", "--limit", "60000",
                 http="127.0.0.1:0") as proxy:
        if proxy.lines("Built without libpg_query"):
            pytest.skip("the build has no libpg_query")
        psycopg2.connect(proxy.url(database)).close()
        eventually(lambda: proxy.lines(f"Database {database}: "), "the tables are known")
        assert paid_out(proxy.url(database)) == 2
        yield proxy


@pytest.fixture
def show(open_browser):
    def start(proxy, **options):
        page = open_browser(**options)
        page.open(Served(proxy))
        page.until("#connection-text", "Live")
        return page

    return start


@pytest.mark.parametrize("size, scheme", [(DESKTOP, "light"), (PHONE, "dark")])
def test_a_finding_is_drawn(raced, show, axe, size, scheme):
    page = show(raced, size=size, scheme=scheme)
    eventually(lambda: page.all("#picture svg"), "the last units are drawn")
    page.until("#findings", "Lost update of public.accounts (alice)")
    page.one("#findings button").send_keys("\n")  # by the keyboard
    page.until("#picture-title", "Finding 1: Lost update")
    assert "replaced" in page.text("#sentence") and "transaction" in page.text("#sentence")
    assert len(page.all("#picture .lane")) == 2
    assert len(page.all("#picture .band.barrier")) == 2 and page.all("#picture .mark.deduct.tone-bad")
    assert page.texts("#picture .link .label") == ["A did not see this write of B"] * (size == DESKTOP)
    steps = page.texts("#row-steps li")
    assert len(steps) == 6 and "has read it" in steps[0] and "is the row now" in steps[-1], steps
    assert "UPDATE accounts SET balance" in page.text("#statement-list")
    assert page.script("return document.documentElement.scrollWidth <= innerWidth")
    assert violations(page, axe) == []
    page.click("#live")
    page.until("#picture-title", "The last units of work")


def test_the_focus_stays_on_a_finding(raced, show, database, cluster):
    page = show(raced)
    page.until("#findings", "Lost update")
    page.click("#findings button")
    page.until("#picture-title", "Finding")
    put_back(cluster, database)
    paid_out(raced.url(database))
    page.until("#findings .when", "times")
    assert page.script("return document.activeElement.dataset.id") == "1"


def test_the_rules_are_a_form(raced, show, database, cluster):
    page = show(raced)
    eventually(lambda: page.one("#force").is_selected(), "the rule of --force is the switch")
    page.click("#force")
    eventually(lambda: raced.get("/rules")["rules"] == [], "it is off")
    page.enter("#waiters", 3)
    page.click("#force")
    eventually(lambda: raced.get("/rules")["rules"] == ["before write * if-read barrier 3"], "three are wanted")
    page.click("#more summary")
    page.one("#other").send_keys("before update accounts gate")
    page.click("#force")
    page.click("#apply")
    eventually(lambda: raced.get("/rules")["rules"] == ["before update accounts gate"], "the other rule is used")
    put_back(cluster, database)

    def let_go():
        page.until("#held", "1 session held")
        page.click("#gate")

    assert at_once(lambda: withdraw(raced.url(database)), let_go)[0]
    assert raced.lines("POST /gate")


def test_a_bad_rule_is_a_problem_in_words(raced, show):
    page = show(raced)
    page.expected_errors = ("400",)
    eventually(lambda: page.one("#force").is_selected(), "the rules are shown")
    page.click("#more summary")
    page.one("#other").send_keys("before lunch")
    page.click("#apply")
    page.until("#problem-text", "the second word must be a verb")
    assert raced.get("/rules")["rules"] == [FORCE]
    assert "lunch" in page.one("#other").get_attribute("value")


def test_names_are_text(raced, show, database, cluster):
    page = show(raced)
    with psycopg2.connect(raced.url(database)) as session, session.cursor() as cursor:
        cursor.execute("SELECT '<img src=x onerror=alert(1)>' AS \"<b>\"")
    session.close()
    page.until("#statement-list", "<img src=x onerror=alert(1)>")
    assert page.all("img") == []
