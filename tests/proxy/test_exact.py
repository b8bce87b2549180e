"""--exact: the triggers of a test database judge the findings, and leave nothing behind."""

import json
import signal
import subprocess

import psycopg2
import pytest
from application import make_accounts, paid_out, put_back
from cluster import PASSWORD, USER
from proxy import PROGRAM, Proxy, eventually

LEFT = """(SELECT tgname FROM pg_trigger WHERE tgname = 'race_lab_exact'
           UNION ALL SELECT nspname FROM pg_namespace WHERE nspname = 'race_lab_exact') AS left_behind"""


@pytest.fixture
def shop(cluster):
    """A database whose name says that it is for tests."""
    cluster.rows("postgres", "CREATE DATABASE shop_test")
    make_accounts(cluster, "shop_test")
    put_back(cluster, "shop_test")
    yield "shop_test"
    cluster.rows("postgres", "DROP DATABASE shop_test WITH (FORCE)")


@pytest.fixture
def exact(cluster, shop, tmp_path):
    """Starts a proxy with --exact; returns it, and a function that stops it for its file."""
    proxies = []

    def start(*options):
        path = tmp_path / "findings.json"
        proxy = Proxy(cluster.url_over_tcp(shop), tmp_path / f"log-{len(proxies)}", f"--find={path}", "--exact", *options)
        proxies.append(proxy)
        if proxy.lines("Built without libpg_query"):
            pytest.skip("the build has no libpg_query")
        run(proxy.url(shop), "SELECT 1")  # the catalogue is read when a session begins
        eventually(lambda: proxy.lines("are known"))

        def stop(number=signal.SIGTERM):
            assert proxy.stop(number) == 0
            return json.loads(path.read_text())

        return proxy, stop

    yield start
    for proxy in proxies:
        assert proxy.stop() in (0, -signal.SIGKILL) and "ERROR: " not in proxy.log(), proxy.log()


def count(cluster, database, source):
    return cluster.rows(database, f"SELECT count(*) FROM {source}")[0]["count"]


def run(url, *statements):
    with psycopg2.connect(url) as session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    session.close()


def proved(answer):
    return [(each["kind"], each["row"], each["evidence"]) for each in answer["findings"] if each["level"] == "proved"]


def test_a_lost_update_is_proved_by_the_versions_of_the_row(exact, cluster, shop):
    proxy, stop = exact("--force")
    assert paid_out(proxy.url(shop)) == 2
    answer = stop()
    assert proved(answer) == [("lost_update", "alice", "row_versions")]
    versions = answer["row_versions"]
    assert (versions["rows"], versions["fresh"], versions["stale"], versions["order_refuted"]) == (2, 1, 1, 0)
    assert versions["unseen"] == []


def test_a_lock_leaves_only_versions_that_were_read(exact, cluster, shop):
    proxy, stop = exact("--force")
    assert paid_out(proxy.url(shop), "FOR UPDATE") == 1
    answer = stop()
    assert proved(answer) == []
    assert (answer["row_versions"]["fresh"], answer["row_versions"]["stale"]) == (1, 0)


def test_a_write_that_passes_the_proxy_by_is_seen(exact, cluster, shop):
    proxy, stop = exact()
    with psycopg2.connect(proxy.url(shop)) as session, session.cursor() as cursor:
        cursor.execute("SELECT balance FROM accounts WHERE id = 'alice'")
        cluster.rows(shop, "UPDATE accounts SET balance = 5")
        cursor.execute("UPDATE accounts SET balance = 20 WHERE id = 'alice'")
    session.close()
    answer = stop()
    assert proved(answer) == [("lost_update", "alice", "row_versions")]
    assert [(each["table"], each["operation"], each["by"], each["statement"]) for each in answer["row_versions"]["unseen"]
            ] == [("public.accounts", "update", "another client", "UPDATE accounts SET balance = 5")]


def test_writes_of_functions_triggers_and_cascades_are_seen(exact, cluster, shop):
    cluster.rows(shop, "CREATE TABLE notes (id int PRIMARY KEY, account text REFERENCES accounts ON DELETE CASCADE)")
    cluster.rows(shop, "INSERT INTO notes VALUES (1, 'alice')")
    cluster.rows(shop, "CREATE FUNCTION pay(who text) RETURNS void LANGUAGE sql AS "
                       "$$ UPDATE accounts SET balance = balance - 80 WHERE id = who $$")
    proxy, stop = exact()
    with psycopg2.connect(proxy.url(shop)) as session, session.cursor() as cursor:
        cursor.execute("SELECT balance FROM accounts WHERE id = 'alice'")
        run(proxy.url(shop), "UPDATE accounts SET balance = 90 WHERE id = 'alice'")
        cursor.execute("SELECT pay('alice')")
    session.close()
    run(proxy.url(shop), "DELETE FROM accounts WHERE id = 'alice'")
    answer = stop()
    assert proved(answer) == [("stale_read", "alice", "row_versions")]
    finding = [each for each in answer["findings"] if each["level"] == "proved"][0]
    assert finding["first"]["write"] == "SELECT pay('alice')" and finding["second"]["write"].startswith("UPDATE accounts")
    assert {(each["table"], each["operation"], each["statement"]) for each in answer["row_versions"]["unseen"]} == {
        ("public.accounts", "update", "SELECT pay('alice')"),
        ("public.notes", "delete", "DELETE FROM accounts WHERE id = 'alice'")}


def test_a_table_that_is_made_later_gets_its_trigger(exact, cluster, shop):
    proxy, stop = exact("--force")
    cluster.rows(shop, "CREATE TABLE later (id int PRIMARY KEY)")
    run(proxy.url(shop), "INSERT INTO later VALUES (1)")
    eventually(lambda: proxy.lines("the row writes of 2 tables"))
    run(proxy.url(shop), "INSERT INTO later VALUES (2)", "DELETE FROM later WHERE id = 2")
    assert stop()["row_versions"]["rows"] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_behind(exact, cluster, shop, number):
    proxy, stop = exact()
    assert count(cluster, shop, LEFT) == 2
    run(proxy.url(shop), "UPDATE accounts SET balance = 1")
    stop(number)
    assert count(cluster, shop, LEFT) == 0


def test_a_killed_proxy_costs_nothing_and_the_next_one_clears_up(exact, cluster, shop):
    proxy, _ = exact()
    proxy.process.kill()
    proxy.process.wait()
    eventually(lambda: count(cluster, shop, "pg_locks WHERE locktype = 'advisory'") == 0)
    run(cluster.url_over_tcp(shop), "UPDATE accounts SET balance = 1")
    assert count(cluster, shop, "race_lab_exact.row_write") == 0
    _, stop = exact()
    assert count(cluster, shop, LEFT) == 2
    stop()
    assert count(cluster, shop, LEFT) == 0


def refused(upstream, *options):
    outcome = subprocess.run([PROGRAM, "--listen", "127.0.0.1:0", "--upstream", upstream, *options],
                             capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode in (1, 2)
    return outcome.stderr


def test_a_database_that_is_not_for_tests_is_refused(cluster, database):
    words = refused(cluster.url_over_tcp(database), "--find", "--exact")
    assert 'its name must contain "test" or begin with "explore_"' in words and database in words
    assert count(cluster, database, LEFT) == 0
    assert "give --find too" in refused(cluster.url_over_tcp(database), "--exact")


def test_two_proxies_do_not_share_a_database(exact, cluster, shop):
    _, stop = exact()
    assert "another race-proxy records" in refused(cluster.url_over_tcp(shop), "--find", "--exact")
    stop()


def test_the_applications_role_needs_no_rights(exact, cluster, shop):
    cluster.rows(shop, "CREATE ROLE small LOGIN PASSWORD 'small'")
    cluster.rows(shop, "GRANT SELECT, UPDATE ON accounts TO small")
    proxy, stop = exact()
    run(proxy.url(shop, "small", "small"), "UPDATE accounts SET balance = 1 WHERE id = 'alice'")
    assert stop()["row_versions"]["rows"] == 1
    cluster.rows(shop, "DROP OWNED BY small")
    cluster.rows(shop, "DROP ROLE small")
