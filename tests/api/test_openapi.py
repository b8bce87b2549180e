"""openapi.json on its own: it lists the routes of the router, its references resolve, its examples match its schemas,
and its ranges are the server's."""

import json
import pathlib
import random
import re

import pytest

from client import JSON_TYPE, transfer_body
from problem import assert_problem
from version import as_served, program_version

jsonschema = pytest.importorskip("jsonschema", reason="no jsonschema (apt install python3-jsonschema)")
from document import Document, parse  # noqa: E402

ENVIRONMENT = {"WORKER_THREADS": "512"}  # the largest pool, for the largest barrier

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUTE = re.compile(r'ROUTE\((\w+), "([^"]+)", \w+, (true|false)\)')

document = Document()


def routes():
    """{(method, path): whether the token is required}, from the router's table."""
    table = (ROOT / "server" / "api" / "routes.h").read_text()
    found = {(method, path): admin == "true" for method, path, admin in ROUTE.findall(table)}
    assert len(found) > 10
    return found


def test_paths_and_methods_are_the_routers():
    assert sorted((method, path) for method, path, _ in document.operations()) == sorted(routes())


def test_the_token_is_asked_for_where_the_router_says():
    for method, path, operation in document.operations():
        asked = {"adminToken": []} in operation.get("security", [])
        assert asked is routes()[method, path], path
        assert ("401" in operation["responses"]) is asked, path


def test_every_operation_is_described():
    tags = [tag["name"] for tag in document.root["tags"]]
    names = [operation["operationId"] for _, _, operation in document.operations()]
    assert len(set(names)) == len(names)
    for method, path, operation in document.operations():
        assert operation["summary"] and len(operation["tags"]) == 1 and operation["tags"][0] in tags, path
        assert all(document.resolve(each)["description"] for each in operation["responses"].values()), path
        assert list(operation["responses"]) == sorted(operation["responses"]), path
        in_path = [each["name"] for each in document.parameters(method, path) if each["in"] == "path"]
        assert in_path == re.findall(r"\{(\w+)\}", path)
        assert all(each["description"] for each in document.parameters(method, path)), path
    assert set(tags) == {operation["tags"][0] for _, _, operation in document.operations()}


def test_every_reference_leads_somewhere_and_nothing_is_left_over():
    referred = set()
    for where, reference in document.references():
        assert document.resolve({"$ref": reference}) is not None, where
        referred.add(reference)
    for kind in ("schemas", "responses", "parameters", "headers", "examples"):
        unused = [name for name in document.components[kind] if f"#/components/{kind}/{name}" not in referred]
        assert unused == [], kind


def test_every_example_is_of_its_schema():
    examples = list(document.examples())
    assert len(examples) > 50
    wrong = [(where, errors) for where, schema, value in examples if (errors := document.errors(schema, value))]
    assert wrong == []


def test_every_answer_with_json_has_an_example():
    for method, path, operation in document.operations():
        for status, response in operation["responses"].items():
            for kind, content in document.resolve(response).get("content", {}).items():
                if kind.endswith("json") and not path.startswith(("/page/", "/openapi")):
                    assert content.get("examples"), (method, path, status)


def test_an_undocumented_key_is_found():
    """The checks themselves work: a key that is not in a schema is found, at the top, further down, and in composed
    schemas."""
    account = {"id": "alice", "balance": 1}
    assert document.errors({"$ref": "#/components/schemas/Accounts"}, {"accounts": [account]}) == []
    assert document.errors({"$ref": "#/components/schemas/Accounts"}, {"accounts": [{**account, "colour": 1}]})
    assert document.errors({"$ref": "#/components/schemas/Accounts"}, {"accounts": [], "colour": 1})
    step = {"id": "0123abcd", "step": "read", "at_us": 1, "took_us": 1}
    assert document.errors({"$ref": "#/components/schemas/EventStep"}, step) == []
    assert document.errors({"$ref": "#/components/schemas/EventStep"}, {**step, "colour": 1})
    assert document.errors({"$ref": "#/components/schemas/EventStep"}, {**step, "step": "dance"})


RANGES = [(method, path, parameter["name"]) for method, path, _ in document.operations()
          for parameter in document.parameters(method, path)
          if parameter["in"] == "query" and "maximum" in parameter["schema"]]


@pytest.mark.parametrize("method, path, name", RANGES)
def test_ranges_of_parameters_are_the_servers(bank, method, path, name):
    schema = next(each["schema"] for each in document.parameters(method, path) if each["name"] == name)
    for value in (schema["minimum"], schema["maximum"], schema.get("default", schema["minimum"])):
        assert bank.request(method, f"{path}?{name}={value}").status == 200, value
    for value in (schema["minimum"] - 1, schema["maximum"] + 1):
        assert_problem(bank.request(method, f"{path}?{name}={value}"), 422)


def test_defaults_of_parameters_are_the_servers(bank):
    assert bank.post("/admin/delay").json() == {"delay_enabled": True, "delay_ms": 100}
    assert bank.post("/admin/barrier").json() == {"barrier_enabled": True, "barrier_count": 2}
    defaults = {(path, parameter["name"]): parameter["schema"]["default"] for method, path, _ in document.operations()
                for parameter in document.parameters(method, path) if "default" in parameter["schema"]}
    assert defaults == {("/transactions", "limit"): 20, ("/races", "limit"): 20, ("/admin/delay", "enabled"): True,
                        ("/admin/barrier", "enabled"): True, ("/admin/barrier", "count"): 2,
                        ("/admin/transactions", "enabled"): True, ("/reset", "totals"): False}


SETTINGS = document.components["schemas"]["SettingsChange"]["properties"]


def change(bank, text):
    return bank.request("POST", "/admin/settings", text, JSON_TYPE)


@pytest.mark.parametrize("name", [name for name, schema in SETTINGS.items() if "maximum" in schema])
def test_ranges_of_settings_are_the_servers(bank, name):
    schema = SETTINGS[name]
    for value in (schema["minimum"], schema["maximum"]):
        assert change(bank, f'{{"{name}": {value}}}').status == 200, value
    for value in (schema["minimum"] - 1, schema["maximum"] + 1):
        assert_problem(change(bank, f'{{"{name}": {value}}}'), 422)


def test_every_setting_can_be_changed(bank):
    settings = bank.get("/admin/settings").json()
    assert sorted(settings) == sorted(SETTINGS)
    assert change(bank, '{"strategy": "vulnerable"}').status == 200
    assert_problem(change(bank, '{"colour": "red"}'), 422)


def test_strategies_are_the_servers(bank):
    listed = [each["name"] for each in bank.get("/strategies").json()["strategies"]]
    assert listed == document.components["schemas"]["StrategyName"]["enum"]


@pytest.mark.parametrize("amount, fits", [
    ("0.01", True), ("1e12", True), ("12.34", True), ("0", False), ("-1", False), ("0.001", False), ("0.009", False),
    ("1000000000000.01", False), ('"1"', False)])
def test_amounts_that_fit_are_the_servers(bank, amount, fits):
    body = parse(f'{{"from_account": "alice", "to_account": "bob", "amount": {amount}}}')
    assert (document.errors({"$ref": "#/components/schemas/TransferRequest"}, body) == []) is fits
    assert bank.transfer(amount=amount).status == (200 if fits else 422)


def amounts():
    """Every number of cents up to 20.00, and many of each magnitude up to the largest, as their decimal texts."""
    largest = 10 ** 14
    spread = random.Random(21)
    cents = {*range(1, 2001), largest, largest - 1}
    for digits in range(4, 15):
        cents |= {spread.randint(10 ** (digits - 1), 10 ** digits) for _ in range(200)}
    return [f"{each // 100}.{each % 100:02}" for each in sorted(cents)]


def test_every_amount_the_server_takes_is_valid_with_binary_floats(bank):
    """Validators calculate with doubles. Each of these amounts must be valid, as an amount and as a balance of an
    answer."""
    root = json.loads(document.text)
    request, money = (jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components":
                                                       root["components"]}) for name in ("TransferRequest", "Money"))
    texts = amounts()
    bodies = [json.loads(transfer_body("alice", "bob", text)) for text in texts]
    assert all(type(body["amount"]) is float for body in bodies)
    assert [body["amount"] for body in bodies if not request.is_valid(body)] == []
    assert [body["amount"] for body in bodies if not money.is_valid(body["amount"]) or
            not money.is_valid(-body["amount"])] == []
    with bank.client() as client:
        for text in [*texts[:100], *texts[100::100], texts[-1]]:
            assert client.request("POST", "/transfer", transfer_body("alice", "bob", text), JSON_TYPE).status == 200, text


def test_it_is_what_the_server_serves(bank):
    answer = bank.get("/openapi.json")
    assert answer.text() == as_served(document.text)
    assert json.loads(answer.text())["info"]["version"] == program_version()
    assert document.root["openapi"].startswith("3.1.")
    assert document.root["info"]["license"]["identifier"] == "MIT"
