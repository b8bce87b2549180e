"""openapi.json is valid OpenAPI 3.1 by the specification's own schema."""

import json
import subprocess

import pytest

from conftest import ROOT, TOOLS

FILE = ROOT / "server" / "page" / "openapi.json"


def validate(file):
    return subprocess.run([TOOLS / "openapi-spec-validator", "--schema", "3.1", str(file)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)


def test_the_document_is_valid():
    outcome = validate(FILE)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize("damage", [
    lambda document: document.pop("info"),
    lambda document: document["paths"]["/accounts"]["get"].update(parameters=[{"name": "limit"}]),
    lambda document: document["components"]["schemas"]["Account"].update(type="text"),
    lambda document: document["paths"]["/transfer"]["post"]["responses"].update({"700": {"description": "no"}}),
    lambda document: document["paths"]["/accounts/{id}"].pop("parameters"),
], ids=["no info", "a parameter of nowhere", "no such type", "no such status", "a path's parameter missing"])
def test_damage_is_found(damage, tmp_path):
    """The validator itself works: it finds these faults."""
    document = json.loads(FILE.read_text(encoding="utf-8"))
    damage(document)
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert validate(file).returncode != 0
