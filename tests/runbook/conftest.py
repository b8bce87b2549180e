"""A launcher with a state folder of its own, a test; what it started must end well."""

import pytest

from lab import PROGRAM, Lab
from terminal import Terminal


def pytest_configure(config):
    if not PROGRAM.is_file() and not config.option.collectonly:
        pytest.exit(f"no program at {PROGRAM}: build it, or name it in BANK_API", returncode=2)


@pytest.fixture
def lab():
    lab = Lab()
    yield lab
    lab.close()


@pytest.fixture
def terminal():
    """terminal(LAB, COLUMNS, VERB...): the launcher at a terminal."""
    opened = []

    def start(*arguments, **environment):
        opened.append(Terminal(*arguments, **environment))
        return opened[-1]
    yield start
    for each in opened:
        each.close()
