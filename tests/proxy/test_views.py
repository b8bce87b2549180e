"""A row that is read through a view is the row of the table, for the order of the messages and for row versions."""

import json

import psycopg2
import pytest
from application import make_accounts, put_back
from proxy import Proxy, eventually

VIEWS = """
    CREATE VIEW rich AS SELECT id, balance FROM accounts WHERE balance > 0;
    CREATE VIEW nested AS SELECT balance, id FROM rich ORDER BY 1 LIMIT 5;
    CREATE VIEW renamed AS SELECT balance AS money, id AS "the name" FROM accounts;
    CREATE VIEW computed AS SELECT id, balance + 1 AS balance FROM accounts;
    CREATE VIEW total AS SELECT id, sum(balance) AS balance FROM accounts GROUP BY id;
    CREATE VIEW pairs AS SELECT a.id, b.balance FROM accounts AS a, accounts AS b;
    CREATE VIEW many AS SELECT id, balance FROM accounts UNION ALL SELECT id, balance FROM accounts;
    CREATE VIEW chosen AS SELECT id, balance FROM accounts WHERE id IN (SELECT id FROM accounts);"""


@pytest.fixture
def shop(cluster):
    cluster.rows("postgres", "CREATE DATABASE view_test")
    make_accounts(cluster, "view_test")
    put_back(cluster, "view_test")
    cluster.rows("view_test", VIEWS)
    yield "view_test"
    cluster.rows("postgres", "DROP DATABASE view_test WITH (FORCE)")


SHOWN = ["SELECT balance FROM rich WHERE id = 'alice'", "SELECT * FROM rich", "SELECT * FROM nested",
         "SELECT r.balance FROM rich AS r WHERE id = 'alice'", "SELECT balance FROM nested WHERE id = 'alice'",
         "SELECT * FROM renamed", "SELECT balance, id FROM public.rich ORDER BY balance"]
# The origin of the row is unknown, or the unit has read nothing that the other one changes.
UNKNOWN = ["SELECT * FROM total", "SELECT * FROM pairs", "SELECT * FROM many", "SELECT * FROM chosen",
           "SELECT money FROM renamed WHERE \"the name\" = 'alice'",
           "SELECT r.* FROM rich AS r JOIN accounts AS a ON a.id <> r.id",
           "SELECT * FROM computed WHERE id = 'alice' AND balance > 1"]


def race(url, read):
    """One session reads, another writes, and then the first one writes."""
    with psycopg2.connect(url) as first, psycopg2.connect(url) as second:
        first.cursor().execute(read)
        second.cursor().execute("UPDATE accounts SET balance = 50 WHERE id = 'alice'")
        second.commit()
        first.cursor().execute("UPDATE accounts SET balance = 20 WHERE id = 'alice'")
    first.close()
    second.close()


@pytest.mark.parametrize("evidence, options", [("order", []), ("row_versions", ["--exact"])])
def test_a_row_of_a_view_is_a_row_of_its_table(cluster, shop, tmp_path, evidence, options):
    path = tmp_path / "findings.json"
    proxy = Proxy(cluster.url_over_tcp(shop), tmp_path / "log", f"--find={path}", *options)
    try:
        if proxy.lines("Built without libpg_query"):
            pytest.skip("the build has no libpg_query")
        psycopg2.connect(proxy.url(shop)).close()
        eventually(lambda: proxy.lines("are known"))
        for read in SHOWN + UNKNOWN:
            race(proxy.url(shop), read)
    finally:
        assert proxy.stop() == 0, proxy.log()
    found = [each for each in json.loads(path.read_text())["findings"] if each["level"] == "proved"]
    assert sorted(each["first"]["read"] for each in found) == sorted(SHOWN), proxy.log()
    assert {(each["kind"], each["row"], each["evidence"]) for each in found} == {("lost_update", "alice", evidence)}
