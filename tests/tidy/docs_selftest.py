"""The rules about the documentation pass a clean tree, and find each of the faults planted here."""
import importlib
import pathlib
import sys
import tempfile

CLEAN = {
    "CMakeLists.txt": "project(race_conditions_lab VERSION 4.5.6 LANGUAGES C)\n",
    "CHANGELOG.md": "# Changelog\n\n## [4.5.6] - 2026-01-02\n",
    "README.md": "# The lab\n\n[tour](docs/tour.md#who-owns-what-1), [below](#the-lab), [out](https://example.org/x),\n"
                 "![picture](docs/a.png) <img src=\"docs/a.png\">\n"
                 "`gate.c` `server/gate.c` `statements.h` `make gone.c`\n",
    "docs/a.png": "",
    "docs/tour.md": "# Tour\n\n## Who `owns` what?\n\n## Who owns what\n\n[wait](../server/gate.c#gate_wait)\n"
                    "[one](../server/gate.c#gate) [table](../server/gate.c#names) [limit](../server/gate.c#GATE_MAX)\n"
                    "[view](../sql/views.sql#races) [call](../sql/views.sql#read_races)\n\n"
                    "```\n[no](link.md) `gone.c`\n```\n"
                    "`[neither](gone.md)`\n",
    "server/gate.c": "#define GATE_MAX 3\nstruct gate {\n    int a;\n};\nstatic const char *const names[] = {\"a\"};\n"
                     "int gate_wait(struct gate *gate,\n              int count) {\n    return gate_open(count);\n}\n"
                     "// int gate_noted(void) {\nint gate_open(int count);\n",
    "sql/views.sql": "CREATE OR REPLACE VIEW races AS SELECT 1;\n-- name: read_races SELECT races\n",
    "docs/architecture.md": "[g](../a/gate/gate.h) [b](../b/b.h)\n",
    "tests/tidy/folders.txt": "a/gate\nb\n",
    "a/gate/gate.h": "",
    "b/b.h": "",
    "loadtest/peers/go.sum": "example.org/x v4.5.6\n",
    "lab": "json_suite_version=4.5.6\necho 14.5.6 version 4.5.67\n",
}

PLANTED = [
    ("doc_links", "README.md", "[a](docs/gone.md)\n", "README.md:1: docs/gone.md: there is no such file"),
    ("doc_links", "README.md", "\n[a]: docs/gone.md\n", "README.md:2: docs/gone.md: there is no such file"),
    ("doc_links", "README.md", "<img src=\"gone.png\">\n", "README.md:1: gone.png: there is no such file"),
    ("doc_links", "README.md", "[a](#nowhere)\n", "README.md:1: #nowhere: README.md has no such heading"),
    ("doc_links", "README.md", "[a](docs/tour.md#who-owns-what-2)\n",
     "README.md:1: docs/tour.md#who-owns-what-2: tour.md has"),
    ("doc_links", "README.md", "[a](../elsewhere)\n", "README.md:1: ../elsewhere: leads out of the repository"),
    ("doc_links", "README.md", "[a](server/gate.c#L7)\n",
     "README.md:1: server/gate.c#L7: server/gate.c does not define L7"),
    ("doc_links", "docs/tour.md", "[a](../server/gate.c#gate_open)\n",
     "docs/tour.md:1: ../server/gate.c#gate_open: ../server"),
    ("doc_links", "docs/tour.md", "[a](../server/gate.c#gate_noted)\n",
     "docs/tour.md:1: ../server/gate.c#gate_noted: ../server"),
    ("doc_links", "docs/tour.md", "[a](../sql/views.sql#race)\n",
     "docs/tour.md:1: ../sql/views.sql#race: ../sql/views.sql does"),
    ("doc_links", "docs/tour.md", "Look at `server/gone.c`.\n",
     "docs/tour.md:1: `server/gone.c`: there is no such file"),
    ("doc_links", "docs/tour.md", "Look at `gone.c`.\n", "docs/tour.md:1: `gone.c`: there is no such file"),
    ("doc_links", "tests/tidy/folders.txt", "# The folders.\nserver\nlibrary x: y\n",
     "docs/architecture.md:1: its tables do not"),
    ("doc_links", "docs/architecture.md", "[a](../b/b.h) [g](../a/gate/gate.h)\n",
     "docs/architecture.md:1: its tables do not"),
    ("version", "CMakeLists.txt", "project(race_conditions_lab LANGUAGES C)\n",
     "CMakeLists.txt:1: project() has no VERSION"),
    ("version", "CHANGELOG.md", "## [4.5.5]\n", "CHANGELOG.md:1: has no section for the version 4.5.6"),
    ("version", "compose/Dockerfile", "ARG VERSION=4.5.6\n", "compose/Dockerfile:1: states the version 4.5.6"),
    ("version", "server/page/openapi.json", '{"version": "4.5.6"}\n',
     "server/page/openapi.json:1: states the version 4.5.6"),
    ("version", "server/page/openapi.json", '{"a": "{\\"version\\":\\"4.5.6\\"}"}\n',
     "server/page/openapi.json:1: states"),
    ("version", "server/main.c", '#define LAB_VERSION "4.5.6"\n', "server/main.c:1: states the version 4.5.6"),
    ("version", "compose/compose.yaml", "image: race-conditions-lab/bank-api:4.5.6\n",
     "compose/compose.yaml:1: states"),
    ("version", "docs/tour.md", "It prints bank-api 4.5.6.\n", "docs/tour.md:1: states the version 4.5.6"),
]


def findings(rule, replaced):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {**CLEAN, **replaced}.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        found = importlib.import_module(rule).check(pathlib.Path(folder))
        return [f"{path.relative_to(folder)}:{line}: {message}" for path, line, message in found]


failures = 0
for name in ("doc_links", "version"):
    for line in findings(name, {}):
        failures += 1
        print(f"FAILED: {name} passes a clean tree: {line}")
for name, file, text, where in PLANTED:
    lines = findings(name, {file: text})
    if not any(line.startswith(where) for line in lines):
        failures += 1
        print(f"FAILED: {name} sees {where}: {lines}")
print(f"{len(PLANTED)} planted faults, {failures} failures")
sys.exit(1 if failures else 0)
