"""--find proves the races that happen, and nothing else."""

import json
import os
import random
import threading

import psycopg2
import pytest
from application import at_once, make_accounts, paid_out, put_back
from proxy import Proxy, eventually, running

TRANSACTIONS = int(os.environ.get("LAB_ROUNDS", "1000")) * 10
THREADS = 4


@pytest.fixture
def find(cluster, database, tmp_path):
    """Starts a proxy that knows the tables; returns it, and a function that stops it for its findings."""
    proxies = []

    def start(*options):
        path = tmp_path / "findings.json"
        proxy = Proxy(cluster.url_over_tcp("postgres"), tmp_path / "log", f"--find={path}", *options)
        proxies.append(proxy)
        if proxy.lines("Built without libpg_query"):
            pytest.skip("the build has no libpg_query")
        psycopg2.connect(proxy.url(database)).close()
        eventually(lambda: proxy.lines(f"Database {database}: "))

        def findings():
            assert proxy.stop() == 0
            return json.loads(path.read_text())["findings"]

        return proxy, findings

    make_accounts(cluster, database)
    yield start
    for proxy in proxies:
        assert proxy.stop() == 0 and "ERROR: " not in proxy.log(), proxy.log()


def proved(findings):
    return [each for each in findings if each["level"] == "proved"]


def test_a_forced_race_is_proved(find, cluster, database):
    proxy, findings = find("--force")
    put_back(cluster, database)
    assert paid_out(proxy.url(database)) == 2
    found = findings()
    assert [(each["kind"], each["table"], each["row"]) for each in proved(found)] == [
        ("lost_update", "public.accounts", "alice")], found
    one = proved(found)[0]
    assert one["first"]["backend_pid"] != one["second"]["backend_pid"]
    assert one["first"]["read"].startswith("SELECT balance") and one["second"]["write"].startswith("UPDATE accounts")
    assert len(proxy.lines("proved lost_update")) == 1


def test_the_first_race_after_the_start_is_found(cluster, database, tmp_path):
    """The tables of the upstream's own database are known before its first session comes."""
    make_accounts(cluster, database)
    put_back(cluster, database)
    with running(cluster.url_over_tcp(database), tmp_path / "log", "--find", "--force") as proxy:
        eventually(lambda: proxy.lines(f"Database {database}: ") or proxy.lines("Built without libpg_query"))
        assert paid_out(proxy.url(database)) == 2
        eventually(lambda: proxy.lines("proved lost_update") or proxy.lines("Built without libpg_query"))


def test_a_lock_leaves_nothing_to_find(find, cluster, database):
    proxy, findings = find("--force")
    put_back(cluster, database)
    assert paid_out(proxy.url(database), "FOR UPDATE") == 1
    assert findings() == []


def test_one_request_alone_is_only_possible(find, cluster, database):
    proxy, findings = find()
    put_back(cluster, database)
    assert at_once(lambda: paid_out(proxy.url(database), "FOR UPDATE")) == [1]
    with psycopg2.connect(proxy.url(database)) as session, session.cursor() as cursor:
        cursor.execute("SELECT balance FROM accounts WHERE id = 'alice'")
        cursor.execute("UPDATE accounts SET balance = 7 WHERE id = 'alice'")
    session.close()
    assert [(each["kind"], each["level"], each["second"]) for each in findings()] == [("lost_update", "possible", None)]


def test_a_table_that_is_made_later_is_found(find, cluster, database):
    proxy, findings = find("--force")
    cluster.rows(database, "DROP TABLE accounts")
    make_accounts(cluster, database)
    put_back(cluster, database)
    with psycopg2.connect(proxy.url(database)) as session, session.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts")
    session.close()
    cluster.rows(database, "CREATE TABLE other (id int PRIMARY KEY)")  # the number of tables changes
    with psycopg2.connect(proxy.url(database)) as session, session.cursor() as cursor:
        cursor.execute("SELECT * FROM other")
    session.close()
    eventually(lambda: proxy.lines(": 2 tables are known"))
    assert paid_out(proxy.url(database)) == 2
    assert len(proved(findings())) == 1


# --- Random transactions, with the database as the judge ---

def make_judged_accounts(cluster, database):
    """Each update adds one to the version, and records the version that it has replaced."""
    cluster.rows(database, "CREATE TABLE judged (id integer PRIMARY KEY, balance integer, version integer DEFAULT 0)")
    cluster.rows(database, "CREATE TABLE replaced (request text, id integer, version integer)")
    cluster.rows(database, "INSERT INTO judged SELECT n, 1000, 0 FROM generate_series(1, 3) AS n")
    cluster.rows(database, """
        CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO replaced VALUES (current_setting('application_name'), OLD.id, OLD.version);
            NEW.version := OLD.version + 1;
            RETURN NEW;
        END $$""")
    cluster.rows(database, "CREATE TRIGGER judge BEFORE UPDATE ON judged FOR EACH ROW EXECUTE FUNCTION judge()")


def safe(cursor, dice, row):
    """One of the ways that do not lose what another transaction has written."""
    way = dice.randrange(4)
    if way == 0:
        cursor.execute("SELECT id, balance FROM judged WHERE id = %s FOR UPDATE", (row,))
        cursor.execute("UPDATE judged SET balance = %s WHERE id = %s", (cursor.fetchone()[1] - 1, row))
    elif way == 1:
        cursor.execute("SELECT balance FROM judged WHERE id = %s", (row,))
        cursor.execute("UPDATE judged SET balance = balance - 1 WHERE id = %s AND balance >= 1", (row,))
    elif way == 2:
        cursor.execute("SELECT balance, id FROM judged ORDER BY id FOR UPDATE")
        cursor.execute("UPDATE judged SET balance = %s WHERE id = %s RETURNING id", (dice.randrange(1000), row))
    else:
        cursor.execute("SELECT balance FROM judged WHERE id = %s", (row,))
        balance = cursor.fetchone()[0]
        cursor.execute("UPDATE judged SET balance = %s WHERE id = %s AND balance = %s", (dice.randrange(1000), row, balance))


def in_threads(proxy, database, count, work):
    def run(thread):
        dice = random.Random(thread)
        session = psycopg2.connect(proxy.url(database))
        with session.cursor() as cursor:
            for number in range(count // THREADS):
                try:
                    work(cursor, dice, f"t{thread}x{number}")
                    (session.rollback if dice.random() < 0.1 else session.commit)()
                except psycopg2.Error:
                    session.rollback()
        session.close()

    threads = [threading.Thread(target=run, args=(each,)) for each in range(THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def test_safe_transactions_prove_nothing(find, cluster, database):
    make_judged_accounts(cluster, database)
    proxy, findings = find()
    in_threads(proxy, database, TRANSACTIONS, lambda cursor, dice, _: safe(cursor, dice, dice.randrange(1, 4)))
    found = findings()
    assert proved(found) == []
    assert "0 dropped" in proxy.lines("Observed")[0]


def test_proved_is_what_the_database_says(find, cluster, database):
    """Each request has statements of its own, so that each race is a finding of its own."""
    make_judged_accounts(cluster, database)
    proxy, findings = find()
    known = {}

    def work(cursor, dice, request):
        row = dice.randrange(1, 4)
        cursor.execute(f"SET LOCAL application_name = '{request}'")
        cursor.execute(f"SELECT version AS v{request}, balance FROM judged WHERE id = {row} /*request_id={request}-request*/")
        known[request] = (row, cursor.fetchone()[0])
        if dice.random() < 0.5:
            cursor.execute("SELECT 1")
        cursor.execute(f"UPDATE judged AS w{request} SET balance = 1 WHERE id = {row}")

    in_threads(proxy, database, 800, work)
    with psycopg2.connect(cluster.url(database)) as session, session.cursor() as cursor:
        cursor.execute("SELECT * FROM replaced")
        replaced = {request: (row, version) for request, row, version in cursor.fetchall()}
    session.close()
    stale = {request for request, place in replaced.items() if place != known[request]}
    found = proved(findings())
    for each in found:
        requests = {each[side]["label"].removesuffix("-request") for side in ("first", "second")}
        mutual = "both read" in each["sentence"]
        assert requests & stale if mutual else each["first"]["label"].removesuffix("-request") in stale, each
    assert len(found) > len(stale) / 10
