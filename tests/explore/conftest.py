"""The fixtures: one private PostgreSQL for each session, and the program on it."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))

from cluster import running_cluster  # noqa: E402
from explorer import PROGRAM, Explorer  # noqa: E402

# The rows are made again and again: nothing has to outlive a crash, and no other process may take locks.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off", "jit": "off"}


def pytest_configure(config):
    if not PROGRAM.is_file() and not config.option.collectonly:
        pytest.exit(f"no program at {PROGRAM}: build it, or name it in RACE_EXPLORE", returncode=2)


@pytest.fixture(scope="session")
def cluster():
    """The private PostgreSQL, running."""
    with running_cluster() as cluster:
        for name, value in SETTINGS.items():
            cluster.rows("postgres", f"ALTER SYSTEM SET {name} = {value}")
        cluster.rows("postgres", "SELECT pg_reload_conf()")
        yield cluster


def databases(cluster):
    """The names of the explorer's databases."""
    rows = cluster.rows("postgres", r"SELECT datname FROM pg_database WHERE datname LIKE 'explore\_%%'")
    return [row["datname"] for row in rows]


@pytest.fixture
def hasty(cluster, explorer):
    """The program with one database, for what ends soon."""
    return Explorer(cluster.url("postgres"), "--jobs", "1")


@pytest.fixture
def explorer(cluster):
    """The program. It must leave no database."""
    yield Explorer(cluster.url("postgres"))
    left = databases(cluster)
    for name in left:
        cluster.rows("postgres", f"DROP DATABASE {name} (FORCE)")
    assert left == []
