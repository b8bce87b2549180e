"""The fixtures: one private PostgreSQL for each session, and proxies before it."""

import contextlib

import pytest

from proxy import PROGRAM, running  # also makes tests/api importable
from cluster import running_cluster


def pytest_configure(config):
    if not PROGRAM.is_file() and not config.option.collectonly:
        pytest.exit(f"no program at {PROGRAM}: build it, or name it in RACE_PROXY", returncode=2)


@pytest.fixture(scope="session")
def cluster():
    """The private PostgreSQL, running."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def database(cluster):
    """An empty database."""
    name = cluster.new_database()
    yield name
    cluster.give_back(name)


@pytest.fixture
def start_proxy(cluster, tmp_path):
    """Starts a proxy for one test: start_proxy("--force"). upstream= names another server."""
    with contextlib.ExitStack() as stack:
        def start(*options, upstream=None, **settings):
            log = tmp_path / f"proxy-{len(list(tmp_path.iterdir()))}.log"
            return stack.enter_context(running(upstream or cluster.url_over_tcp("postgres"), log, *options, **settings))

        yield start


@pytest.fixture
def proxy(start_proxy):
    """A proxy without rules."""
    return start_proxy()
