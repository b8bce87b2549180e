"""Finds schemathesis and openapi-spec-validator. They are in a Python environment of their own, which './lab test'
makes from requirements.txt. Without it the tests are skipped."""

import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = pathlib.Path(os.environ.get("LAB_OPENAPI_TOOLS") or ROOT / ".lab" / "openapi") / "bin"
SKIPPED = 77  # the same number as in CMakeLists.txt


def pytest_configure(config):
    if not config.option.collectonly and not (TOOLS / "schemathesis").is_file():
        pytest.exit("skipped: no schemathesis: './lab test' installs it where pip reaches an index (and there is a "
                    "python3-venv)", returncode=SKIPPED)
