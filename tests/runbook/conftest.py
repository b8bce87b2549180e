"""A launcher with a state folder of its own, a test; what it started must end well."""

import pytest

from lab import PROGRAM, Lab


def pytest_configure(config):
    if not PROGRAM.is_file() and not config.option.collectonly:
        pytest.exit(f"no program at {PROGRAM}: build it, or name it in BANK_API", returncode=2)


@pytest.fixture
def lab():
    lab = Lab()
    yield lab
    lab.close()
