"""openapi.json for the tests: its operations, and whether an answer of the server matches the document."""

import datetime
import decimal
import json
import pathlib
import re

import jsonschema

FILE = pathlib.Path(__file__).resolve().parents[2] / "server" / "page" / "openapi.json"
METHODS = ("get", "post", "put", "delete", "options", "head", "patch", "trace")
DIALECT = "https://json-schema.org/draft/2020-12/schema"

FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value):
    """RFC 3339, in UTC, as the bank writes it."""
    return bool(datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ")) if isinstance(value, str) else True


def parse(text):
    """Parses JSON; numbers with a point are exact."""
    return json.loads(text, parse_float=decimal.Decimal)


def media_type(header):
    return (header or "").split(";")[0].strip()


class Document:
    """The document. Its schemas allow unknown keys; here they are closed, so that an undocumented key is found."""

    def __init__(self, text=None):
        self.text = text or FILE.read_text(encoding="utf-8")
        self.root = parse(self.text)
        self.components = self.root["components"]
        self._closed = {"schemas": {name: self._close(schema) for name, schema in self.components["schemas"].items()}}
        self._closed["whole"] = {
            name: {"$ref": f"#/components/schemas/{name}", "unevaluatedProperties": False}
            for name in self.components["schemas"]}

    def _close(self, schema, part_of_another=False):
        """The schema with closed objects, and with references to closed ones, except inside an allOf."""
        if isinstance(schema, list):
            return [self._close(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        closed = {}
        for key, value in schema.items():
            if key == "$ref" and not part_of_another:
                closed[key] = value.replace("/schemas/", "/whole/")
            elif key == "allOf":
                closed[key] = [self._close(each, part_of_another=True) for each in value]
            elif key in ("enum", "const", "required", "examples"):
                closed[key] = value
            else:
                closed[key] = self._close(value)
        return closed

    def resolve(self, node):
        """The target of a reference; any other node is returned as it is."""
        while isinstance(node, dict) and "$ref" in node:
            found = self.root
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def operations(self):
        """(method, path, operation) of each; the method in capitals."""
        for path, item in self.root["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), path, item[method]

    def operation(self, method, path):
        return self.root["paths"][path][method.lower()]

    def parameters(self, method, path):
        """The parameters of the path and of the operation."""
        listed = self.root["paths"][path].get("parameters", []) + self.operation(method, path).get("parameters", [])
        return [self.resolve(each) for each in listed]

    def errors(self, schema, value):
        """The errors of the value by the schema, in words."""
        rule = {"$schema": DIALECT, "allOf": [self._close(schema)], "components": self._closed}
        if "properties" in schema:
            rule["unevaluatedProperties"] = False
        validator = jsonschema.Draft202012Validator(rule, format_checker=FORMATS)
        return [f"{'/'.join(map(str, error.absolute_path)) or 'the whole'}: {error.message[:300]}"
                for error in validator.iter_errors(value)]

    def event_schemas(self):
        """{name of the event: the schema of its data}."""
        ok = self.operation("GET", "/events")["responses"]["200"]
        return ok["content"]["text/event-stream"]["x-events"]

    def check(self, method, path, answer):
        """The differences between this answer and the documented operation, in words; empty if there are none."""
        documented = self.operation(method, path)["responses"].get(str(answer.status))
        if documented is None:
            return [f"{answer.status} is not documented"]
        documented = self.resolve(documented)
        return self._check_headers(documented, answer) + self._check_body(documented, answer)

    def _check_headers(self, documented, answer):
        wrong = []
        for name, header in documented.get("headers", {}).items():
            header = self.resolve(header)
            value = answer.headers.get(name)
            if value is None:
                wrong += [f"no header {name}"] if header.get("required") else []
                continue
            schema = self.resolve(header["schema"])
            read = int(value) if schema["type"] == "integer" and re.fullmatch(r"\d+", value) else value
            wrong += [f"header {name}: {error}" for error in self.errors(schema, read)]
        return wrong

    def _check_body(self, documented, answer):
        kind = media_type(answer.headers.get("Content-Type"))
        content = documented.get("content")
        if content is None:
            return [] if answer.body == b"" else ["a body, and none is documented"]
        if kind not in content:
            return [f"{kind} is not documented"]
        is_json = kind == "application/json" or kind.endswith("+json")
        value = parse(answer.body) if is_json and kind != "image/svg+xml" else answer.text()
        # In a terminal, the next text must not follow the JSON on the same line.
        is_line = answer.body == b"" or re.search(rb"[^\n]\n\Z", answer.body) is not None
        return self.errors(content[kind]["schema"], value) + ([] if is_line or not is_json else ["no single line end"])

    def examples(self):
        """(where, schema, value) of every example: of bodies, of answers, of parameters."""
        for where, node in self._walk(self.root, "#"):
            if not isinstance(node, dict) or "schema" not in node:
                continue
            if "example" in node:
                yield where, node["schema"], node["example"]
            for name, example in node.get("examples", {}).items():
                yield f"{where}/{name}", node["schema"], self.resolve(example)["value"]

    def references(self):
        """(where, what it refers to) of every reference."""
        for where, node in self._walk(self.root, "#"):
            if isinstance(node, dict) and isinstance(node.get("$ref"), str):
                yield where, node["$ref"]

    def _walk(self, node, where):
        yield where, node
        if isinstance(node, dict):
            for key, value in node.items():
                yield from self._walk(value, f"{where}/{key}")
        elif isinstance(node, list):
            for place, value in enumerate(node):
                yield from self._walk(value, f"{where}/{place}")
