"""The two example applications that are cheap to install, a few rounds each. apps/rounds.py runs all of them, in 1,000
rounds."""

import os
import sys

import pytest
from proxy import ROOT

sys.path.append(str(ROOT / "tests/proxy/apps"))

from applications import APPLICATIONS, CannotInstall  # noqa: E402
from rounds import Race, summary  # noqa: E402

ROUNDS = max(3, int(os.environ.get("LAB_ROUNDS", "100")) // 10)


@pytest.fixture(scope="module", params=["django", "node"])
def application(request):
    application = APPLICATIONS[request.param]
    try:
        application.ensure()
    except CannotInstall as reason:
        pytest.skip(str(reason))
    return application


@pytest.mark.parametrize("how", ["plain", "lock", "guard"])
def test_each_round_ends_as_promised(application, cluster, how):
    with Race(application, cluster, how).ready() as race:
        rounds = [race.play() for _ in range(ROUNDS)]
    words, is_good = summary(application.name, how, rounds)
    assert is_good, words
