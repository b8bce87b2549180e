"""Every k6 script passes and fails where it must, and restores the settings."""

import json

import pytest

FOUND = {"delay_enabled": True, "delay_ms": 17, "barrier_enabled": False, "barrier_count": 3, "use_transactions": False}
COUNTED = ["transfers_succeeded", "transfers_refused", "transfers_broken", "stale_reads", "double_spends"]
CROSSED = 99  # k6: some thresholds have failed


@pytest.fixture(autouse=True)
def settings(lab):
    """Sets unusual settings, and checks at the end that they are restored."""
    found = lab.set(**FOUND)
    yield found
    assert {**lab.get("/admin/settings"), **FOUND} == lab.get("/admin/settings")


def passed(load, name, **environment):
    """The metrics of a run that must pass."""
    outcome, summary = load(name, **environment)
    assert outcome.returncode == 0, outcome.stdout
    metrics = json.loads(summary.read_text())["metrics"]
    assert not set(COUNTED + ["transfer_time", "balance_left"]) - set(metrics), sorted(metrics)
    assert metrics["transfers_broken"]["count"] == 0
    return metrics


def test_basic(load, lab):
    metrics = passed(load, "basic")
    assert metrics["transfers_succeeded"]["count"] >= 10
    assert metrics["transfers_refused"]["count"] > 0
    assert lab.get("/accounts/alice")["balance"] == 1000 - 100 * metrics["transfers_succeeded"]["count"]


def test_barrier_test_proves_the_race(load, lab):
    metrics = passed(load, "barrier-test")
    assert metrics["double_spends"]["count"] == metrics["stale_reads"]["count"] == 1
    assert metrics["balance_left"]["min"] == -600
    assert lab.get("/accounts/alice")["balance"] == 1000, "it cleans up after itself"


def test_concurrent_transfers(load):
    metrics = passed(load, "concurrent-transfers")
    assert "rounds_raced" in metrics


def test_fix_comparison(load):
    outcome, summary = load("fix-comparison")
    assert outcome.returncode == 0, outcome.stdout
    metrics = json.loads(summary.read_text())["metrics"]
    assert metrics["double_spends{mode:vulnerable}"]["count"] > 0
    assert metrics["double_spends{mode:safe}"]["count"] == 0
    assert metrics["transfers_succeeded{mode:safe}"]["count"] > 0
    table = " ".join(outcome.stdout.split())
    assert "vulnerable safe transfers done" in table
    assert f"double spends {metrics['double_spends{mode:vulnerable}']['count']} 0" in table


class TestWithTheFixOn:
    @pytest.fixture(autouse=True)
    def fix(self, lab, settings):
        lab.set(use_transactions=True)
        yield
        assert lab.get("/admin/settings")["use_transactions"], "it was found on"
        lab.set(use_transactions=False)

    def test_barrier_test_fails(self, load):
        outcome, summary = load("barrier-test")
        assert outcome.returncode == CROSSED, outcome.stdout
        assert json.loads(summary.read_text())["metrics"]["double_spends"]["count"] == 0

    def test_barrier_test_passes_with_a_given_mode(self, load):
        assert passed(load, "barrier-test", MODE="vulnerable")["double_spends"]["count"] == 1

    @pytest.mark.parametrize("name", ["basic", "concurrent-transfers"])
    def test_the_others_pass_and_see_no_race(self, load, name):
        metrics = passed(load, name)
        assert metrics["stale_reads"]["count"] == metrics["double_spends"]["count"] == 0
        assert metrics["balance_left"]["min"] >= 0


def test_concurrent_transfers_with_a_barrier_race_every_time(load, lab):
    lab.set(barrier_enabled=True)
    metrics = passed(load, "concurrent-transfers")
    assert metrics["rounds_raced"]["value"] == 1
    assert lab.get("/admin/settings")["barrier_enabled"]
    lab.set(barrier_enabled=False)


def test_a_bank_that_does_not_answer_fails_the_run(load):
    outcome, _ = load("basic", BASE_URL="http://127.0.0.1:1")
    assert outcome.returncode not in (0, 1), outcome.stdout


def test_the_names_are_listed(lab):
    outcome = lab.run("load")
    assert outcome.returncode == 0
    for name in ("basic", "barrier-test", "concurrent-transfers", "fix-comparison"):
        assert f"  {name} " in outcome.stdout


def test_an_unknown_name_is_refused(lab):
    for name in ("nonsense", "../loadtest/basic", "lib/bank", "--nonsense"):
        outcome = lab.run("load", name)
        assert outcome.returncode == 1
        assert "no script" in outcome.stdout
