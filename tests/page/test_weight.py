"""The size of the page, the origin of its files, and its permissions."""

from waiting import eventually

WEIGHT_MAX = 200_000


def test_it_weighs_less_than_200_kb(bank, page):
    page.race()
    size = page.transferred()
    assert 20_000 < size < WEIGHT_MAX, size
    paths = {url.split(f":{bank.port}", 1)[1].split("?")[0] for url in page.requested() if f":{bank.port}" in url}
    assert {"/", "/page/page.css", "/page/main.js", "/events", "/accounts", "/races"} <= paths


def test_it_is_painted_before_its_data(proxy, open_browser):
    """How fast it is painted is measured by loadtest/first_paint.py."""
    proxy.hold_events()
    hold = proxy.hold_request("GET", "/accounts")
    page = open_browser()
    page.open(proxy)
    hold.until_reached()
    eventually(lambda: page.script("return performance.getEntriesByName('first-contentful-paint').length"), "it is painted")
    assert not page.all("#balances h3")
    hold.release()
    proxy.release_events()
    page.until_live()


def test_a_second_visit_loads_nothing_twice(bank, page):
    first = page.transferred("/page/")
    page.driver.refresh()
    page.until_live()
    files = {url.split("?")[0] for url in page.requested() if "/page/" in url}
    assert 0 < page.transferred("/page/") - first < 700 * len(files)  # the head of a 304 answer for each


def test_its_policy_lets_nothing_in(bank, page):
    policy = bank.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    page.expected_errors = ("Content Security Policy",)
    assert page.script("""
        const script = document.createElement("script"); script.textContent = "window.injected = true";
        document.body.append(script); return window.injected ?? false""") is False
    assert page.script("return [...document.querySelectorAll('[style]')].filter((e) => !e.closest('#balances')).length") == 0


def test_account_names_are_text(bank, page):
    bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES (%s, 5, 5)", "<img src=x onerror=alert(1)>")
    try:
        page.driver.refresh()
        page.until_live()
        eventually(lambda: "<img src=x onerror=alert(1)>" in page.texts("#balances h3"), "it is shown as it is")
        assert not page.all("#balances img")
    finally:
        bank.rows("DELETE FROM accounts WHERE id LIKE %s", "<%")
