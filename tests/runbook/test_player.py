"""How a runbook is read and judged, on small ones. They are played as on the compose lab, which needs no sandbox,
with an engine that only records its calls."""

import pytest


@pytest.fixture
def play(lab, tmp_path, monkeypatch):
    """play(text): the outcome of `lab runbook --compose` on that runbook."""
    engine = tmp_path / "bin/docker"
    engine.parent.mkdir()
    engine.write_text(f"#!/bin/sh\necho \"$*\" >>{tmp_path}/asked\necho the engine was asked\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(engine.parent), prepend=":")

    def play_text(text):
        file = tmp_path / "RUNBOOK.md"
        file.write_text(text)
        return lab.run("runbook", "--compose", "--no-install", "--file", file)
    return play_text


def block(name, commands, expected=None):
    text = f'```bash {{"name": "{name}"}}\n{commands}\n```\n'
    if expected is not None:
        text += f'\n```text {{"expect": "{name}"}}\n{expected}\n```\n'
    return text


def holds(outcome):
    return outcome.returncode == 0


def test_blocks_are_played_in_order_and_tabled(play):
    outcome = play("# Title\n" + block("one", "echo first", "first") +
                   "Words.\n" + block("two", "echo second", "second"))
    assert holds(outcome), outcome.stdout
    lines = [" ".join(line.split()) for line in outcome.stdout.splitlines()]
    assert lines.index("one | 0 | held") + 1 == lines.index("two | 0 | held")


def test_what_is_not_seen_fails_and_is_named(play):
    outcome = play(block("one", "echo first", "first\nsecond") + block("two", "echo on", "on"))
    assert outcome.returncode == 1
    assert "NOT SEEN: second" in outcome.stdout
    assert "two                    |    0 | held" in outcome.stdout, "the others are played all the same"


def test_a_status_other_than_zero_fails(play):
    outcome = play(block("one", "echo first; exit 3", "first"))
    assert outcome.returncode == 1
    assert "one                    |    3 | held" in outcome.stdout


def test_the_error_output_counts_too(play):
    assert holds(play(block("one", "echo first >&2", "first")))


@pytest.mark.parametrize("shown, expected", [
    ("{\n  \"id\": \"alice\",\n  \"balance\": -600\n}", '{"id": "alice", "balance": -600.0}'),
    ('{"balance":-600.0}', '"balance": -600'),
    ("a b c d", "a ... d"),
    ("balance 200", "balance <200|-600>"),
    ("balance -600.0", "balance <200.0|-600.0>"),
    ("it costs $1000.00 (1/2) [x] a+b", "it costs $1000.00 (1/2) [x] a+b"),
    ("\x1b[32mgreen\x1b[0m", "green"),
    ("last\nfirst", "first\nlast"),
])
def test_seen(play, shown, expected):
    outcome = play(block("one", f"cat <<'END'\n{shown}\nEND", expected))
    assert holds(outcome), outcome.stdout


@pytest.mark.parametrize("shown, expected", [
    ("abc", "a.c"),
    ("balance 300", "balance <200|-600>"),
    ("balance 600", "balance -600"),
    ("b a", "a ... b"),
    ("10.05", "10.0 5.0"),
    ("", "anything"),
])
def test_not_seen(play, shown, expected):
    outcome = play(block("one", f"cat <<'END'\n{shown}\nEND", expected))
    assert outcome.returncode == 1
    assert "NOT SEEN" in outcome.stdout


@pytest.mark.parametrize("text, complaint", [
    (block("one", "echo a", "a") + block("one", "echo a", "a"), "a second one of one"),
    ('```text {"expect": "none"}\na\n```\n' + block("one", "echo a", "a"), "before it there is no block none"),
    (block("one", "echo a", ""), "nothing in it"),
    ('```bash {"name": "one"}\necho a\n', "the last block does not end"),
    (block("One/../two", "echo a", "a"), "no name for a block"),
    ('```bash {"names": "one"}\necho a\n```\n', "neither a block nor an expectation"),
    ("# Nothing\n", "no named block"),
])
def test_a_runbook_not_in_order_is_not_played(play, text, complaint):
    outcome = play(text)
    assert outcome.returncode == 1
    assert complaint in outcome.stdout
    assert "| held" not in outcome.stdout


def test_a_block_without_an_expectation_is_played(play):
    outcome = play(block("one", "echo first") + block("two", "echo second", "second"))
    assert holds(outcome), outcome.stdout
    assert "one                    |    0 | played, nothing to compare" in outcome.stdout
    assert "two                    |    0 | held" in outcome.stdout
    outcome = play(block("one", "exit 3"))
    assert outcome.returncode == 1
    assert "one                    |    3 | played, nothing to compare" in outcome.stdout


def test_with_an_engine_its_blocks_are_played(play, tmp_path):
    outcome = play(block("one", "docker compose ps", "the engine was asked"))
    assert holds(outcome), outcome.stdout
    assert (tmp_path / "asked").read_text().splitlines() == ["compose version", "compose ps"]
