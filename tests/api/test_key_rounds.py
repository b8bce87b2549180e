"""The short form of key_rounds.py."""

import key_rounds


def test_every_key_is_posted_once():
    statuses, blows, faults = key_rounds.play(count=300, clients=8, seed=1, pause=75)
    assert faults == []
    assert blows >= 2 and statuses["replayed"] > 0
