"""When the program makes its tables and views, and whom that concerns: nobody, if they are there."""

import contextlib

import pytest

from pace import eventually

OTHER_MARK = "by another program"

# Everything that the scripts make, and what is said of it.
MARKS = """SELECT relname, relkind, obj_description(oid, 'pg_class') AS mark FROM pg_class
           WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"""


def marks(bank):
    return {row["mark"] for row in bank.rows(MARKS)}


def made_by_another(bank):
    """As if a program with other scripts had been the last to start."""
    for row in bank.rows(MARKS):
        bank.rows(f"COMMENT ON {'VIEW' if row['relkind'] == 'v' else 'TABLE'} {row['relname']} IS '{OTHER_MARK}'")


@contextlib.contextmanager
def reading(bank, relation):
    """Somebody's transaction at psql that has looked at `relation` and is still open."""
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute(f"SELECT * FROM {relation}")
        yield


def test_everything_that_is_made_is_marked(start_bank):
    bank = start_bank()
    assert {"accounts", "lab_totals", "money_supply", "running_totals"} <= {row["relname"] for row in bank.rows(MARKS)}
    mark, = marks(bank)
    assert mark is not None


@pytest.mark.parametrize("relation", ["transfers", "double_spends"])
def test_a_start_waits_for_nobody_who_reads(start_bank, relation):
    """The second comes up beside an open transaction, and meanwhile the first goes on writing."""
    first = start_bank()
    with reading(first, relation):
        second = start_bank(database=first.database)
        assert [bank.transfer("alice", "bob", "1").status for bank in (first, second)] == [200, 200]
    assert "lock timeout" not in second.log()


def test_a_start_waits_for_nobody_who_changes_what_the_seed_made(start_bank):
    """What is there need not be made, whoever is changing it."""
    first = start_bank()
    with first.cluster.session(first.database) as session:
        session.autocommit = False
        session.cursor().execute("UPDATE lab_totals SET resets = resets; UPDATE accounts SET balance = balance")
        start_bank(database=first.database)
        session.rollback()


def test_another_version_leaves_the_log_alone(start_bank):
    """It makes its own views, but a log that has all columns is not locked for them."""
    first = start_bank()
    mark, = marks(first)
    made_by_another(first)
    with reading(first, "transfers"):
        second = start_bank(database=first.database)
        assert [bank.transfer("alice", "bob", "1").status for bank in (first, second)] == [200, 200]
    assert marks(first) == {mark}


def test_another_version_waits_for_whoever_reads_its_views(start_bank):
    """It comes up when they have ended; the one that runs goes on meanwhile, and so do its transfers."""
    first = start_bank()
    made_by_another(first)
    with reading(first, "double_spends"):
        second = start_bank(database=first.database, ready=False).until_unhealthy()
        assert first.transfer("alice", "bob", "1").status == 200
        assert first.get("/health").status == 200
        assert marks(first) == {OTHER_MARK}
    second.until_healthy()
    assert OTHER_MARK not in marks(first)


@pytest.mark.parametrize("gone", ["VIEW double_spends", "VIEW money_supply", "TABLE past_transfers", "TABLE transfers",
                                  "TABLE lab_totals", "TABLE accounts"])
def test_what_was_dropped_is_made_again(start_bank, gone):
    first = start_bank()
    there = len(first.rows(MARKS))
    first.rows(f"DROP {gone} CASCADE")
    second = start_bank(database=first.database)
    assert len(second.rows(MARKS)) == there
    assert second.transfer("alice", "bob", "1").status == 200
    assert second.get("/races").status == 200


def test_a_log_from_before_anomalies(start_bank):
    first = start_bank()
    first.rows("ALTER TABLE transfers DROP COLUMN anomaly CASCADE")
    second = start_bank(database=first.database)
    assert second.transfer("alice", "bob", "1").status == 200
    assert second.rows("SELECT anomaly FROM transfers") == [{"anomaly": None}]


def test_an_emptied_bank_is_filled_at_a_start(start_bank):
    """The tables are there, so nothing is made; but what a bank begins with is put into them."""
    first = start_bank()
    first.rows("DELETE FROM accounts; DELETE FROM lab_totals")
    second = start_bank(database=first.database)
    assert second.balances() == {"alice": 1000, "bob": 500, "charlie": 200}
    assert len(second.rows("TABLE lab_totals")) == 1


def test_two_at_once_on_an_emptied_bank(start_bank):
    """Somebody is about to put the same accounts in: who comes second finds them there, and that is no error."""
    first = start_bank()
    first.rows("DELETE FROM accounts")
    with first.cluster.session(first.database) as session:
        session.autocommit = False
        session.cursor().execute("INSERT INTO accounts (id, balance, initial_balance) "
                                 "VALUES ('alice', 1000, 1000), ('bob', 500, 500), ('charlie', 200, 200)")
        second = start_bank(database=first.database, ready=False)
        eventually(lambda: first.rows("SELECT pid FROM pg_locks WHERE NOT granted"), "the second waits")
        session.commit()
    second.until_healthy()
    assert second.balances() == {"alice": 1000, "bob": 500, "charlie": 200}
    assert "ERROR" not in second.log()
