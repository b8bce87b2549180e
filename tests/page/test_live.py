"""The page and the stream of events: the picture grows while a race runs, the page says when the stream is broken, and
it recovers."""

import http.client

from bank import Bank
from collector import Collector
from waiting import HANG_GUARD, eventually


def test_a_race_is_drawn_while_it_runs(bank, page, background):
    bank.set(barrier_enabled=True, barrier_count=2)
    first = background(bank.transfer, "alice", "bob", "800")
    page.until("#panel-race .facts", "Under way")
    page.until("#panel-race .band.barrier .label", "waits at the barrier")

    def last_tick():
        return page.script("return [...document.querySelectorAll('#panel-race .tick')].at(-1)?.textContent")

    eventually(lambda: page.texts("#panel-race .mark .label") == ["reads $1000"], "only the first has read")
    seen = last_tick()
    eventually(lambda: last_tick() not in (seen, None), "time goes on")
    bank.transfer("alice", "charlie", "800")
    assert first.result().status == 200
    page.until("#panel-race .facts", "Double spend")
    page.until_balance("alice", "-$600.00")


def test_the_server_is_restarted_while_the_page_is_open(cluster, start_bank, open_browser, tmp_path):
    first = start_bank()
    page = open_browser(first)
    page.expected_errors = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE",
                            "ERR_CONNECTION_RESET", "503")  # 503: the second server listens, but has no database yet
    page.race()
    first.stop()
    eventually(lambda: page.one("#connection").get_attribute("data-state") in ("reconnecting", "stopping"), "it says so")
    page.until("#connection-text", "Reconnecting")
    page.click("#race")
    page.until("#problem-text", "did not answer")
    second = Bank(cluster, first.database, tmp_path / "second.log", {"BANK_API_PORT": str(first.port)})
    try:
        second.until_healthy()
        page.until("#connection-text", "the server was restarted")
        second.transfer("bob", "charlie", "50")
        page.until_balance("bob", f"${second.balance('bob'):.2f}")
        page.set_barrier(second, 2)
        page.race()
        page.until_balance("alice", "-$600.00")
    finally:
        second.stop()


def test_the_admin_token_is_asked_for_and_only_remembered(start_bank, open_browser):
    bank = start_bank(ADMIN_TOKEN="s3cret-token")
    page = open_browser(bank)
    page.expected_errors = ("401",)
    page.choose("#strategy", "for_update")
    eventually(lambda: page.shown("#token"), "the token is asked for")
    page.click("#token-cancel")
    page.until("#problem-text", "ADMIN_TOKEN")
    eventually(lambda: page.one("#strategy").get_property("value") == "vulnerable", "nothing was changed")
    page.choose("#strategy", "for_update")
    eventually(lambda: page.shown("#token-input"), "asked again")
    page.one("#token-input").send_keys("guess\n")
    eventually(lambda: page.shown("#token-refused"), "it was the wrong one")
    page.one("#token-input").send_keys("s3cret-token\n")
    eventually(lambda: bank.settings()["strategy"] == "for_update", "now it was the right one")
    page.race_under_the_fix()
    assert not page.shown("#token")
    kept = page.script("return JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie + location.href + document.documentElement.outerHTML")
    assert "s3cret" not in kept
    assert "s3cret" not in bank.log()


def test_a_refused_subscription_is_reported_and_repeated(bank, open_browser):
    streams = []
    try:
        while len(streams) < 256:
            reader = http.client.HTTPConnection("127.0.0.1", bank.port, timeout=HANG_GUARD)
            reader.request("GET", "/events")
            streams.append(reader.getresponse())
            assert streams[-1].status == 200
        page = open_browser()
        page.expected_errors = ("503",)
        page.open(bank)
        page.until("#connection-text", "no place for another subscriber")
        eventually(lambda: page.balance("alice") == "$1000.00", "what can be shown is shown")
    finally:
        for stream in streams:
            stream.close()
    page.until("#connection-text", "Live")
    bank.transfer("alice", "bob", "100")
    page.until_balance("alice", "$900.00")


WATCH_TIMERS = """
    window.pending = new Map(); window.mostPending = new Map();
    const [set, clear] = [window.setTimeout, window.clearTimeout];
    window.setTimeout = (call, ms, ...rest) => {
        const id = set((...all) => { pending.delete(id); call(...all); }, ms, ...rest);
        pending.set(id, ms);
        const now = [...pending.values()].filter((each) => each === ms).length;
        mostPending.set(ms, Math.max(now, mostPending.get(ms) ?? 0));
        return id;
    };
    window.clearTimeout = (id) => { pending.delete(id); clear(id); };
"""


def test_many_events_do_not_draw_a_running_race_more_often(bank, open_browser, background):
    page = open_browser()
    page.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH_TIMERS)
    page.open(bank).until_live()
    bank.set(barrier_enabled=True, barrier_count=3)
    transfers = [background(bank.transfer, "alice", "bob", "1") for _ in range(2)]  # each event draws the race again
    eventually(lambda: page.texts("#panel-race .band.barrier .label") == ["waits at the barrier"] * 2, "both are drawn")
    assert page.script("return mostPending.get(80)") == 1, "one timer for the next drawing"
    bank.transfer("alice", "bob", "1")
    assert all(each.result().status == 200 for each in transfers)
    eventually(lambda: page.all("#panel-race.judged svg .mark.commit"), "it is drawn to its end")
    eventually(lambda: page.script("return [...pending.values()].filter((ms) => ms === 80).length") == 0, "and it ends")


MANY_OTHERS = """
    INSERT INTO transfers (id, "timestamp", from_account, to_account, amount, from_balance_before, from_balance_after,
                           to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy, race_detected, steps)
    SELECT 'other' || number, now() + number * interval '1 second', 'bob', 'charlie', 1, 2, 1, 1, 2, 'success', 'worker-1', 1,
           'vulnerable', false, '[]'
    FROM generate_series(1, 1000) AS number"""


def test_a_race_that_is_too_old_to_be_asked_for_is_no_problem(bank, proxy, open_browser):
    page = open_browser(proxy)
    page.expected_errors = ("404",)
    page.set_barrier(bank, 2)
    hold = proxy.hold_request("GET", "/races/*")
    page.click("#race")
    hold.until_reached()
    bank.rows(MANY_OTHERS)
    page.until_taken(hold, "/races/")
    page.until("#panel-race .below", "too old to be drawn")
    assert not page.shown("#problem")
    assert "Double spend" in page.text("#panel-race .facts")
    assert len(page.all("#panel-race svg .lane")) == 2, "what the events have shown stays"
    assert not page.all("#panel-race .links a"), "no link to what cannot be opened"


def test_the_address_of_a_race_that_is_too_old_says_so(bank, page, open_browser):
    page.set_barrier(bank, 2)
    page.race()
    address = page.address_of("race")
    bank.rows(MANY_OTHERS)
    later = open_browser(bank, address[address.index("/?race="):])
    later.expected_errors = ("404",)
    later.until("#pinned-text", "it is too old to be drawn")
    later.until("#history-empty", "There is no race among the newest 1,000 records.")
    assert later.shown("#history-empty") and not later.shown("#problem")
    page.expected_errors = ("404",)
    page.script("history.replaceState(null, '', arguments[0]); dispatchEvent(new PopStateEvent('popstate'))", address)
    page.until("#pinned-text", "it is too old to be drawn")
    page.click("#show-newest")
    assert not page.shown("#problem")


def test_a_race_that_broke_off_is_not_drawn_as_running(cluster, start_bank, open_browser, background, tmp_path):
    first = start_bank()
    page = open_browser(first)
    page.expected_errors = ("ERR_", "503")
    first.set(barrier_enabled=True, barrier_count=2)
    waiting = background(first.request, "POST", "/transfer",
                         '{"from_account": "alice", "to_account": "bob", "amount": 1}', {"Content-Type": "application/json"})
    page.until("#panel-race .facts", "Under way")
    first.process.kill()
    assert first.process.wait() != 0
    first._checked = True  # it was killed, so it has no clean end
    try:
        waiting.result()
    except (OSError, http.client.HTTPException):
        pass
    second = Bank(cluster, first.database, tmp_path / "second.log", {"BANK_API_PORT": str(first.port)})
    try:
        second.until_healthy()
        page.until("#connection-text", "the server was restarted")
        eventually(lambda: "Under way" not in page.text("#panel-race .facts"), "its end is unknown")
    finally:
        second.stop()


def test_what_is_too_fast_to_draw_is_counted(bank, page, background):
    def many():
        with bank.client() as client:
            for _ in range(50):
                client.transfer("alice", "bob", "0.01")

    def is_counted():
        for each in [background(many) for _ in range(8)]:
            each.result()
        return "too fast to draw" in page.text("#skipped")

    eventually(is_counted, "transfers come faster than the events")
    eventually(lambda: page.balance("alice") == f"${bank.balance('alice'):.2f}", "the balances are right all the same")
    everything = bank.get("/races?limit=1").json()["totals"]["transfers"]
    page.until('[data-total="transfers"]', f"{everything:,} transfers")


def test_traces_are_linked_where_there_are_any(start_bank, open_browser):
    collector = Collector()
    try:
        bank = start_bank(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, BANK_API_TRACE_URL="http://traces.example/t/{trace_id}")
        page = open_browser(bank)
        page.set_barrier(bank, 2)
        page.race()
        ids = {each["trace_id"] for each in bank.transactions()}
        eventually(lambda: len(page.all("#history .trace")) == 2, "the history links to the traces")
        for selector in ("#panel-race .links a[rel]", "#history .trace"):
            assert {link.get_attribute("href") for link in page.all(selector)} == {f"http://traces.example/t/{each}" for each in ids}
    finally:
        collector.stop()
