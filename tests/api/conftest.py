"""The fixtures: one PostgreSQL for each session, one bank for each module (or one of its own for a test), and the
initial state before every test. After every bank its exit status and sanitizer reports are checked."""

import concurrent.futures

import pytest

from bank import PROGRAM, Bank
from cluster import running_cluster
from collector import Collector


def pytest_configure(config):
    if not PROGRAM.is_file() and not config.option.collectonly:
        pytest.exit(f"no program at {PROGRAM}: build it, or name it in BANK_API", returncode=2)


@pytest.fixture(scope="session")
def cluster():
    """The private PostgreSQL, running."""
    with running_cluster() as cluster:
        yield cluster


def stop_all(banks):
    """Stops the banks, checks how each ended, and frees their databases; the first failure fails the test."""
    failures = []
    for bank in banks:
        try:
            bank.stop()
        except AssertionError as failure:
            failures.append(failure)
        bank.cluster.give_back(bank.database)
    if failures:
        raise failures[0]


@pytest.fixture(scope="module")
def bank(cluster, request, tmp_path_factory):
    """The module's bank, started with the module's ENVIRONMENT if it has one."""
    settings = getattr(request.module, "ENVIRONMENT", {})
    bank = Bank(cluster, cluster.new_database(), tmp_path_factory.mktemp("bank") / "log", settings)
    try:
        yield bank.until_healthy()
    finally:
        stop_all([bank])


@pytest.fixture
def start_bank(cluster, tmp_path):
    """Starts a bank for one test: start_bank(WORKER_THREADS=8). database=, ready= and program= change the defaults."""
    started = []

    def start(database=None, ready=True, program=PROGRAM, **settings):
        log = tmp_path / f"bank-{len(started)}.log"
        bank = Bank(cluster, database or cluster.new_database(), log, settings, program)
        started.append(bank)
        return bank.until_healthy() if ready else bank

    yield start
    stop_all(started)


@pytest.fixture(autouse=True)
def initial_state(request):
    """Every test starts with the default settings and the initial balances."""
    if "bank" in request.fixturenames:
        request.getfixturevalue("bank").back_to_the_initial_state()


@pytest.fixture
def background():
    """Runs calls beside the test: background(call, ...) returns a future."""
    with concurrent.futures.ThreadPoolExecutor(64) as threads:
        yield threads.submit


@pytest.fixture
def collector():
    """An OTLP receiver."""
    collector = Collector()
    yield collector
    collector.stop()


@pytest.fixture
def start_traced(start_bank, collector):
    """A bank that exports to the collector, with short delays."""
    return lambda **settings: start_bank(**{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
                                            "OTEL_BSP_SCHEDULE_DELAY": 20, **settings})
