#!/usr/bin/env python3
"""Random transactions through `race-proxy --find --exact`, with a judge of its own.

Usage: random_transactions.py [--transactions N] [--minutes N] [--threads N] [--seed N]

Each client knows the values that it has read of a row; a trigger of the tests records the values that each write has
replaced. All values are unique. So a write was stale if, and only if, the two differ. The proxy's verdict of each row
write must be the same. Its verdicts come from the row versions; it also counts the stale writes that the order of the
messages proves, and those that the order proves although the versions do not (there must be none).

Exit status: 0 if no verdict is false. A stale write that the proxy does not know to be one is "missed": it is counted
by the way in which its row was read and written.
"""
import argparse
import collections
import pathlib
import random
import re
import sys
import tempfile
import threading
import time

from libpq import Connection, Refused
from proxy import Proxy  # also makes tests/api importable
from cluster import running_cluster

ROWS = 3
VERSION = re.compile(r"Row version: backend (\d+), transaction (\d+), (\w+) of public\.(\w+) \((.*?)\), "
                     r"which replaced \d+: (.*)")
STALE, FRESH, UNREAD, UNKNOWN, LOOSE = ("a newer version", "the version that it had read",
                                        "the row was not read before", "unknown which version was read",
                                        "a newer version than the session had read")
UNCLEAR = "either"
KEYS = {"accounts": [str(n) for n in range(ROWS)], "items": [f"{n}, k{n}" for n in range(ROWS)],
        "ledger": [str(n) for n in range(2 * ROWS)]}
TABLES = """
    CREATE TABLE accounts (id int PRIMARY KEY, balance bigint, note bigint);
    CREATE TABLE items (a int, b text, balance bigint, note bigint, PRIMARY KEY (a, b));
    CREATE TABLE ledger (id bigint PRIMARY KEY, balance bigint, note bigint);
    CREATE VIEW rich AS SELECT id, balance FROM accounts WHERE balance > 0;
    CREATE UNLOGGED TABLE judged (number bigserial, xid text, "table" text, key text, operation text, balance bigint, note bigint);
    CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        old_row jsonb := to_jsonb(OLD);
    BEGIN
        INSERT INTO judged (xid, "table", key, operation, balance, note)
        VALUES (pg_current_xact_id()::text, TG_TABLE_NAME,
                coalesce(old_row ->> 'id', (old_row ->> 'a') || ', ' || (old_row ->> 'b')), lower(TG_OP),
                (old_row ->> 'balance')::bigint, (old_row ->> 'note')::bigint);
        RETURN NULL;
    END $$;
    CREATE TRIGGER judge AFTER UPDATE OR DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION judge();
    CREATE TRIGGER judge AFTER UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION judge();
    CREATE TRIGGER judge AFTER UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION judge();
    CREATE FUNCTION pay(who int, amount bigint) RETURNS void LANGUAGE sql AS
        $$ UPDATE accounts SET balance = balance + amount WHERE id = who $$;
    INSERT INTO accounts SELECT n, n + 1, n + 1 FROM generate_series(0, 2) AS n;
    INSERT INTO items SELECT n, 'k' || n, n + 1, n + 1 FROM generate_series(0, 2) AS n;
    INSERT INTO ledger SELECT n, n + 1, n + 1 FROM generate_series(0, 5) AS n;
"""


class Write:
    """A write, with the knowledge of its client when it is sent: the values that it has read of the row, and how."""

    def __init__(self, way, known, own, guards, is_explicit):
        self.way, self.known, self.own, self.guards, self.is_explicit = way, known, own, guards, is_explicit


class Client:
    def __init__(self, url, seed, expected, history):
        self.dice = random.Random(seed)
        self.connection = Connection(url)
        self.expected, self.history = expected, history
        self.steps = []  # the statements of the transaction with their times and rows
        self.known, self.own, self.writes = {}, set(), []
        self.own_reads, self.unclear = set(), set()
        self.done = 0

    # --- Statements: each is sent in a random form of the protocol ---

    def simple(self, sql):
        began = time.monotonic()
        rows = self.connection.simple(sql)
        self.steps.append((began, time.monotonic(), self.connection.backend, sql, (), rows))
        return rows

    def run(self, sql, *values):
        began = time.monotonic()
        rows = self.run_in_some_form(sql, *values)
        self.steps.append((began, time.monotonic(), self.connection.backend, sql, values, rows))
        return rows

    def run_in_some_form(self, sql, *values):
        form = self.dice.randrange(4)
        if form == 0:
            for number in range(len(values), 0, -1):
                value = values[number - 1]
                sql = sql.replace(f"${number}", str(value) if isinstance(value, int) else f"'{value}'")
            return self.connection.simple(sql)
        return self.connection.extended(sql, values, is_binary=form == 2, is_prepared=form >= 2)

    def unique(self):
        return self.dice.getrandbits(44)

    def place(self, table, key):
        """The WHERE of the row's key, and its values."""
        if table == "items":
            a, b = key.split(", ")
            return "a = $1 AND b = $2", (int(a), b)
        return "id = $1", (int(key),)

    # --- Reads ---

    def read(self, table, key):
        where, values = self.place(table, key)
        columns = self.dice.choice(("*", "balance", "note", "balance, note", "id, balance" if table != "items" else
                                    "b, a, balance"))
        lock = self.dice.choice(("", "", "", "", "", "", " FOR UPDATE", " FOR SHARE", " FOR NO KEY UPDATE"))
        way = self.dice.randrange(7)
        if way == 0:
            self.read_all(table, lock)
        elif way == 1:
            self.run(f"SELECT count(*), sum(balance) FROM {table}")
        elif way == 2 and table == "accounts":
            self.learn("view", table, key, "balance", self.run("SELECT balance FROM rich WHERE id = $1", *values))
        elif way == 3 and lock == "":
            self.read_by_cursor(table, key)
        else:
            self.learn(f"read {columns}{lock}", table, key, "balance, note" if columns == "*" else columns,
                       self.run(f"SELECT {columns} FROM {table} WHERE {where}{lock}", *values), columns)

    def read_all(self, table, lock):
        names = "a, b" if table == "items" else "id"
        rows = self.run(f"SELECT {names}, balance FROM {table} ORDER BY 1{lock}")
        for row in rows:
            self.learn("read all", table, ", ".join(row[:-1]), "balance", [row[-1:]])

    def read_by_cursor(self, table, key):
        if not self.is_explicit:
            return
        names = "a, b" if table == "items" else "id"
        self.simple(f"DECLARE c CURSOR FOR SELECT {names}, balance FROM {table}")
        for row in self.simple("FETCH ALL FROM c"):
            self.learn("cursor", table, ", ".join(row[:-1]), "balance", [row[-1:]])
        self.simple("CLOSE c")

    def learn(self, way, table, key, columns, rows, shown=None):
        if not rows:
            return
        names = [each.strip() for each in columns.split(",")]
        if shown == "*":
            rows, names = [rows[0][-2:]], ["balance", "note"]
        values = {name: int(value) for name, value in zip(names, rows[0]) if name in ("balance", "note")}
        if (table, key) in self.own:
            self.own_reads.add((table, key))
            return
        if columns in ("balance, note", "*"):
            self.unclear.discard((table, key))
        # A column that this read does not show is known as an older read has shown it.
        before = self.known.get((table, key), (None, {}))[1]
        self.known[table, key] = (way, {**before, **values})

    # --- Writes ---

    def write(self, table, key):
        where, values = self.place(table, key)
        number = f"${len(values) + 1}"
        amount = self.unique()
        column = self.dice.choice(("balance", "balance", "note"))
        tail = " RETURNING *" if self.dice.random() < 0.3 else ""
        way = self.dice.randrange(9)
        if way in (0, 1):
            self.send("absolute", table, [key], f"UPDATE {table} SET {column} = {number} WHERE {where}{tail}", *values,
                      amount)
        elif way in (2, 3):
            self.send("relative", table, [key],
                      f"UPDATE {table} SET {column} = {column} + {number} WHERE {where}{tail}", *values, amount)
        elif way == 4:
            self.send("guarded", table, [key], f"UPDATE {table} SET balance = balance + {number} WHERE {where} AND "
                      f"balance >= 0{tail}", *values, amount, guards={"balance"})
        elif way == 5:
            self.send("several rows", table, KEYS[table], f"UPDATE {table} SET balance = balance + $1", amount)
        elif way == 6 and table == "ledger":
            self.send("delete", table, [key], f"DELETE FROM ledger WHERE {where}{tail}", *values)
        elif way == 7 and table == "ledger":
            self.send("upsert", table, [key], "INSERT INTO ledger VALUES ($1, $2, $2) ON CONFLICT (id) DO UPDATE SET "
                      f"balance = excluded.balance{tail}", *values, amount)
        elif way == 8 and table == "accounts":
            self.send("function", table, [key], "SELECT pay($1::int, $2)", *values, amount)

    def send(self, way, table, keys, sql, *values, guards=frozenset()):
        for key in keys:
            known = UNCLEAR if (table, key) in self.unclear else self.known.get((table, key))
            self.writes.append((table, key, Write(way, known, (table, key) in self.own, guards,
                                                   self.is_explicit)))
        if not self.is_explicit and way != "function" and "RETURNING" not in sql:
            sql += " RETURNING pg_current_xact_id()::text"
        elif not self.is_explicit:
            sql = sql.replace("RETURNING *", "RETURNING *, pg_current_xact_id()::text")
            sql = sql.replace("SELECT pay", "SELECT pg_current_xact_id()::text, pay")
        rows = self.run(sql, *values)
        self.own.update((table, key) for key in keys)
        if not self.is_explicit and rows:
            self.commit(rows[0][0] if way == "function" else rows[0][-1])
        elif not self.is_explicit:
            self.writes.clear()

    # --- Transactions ---

    def commit(self, xid):
        """Several writes of a row: the judge sees them in their order."""
        self.expected[xid] = list(self.writes)
        self.history[xid] = list(self.steps)
        self.writes.clear()

    def step(self):
        table = self.dice.choice(tuple(KEYS))
        key = self.dice.choice(KEYS[table])
        if self.known and self.dice.random() < 0.5:
            table, key = self.dice.choice(tuple(self.known))
        (self.read if self.dice.random() < 0.55 else self.write)(table, key)

    def transaction(self):
        self.known, self.own, self.writes, self.steps = {}, set(), [], []
        self.own_reads, self.unclear = set(), set()  # it has read its own version; and that version was rolled back
        self.is_explicit = self.dice.random() < 0.85
        if not self.is_explicit:
            self.run("RESET ALL")  # a pool gives the session to another request
            for _ in range(self.dice.randrange(2, 4)):
                self.step()
                self.known = {place: known for place, known in self.known.items() if place not in self.own}
                self.own.clear()
            return
        self.simple(self.dice.choice(("BEGIN", "BEGIN", "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ",
                                      "BEGIN ISOLATION LEVEL SERIALIZABLE")))
        saved = None
        for _ in range(self.dice.randrange(2, 7)):
            if saved is None and self.dice.random() < 0.1:
                self.simple("SAVEPOINT s")
                saved = (set(self.own), list(self.writes))
            elif saved is not None and self.dice.random() < 0.3:
                self.simple("ROLLBACK TO SAVEPOINT s")
                # The rows that it wrote since may be written by others now. It still knows what it read before that.
                # If it has read its own version, no value says whether another one has changed the row.
                self.unclear |= self.own_reads & (self.own - saved[0])
                self.own, self.writes = set(saved[0]), list(saved[1])
            else:
                self.step()
        xid = self.simple("SELECT pg_current_xact_id_if_assigned()::text")[0][0]
        if self.dice.random() < 0.1:
            self.simple("ROLLBACK")
            return
        self.simple("COMMIT")
        if xid is not None:
            self.commit(xid)

    def work(self, count, deadline):
        for _ in range(count):
            if time.monotonic() > deadline:
                break
            self.done += 1
            try:
                self.transaction()
            except Refused as refused:
                if refused.args[0] not in ("40001", "40P01", "23505"):
                    raise
                self.simple("ROLLBACK")
        self.connection.close()


def expectation(write, old):
    if write.own:
        return UNREAD, "its own row"
    if write.known == UNCLEAR:
        return UNCLEAR, "its own version, rolled back"
    if write.known is None or not write.known[1]:
        return UNREAD, "not read"
    way, values = write.known
    differs = {name for name, value in values.items() if old[name] != value}
    if not differs - write.guards:
        return FRESH, way
    return (STALE if write.is_explicit else LOOSE), way


def compare(cluster, database, log, expected, history):
    """Counts (expected, said, how) of every row write."""
    said = collections.defaultdict(list)
    for _, xid, operation, table, key, words in VERSION.findall(log):
        if operation != "insert" and table != "judged":
            said[xid, table, key].append(words)
    counted = collections.Counter()
    examples = {}
    writes = collections.defaultdict(list)
    for xid, sent in expected.items():
        for table, key, write in sent:
            writes[xid, table, key].append(write)
    rows = cluster.rows(database, 'SELECT xid, "table", key, balance, note FROM judged ORDER BY number')
    for row in rows:
        place = row["xid"], row["table"], row["key"]
        heard = said[place].pop(0) if said[place] else "no record"
        if not writes[place]:
            counted["nobody's", heard, ""] += 1
            continue
        write = writes[place].pop(0)
        wanted, how = expectation(write, row)
        triple = wanted, heard, f"{how}; {write.way}"
        counted[triple] += 1
        examples.setdefault(triple, place)
    stories = {triple: story_of(place, history, rows) for triple, place in examples.items() if is_false(*triple[:2])}
    return counted, examples, stories, len(rows)


def story_of(place, history, rows):
    """The transaction of a verdict, and those that wrote the same row at its time, step by step."""
    xid, table, key = place
    if xid not in history:
        return "  a transaction whose steps are not known"
    began, ended = history[xid][0][0], history[xid][-1][1]
    near = {row["xid"] for row in rows if (row["table"], row["key"]) == (table, key)} & history.keys()
    near = [each for each in near if history[each][-1][1] > began - 1 and history[each][0][0] < ended]
    steps = sorted((*step, each) for each in near for step in history[each])
    return "\n".join(f"  {1000 * (sent - began):9.2f} to {1000 * (got - began):9.2f} ms, backend {backend}, "
                     f"transaction {each}{' <' if each == xid else ''}: {sql} {list(values)} -> {answer}"
                     for sent, got, backend, sql, values, answer, each in steps)


def run(transactions, threads, seed, folder, minutes=60):
    with running_cluster() as cluster:
        name = "random_test"
        cluster.rows("postgres", f"CREATE DATABASE {name}")
        connection = Connection(cluster.url_over_tcp(name))
        connection.simple(TABLES)
        connection.close()
        proxy = Proxy(cluster.url_over_tcp(name), folder / "log", f"--find={folder}/findings.json", "--exact")
        expected, history = {}, {}
        clients = [Client(proxy.url(name), seed + n, expected, history) for n in range(threads)]
        failed, deadline = [], time.monotonic() + minutes * 60

        def work(client):
            try:
                client.work(transactions // threads, deadline)
            except BaseException as error:  # pylint: disable=broad-except
                failed.append(error)
                raise

        workers = [threading.Thread(target=work, args=(each,)) for each in clients]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        assert proxy.stop() == 0 and not failed, proxy.log()[-2000:]
        words = f"{sum(each.done for each in clients)} transactions ran. {proxy.lines('Triggers recorded')[0]}"
        return *compare(cluster, name, proxy.log(), expected, history), words


def is_different(wanted, heard):
    """Neither a version that was read nor a row that was not read is a race, and only one unit's race is proved."""
    return wanted not in (heard, UNCLEAR) and not {wanted, heard} <= {FRESH, UNREAD, LOOSE}


def is_false(wanted, heard):
    return heard == STALE and wanted not in (STALE, UNCLEAR) or heard == FRESH and wanted == STALE


def verdict(counted):
    """The numbers of false and of missed verdicts."""
    false = sum(count for (wanted, heard, _), count in counted.items() if is_false(wanted, heard))
    missed = sum(count for (wanted, heard, _), count in counted.items() if wanted == STALE and heard != STALE)
    return false, missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--transactions", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=60, help="at most")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counted, examples, stories, rows, words = run(options.transactions, options.threads, options.seed,
                                                      pathlib.Path(folder), options.minutes)
    for (wanted, heard, how), count in sorted(counted.items(), key=str):
        mark = "" if not is_different(wanted, heard) else "   <<< " + str(examples.get((wanted, heard, how)))
        print(f"{count:8} expected: {wanted:32} said: {heard:32} {how}{mark}")
        if is_false(wanted, heard):
            print(stories[wanted, heard, how])
    false, missed = verdict(counted)
    stale = sum(count for (wanted, _, _), count in counted.items() if wanted == STALE)
    print(f"{rows} updates and deletes of rows, {stale} stale: {missed} missed, "
          f"{false} false, {time.monotonic() - began:.0f} s")
    print(words)
    sys.exit(false > 0)


if __name__ == "__main__":
    main()
