"""The fixtures: a real PostgreSQL for each session; a real bank on it and a real Prometheus that scrapes the bank, for
each module."""

import concurrent.futures
import pathlib
import shutil
import sys

import psycopg2
import pytest

from bank import PROGRAM, Bank
from cluster import running_cluster
from collector import Collector
from prometheus import Prometheus

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "proxy"))
import proxy as proxy_module  # noqa: E402


def pytest_configure(config):
    if not PROGRAM.is_file() and not config.option.collectonly:
        pytest.exit(f"no program at {PROGRAM}: build it, or name it in BANK_API", returncode=2)


@pytest.fixture(scope="session")
def cluster():
    """The private PostgreSQL, running."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def start_bank(cluster, tmp_path_factory):
    """Starts a bank: start_bank(BANK_API_PORT=...). At the end all banks are stopped and checked."""
    started = []

    def start(database=None, **settings):
        log = tmp_path_factory.mktemp("bank") / "log"
        bank = Bank(cluster, database or cluster.new_database(), log, settings)
        started.append(bank)
        return bank.until_healthy()

    yield start
    for bank in started:
        bank.stop()


@pytest.fixture(scope="module")
def collector():
    """Receives the traces: exemplars name only exported traces."""
    collector = Collector()
    yield collector
    collector.stop()


@pytest.fixture(scope="module")
def bank(start_bank, collector):
    return start_bank(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, OTEL_BSP_SCHEDULE_DELAY=20)


@pytest.fixture(scope="module")
def start_prometheus(tmp_path_factory):
    """Starts a Prometheus that scrapes a bank, and waits for its first scrapes: start_prometheus(bank, speed=1)."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (apt install prometheus)")
    started = []

    def start(bank, **settings):
        prometheus = Prometheus(tmp_path_factory.mktemp("prometheus"), bank.port, **settings)
        started.append(prometheus)
        prometheus.until_scraped()
        return prometheus

    yield start
    for prometheus in started:
        prometheus.stop()


@pytest.fixture(scope="module")
def prometheus(bank, start_prometheus):
    """The module's Prometheus, which scrapes the module's bank."""
    return start_prometheus(bank)


@pytest.fixture(scope="module")
def start_race_proxy(cluster, tmp_path_factory):
    """Starts a race-proxy that knows the tables of a database: start_race_proxy(database, "--force")."""
    started = []

    def start(database, *options):
        log = tmp_path_factory.mktemp("proxy") / "log"
        proxy = proxy_module.Proxy(cluster.url_over_tcp("postgres"), log, "--find", *options, http="127.0.0.1:0")
        started.append(proxy)
        if proxy.lines("Built without libpg_query"):
            pytest.skip("the build has no libpg_query")
        psycopg2.connect(proxy.url(database)).close()
        proxy_module.eventually(lambda: proxy.lines(f"Database {database}: "))
        proxy.page_port = int(proxy.page.rsplit(":", 1)[1])
        return proxy

    yield start
    for proxy in started:
        assert proxy.stop() == 0, proxy.log()


@pytest.fixture
def background():
    """Runs calls beside the test: background(call, ...) returns a future."""
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        yield threads.submit
