"""The gates themselves: which transfers wait, which are released, and which requests are answered meanwhile."""

import pytest

from client import together
from pace import BEYOND_THE_HANG_GUARD_MS, HANG_GUARD
from problem import assert_problem

pytestmark = pytest.mark.race


def test_a_lone_transfer_times_out(bank):
    """It proceeds with the warning and the counter, and the gauge is back at 0."""
    before = bank.metric("barrier_timeouts_total")
    bank.set(barrier_enabled=True, barrier_timeout_ms=50)
    written = len(bank.log())
    record = bank.transfer().json()
    assert record["status"] == "success"
    assert record["duration_ms"] >= 50
    scrape = bank.scrape()
    assert scrape.total("barrier_timeouts_total") == before + 1
    assert scrape.total("barrier_waiting_count") == 0
    line, = (line for line in bank.log_since(written).splitlines() if "Barrier timed out" in line)
    assert line.endswith(f"WARN [bank-api] [{record['id']}] Barrier timed out after 50 ms with 1/2")


def test_the_barrier_works_after_a_timeout(bank):
    """A transfer that left is not counted for the next round."""
    bank.set(barrier_enabled=True, barrier_timeout_ms=50)
    bank.transfer("alice", "bob", "1")
    bank.set(barrier_timeout_ms=BEYOND_THE_HANG_GUARD_MS, barrier_count=3)
    released = bank.metric("barrier_releases_total")
    records = [answer.json() for answer in together(*[bank.transfer] * 3)]
    assert [record["from_balance_before"] for record in records] == [999] * 3
    assert bank.metric("barrier_releases_total") == released + 1


def test_transfers_of_a_round_that_times_out(bank):
    """Two of three wait: both proceed, and both are counted."""
    before = bank.metric("barrier_timeouts_total")
    bank.set(barrier_enabled=True, barrier_count=3, barrier_timeout_ms=300)
    written = len(bank.log())
    answers = together(*[bank.transfer] * 2)
    assert [answer.status for answer in answers] == [200, 200]
    assert bank.metric("barrier_timeouts_total") == before + 2
    assert bank.metric("barrier_waiting_count") == 0
    assert "Barrier timed out after 300 ms with 2/3" in bank.log_since(written)


@pytest.mark.parametrize("strategy", ["for_update", "atomic_update", "batched"])
def test_transfers_that_name_no_account(bank, strategy):
    """They wait at the barrier before their accounts are read: the round is like any other, though no transfer is
    counted."""
    before = bank.scrape()
    bank.set(strategy=strategy, barrier_enabled=True, barrier_timeout_ms=1)
    assert bank.transfer("nobody", "bob", "1").status == 404
    bank.set(barrier_timeout_ms=BEYOND_THE_HANG_GUARD_MS)
    assert [answer.status for answer in together(*[lambda: bank.transfer("nobody", "bob", "1")] * 2)] == [404, 404]
    after = bank.scrape()
    for name in ("barrier_timeouts_total", "barrier_releases_total", "barrier_release_skew_seconds_count"):
        assert after.total(name) == before.total(name) + 1, name
    assert after.total("transfers_total") == before.total("transfers_total")


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("change", [{"barrier_enabled": False}, {"barrier_count": 5}, {"barrier_timeout_ms": 7}])
def test_a_change_of_the_settings_frees_the_waiting(bank, background, change, safe):
    """They continue at once: their own timeout lies far beyond the hang guard. It is neither a timeout nor a
    release."""
    bank.set(barrier_enabled=True, barrier_count=4, barrier_timeout_ms=BEYOND_THE_HANG_GUARD_MS, use_transactions=safe)
    before = bank.scrape()
    waiting = [background(bank.transfer, "alice", "bob", "1") for _ in range(3)]
    bank.until_waiting_at_the_barrier(3)
    bank.set(**change)
    assert [each.result(HANG_GUARD).json()["status"] for each in waiting] == ["success"] * 3
    after = bank.scrape()
    assert after.total("barrier_waiting_count") == 0
    for name in ("barrier_timeouts_total", "barrier_releases_total"):
        assert after.total(name) == before.total(name), name


def test_disabling_by_query_frees_the_waiting(bank, background):
    """With the requests of the seed's commands."""
    bank.set(barrier_timeout_ms=BEYOND_THE_HANG_GUARD_MS)
    bank.post("/admin/barrier?enabled=true&count=2")
    waiting = background(bank.transfer)
    bank.until_waiting_at_the_barrier(1)
    assert bank.post("/admin/barrier?enabled=false").status == 200
    assert waiting.result(HANG_GUARD).status == 200


def test_disabling_the_delay_wakes_the_sleeping(bank, background):
    bank.set(delay_enabled=True, delay_ms=60000)
    sleeping = background(bank.transfer)
    bank.until_in_progress(1)
    bank.set(delay_enabled=False)
    assert sleeping.result(HANG_GUARD).status == 200


def test_a_reset_while_transfers_wait(bank, background):
    """A reset neither hangs behind the waiting transfers nor loses them."""
    bank.set(barrier_enabled=True, barrier_timeout_ms=BEYOND_THE_HANG_GUARD_MS)
    waiting = background(bank.transfer, "alice", "bob", "1")
    bank.until_waiting_at_the_barrier(1)
    assert bank.post("/reset").status == 200
    assert bank.transfer("alice", "charlie", "1").status == 200
    assert waiting.result(HANG_GUARD).status == 200
    assert bank.balance("alice") == 998


def test_a_count_the_pool_cannot_hold(start_bank):
    """422, and the detail names the largest count: the threads less the reserve, here and in a bigger pool."""
    for threads, slots in ((4, 3), (8, 7), (16, 14), (64, 56)):
        bank = start_bank(WORKER_THREADS=threads)
        assert str(slots) in assert_problem(bank.post(f"/admin/barrier?count={slots + 1}"), 422)["detail"]
        assert_problem(bank.post("/admin/settings", {"barrier_count": slots + 1}), 422)
        assert bank.post(f"/admin/barrier?count={slots}").status == 200
        assert [answer.status for answer in together(*[bank.transfer] * slots)] == [200] * slots
        assert bank.balance("alice") == 1000 - 800 * slots


def everything_else_answers(bank):
    """The reads and the administration answer, each on its own connection."""
    for path in ("/health", "/metrics", "/accounts", "/accounts/alice", "/transactions", "/admin/settings"):
        assert bank.get(path).status == 200, path
    assert bank.post("/admin/transactions?enabled=false").status == 200
    together(*[lambda: bank.get("/accounts").json() for _ in range(4)])


def test_all_else_answers_while_transfers_wait_at_the_barrier(start_bank, background):
    """Six of seven slots wait at the barrier; the seventh transfer releases all."""
    bank = start_bank(WORKER_THREADS=8, BARRIER_TIMEOUT_MS=BEYOND_THE_HANG_GUARD_MS, BARRIER_ENABLED="true",
                      BARRIER_COUNT=7)
    waiting = [background(bank.transfer) for _ in range(6)]
    bank.until_waiting_at_the_barrier(6)
    everything_else_answers(bank)
    assert bank.metric("barrier_waiting_count") == 6
    assert bank.transfer().status == 200
    assert [each.result(HANG_GUARD).status for each in waiting] == [200] * 6
    assert bank.balance("alice") == 1000 - 7 * 800


def test_all_else_answers_while_every_slot_is_taken(start_bank, background):
    """Seven transfers sleep in the seven slots, five queue behind them; when the delay is switched off, all finish."""
    bank = start_bank(WORKER_THREADS=8, DEBUG_DELAY_ENABLED="yes", DEBUG_DELAY_MS=60000)
    sent = [background(bank.transfer, "alice", "bob", "1") for _ in range(12)]
    bank.until_queued(5)
    assert bank.metric("concurrent_transfers") == 7
    everything_else_answers(bank)
    assert not any(each.done() for each in sent)
    bank.post("/admin/delay?enabled=false")
    assert [each.result(HANG_GUARD).status for each in sent] == [200] * 12
    scrape = bank.scrape()
    assert (scrape.total("concurrent_transfers"), scrape.total("transfer_queue_depth")) == (0, 0)
    assert bank.balance("alice") == 988


def test_rounds_follow_each_other_through_the_queue(start_bank):
    """Four times as many transfers as slots: exactly four rounds, and none is left over."""
    bank = start_bank(WORKER_THREADS=8, BARRIER_ENABLED="1", BARRIER_COUNT=7,
                      BARRIER_TIMEOUT_MS=BEYOND_THE_HANG_GUARD_MS)
    answers = together(*[lambda: bank.transfer("alice", "bob", "1")] * 28)
    assert [answer.status for answer in answers] == [200] * 28
    scrape = bank.scrape()
    assert scrape.total("barrier_releases_total") == 4
    assert scrape.total("barrier_release_skew_seconds_count") == 4
    assert scrape.total("barrier_timeouts_total") == 0
    assert bank.balance("alice") == 972


def test_a_full_queue_says_so(start_bank, background):
    """Three slots, two places in the queue: the sixth gets 503 with Retry-After; the five are served."""
    bank = start_bank(WORKER_THREADS=4, TRANSFER_QUEUE_LIMIT=2, DEBUG_DELAY_ENABLED="on", DEBUG_DELAY_MS=60000)
    sent = [background(bank.transfer, "alice", "bob", "1") for _ in range(5)]
    bank.until_queued(2)
    for _ in range(3):
        answer = bank.transfer("alice", "bob", "1")
        assert_problem(answer, 503)
        assert int(answer.headers["Retry-After"]) >= 1
    assert bank.get("/health").status == 200
    bank.post("/admin/delay?enabled=false")
    assert [each.result(HANG_GUARD).status for each in sent] == [200] * 5
    assert len(bank.recorded()) == 5


def test_the_queue_is_first_come_first_served(start_bank, background):
    """psql blocks two of three slots, and the queue passes through the third slot, one by one in the order of
    arrival."""
    bank = start_bank(WORKER_THREADS=4, USE_TRANSACTIONS="true")
    lock = "SELECT * FROM accounts WHERE id = %s FOR UPDATE"
    with bank.cluster.session(bank.database) as long, bank.cluster.session(bank.database) as short:
        for session, account in ((long, "alice"), (short, "charlie")):
            session.autocommit = False
            session.cursor().execute(lock, (account,))
        sent = [background(bank.transfer, source, "bob", "100") for source in ("alice", "alice", "charlie")]
        bank.until_in_progress(3)
        for number in range(1, 6):
            sent.append(background(bank.transfer, "charlie", "bob", str(number)))
            bank.until_queued(number)
        short.rollback()
        assert [each.result(HANG_GUARD).status for each in sent[2:]] == [200] * 6
        recorded = bank.rows("SELECT amount FROM transfers ORDER BY seq")
        long.rollback()
    assert [each.result(HANG_GUARD).status for each in sent[:2]] == [200, 200]
    assert [row["amount"] for row in recorded] == [100, 1, 2, 3, 4, 5]


def test_waiters_do_not_hold_locks(bank, background):
    """A safe transfer waits at the barrier before its transaction: psql can lock the row meanwhile."""
    bank.set(barrier_enabled=True, use_transactions=True, barrier_timeout_ms=BEYOND_THE_HANG_GUARD_MS)
    waiting = background(bank.transfer)
    bank.until_waiting_at_the_barrier(1)
    assert bank.rows("SELECT balance FROM accounts WHERE id = 'alice' FOR UPDATE NOWAIT") == [{"balance": 1000}]
    assert bank.transfer("alice", "charlie", "1").status == 200
    assert waiting.result(HANG_GUARD).status == 200
