"""Each rule passes a clean tree and fails each of the violations planted here, at the place where it is planted."""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = pathlib.Path(sys.argv[1])

CLEAN = {
    "server/conn.c": '// The life of a connection.\n#include "gate.h"\n#include "text.h"\n\nint conn_answer(void) {\n'
                     '    return 1;\n}\n',
    "server/http_parser.c": "// From bytes to requests.\n#include <llhttp.h>\n",
    "server/json_codec.c": "// Reads and writes JSON.\n#include <jansson.h>\n",
    "workers/gate.h": "// The gates and their tickets.\nint conn_answer(void);\n",
    "workers/gate.c": '// The gates of the lab.\n#include "gate.h"\n',
    "workers/db.h": "// Sessions with the database.\n",
    "workers/db_session.c": '// The life of a session.\n#include "db.h"\n#include "statements.h"\n#include <libpq-fe.h>\n',
    "workers/strategy.h": "// What a strategy is.\n",
    "workers/strategy_one.h": "// The first of the strategies.\n",
    "workers/strategy_one.c": '// The first of the strategies.\n#include "strategy_one.h"\n\n#include "strategy.h"\n',
    "workers/strategy_two.c": '// The second of the strategies.\n#include "strategy.h"\n',
    "observability/text.h": "// A text that can grow.\n",
    "observability/otlp_exporter.c": '// Sends the spans away.\n#include <curl/curl.h>\n',
    "tests/unit/test_conn.c": "// The connection in its tests.\n",
    "sql/statements.sql": "SELECT id FROM accounts;\n",
    "README.md": "The lab.\n",
    "lab": "#!/bin/sh\nset -eu\necho \"$1\"\n",
    "compose/native/x.sh": "#!/bin/sh\nset -eu\necho \"$1\"\n",
    "docs/RUNBOOK.md": "Nothing to do.\n",
    "loadtest/race.js": "// k6\n",
    ".ci/run": "#!/bin/sh\nset -eu\n",
    "server/page/vendor/viewer.js": "// Somebody else's, from https://pypi.org, with a TODO.\n",
    "server/page/vendor/LICENSE": "Do as you like.\n",
    "server/page/vendor/README.md": f"viewer 1.2.3 (`sha512-{'a' * 88}`), MIT, from elsewhere.\n",
    "CMakeLists.txt": "# The build.\n",
    "CMakePresets.json": "{}\n",
}

VENDORED = ["server/page/vendor/LICENSE", "server/page/vendor/viewer.js"]
CLEAN["server/page/vendor/SHA256SUMS"] = "".join(
    f"{hashlib.sha256(CLEAN[name].encode()).hexdigest()}  {name.rsplit('/', 1)[1]}\n" for name in VENDORED)

LONG_FUNCTION = "// Long on purpose, for the test.\n\nint f(int a,\n      int b) {\n" + "    a++;\n" * 68 + "}\n"
JUST_FITS = "// Long on purpose, for the test.\n\nint f(int a,\n      int b) {\n" + "    a++;\n" * 67 + "}\n"

# Rule, file, what it holds instead, where the finding must be.
PLANTED = [
    ("banner", "server/a.c", "int f(void);\n", "server/a.c:1:"),
    ("banner", "server/a.h", "//\n// short\nint f(void);\n", "server/a.h:1:"),
    ("banner", "tests/unit/a.c", "\n// A comment, but not at the top of the file.\n", "tests/unit/a.c:1:"),
    ("function_length", "server/a.c", LONG_FUNCTION, "server/a.c:3: 71 lines"),
    ("function_length", "workers/a.c", "struct s {\n    int a;\n};\n#define X {\n" + LONG_FUNCTION, "workers/a.c:7: 71"),
    ("function_length", "tests/unit/a.c", 'char *s = "{";\n' + LONG_FUNCTION, "tests/unit/a.c:4: 71"),
    ("function_length", "observability/a.h", "// x\n" * 501, "observability/a.h:500: the file has 501"),
    ("include_law", "workers/a.c", '#include "server.h"\n', "workers/a.c:1: includes server.h, which is no header"),
    ("include_law", "observability/a.c", '\n#include "gate.h"\n', "observability/a.c:2: observability/ includes gate.h"),
    ("include_law", "observability/a.c", '#include "statements.h"\n', "observability/a.c:1: observability/ includes"),
    ("include_law", "workers/text.h", '#include "json_codec.c"\n', "workers/text.h:1: includes a source file"),
    ("include_law", "server/conn.c", "#include <llhttp.h>\n", "server/conn.c:1: includes llhttp.h"),
    ("include_law", "workers/bank.c", "#include <libpq-fe.h>\n", "workers/bank.c:1: includes libpq-fe.h"),
    ("include_law", "server/db_x.c", "#include <libpq-fe.h>\n", "server/db_x.c:1: includes libpq-fe.h"),
    ("include_law", "server/json_write.c", "#  include <jansson.h>\n", "server/json_write.c:1: includes jansson.h"),
    ("include_law", "observability/trace.c", "#include <curl/multi.h>\n", "observability/trace.c:1: includes curl/"),
    ("include_law", "workers/strategy_two.c", '#include "strategy_one.h"\n', "workers/strategy_two.c:1: a strategy"),
    ("include_law", "workers/gate.c", '#include "db.h"\n', "workers/gate.c:1: reaches db.h"),
    ("include_law", "workers/gate.h", '#include "strategy.h"\n#include "strategy_one.h"\n#include "db.h"\n',
     "workers/gate.c:1: reaches db.h"),
    ("include_law", "server/common.h", "// Everything.\n", "server/common.h:1:"),
    ("sql_outside", "workers/a.c", 'char *s = "SELECT id"\n          " FROM accounts";\n', "workers/a.c:1:"),
    ("sql_outside", "workers/a.c", '\nchar *s = "insert into accounts";\n', "workers/a.c:2:"),
    ("sql_outside", "server/a.c", 'char *s = "UPDATE accounts SET balance = 0";\n', "server/a.c:1:"),
    ("sql_outside", "server/a.c", 'char *s = "DELETE FROM accounts";\n', "server/a.c:1:"),
    ("sql_outside", "workers/a.h", '#define S "BEGIN; x"\n', "workers/a.h:1:"),
    ("sql_outside", "workers/a.h", '#define S "TRUNCATE accounts"\n', "workers/a.h:1:"),
    ("sql_outside", "observability/a.c", 'char *s = "CREATE TABLE a";\n', "observability/a.c:1:"),
    ("leftovers", "server/a.c", "int f(void); // TODO: more\n", "server/a.c:1:"),
    ("leftovers", "docs/RUNBOOK.md", "\nThis is not implemented.\n", "docs/RUNBOOK.md:2:"),
    ("leftovers", "compose/native/x.sh", "# a stub\n", "compose/native/x.sh:1:"),
    ("leftovers", "sql/statements.sql", "-- FIXME\n", "sql/statements.sql:1:"),
    ("leftovers", "lab", "# HACK\n", "lab:1:"),
    ("leftovers", "tests/unit/a.c", "// XXX\n", "tests/unit/a.c:1:"),
    ("registry_hosts", "compose/native/x.sh", "curl https://pypi.org/simple\n", "compose/native/x.sh:1:"),
    ("registry_hosts", "compose/Dockerfile", "FROM ghcr.io/x/y\n", "compose/Dockerfile:1:"),
    ("registry_hosts", "CMakeLists.txt", "\nURL https://mirror.example.org/llhttp\n", "CMakeLists.txt:2:"),
    ("registry_hosts", "server/page/vendor/README.md", "https://pypi.org\n", "server/page/vendor/README.md:1:"),
    ("vendored", "server/page/vendor/viewer.js", "// Mended by hand.\n", "server/page/vendor/viewer.js:1: is not as"),
    ("vendored", "server/page/vendor/more.js", "// From nowhere.\n", "server/page/vendor/more.js:1: is not listed"),
    ("vendored", "server/page/vendor/SHA256SUMS", CLEAN["server/page/vendor/SHA256SUMS"] + "f" * 64 + "  gone.js\n",
     "server/page/vendor/SHA256SUMS:3: there is no gone.js"),
    ("vendored", "server/page/vendor/SHA256SUMS", "x\n" + CLEAN["server/page/vendor/SHA256SUMS"],
     "server/page/vendor/SHA256SUMS:1: is no line"),
    ("vendored", "server/page/vendor/README.md", "A viewer.\n", "server/page/vendor/README.md:1: names no package"),
]

HARMLESS = [
    ("function_length", "server/a.c", JUST_FITS),
    ("sql_outside", "workers/a.c", '// SELECT id FROM accounts\nchar *s = "lock both rows (SELECT ... FOR UPDATE)";\n'),
    ("sql_outside", "workers/a.c", 'char *s = "Select one"; char *t = "from it";\n'),
    ("leftovers", "server/a.c", "// The todo list of the day; hack is a word too.\n"),
    ("include_law", "server/a.c", '// #include <libpq-fe.h>\n'),
    ("registry_hosts", "docs/RUNBOOK.md", "apt-get install docker.io\n"),
]

failures = 0


def expect(condition, what, output=""):
    global failures
    if not condition:
        failures += 1
        print(f"FAILED: {what}\n{output}")


def write_tree(folder, replaced):
    for name, content in {**CLEAN, **replaced}.items():
        path = pathlib.Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def run(arguments):
    result = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return result.returncode, result.stdout


def run_rule(rule, replaced):
    with tempfile.TemporaryDirectory() as folder:
        write_tree(folder, replaced)
        return run([sys.executable, "-B", str(HERE / f"{rule}.py"), folder])


def test_rules():
    for rule in sorted({rule for rule, *_ in PLANTED}):
        status, output = run_rule(rule, {})
        expect(status == 0 and output == "", f"{rule} passes a clean tree", output)
    for rule, name, content, where in PLANTED:
        status, output = run_rule(rule, {name: content})
        expect(status == 1 and output.startswith(where), f"{rule} sees {where}", output)
    for rule, name, content in HARMLESS:
        status, output = run_rule(rule, {name: content})
        expect(status == 0, f"{rule} lets {name} pass", output)


def test_format():
    with tempfile.TemporaryDirectory() as folder:
        write_tree(folder, {})
        shutil.copy(ROOT / ".clang-format", folder)
        status, output = run([str(HERE / "format.sh"), folder])
        if status == 77:
            return
        expect(status == 0, "format passes a clean tree", output)
        write_tree(folder, {"tests/unit/a.c": "int f( void ) ;\n"})
        status, output = run([str(HERE / "format.sh"), folder])
        expect(status not in (0, 77) and "tests/unit/a.c:1:" in output, "format sees a bad space", output)


def lint(source):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        shutil.copy(ROOT / ".clang-tidy", root)
        (root / "server").mkdir()
        (root / "build").mkdir()
        path = root / "server" / "a.c"
        path.write_text(source, encoding="utf-8")
        database = [{"directory": folder, "file": str(path), "command": f"cc -std=c17 -c {path}"}]
        (root / "build" / "compile_commands.json").write_text(json.dumps(database), encoding="utf-8")
        return run([str(HERE / "lint.sh"), str(root), str(root / "build")])


def test_lint():
    status, output = lint("int f(int a);\nint f(int a) {\n    if (a > 1) {\n        return 1;\n    }\n    return 0;\n}\n")
    if status == 77:
        return
    expect(status == 0, "lint passes a clean file", output)
    status, output = lint("int f(int a);\nint f(int a) {\n    if (a > 1)\n        return 1;\n    return 0;\n}\n")
    expect(status not in (0, 77) and "readability-braces" in output, "lint sees missing braces", output)


def test_shell():
    with tempfile.TemporaryDirectory() as folder:
        write_tree(folder, {})
        status, output = run([str(HERE / "shell.sh"), folder])
        if status == 77:
            return
        expect(status == 0, "shell passes a clean tree", output)
        for name in ("lab", "compose/native/x.sh"):
            write_tree(folder, {name: "#!/bin/sh\nrm -rf $1/x\n"})
            status, output = run([str(HERE / "shell.sh"), folder])
            expect(status not in (0, 77) and "SC2086" in output, f"shell sees {name}", output)


test_rules()
test_format()
test_lint()
test_shell()
print(f"{len(PLANTED)} planted violations, {failures} failures")
sys.exit(1 if failures else 0)
