"""The strategies that read at a standby: a real one, made by pg_basebackup, as far behind as each test needs."""

import contextlib
import re

import pytest

from bank import Bank, run_to_the_end
from cluster import free_port
from pace import ROUNDS, eventually
from problem import assert_problem
from standby import commit_something, running_standby, synchronous
from strategies import STANDBY_SAFE, STANDBY_WRONG

pytestmark = pytest.mark.race

ALL = STANDBY_SAFE + STANDBY_WRONG
SOME = max(1, ROUNDS // 20)
DELAY = "100ms"  # the delay of the standby where a transfer waits for it


@pytest.fixture(scope="module")
def standby(cluster):
    with running_standby(cluster) as standby:
        yield standby


@pytest.fixture(scope="module")
def bank(cluster, standby, tmp_path_factory):
    """A bank with a standby."""
    database = cluster.new_database()
    standby.catch_up()
    bank = Bank(cluster, database, tmp_path_factory.mktemp("bank") / "log",
                {"BANK_API_STANDBY_URL": standby.url(database)})
    try:
        yield bank.until_healthy()
    finally:
        bank.stop()
        cluster.give_back(database)


@pytest.fixture(autouse=True)
def up_to_date(initial_state, standby):
    """Every test starts with a standby that has replayed the initial state."""
    if standby.running():
        standby.catch_up()


def fresh(bank, standby, delay):
    """The initial balances, at the standby too; from then on it is behind by the delay."""
    bank.post("/reset")
    standby.catch_up()
    standby.set_delay(delay)


def in_turn(bank, strategy, amount="800"):
    """Two transfers, the second after the answer to the first."""
    return [bank.transfer("alice", to, amount, strategy).json() for to in ("bob", "charlie")]


def at_once(bank, background, strategy, amount="800"):
    """Two transfers that meet at the barrier."""
    racing = [background(bank.transfer, "alice", to, amount, strategy) for to in ("bob", "charlie")]
    return [each.result().json() for each in racing]


def is_right(bank, records):
    return (sorted(each["status"] for each in records) == ["failed_insufficient_funds", "success"]
            and [each["anomaly"] for each in records] == [None, None] and bank.balance("alice") == 200
            and bank.get("/audit").json()["consistent"])


@contextlib.contextmanager
def waiting(strategy, standby):
    """remote_apply needs a primary that waits for its standby."""
    with synchronous(standby) if strategy == "remote_apply" else contextlib.nullcontext():
        yield


class TestStaleRead:
    """One transfer after the other: nothing is concurrent, and only the standby is behind."""

    def test_convicts_replica_read_in_every_round(self, bank, standby):
        for _ in range(SOME):
            fresh(bank, standby, "1d")
            first, second = in_turn(bank, "replica_read")
            assert (first["status"], first["anomaly"], first["from_balance_after"]) == ("success", None, 200)
            assert (second["status"], second["anomaly"], second["from_balance_after"]) == \
                ("success", "double_spend", -600)
            assert second["from_balance_before"] == 1000  # the second one began after the first had its answer
            assert bank.balance("alice") == -600
            assert "overdrawn" in {each["kind"] for each in bank.get("/audit").json()["violations"]}

    def test_without_an_overdraft(self, bank, standby):
        fresh(bank, standby, "1d")
        first, second = in_turn(bank, "replica_read", "100")
        assert (first["anomaly"], second["anomaly"]) == (None, "stale_read")
        assert bank.balance("alice") == 800

    def test_is_a_race_of_both(self, bank, standby):
        fresh(bank, standby, "1d")
        first, second = in_turn(bank, "replica_read")
        detail = bank.get(f"/races/{second['id']}").json()
        assert [each["id"] for each in detail["transfers"]] == [first["id"], second["id"]]
        assert detail["race"]["verdict"] == "double_spend"
        missed, = detail["missed_writes"]
        assert (missed["reader"], missed["writer"], missed["not_replayed"], missed["uncommitted_at_read"]) == \
            (second["id"], first["id"], True, False)
        assert missed["written_at_us"] < missed["read_at_us"]
        for each in detail["transfers"]:
            assert [step.get("outcome") for step in each["steps"] if step["step"] == "read"] == ["standby"]
        assert bank.get("/races").json()["races"][0]["id"] == first["id"]

    def test_in_the_views_for_psql(self, bank, standby):
        fresh(bank, standby, "1d")
        in_turn(bank, "replica_read")
        texts = [row["racer_2"] for row in bank.rows("SELECT racer_2 FROM race_timeline WHERE racer_2 IS NOT NULL")]
        assert "reads alice at the standby: $1000.00" in texts
        assert any("racer 1 had written $200.00, and the standby had not replayed it" in each for each in texts), texts

    @pytest.mark.parametrize("strategy", ["replica_guard", "replica_wait", "remote_apply"])
    def test_is_ended_by_each_fix(self, bank, standby, strategy):
        with waiting(strategy, standby):
            for _ in range(max(1, SOME // 5)):
                fresh(bank, standby, "1d" if strategy == "replica_guard" else DELAY)
                records = in_turn(bank, strategy)
                assert is_right(bank, records), records

    def test_is_ended_by_reading_the_primary(self, bank, standby):
        fresh(bank, standby, "1d")
        assert is_right(bank, in_turn(bank, "for_update"))

    def test_a_balance_that_is_too_low_at_the_standby_refuses_nothing(self, bank, standby):
        fresh(bank, standby, "1d")
        assert bank.transfer("bob", "alice", "500").json()["status"] == "success"
        record = bank.transfer("alice", "bob", "1400", "replica_guard").json()
        assert (record["status"], record["from_balance_before"]) == ("success", 1500)

    def test_an_account_that_the_standby_does_not_have(self, bank, standby):
        standby.fall_behind()
        bank.rows("INSERT INTO accounts (id, balance, initial_balance) VALUES ('dora', 50, 50)")
        try:
            for strategy in ("replica_read", "replica_guard"):
                assert bank.transfer("dora", "bob", "5", strategy).json()["status"] == "success"
        finally:
            bank.rows("DELETE FROM accounts WHERE id = 'dora'")


class TestAtOnce:
    """Two transfers that meet at the barrier, with a standby that is up to date: staleness is not the only race."""

    @pytest.mark.race
    @pytest.mark.parametrize("strategy", STANDBY_WRONG)
    def test_a_wrong_strategy_fails_in_every_round(self, bank, standby, background, strategy):
        with waiting(strategy, standby):
            bank.set(barrier_enabled=True)
            for _ in range(SOME):
                fresh(bank, standby, "0")
                records = at_once(bank, background, strategy)
                assert sorted((each["anomaly"] for each in records), key=str) == [None, "double_spend"], records
                assert bank.balance("alice") == -600

    @pytest.mark.race
    @pytest.mark.parametrize("strategy", STANDBY_SAFE)
    def test_a_safe_strategy_holds_in_every_round(self, bank, standby, background, strategy):
        bank.set(barrier_enabled=True)
        for number in range(SOME):
            fresh(bank, standby, "1d" if number % 2 else "0")
            records = at_once(bank, background, strategy)
            assert is_right(bank, records), records


class TestEachStrategy:
    @pytest.mark.parametrize("strategy", ALL)
    def test_moves_money_and_refuses(self, bank, standby, strategy):
        with waiting(strategy, standby):
            standby.catch_up()
            bank.set(strategy=strategy)
            record = bank.transfer(amount="1").json()
            standby.catch_up()
            assert (record["strategy"], record["status"], record["anomaly"]) == (strategy, "success", None)
            assert (record["from_balance_before"], record["from_balance_after"]) == (1000, 999)
            assert (record["to_balance_before"], record["to_balance_after"]) == (500, 501)
            refused = bank.transfer(amount="1000").json()
            assert (refused["status"], refused["from_balance_before"]) == ("failed_insufficient_funds", 999)
            assert_problem(bank.transfer(source="nobody"), 404)
            assert_problem(bank.transfer(target="nobody"), 404)
            assert bank.balances() == {"alice": 999, "bob": 501, "charlie": 200}
            assert bank.recorded() == [record["id"], refused["id"]]

    @pytest.mark.parametrize("strategy", ALL)
    def test_keeps_a_key(self, bank, standby, strategy):
        body = f'{{"from_account":"alice","to_account":"bob","amount":1,"strategy":"{strategy}"}}'
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"key-of-{strategy}"}
        with waiting(strategy, standby):
            standby.catch_up()
            first, second = [bank.request("POST", "/transfer", body, headers) for _ in range(2)]
            assert (first.status, first.json()["id"]) == (200, second.json()["id"])
            assert bank.balance("alice") == 999

    @pytest.mark.parametrize("strategy", ALL)
    def test_has_a_line_of_its_sketch_for_each_step(self, bank, standby, background, strategy):
        with waiting(strategy, standby):
            standby.catch_up()
            bank.set(barrier_enabled=True, delay_enabled=True, delay_ms=1)
            records = at_once(bank, background, strategy)
            listed = {each["name"]: each for each in bank.get("/strategies").json()["strategies"]}[strategy]
            known = {step for each in listed["sketch"] for step in each["steps"] + each["pauses"]}
            transfers = bank.get(f"/races/{records[0]['id']}").json()["transfers"]
            assert {step["step"] for each in transfers for step in each["steps"]} <= known
            ends = {each["steps"][-1]["outcome"] for each in transfers}
            assert ends == {"recorded" if listed["isolation"].startswith("none") else "committed"}


class TestWithoutOne:
    def test_the_strategies_are_refused_where_they_are_chosen(self, start_bank):
        bank = start_bank()
        listed = {each["name"]: each for each in bank.get("/strategies").json()["strategies"]}
        assert {name for name, each in listed.items() if each["needs_standby"]} == set(ALL)
        assert {name for name, each in listed.items() if not each["available"]} == set(ALL)
        for name in ALL:
            for answer in (bank.post(f"/admin/strategy?name={name}"), bank.post("/admin/settings", {"strategy": name}),
                           bank.transfer(strategy=name)):
                assert "BANK_API_STANDBY_URL" in assert_problem(answer, 422)["detail"]
        assert bank.get("/admin/settings").json()["strategy"] == "vulnerable"
        assert bank.recorded() == []

    def test_with_one_they_can_be_chosen(self, bank):
        assert all(each["available"] for each in bank.get("/strategies").json()["strategies"])


def refused(bank, answer, *words):
    """The answer is a 503 that says these words, and nothing has happened."""
    detail = assert_problem(answer, 503)["detail"]
    assert all(word in detail for word in (*words, "nothing was transferred")), detail
    assert bank.balances() == {"alice": 1000, "bob": 500, "charlie": 200}
    assert bank.recorded() == []
    assert bank.get("/health").status == 200  # the database is not in doubt


class TestAStandbyThatCannotAnswer:
    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    def test_it_is_stopped(self, bank, standby, mode):
        assert bank.transfer(amount="1", strategy="replica_read").status == 200
        bank.post("/reset")
        standby.catch_up()
        standby.stop(mode)
        try:
            for strategy in ALL:
                refused(bank, bank.transfer(strategy=strategy), "The standby is unavailable")
            assert bank.transfer(amount="1", strategy="for_update").status == 200
        finally:
            standby.start()
        eventually(lambda: bank.transfer(amount="1", strategy="replica_guard").status == 200, "it is back")

    def test_its_read_is_cancelled(self, bank, standby, background):
        with bank.cluster.session(bank.database) as holder:
            holder.autocommit = False
            with holder.cursor() as cursor:
                cursor.execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
            commit_something(bank.cluster)
            standby.catch_up()  # has the lock as well
            transfer = background(bank.transfer, strategy="replica_read")
            blocked = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            eventually(lambda: standby.rows(bank.database, blocked), "the read waits at the standby")
            answer = transfer.result()
            holder.rollback()
        refused(bank, answer, "The standby cancelled the read")

    def test_it_does_not_catch_up_in_time(self, bank, standby):
        bank.set(barrier_timeout_ms=50)
        standby.fall_behind()
        commit_something(bank.cluster)
        refused(bank, bank.transfer(strategy="replica_wait"), "barrier_timeout_ms", "recovery_min_apply_delay")

    def test_remote_apply_waits_for_nobody(self, bank):
        refused(bank, bank.transfer(strategy="remote_apply"), "synchronous_standby_names")

    def test_it_is_promoted(self, bank, start_bank):
        with running_standby(bank.cluster) as own:
            other = start_bank(database=bank.database, BANK_API_STANDBY_URL=own.url(bank.database))
            assert other.transfer(amount="1", strategy="replica_guard").status == 200
            bank.post("/reset")
            own.promote()
            for strategy in ("replica_read", "replica_guard"):
                refused(other, other.transfer(strategy=strategy), "The standby is unavailable")
            eventually(lambda: "BANK_API_STANDBY_URL names a primary" in other.log(), "the log says why")


class TestTheAddress:
    def test_of_a_primary_stops_the_start(self, cluster):
        database = cluster.new_database()
        outcome = run_to_the_end(DATABASE_URL=cluster.url(database), BANK_API_STANDBY_URL=cluster.url(database),
                                 BANK_API_PORT=free_port(), LOG_LEVEL="error")
        assert outcome.returncode == 2
        assert re.fullmatch(r"bank-api: BANK_API_STANDBY_URL names a primary \(pg_is_in_recovery\(\) is false there\)"
                            r": name a hot standby .*\n", outcome.stderr), outcome.stderr
        cluster.give_back(database)

    @pytest.mark.parametrize("url", ["nonsense", "postgresql://127.0.0.1:1/bank?no_such_parameter=1"])
    def test_that_is_none_stops_the_start(self, cluster, url):
        outcome = run_to_the_end(DATABASE_URL=cluster.url("postgres"), BANK_API_STANDBY_URL=url)
        assert outcome.returncode == 2
        assert outcome.stderr.startswith("bank-api: BANK_API_STANDBY_URL") and outcome.stderr.count("\n") == 1
        assert "DATABASE_URL" not in outcome.stderr.replace("BANK_API_STANDBY_URL", ""), outcome.stderr

    def test_where_nothing_listens_does_not_stop_the_start(self, start_bank):
        bank = start_bank(BANK_API_STANDBY_URL=f"postgresql://127.0.0.1:{free_port()}/bank")
        refused(bank, bank.transfer(strategy="replica_read"), "The standby is unavailable")
        assert "Standby unreachable" in bank.log()
