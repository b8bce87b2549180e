"""PgBouncer between the program and PostgreSQL: where it can serve, everything works as without; where it cannot, one
line says what to change, and no transfer runs."""

import contextlib

import psycopg2
import pytest

from bank import run_to_the_end
from client import together
from cluster import USER, free_port
from pace import eventually
from pooler import running_pooler
from problem import assert_problem
from strategies import SAFE, WRONG
from test_prepared import CHANGES, everything_answers

FIT = [("old", "session"), ("current", "session"), ("current", "transaction")]
UNFIT = [("old", "transaction", "max_prepared_statements"), ("old", "statement", "pool_mode"),
         ("current", "statement", "pool_mode")]


def url_at(port, database):
    return f"postgresql://{USER}@127.0.0.1:{port}/{database}"


def is_untouched(cluster, database):
    return cluster.rows(database, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


@contextlib.contextmanager
def neighbour(pooler, database):
    """A connection of another program through the same pooler."""
    connection = psycopg2.connect(pooler.url(database))
    connection.autocommit = True
    with contextlib.closing(connection):
        yield connection.cursor()


@pytest.fixture
def start_pooled(cluster, start_bank):
    """start(kind, mode): a pooler, and a bank on a database of its own behind it."""
    with contextlib.ExitStack() as poolers:
        def start(kind, mode, environment=None, **settings):
            database = cluster.new_database()
            pooler = poolers.enter_context(running_pooler(cluster, mode, kind, **settings))
            return pooler, start_bank(database=database, DATABASE_URL=pooler.url(database), **environment or {})
        yield start


def refusal(cluster, kind, mode, **settings):
    """The line with which the start ends; the database is as it was."""
    database = cluster.new_database()
    with running_pooler(cluster, mode, kind, **settings) as pooler:
        outcome = run_to_the_end(BANK_API_PORT=free_port(), DATABASE_URL=pooler.url(database), LOG_LEVEL="error")
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert is_untouched(cluster, database)
    return line


@pytest.mark.parametrize("kind, mode, remedy", UNFIT)
def test_an_unfit_pooler_at_the_start(cluster, kind, mode, remedy):
    line = refusal(cluster, kind, mode)
    assert "pooler" in line and remedy in line and "DATABASE_URL" in line


@pytest.mark.parametrize("settings", [{"default_pool_size": 2}, {"default_pool_size": 1}, {"server_round_robin": 1}])
def test_a_pooler_that_loses_prepared_statements(cluster, settings):
    """An old one is found out with few servers, and with servers that are taken in turn."""
    assert "1.21" in refusal(cluster, "old", "transaction", **settings)


def test_a_current_pooler_without_prepared_statements(cluster):
    assert "max_prepared_statements" in refusal(cluster, "current", "transaction", max_prepared_statements=0)


def test_a_pooler_that_refuses_the_options(cluster):
    """PgBouncer's own default: it accepts no options."""
    with running_pooler(cluster, "transaction", ignore_startup_parameters="extra_float_digits") as pooler:
        outcome = run_to_the_end(BANK_API_PORT=free_port(), DATABASE_URL=pooler.url(cluster.new_database()),
                                 PGOPTIONS="-c jit=off", LOG_LEVEL="error")
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert "options" in line and "ignore_startup_parameters" in line and "DATABASE_URL" in line


@pytest.mark.parametrize("kind, mode, _remedy", UNFIT)
def test_an_unfit_pooler_that_appears_later(start_bank, cluster, kind, mode, _remedy):
    """The program starts while nothing listens. With the pooler it is degraded, the log gives the reason once, and no
    transfer runs."""
    database = cluster.new_database()
    port = free_port()
    bank = start_bank(database=database, ready=False, DATABASE_URL=url_at(port, database))
    bank.until_serving().until_unhealthy()
    eventually(lambda: "unreachable" in bank.log(), "the database was looked for")
    with running_pooler(cluster, mode, kind, port):
        eventually(lambda: "the pooler in front" in bank.log(), "the log says why")
        for strategy in ("vulnerable", "for_update", "batched"):
            assert_problem(bank.transfer("alice", "bob", "1", strategy), 503)
        assert bank.get("/health").status == 503
        assert bank.log().count("the pooler in front") == 1
        assert is_untouched(cluster, database)


def test_a_fit_pooler_that_appears_later(start_bank, cluster):
    database = cluster.new_database()
    port = free_port()
    bank = start_bank(database=database, ready=False, DATABASE_URL=url_at(port, database))
    bank.until_serving().until_unhealthy()
    with running_pooler(cluster, "transaction", port=port):
        bank.until_healthy()
        assert bank.transfer("alice", "bob", "1", "for_update").status == 200


@pytest.mark.parametrize("kind, mode", FIT)
def test_everything_works_behind_a_pooler(start_pooled, kind, mode):
    """Every strategy, every read, the reset, and a key that is sent twice."""
    _, bank = start_pooled(kind, mode)
    for strategy in SAFE + WRONG:
        answer = bank.transfer("alice", "bob", "1", strategy)
        assert answer.status == 200 and answer.json()["status"] == "success", (strategy, answer)
        assert bank.transfer("alice", "bob", "100000", strategy).json()["status"] == "failed_insufficient_funds"
    for target in ("/accounts", "/accounts/alice", "/transactions?limit=5", "/races", "/audit", "/metrics", "/health"):
        assert bank.get(target).status == 200, target
    assert bank.balance("alice") == 1000 - len(SAFE + WRONG)
    assert bank.get("/audit").json()["consistent"] is True
    assert bank.post("/reset").status == 200
    assert bank.balance("alice") == 1000


@pytest.mark.parametrize("kind, mode", FIT)
def test_a_schema_of_its_own(start_pooled, kind, mode):
    """The schema is that of every transaction, whichever backend runs it; the backends keep their search_path."""
    pooler, bank = start_pooled(kind, mode, {"BANK_API_SCHEMA": f"lab_{kind}_{mode}"})
    assert bank.transfer("alice", "bob", "1", "vulnerable").status == 200
    assert bank.rows(f"SELECT count(*) AS n FROM lab_{kind}_{mode}.transfers") == [{"n": 1}]
    if mode == "transaction":
        with neighbour(pooler, bank.database) as cursor:
            for name, value in (("search_path", '"$user", public'), ("statement_timeout", "0"), ("enable_seqscan", "on"),
                                ("default_transaction_read_only", "off")):
                cursor.execute(f"SHOW {name}")
                assert cursor.fetchone() == (value,)


HABITS = ["SET search_path = nowhere", "SET statement_timeout = 20", "SET synchronous_commit = off", "SET bytea_output = escape",
          "SET default_transaction_isolation = serializable", "SET default_transaction_read_only = on",
          "SET default_transaction_deferrable = on", "SET idle_in_transaction_session_timeout = 1",
          "SET enable_indexscan = off", "SET plan_cache_mode = force_custom_plan"]


def test_settings_that_a_neighbour_leaves_behind(start_pooled):
    """In transaction mode they stay on the one backend that there is; no transfer runs under them."""
    pooler, bank = start_pooled("current", "transaction", default_pool_size=1)
    with neighbour(pooler, bank.database) as cursor:
        for habit in HABITS:
            cursor.execute(habit)
    bank.set(delay_enabled=True, delay_ms=50)
    for strategy in SAFE + WRONG:
        answer = bank.transfer("alice", "bob", "1", strategy)
        assert answer.status == 200 and answer.json()["status"] == "success", (strategy, answer)
    assert bank.get("/races").status == 200
    with neighbour(pooler, bank.database) as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("nowhere",)


def test_a_pooler_without_its_reset_query(start_pooled):
    """In session mode the next client gets the backend with all the prepared statements of the one before."""
    pooler, bank = start_pooled("old", "session", server_reset_query="", default_pool_size=25)
    assert bank.transfer("alice", "bob", "1", "for_update").status == 200
    eventually(lambda: kill_clients(pooler, bank), "a session of the bank was ended, and its backend stays")
    bank.until_healthy()
    for _ in range(3):
        assert bank.transfer("alice", "bob", "1", "for_update").status == 200


def kill_clients(pooler, bank):
    pooler.admin(f"KILL {bank.database}")
    pooler.admin(f"RESUME {bank.database}")
    return True


def test_the_mode_is_changed_while_the_program_runs(start_pooled):
    """A RELOAD ends prepared statements: the transfers find out without an error, and none is posted in part."""
    pooler, bank = start_pooled("current", "transaction", default_pool_size=3)
    answers = together(*[lambda: bank.transfer("alice", "bob", "1", "vulnerable")] * 8)
    assert [answer.status for answer in answers] == [200] * 8
    pooler.change(max_prepared_statements=0)
    pooler.admin("RECONNECT")
    posted = 8
    for _ in range(5):
        answers = together(*[lambda: bank.transfer("alice", "bob", "1", "vulnerable")] * 8)
        assert {answer.status for answer in answers} <= {200, 503}, answers
        posted += sum(answer.status == 200 for answer in answers)
    assert len(bank.recorded()) == posted and bank.rows("SELECT drift FROM money_supply") == [{"drift": 0}]


@pytest.mark.parametrize("change", CHANGES)
def test_tables_are_changed_at_psql(start_pooled, change):
    """The pooler keeps the stale plan under the text of the statement: the program sends it without a name then."""
    _, bank = start_pooled("current", "transaction", {"WORKER_THREADS": 4})
    for step in (None, *CHANGES[change]):
        if step:
            bank.rows(step)
        everything_answers(bank)


def test_a_pooler_that_takes_the_place_of_postgresql(start_bank, cluster):
    """The address led to PostgreSQL before: the posted transfers stay, and nothing is added through an unfit pooler."""
    database = cluster.new_database()
    bank = start_bank(database=database)
    assert bank.transfer("alice", "bob", "1").status == 200
    bank.stop()
    port = free_port()
    later = start_bank(database=database, ready=False, DATABASE_URL=url_at(port, database)).until_serving()
    eventually(lambda: "unreachable" in later.log(), "the database was looked for")
    with running_pooler(cluster, "transaction", "old", port):
        eventually(lambda: "the pooler in front" in later.log(), "the log says why")
        for _ in range(5):
            assert_problem(later.transfer("alice", "bob", "1", "vulnerable"), 503)
    rows = cluster.rows(database, "SELECT balance, (SELECT count(*) FROM transfers) AS n FROM accounts ORDER BY id LIMIT 1")
    assert rows == [{"balance": 999, "n": 1}]
