"""race-proxy prove --explore hands what COMMAND did to race-explore, which runs every order of two of them."""

import json
import pathlib
import shutil
import sys
import xml.etree.ElementTree

import jsonschema
from test_prove import SHOP, prover  # noqa: F401

SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[2] / "docs/prove.schema.json").read_text())
RACING = """
BEGIN;
SELECT balance - 80 AS rest FROM accounts WHERE id = 'alice' \\gset
UPDATE accounts SET balance = :rest WHERE id = 'alice';
COMMIT;
"""


def explored(prover, *command, options=()):  # noqa: F811
    """The exit status, the member "explore" of the JSON, and the outcome."""
    file = prover.folder / "recorded.sql"
    outcome = prover.run(*command, options=(f"--explore={file}", "--json", prover.folder / "prove.json", *options))
    text = (prover.folder / "prove.json").read_text()
    if text:
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(text))
    return outcome.returncode, json.loads(text)["explore"] if text else None, outcome


def psql(prover, script):  # noqa: F811
    path = prover.folder / "script.sql"
    path.write_text(script)
    return "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", path


def test_a_racing_psql_script(prover):  # noqa: F811
    report = prover.folder / "report.xml"
    status, found, outcome = explored(prover, *psql(prover, RACING), options=("--junit", report))
    assert status == 1 and found["problem"] is None, outcome.stderr + outcome.stdout
    assert [each["name"] for each in found["anomalies"]] == ["lost update (P4)"]
    assert 0 < found["proved"] < found["orders"] and found["complete"]
    assert found["fix"].startswith("SELECT ... FOR UPDATE")
    assert "the smallest order" in found["story"] and found["story"] in outcome.stdout
    assert f"Again: ./lab explore {prover.folder}/recorded.sql" in outcome.stderr
    suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "2", "0")
    assert "lost update" in suite.find("testcase[@name='every order']/failure").get("message")
    text = (prover.folder / "recorded.sql").read_text()
    assert "SELECT balance - 80 AS rest" in text and "-- session B like A" in text
    assert "INSERT INTO public.accounts VALUES\n\t('alice', 100, 0)" in text and "public.guests" not in text


def test_a_psql_script_that_locks(prover):  # noqa: F811
    script = RACING.replace("'alice' \\gset", "'alice' FOR UPDATE \\gset")
    status, found, outcome = explored(prover, *psql(prover, script))
    assert (status, found["proved"], found["possible"]) == (0, 0, 0), outcome.stderr + outcome.stdout


def test_another_branch_is_no_anomaly(prover):  # noqa: F811
    """If the guarded write changes no row, the program may roll back."""
    status, found, outcome = explored(prover, sys.executable, SHOP, "guarded")
    assert (status, found["proved"]) == (0, 0) and found["possible"] > 0, outcome.stderr + outcome.stdout
    assert "another answer than it got alone" in outcome.stdout.replace("\n   ", " ")


def test_parameters_and_two_values(prover):  # noqa: F811
    """Prepared statements with binary numbers; the second copy takes another amount."""
    status, found, outcome = explored(prover, sys.executable, pathlib.Path(__file__).parent / "parameters.py")
    assert (status, found["problem"]) == (1, None), outcome.stderr + outcome.stdout
    text = (prover.folder / "recorded.sql").read_text()
    assert "SET balance = '99'::bigint WHERE id = 'alice'::text" in text.split("-- session B")[0]
    assert "SET balance = '98'::bigint WHERE id = 'alice'::text" in text.split("-- session B")[1]


def test_what_is_missing(prover):  # noqa: F811
    (prover.folder / "recorded.sql").write_text("SELECT 1;")
    status, _, outcome = explored(prover, "true")
    assert status == 2 and "was not recorded by race-proxy prove" in outcome.stderr
    (prover.folder / "recorded.sql").unlink()
    prover.environment["PATH"] = str(prover.folder)
    (prover.folder / "sh").symlink_to(shutil.which("sh"))
    status, _, outcome = explored(prover, "/bin/true")
    assert status == 2 and "there is no pg_dump in PATH" in outcome.stderr


def test_an_explorer_that_fails(prover):  # noqa: F811
    status, found, outcome = explored(prover, sys.executable, SHOP, "look",
                                      options=("--explorer", "echo no ink >&2; false"))
    assert status == 3 and "no ink" in found["problem"], outcome.stderr + outcome.stdout
