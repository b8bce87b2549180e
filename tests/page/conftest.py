"""The fixtures: those of the API tests, and browsers. At the end of a test every browser is checked: no error in its
console, and no request to another host."""

import importlib.util
import os
import pathlib
import urllib.parse

import pytest

import bank as bank_module
from held_proxy import HeldProxy

SKIPPED = 77  # the same number as in CMakeLists.txt
ROOT = pathlib.Path(__file__).resolve().parents[2]
AXE = pathlib.Path(os.environ.get("AXE_CORE", ROOT / ".lab/axe-core/axe.min.js"))

try:
    import browser as browser_module
except ModuleNotFoundError:
    browser_module = None


def _of_the_api_tests():
    specification = importlib.util.spec_from_file_location("api_conftest", ROOT / "tests/api/conftest.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


_api = _of_the_api_tests()
cluster = _api.cluster
bank = _api.bank
start_bank = _api.start_bank
background = _api.background


def pytest_configure(config):
    _api.pytest_configure(config)
    if config.option.collectonly:
        return
    missing = "python3-selenium" if browser_module is None else "chromium" if not browser_module.CHROMIUM else \
        "chromium-driver" if not browser_module.DRIVER else None
    if missing:
        pytest.exit(f"skipped: no {missing} on this machine (apt install chromium chromium-driver python3-selenium)",
                    returncode=SKIPPED)


def pytest_sessionfinish(session, exitstatus):
    """A file whose every test was skipped counts as skipped, not as passed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and reporter and reporter.stats.get("skipped") and not reporter.stats.get("passed"):
        session.exitstatus = SKIPPED


def _settings(bank):
    return bank.request("GET", "/admin/settings", None, bank._admin).json()


bank_module.Bank.settings = _settings


@pytest.fixture(autouse=True)
def initial_state(request):
    """Every test starts with the default settings, the usual strategy and the initial balances."""
    if "bank" in request.fixturenames:
        bank = request.getfixturevalue("bank")
        bank.set(strategy="vulnerable")
        bank.back_to_the_initial_state()


@pytest.fixture(scope="session")
def browsers():
    """The browsers that no test uses now. The start of a browser costs more than most tests."""
    free = []
    yield free
    for window in free:
        window.close()


@pytest.fixture
def open_browser(browsers):
    """Opens browsers: open_browser(bank, path="/", size=..., scheme="dark")."""
    opened = []

    def start(bank=None, path="/", **options):
        window = browsers.pop() if browsers else browser_module.Browser()
        opened.append(window)
        window.begin(**options)
        return window.open(bank, path).until_live() if bank else window

    yield start
    findings = []
    for window in opened:
        findings += window.console_errors()
        findings += [url for url in window.requested()
                     if urllib.parse.urlsplit(url).hostname not in ("127.0.0.1", None)]
        window.end()
        browsers.append(window)
    assert not findings, findings


@pytest.fixture
def page(bank, open_browser):
    """The module's bank in a browser that receives its events."""
    return open_browser(bank)


@pytest.fixture
def proxy(bank):
    """A proxy between the browser and the module's bank: open_browser(proxy)."""
    between = HeldProxy(bank)
    yield between
    between.stop()


@pytest.fixture(scope="session")
def axe():
    """axe-core's source; `./lab test` fetches it if there is an npm."""
    if not AXE.is_file():
        pytest.skip(f"no axe-core at {AXE.relative_to(ROOT) if AXE.is_relative_to(ROOT) else AXE}: "
                    "'./lab test' fetches it where there is an npm")
    return AXE.read_text(encoding="utf-8")
