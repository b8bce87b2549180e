"""A connection pooler between the program and PostgreSQL shares sessions, so settings and prepared statements vanish
between two transactions. The program notices it and runs no transfers through it."""

import pytest

from bank import run_to_the_end
from cluster import USER, free_port
from pace import eventually
from pooler import running_pooler
from problem import assert_problem

MODES = ["session", "transaction", "statement"]


def url_at(port, database):
    return f"postgresql://{USER}@127.0.0.1:{port}/{database}"


def is_untouched(cluster, database):
    return cluster.rows(database, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


@pytest.mark.parametrize("mode", MODES)
def test_a_pooler_at_the_start(cluster, mode):
    """One line says what to change; exit status 2, and the database is as it was."""
    database = cluster.new_database()
    with running_pooler(cluster, mode) as port:
        outcome = run_to_the_end(BANK_API_PORT=free_port(), DATABASE_URL=url_at(port, database), LOG_LEVEL="error")
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert "pooler" in line and "DATABASE_URL" in line
    assert is_untouched(cluster, database)


def test_a_pooler_that_refuses_the_options(cluster):
    """PgBouncer's own default: it accepts no options."""
    with running_pooler(cluster, "transaction", ignore_startup_parameters="extra_float_digits") as port:
        outcome = run_to_the_end(BANK_API_PORT=free_port(), DATABASE_URL=url_at(port, cluster.new_database()),
                                 PGOPTIONS="-c jit=off", LOG_LEVEL="error")
    assert outcome.returncode == 2
    line, = outcome.stderr.splitlines()
    assert "options" in line and "DATABASE_URL" in line


@pytest.mark.parametrize("mode", MODES)
def test_a_pooler_that_appears_later(start_bank, cluster, mode):
    """The program starts while nothing listens. With the pooler it is degraded, the log gives the reason once, and no
    transfer runs."""
    database = cluster.new_database()
    port = free_port()
    bank = start_bank(database=database, ready=False, DATABASE_URL=url_at(port, database))
    bank.until_serving().until_unhealthy()
    eventually(lambda: "unreachable" in bank.log(), "the database was looked for")
    with running_pooler(cluster, mode, port):
        eventually(lambda: "pooler" in bank.log(), "the log says why")
        for strategy in ("vulnerable", "for_update", "batched"):
            assert_problem(bank.transfer("alice", "bob", "1", strategy), 503)
        assert bank.get("/health").status == 503
        assert bank.log().count("pooler") == 1
        assert is_untouched(cluster, database)


def test_a_pooler_that_takes_the_place_of_postgresql(start_bank, cluster):
    """The address led to PostgreSQL before: the posted transfers stay, and nothing is added."""
    database = cluster.new_database()
    bank = start_bank(database=database)
    assert bank.transfer("alice", "bob", "1").status == 200
    bank.stop()
    port = free_port()
    later = start_bank(database=database, ready=False, DATABASE_URL=url_at(port, database)).until_serving()
    eventually(lambda: "unreachable" in later.log(), "the database was looked for")
    with running_pooler(cluster, "transaction", port):
        eventually(lambda: "pooler" in later.log(), "the log says why")
        for _ in range(5):
            assert_problem(later.transfer("alice", "bob", "1", "vulnerable"), 503)
    rows = cluster.rows(database, "SELECT balance, (SELECT count(*) FROM transfers) AS n FROM accounts ORDER BY id LIMIT 1")
    assert rows == [{"balance": 999, "n": 1}]
