"""SIGINT and SIGTERM at any moment: no database is left, and the status says that it is not complete."""

import pytest
from conftest import databases
from explorer import CASES, SIGNALS


@pytest.fixture
def long_case(tmp_path):
    """A case with 756,756 orders, none of which goes wrong."""
    steps = "".join(f"INSERT INTO visits VALUES (:'who', {number});\n" for number in range(5))
    path = tmp_path / "long.sql"
    path.write_text("-- setup\nCREATE TABLE visits (who text, number integer);\n"
                    f"-- session A who=a\n{steps}-- session B like A who=b\n-- session C like A who=c\n")
    return path


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_the_middle(cluster, explorer, long_case, number):
    def explores():
        rows = cluster.rows("postgres", r"SELECT xact_commit FROM pg_stat_database WHERE datname LIKE 'explore\_%%'")
        return any(row["xact_commit"] > 100 for row in rows)

    found = explorer.interrupt(number, explores, long_case, CASES / "now.sql")
    assert (found.status, found.err) == (3, ""), found.out
    assert found.says_incomplete() and "interrupted" in found.out
    assert databases(cluster) == []


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_as_soon_as_there_is_a_database(cluster, explorer, long_case, number):
    found = explorer.interrupt(number, lambda: databases(cluster) != [], long_case)
    assert found.status == 3, found.err
    assert databases(cluster) == []
