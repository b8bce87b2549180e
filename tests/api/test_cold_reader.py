"""A short form of cold_reader.py: the page, psql and the terminal say about natural races what PostgreSQL did."""

import collections
import shutil

import pytest

from cold_reader import CANNOT_RACE, open_bank, read_races
from pace import scaled
from shown_races import Page
from strategies import SAFE, WRONG
from witness import WatchedCluster

RACES = 4


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A bank that the witness watches, and the page's modules."""
    for program, package in (("node", "nodejs"), ("jq", "jq")):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} (apt install {package})")
    cluster = WatchedCluster()
    try:
        cluster.start()
        bank = open_bank(cluster, tmp_path_factory.mktemp("bank"))
        page = Page(tmp_path_factory.mktemp("page"), bank.get("/strategies").text())
        yield bank, page
        page.close()
        bank.stop()
    finally:
        cluster.remove()


@pytest.mark.parametrize("strategy", [*WRONG, *SAFE])
def test_every_statement_is_what_the_database_did(watched, strategy):
    seen = collections.Counter()
    assert read_races(*watched, strategy, scaled(RACES), seen) == []
    assert seen["met"] > 0
    if strategy in CANNOT_RACE:
        assert seen["raced"] == 0
