"""The guided tour explains the result of its own transfers, for any earlier state of the switches and any changes from
elsewhere."""

import pytest

from pace import eventually

OTHERS = "changed from elsewhere meanwhile"


def go_to(page, step):
    """Opens the tour at a step, counted from one."""
    page.click("#tour-open")
    for _ in range(step - 1):
        page.click("#tour-next")
    page.until("#tour-title", f"{step} of 5")


def test_it_races_two_whatever_the_barrier_was_before(bank, proxy, open_browser):
    page = open_browser(proxy)
    page.set_barrier(bank, 4)
    page.until("#race", "Race four transfers")
    go_to(page, 2)
    proxy.hold_events()  # the tour must work with the answers alone
    page.click("#tour-run")
    eventually(lambda: page.text("#tour-outcome"), "said")
    assert len(bank.transactions()) == 2
    proxy.release_events()
    eventually(lambda: not page.one("#barrier").is_selected(), "the switches show what the tour has set")


def test_it_begins_at_the_initial_balances_whatever_the_box_says(bank, page):
    page.click("#reset-first")
    bank.transfer("alice", "bob", "500")
    go_to(page, 3)
    page.click("#tour-run")
    page.until("#tour-outcome", "Both succeeded and alice is at −$600.00. $1600 were spent out of $1000, every time.")
    assert bank.balance("alice") == -600
    assert page.texts("#tour-outcome .amount-in-text") == ["−$600.00."], "not broken behind its sign"


def test_it_races_under_its_own_strategy(bank, page):
    page.choose("#strategy", "serializable")
    eventually(lambda: bank.settings()["strategy"] == "serializable", "chosen")
    go_to(page, 3)
    page.click("#tour-run")
    page.until("#tour-outcome", "alice is at −$600.00")
    assert {each["strategy"] for each in bank.transactions()} == {"vulnerable"}
    eventually(lambda: page.one("#strategy").get_property("value") == "vulnerable", "the switch says so")


@pytest.fixture
def before_the_race(bank, proxy, open_browser):
    """A page whose tour has set its settings and sent the reset, whose answer is still held."""
    def start(step):
        page = open_browser(proxy)
        go_to(page, step)
        hold = proxy.hold_answer("POST", "/reset")
        page.click("#tour-run")
        hold.until_reached()
        return page, hold
    return start


def test_settings_that_change_meanwhile(bank, before_the_race):
    page, hold = before_the_race(3)
    bank.set(barrier_enabled=False, delay_enabled=False, strategy="serializable")
    hold.release()
    page.until("#tour-outcome", OTHERS)
    assert "1600" not in page.text("#tour-outcome")
    assert {each["strategy"] for each in bank.transactions()} == {"vulnerable"}, "its own transfers are what it says"


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_money_that_moves_meanwhile(bank, before_the_race, step):
    page, hold = before_the_race(step)
    bank.set(barrier_enabled=False, delay_enabled=False)
    bank.transfer("alice", "charlie", "950")
    hold.release()
    page.until("#tour-outcome", OTHERS)
    assert f"alice is at ${bank.balance('alice'):.2f} now" in page.text("#tour-outcome")


def test_a_token_that_is_not_given(start_bank, open_browser):
    bank = start_bank(ADMIN_TOKEN="s3cret-token")
    page = open_browser(bank)
    page.expected_errors = ("401",)
    go_to(page, 1)
    page.click("#tour-run")
    eventually(lambda: page.shown("#token"), "the token is asked for")
    page.click("#token-cancel")
    page.until("#tour-outcome", "This step has failed.")
    assert "ADMIN_TOKEN" in page.text("#tour-outcome")
    page.click("#tour-run")
    eventually(lambda: page.shown("#token-input"), "asked again")
    page.one("#token-input").send_keys("s3cret-token\n")
    page.until("#tour-outcome", "alice had $1000.00 and is at $900.00 now")


def test_a_server_that_stops_meanwhile(start_bank, open_browser):
    bank = start_bank()
    page = open_browser(bank)
    page.expected_errors = ("ERR_",)
    go_to(page, 1)
    page.click("#tour-run")
    page.until("#tour-outcome", "$900.00")
    bank.stop()
    page.click("#tour-run")
    page.until("#tour-outcome", "This step has failed. The server did not answer.")


def test_its_words_are_about_the_picture_that_is_there(bank, page):
    bank.back_to_the_initial_state()
    go_to(page, 4)
    if not page.all("#panel-race .link"):
        page.until("#tour-text", "no stale read to look at")
    page.set_barrier(bank, 2)
    page.race()
    page.until("#tour-text", "read $1000.00")
    page.until("#tour-text", "had written $200.00")
    eventually(lambda: page.one("#tour-run").is_enabled(), "it can be played")
    page.switch("barrier", False)
    eventually(lambda: not bank.settings()["barrier_enabled"], "off")
    before = page.address_of("race")
    bank.transfer("bob", "charlie", "1")
    eventually(lambda: page.address_of("race") != before, "another is shown")
    page.until("#tour-text", "no stale read to look at")


def test_it_counts_the_strategies_that_there_are(bank, page):
    strategies = bank.get("/strategies").json()["strategies"]
    safe = sum(each["safe"] for each in strategies)
    go_to(page, 5)
    page.click("#tour-run")
    page.until("#tour-outcome", f"{safe - 1} more are safe, and {len(strategies) - safe - 1} only look safe.")
    assert "read $200.00 and was refused: alice is at $200.00" in page.text("#tour-outcome")


def test_its_button_waits_while_something_runs(bank, page):
    go_to(page, 2)
    page.enter("#rounds", 10000)
    page.click("#run")
    eventually(lambda: page.shown("#stop") and not page.one("#tour-run").is_enabled(), "one thing at a time")
    page.click("#stop")
    eventually(lambda: page.one("#tour-run").is_enabled(), "free again")
