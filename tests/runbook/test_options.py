"""Options that cannot be used: one line names the verb and says what to change, before anything is begun."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from lab import ROOT, Lab, new_folder


@pytest.fixture
def quiet():
    """A launcher whose state is looked at: nothing may be begun in it."""
    lab = Lab()
    yield lab
    shutil.rmtree(lab.state)


def refused(lab, *arguments):
    outcome = lab.run(*arguments, timeout=60)
    assert outcome.returncode == 1, outcome.stdout
    assert outcome.stdout.startswith("lab: ") and outcome.stdout.count("\n") == 1, outcome.stdout
    assert not list(lab.state.glob("*postgres*")), "a database was made"
    return outcome.stdout


@pytest.mark.parametrize("verb, option", [
    ("up", "--port"), ("logs", "-n"), ("logs", "--lines"), ("races", "--port"), ("watch", "--port"), ("demo", "--act"), ("runbook", "--port"), ("runbook", "--file"), ("test", "--preset"),
    ("test", "--postgres"), ("test", "-R")])
def test_a_value_that_is_missing(quiet, verb, option):
    wanted = f"lab: {verb}: {option} wants a value: './lab {verb} --help' describes it\n"
    assert refused(quiet, verb, option) == wanted
    assert refused(quiet, verb, option, "") == wanted
    if option in ("--file", "--preset", "--postgres"):
        assert refused(quiet, verb, f"{option}=") == wanted


@pytest.mark.parametrize("other", [("--preset", "asan"), ("--postgres", "14"), ("-R", "unit")])
def test_compose_takes_no_choice_of_tests(quiet, other):
    assert "leave --preset, --postgres and -R out" in refused(quiet, "test", "--compose", *other, "--no-install")


@pytest.mark.parametrize("verb", ["down", "status", "clean"])
def test_an_option_where_there_is_none_is_named(quiet, verb):
    assert refused(quiet, verb, "--now") == f"lab: {verb}: it takes no options: leave '--now' out\n"


@pytest.mark.parametrize("file", ["docs", "README.md", "no such file"])
def test_a_runbook_that_cannot_be_played_is_refused_before_a_server_starts(quiet, file):
    line = refused(quiet, "runbook", "--no-install", "--file", ROOT / file)
    assert "--file wants a file such as docs/RUNBOOK.md" in line or "docs/RUNBOOK.md shows how one looks" in line
    assert not (quiet.state / "initdb.log").exists()


@pytest.mark.parametrize("verb", ["bench", "compare"])
@pytest.mark.parametrize("options, complaint", [
    (["--bogus"], "no option '--bogus': './lab {} --help' lists them"),
    (["--quick", "hello"], "no option 'hello': './lab {} --help' lists them"),
    (["--out"], "--out wants a value: './lab {} --help' describes it"),
    (["--rounds=many"], "--rounds wants a number of at least 1, not 'many'"),
    (["--seconds", "0"], "--seconds wants a number of at least 1, not '0'")])
def test_a_measurement_with_a_bad_option_is_refused_before_the_build(quiet, verb, options, complaint):
    assert refused(quiet, verb, *options) == f"lab: {verb}: {complaint.format(verb)}\n"
    assert not list(quiet.state.glob("build-*.log"))


@pytest.mark.parametrize("options, complaint", [
    (("-n", "-5"), "-n wants a number of lines, not '-5'"), (("-nfive",), "-n wants a number of lines, not 'five'"),
    (("-fx",), "-f wants a number of lines, not 'x'"), (("--lines=x",), "--lines wants a number of lines, not 'x'")])
def test_a_number_of_lines_that_is_none_is_shown(quiet, options, complaint):
    assert refused(quiet, "logs", *options) == f"lab: logs: {complaint}\n"


def test_numbers_of_clients_that_are_none(quiet):
    assert refused(quiet, "compare", "--clients", "2;8") == ("lab: compare: --clients wants numbers with commas between "
                                                             "them, such as 2,8,32, not '2;8'\n")


def test_a_part_that_is_none(quiet):
    assert refused(quiet, "bench", "--only", "nope") == ("lab: bench: --only wants transfers, reads or health, not "
                                                         "'nope'\n")


@pytest.mark.parametrize("options, count", [
    (("-n", "2"), 2), (("-n2",), 2), (("--lines", "2"), 2), (("--lines=2",), 2), (("--tail=3",), 3), ((), 50)])
def test_the_spellings_of_tail(quiet, options, count):
    (quiet.state / "bank-api.log").write_text("".join(f"{number}\n" for number in range(60)))
    assert quiet.run("logs", *options).stdout.split() == [str(number) for number in range(60 - count, 60)]


@pytest.mark.parametrize("options", [("-f",), ("--follow", "-n50"), ("-f50",)])
def test_the_log_is_followed_in_colour(quiet, terminal, options):
    log = quiet.state / "bank-api.log"
    log.write_text("12:00:00.000 INFO  [bank-api] first\n")
    shown = terminal(quiet, 80, "logs", *options)
    shown.until("first")
    with log.open("a") as more:
        more.write("12:00:00.001 WARN  [bank-api] [0a1b2c3d] RACE CONDITION DETECTED: alice is negative: $-600.00\n"
                   "12:00:00.002 WARN  [bank-api] second\n12:00:00.003 INFO  [bank-api] third\n")
    shown.until("third")
    lines = {line.split("] ")[-1].rstrip("\x1b[0m"): line for line in shown.printed.split("\r\n")}
    assert "\x1b[31m\x1b[1m12:00:00.001" in shown.printed and "\x1b[33m12:00:00.002" in shown.printed
    assert lines["third"].startswith("12:00:00.003")


@pytest.mark.parametrize("word, meant", [("upp", "up"), ("stauts", "status"), ("demos", "demo"), ("logs2", "logs"),
                                         ("Help", "help"), ("versoin", "version")])
def test_a_mistyped_verb_is_recognised(quiet, word, meant):
    assert refused(quiet, word) == f"lab: no verb '{word}': did you mean './lab {meant}'? './lab help' lists all\n"
    assert f"did you mean './lab {meant}'" in refused(quiet, "help", word)


@pytest.mark.parametrize("word", ["nonsense", "--bogus", "x" * 100])
def test_a_word_that_resembles_no_verb(quiet, word):
    assert refused(quiet, word) == f"lab: no verb '{word}': './lab help' lists them\n"


def test_a_port_without_its_option(quiet):
    assert refused(quiet, "up", "8000") == "lab: up: no option '8000': did you mean --port 8000?\n"


def test_every_verb_has_a_help_of_80_columns(quiet):
    main = quiet.run("help").stdout
    verbs = re.findall(r"^  ([a-z]+) {2,}", main, re.MULTILINE)
    assert {"demo", "races", "watch", "version"} <= set(verbs)
    for verb in verbs:
        text = quiet.run(verb, "--help").stdout
        assert text.startswith(("Usage: ./lab", "Race Conditions Lab"))
        assert [line for line in text.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("words", [("help", "help"), ("help", "--help"), ("--help",), ("-h",)])
def test_help_about_help(quiet, words):
    outcome = quiet.run(*words)
    assert outcome.returncode == 0 and "Usage: ./lab VERB" in outcome.stdout


@pytest.mark.parametrize("program, option", [("compare.py", "--out"), ("bench.py", "--out"), ("yardsticks.py", "--json")])
def test_results_that_cannot_be_written_are_refused_before_the_measurement(program, option):
    folder = new_folder()
    (folder / "a file").touch()
    outcome = subprocess.run([sys.executable, ROOT / "loadtest" / program, option, folder / "a file/x"], timeout=60,
                             stdin=subprocess.DEVNULL, capture_output=True, text=True)
    shutil.rmtree(folder)
    assert outcome.returncode == 2, outcome.stderr
    assert f"error: {option}: " in outcome.stderr and "name another" in outcome.stderr


@pytest.fixture
def built():
    """A checkout with a test `one` in two builds and `two` in all three; cmake is a stand-in, ctest the real one."""
    folder = new_folder()
    root = folder / "checkout"
    (root / "compose").mkdir(parents=True)
    for file in ("lab", "CMakePresets.json"):
        shutil.copy(ROOT / file, root)
    shutil.copytree(ROOT / "compose/native", root / "compose/native")
    (root / "tests/openapi").mkdir(parents=True)
    (root / "tests/openapi/requirements.txt").touch()
    for preset in ("release", "asan", "tsan"):
        (root / "build" / preset).mkdir(parents=True)
        names = ("two",) if preset == "tsan" else ("one", "two")
        (root / "build" / preset / "CTestTestfile.cmake").write_text("".join(
            f'add_test({name} true)\nset_tests_properties({name} PROPERTIES LABELS "threads;api")\n' for name in names))
    cmake = folder / "tools/cmake"
    cmake.parent.mkdir()
    cmake.write_text("#!/bin/sh\nexit 0\n")
    cmake.chmod(0o755)
    lab = Lab(root, root / ".lab")
    if (ROOT / ".lab/llhttp").exists():
        shutil.copytree(ROOT / ".lab/llhttp", lab.state / "llhttp", symlinks=True)

    def test(*options):
        outcome = lab.run("test", "--no-install", *options, LAB_PROGRAM="", PATH=f"{cmake.parent}:{os.environ['PATH']}")
        if "missing: " in outcome.stdout:
            pytest.skip(outcome.stdout)
        return outcome

    yield test
    shutil.rmtree(folder)


def test_a_build_without_a_matching_test_is_no_failure(built):
    outcome = built("-R", "^one$")
    assert outcome.returncode == 0, outcome.stdout
    assert outcome.stdout.count("100% tests passed, 0 tests failed out of 1") == 4, outcome.stdout  # each said twice
    assert "tsan     no test matches" in outcome.stdout


@pytest.mark.parametrize("regex", ["^three$", "("])
def test_a_regex_that_matches_nothing_is_named(built, regex):
    outcome = built("-R", regex)
    assert outcome.returncode == 1
    assert outcome.stdout.splitlines()[-1] == (f"lab: test: -R '{regex}' matches no test: "
                                               "'ctest --preset release -N' lists their names"), outcome.stdout
