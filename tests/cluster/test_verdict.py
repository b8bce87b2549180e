"""The verdict of a failover, from made-up answers and records."""

import signal
import subprocess

import pytest

from machines import clients, process, verdict


def load_of(acknowledged, unknown=(), times=(0.0, 1.0)):
    load = clients.Load(1, 1, "k")
    load.acknowledged = {key: (identity, at) for key, identity, at in acknowledged}
    load.unknown = {key: (("a", "b"), identity) for key, identity in unknown}
    load.started_at, load.stopped_at = times
    return load


def test_an_acknowledged_transfer_without_a_record_is_lost():
    load = load_of([("k1", "id1", 0.2), ("k2", "id2", 0.4), ("k3", "id3", 0.5)])
    figures = verdict.judge(load, {}, {"k1": "id1", "k3": "another"}, 0, 0.0)
    assert (figures["acknowledged"], figures["lost"], figures["twice"]) == (3, 2, 0)
    assert verdict.broken_promises("sync", figures) == ["2 acknowledged transfers are lost"]
    assert verdict.broken_promises("async", figures) == []


def test_a_record_without_a_key_is_a_second_posting():
    figures = verdict.judge(load_of([("k1", "id1", 0.2)]), {}, {"k1": "id1"}, 1, 0.0)
    assert figures["twice"] == 1
    assert verdict.broken_promises("async", figures) == ["1 transfers are posted twice"]


def test_how_unknown_outcomes_ended():
    load = load_of([], [("k1", "id1"), ("k2", None), ("k3", "id3")])
    resolved = {"k1": ("was there", "id1", True), "k2": ("posted now", "id9", False), "k3": ("contradicted", "id7", True)}
    figures = verdict.judge(load, resolved, {"k1": "id1", "k2": "id9", "k3": "id7"}, 0, 0.0)
    assert [figures[name] for name in ("unknown", "with_id", "was_there", "posted_now", "unresolved")] == [3, 2, 1, 1, 1]
    assert verdict.broken_promises("sync", figures) == ["1 unknown transfers could not be resolved"]


@pytest.mark.parametrize("moments, gap", [([], 30.0), ([1.0, 29.0], 28.0), ([20.0], 20.0), ([5.0, 5.5, 6.0], 24.0)])
def test_the_gap_counts_the_ends_of_the_load(moments, gap):
    load = load_of([(f"k{at}", "id", at) for at in moments], times=(0.0, 30.0))
    assert load.gap() == gap


def test_the_promises_about_books_and_gap():
    figures = verdict.judge(load_of([("k1", "id1", 26.0)], times=(0.0, 26.0)), {}, {"k1": "id1"}, 0, 0.01)
    assert verdict.broken_promises("async", figures) == ["the books are off by 0.01",
                                                         "no transfer for 26.0 s, more than 25 s"]


@pytest.mark.parametrize("status, body, refused", [
    (503, {}, True), (503, {"detail": "no server"}, True), (504, {"detail": "Transfer 0a1b2c3d"}, False),
    (500, {"detail": "The database refused transfer 0a1b2c3d; nothing was transferred: the message"}, True),
    (500, {"detail": "Transfer 0a1b2c3d was left partially applied"}, False), (None, {}, False), (502, {}, False)])
def test_an_answer_that_refuses(status, body, refused):
    assert clients.is_refused(status, body) == refused


def test_the_id_in_an_answer():
    assert clients.transfer_id({"detail": "The outcome of transfer 0a1b2c3d is unknown"}) == "0a1b2c3d"
    assert clients.transfer_id({}) is None


def test_a_process_is_found_again_and_ended(tmp_path):
    (tmp_path / "log").mkdir()
    first = process.Process(tmp_path, "sleeper")
    first.start(["sleep", "600"], tmp_path, {})
    again = process.Process(tmp_path, "sleeper")
    assert again.pid() == first.pid()
    assert again.kill(signal.SIGKILL)
    assert first.wait_end(10)
    assert again.pid() is None


def test_another_process_with_its_number_is_left_alone(tmp_path):
    (tmp_path / "log").mkdir()
    with subprocess.Popen(["sleep", "600"]) as other:
        (tmp_path / "sleeper.pid").write_text(f"{other.pid} 1\n")
        assert process.Process(tmp_path, "sleeper").stop(1)
        assert other.poll() is None
        other.kill()
