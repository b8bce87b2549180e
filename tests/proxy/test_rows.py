"""if-read compares rows: sessions meet if one has read the row that the other is about to write."""

import pytest
from proxy import eventually
from messages import SYNC, Wire, bind, execute, parse, query

BY_TABLE = "by its table"


@pytest.fixture(autouse=True)
def accounts(cluster, database, start_proxy):
    if start_proxy("--find").lines("Built without libpg_query"):
        pytest.skip("the build has no libpg_query")
    cluster.rows(database, "CREATE TABLE accounts (id integer PRIMARY KEY, owner text NOT NULL, balance integer)")
    cluster.rows(database, "INSERT INTO accounts SELECT n, 'owner ' || n, 100 FROM generate_series(1, 3) AS n")
    cluster.rows(database, "CREATE TABLE notes (words text)")


@pytest.fixture
def connect(database):
    """Starts a session through a proxy that knows the tables."""
    wires = []

    def start_session(proxy):
        wires.append(Wire(("127.0.0.1", proxy.port)))
        wires[-1].start("postgres", database)
        eventually(lambda: proxy.lines("tables are known"))
        return wires[-1]

    yield start_session
    for wire in wires:
        wire.socket.close()


@pytest.fixture
def forced(start_proxy, cluster):
    return start_proxy("--force", "--limit", "60000", upstream=cluster.url("postgres"))


def read(wire, where, columns="id, balance"):
    assert kinds(wire.send(query("BEGIN")).until("Z")) == "CZ"
    wire.send(query(f"SELECT {columns} FROM accounts WHERE {where}")).until("Z")


def held(proxy, count):
    eventually(lambda: len(proxy.lines("is held")) >= count)
    return proxy.lines("is held")[count - 1]


def kinds(messages):
    return "".join(kind for kind, _ in messages)


def update(row, start="UPDATE accounts SET balance = 1"):
    return query(f"{start} WHERE id = {row}")


def test_sessions_that_write_different_rows_do_not_meet(forced, connect):
    first, second, third = (connect(forced) for _ in range(3))
    for wire, row in ((first, 1), (second, 2), (third, 1)):
        read(wire, f"id = {row}")
    first.send(update(1))
    assert held(forced, 1).endswith("before write accounts (1), 1 of 2")
    second.send(update(2))
    assert held(forced, 2).endswith("before write accounts (2), 1 of 2")
    assert first.is_silent(0.1) and second.is_silent(0.1)
    third.send(parse("UPDATE accounts SET balance = 2 WHERE id = '1'"), bind(), execute(), SYNC)  # the same key
    assert held(forced, 3).endswith("before write accounts (1), 2 of 2")
    eventually(lambda: forced.lines("released together"))
    assert second.is_silent(0.1)
    assert len(forced.lines("released together")) == 1


def test_sessions_meet_if_one_has_read_the_row_of_the_other(forced, connect):
    """Write skew: each writes a row of its own, and the check of both rows fails."""
    first, second, third = (connect(forced) for _ in range(3))
    read(first, "id IN (1, 2)")
    read(second, "id = 3")
    read(third, "id IN (1, 2)")
    first.send(update(1))
    held(forced, 1)
    second.send(update(3))
    held(forced, 2)
    third.send(update(2))
    assert kinds(first.until("Z")) == kinds(third.until("Z")) == "CZ"
    assert second.is_silent(0.1)
    assert BY_TABLE not in held(forced, 3)


@pytest.mark.parametrize("write", ["WHERE owner = 'owner 2'", "WHERE id > 1", "WHERE id IN (2, 3)"])
def test_an_unknown_row_is_compared_by_its_table(forced, connect, write):
    first, second = connect(forced), connect(forced)
    read(first, "id = 1")
    read(second, "id > 1")
    first.send(update(1))
    held(forced, 1)
    second.send(query(f"UPDATE accounts SET balance = 1 {write}"))
    assert held(forced, 2).endswith("before write accounts, 2 of 2, by its table: the row is unknown")
    assert kinds(first.until("Z")) == kinds(second.until("Z")) == "CZ"


def test_rows_that_were_read_without_their_key_are_those_of_the_table(forced, connect):
    first, second = connect(forced), connect(forced)
    read(first, "owner = 'owner 1'", "balance")
    read(second, "id = 2")
    first.send(update(1))
    held(forced, 1)
    second.send(update(2))
    assert held(forced, 2).endswith("before write accounts (2), 2 of 2, by its table: it is unknown who has read this row")
    assert kinds(first.until("Z")) == kinds(second.until("Z")) == "CZ"


def test_a_row_that_was_not_read_is_not_held(forced, connect):
    wire = connect(forced)
    read(wire, "id = 1")
    assert kinds(wire.send(update(2)).until("Z")) == "CZ"
    assert forced.lines("is held") == []


def test_another_write_before_it_in_the_same_text(forced, connect):
    """The row of the second write is not looked at, so the table decides."""
    first, second = connect(forced), connect(forced)
    for wire in (first, second):
        read(wire, "id = 1")
        wire.send(query("INSERT INTO notes VALUES ('x'); UPDATE accounts SET balance = 1 WHERE id = 1"))
    assert BY_TABLE in held(forced, 2)
    eventually(lambda: forced.lines("released together"))


def test_sql_prepare_is_compared_by_its_table(forced, connect):
    first, second = connect(forced), connect(forced)
    for wire in (first, second):
        wire.send(query("PREPARE pay(integer) AS UPDATE accounts SET balance = 1 WHERE id = $1")).until("Z")
        read(wire, "id = 1")
        wire.send(query("EXECUTE pay(1)"))
    assert BY_TABLE in held(forced, 2)
    eventually(lambda: forced.lines("released together"))


def test_requests_with_a_trace_share_a_session(forced, connect):
    """In autocommit a pool gives one session to two requests. The comment says which one has read the row."""
    one, other = ("/*traceparent='00-%032x-%016x-01'*/" % (number, number) for number in (1, 2))
    first, second = connect(forced), connect(forced)
    for wire, row, trace in ((first, 1, one), (second, 2, other)):
        wire.send(query(f"SELECT balance FROM accounts WHERE id = {row} {trace}")).until("Z")
        wire.send(update(row, f"{trace} UPDATE accounts SET balance = 1"))
    assert held(forced, 2).endswith("1 of 2")
    assert first.is_silent(0.1) and second.is_silent(0.1)


def test_a_rule_without_if_read_is_about_the_table(start_proxy, connect, cluster):
    proxy = start_proxy("--find", "--rule", "before update accounts barrier 2", "--limit", "60000",
                        upstream=cluster.url("postgres"))
    first, second = connect(proxy), connect(proxy)
    first.send(update(1))
    assert held(proxy, 1).endswith("before update accounts, 1 of 2")
    second.send(update(2))
    assert kinds(first.until("Z")) == kinds(second.until("Z")) == "CZ"


def test_without_the_catalogue_the_table_decides(start_proxy, cluster, database):
    proxy = start_proxy("--force", "--limit", "60000", upstream=f"{cluster.url('postgres')}&user=nobody")
    with Wire(("127.0.0.1", proxy.port)) as first, Wire(("127.0.0.1", proxy.port)) as second:
        for row, wire in enumerate((first, second), 1):
            wire.start("postgres", database)
            read(wire, f"id = {row}")
            wire.send(update(row))
        assert BY_TABLE in held(proxy, 2)
        assert kinds(first.until("Z")) == kinds(second.until("Z")) == "CZ"
    assert proxy.lines("compare its tables and not its rows")
