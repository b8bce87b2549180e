"""Each rule passes a clean tree and fails each of the violations planted here, at the place where it is planted."""
import hashlib
import importlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import tree

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
    "workers/strategy.h": "// The interface of a strategy.\n",
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

# The tree of house.py, which has its own table of folders.
FOLDERS = """observability/base
observability/otlp
workers/limits.h
workers/gate
workers/database
workers/strategies
workers/pool
server/http
server/json
server
generated sql/statements.h: workers server
library llhttp.h: server/http/http_parser*
library libpq-fe.h: workers/database/*
library jansson.h: server/json/json_read* observability/otlp/otlp_json*
library curl/: observability/otlp/*
far workers/gate: workers/database sql
apart workers/strategies
"""
POOL = '#include "workers/pool/pool.h"\n#include "workers/pool/pool_internal.h"\n\n'
HOUSE = {
    "tests/tidy/folders.txt": FOLDERS,
    "observability/base/base.h": '#include "observability/base/text.h"\n',
    "observability/base/text.h": "int text_length(void);\n",
    "observability/base/text.c": '#include "observability/base/text.h"\n\n'
                                 "int text_length(void) {\n    return 1;\n}\n",
    "observability/otlp/otlp.h": "int otlp_post(void);\n",
    "observability/otlp/otlp_post.c": '#include <curl/curl.h>\n\nint otlp_post(void) {\n    return 1;\n}\n',
    "workers/limits.h": "#define LIMIT 1\n",
    "workers/gate/gate.h": "int gate_open(void);\nint db_run(void);\n",
    "workers/gate/gate.c": '#include "workers/limits.h"\n\nint gate_open(void) {\n    return LIMIT;\n}\n',
    "workers/database/database.h": '#include "workers/gate/gate.h"\n',
    "workers/database/db_run.c": '#include "sql/statements.h"\n#include <libpq-fe.h>\n\n'
                                 'int db_run(void) {\n    return gate_open();\n}\n',
    "workers/strategies/strategies.h": "int strategies_find(void);\n",
    "workers/strategies/strategies.c": '#include "workers/strategies/one.h"\n\nint strategies_find(void) {\n'
                                       '    return one_attempt();\n}\n',
    "workers/strategies/one.h": "int one_attempt(void);\n",
    "workers/strategies/one.c": '#include "workers/strategies/one.h"\n'
                                '#include "workers/strategies/strategies.h"\n\nint one_attempt(void) {\n    return 1;\n}\n',
    "workers/pool/pool.h": "int pool_start(void);\n",
    "workers/pool/pool_internal.h": "int pool_queue_put(void);\nint pool_finish(void);\n",
    "workers/pool/pool.c": POOL + "int pool_start(void) {\n    return pool_queue_put();\n}\n",
    "workers/pool/pool_queue.c": POOL + "int pool_queue_put(void) {\n    return text_length();\n}\n",
    "server/http/http.h": "int http_parse(void);\n",
    "server/http/http_parser.c": "#include <llhttp.h>\n\nint http_parse(void) {\n    return 1;\n}\n",
    "server/json/json.h": "int json_read(void);\n",
    "server/json/json_read.c": "#include <jansson.h>\n\nint json_read(void) {\n    return 1;\n}\n",
    "server/main.c": '#include "observability/base/base.h"\n#include "workers/pool/pool.h"\n\n'
                     "int main(void) {\n    return pool_start() + text_length();\n}\n",
    "tests/unit/capture.h": "int capture(void);\n",
    "tests/unit/test_pool.c": '#include "capture.h"\n#include "workers/pool/pool_internal.h"\n',
}
QUEUE = "int pool_queue_put(void) {\n    return "

VENDORED = ["server/page/vendor/LICENSE", "server/page/vendor/viewer.js"]
CLEAN["server/page/vendor/SHA256SUMS"] = "".join(
    f"{hashlib.sha256(CLEAN[name].encode()).hexdigest()}  {name.rsplit('/', 1)[1]}\n" for name in VENDORED)

LONG_FUNCTION = "// Long on purpose, for the test.\n\nint f(int a,\n      int b) {\n" + "    a++;\n" * 68 + "}\n"
JUST_FITS = "// Long on purpose, for the test.\n\nint f(int a,\n      int b) {\n" + "    a++;\n" * 67 + "}\n"

# Rule, file, its text (None: no such file), how the findings must begin, and other files that the case needs.
PLANTED = [
    ("banner", "server/a.c", "int f(void);\n", "server/a.c:1:"),
    ("banner", "server/a.h", "//\n// short\nint f(void);\n", "server/a.h:1:"),
    ("banner", "tests/unit/a.c", "\n// A comment, but not at the top of the file.\n", "tests/unit/a.c:1:"),
    ("function_length", "server/a.c", LONG_FUNCTION, "server/a.c:3: 71 lines"),
    ("function_length", "workers/a.c", "struct s {\n    int a;\n};\n#define X {\n" + LONG_FUNCTION, "workers/a.c:7: 71"),
    ("function_length", "tests/unit/a.c", 'char *s = "{";\n' + LONG_FUNCTION, "tests/unit/a.c:4: 71"),
    ("function_length", "observability/a.h", "// x\n" * 501, "observability/a.h:500: the file has 501"),
    ("house", "server/main.c", '\n#include "pool.h"\n', 'server/main.c:2: includes "pool.h": write "workers/pool/pool.h"'),
    ("house", "server/main.c", '#include "statements.h"\n', 'server/main.c:1: includes "statements.h": write "sql/'),
    ("house", "server/main.c", '#include "workers/pool/gone.h"\n', "server/main.c:1: includes workers/pool/gone.h, which"),
    ("house", "server/main.c", '#include "workers/pool/pool_internal.h"\n',
     "server/main.c:1: includes workers/pool/pool_internal.h, which is private to workers/pool: include workers/pool/pool.h"),
    ("house", "server/main.c", '#include "workers/pool/pool.c"\n', "server/main.c:1: includes a source file"),
    ("house", "workers/pool/a.c", '#include "server/http/http.h"\n',
     "workers/pool/a.c:1: workers/pool includes server/http/http.h of server/http, which is not below it"),
    ("house", "workers/limits.h", '#include "workers/gate/gate.h"\n', "workers/limits.h:1: workers/limits.h includes"),
    ("house", "workers/database/a.c", '#include "workers/pool/pool.h"\n', "workers/database/a.c:1: workers/database inc"),
    ("house", "server/http/a.c", '#include "server/json/json.h"\n', "server/http/a.c:1: server/http includes"),
    ("house", "observability/base/a.c", '\n#include "workers/gate/gate.h"\n', "observability/base/a.c:2: observability/base"),
    ("house", "observability/base/a.c", '#include "sql/statements.h"\n', "observability/base/a.c:1: observability/ includes"),
    ("house", "server/http/a.c", "#include <llhttp.h>\n", "server/http/a.c:1: includes llhttp.h"),
    ("house", "workers/pool/a.c", "#include <libpq-fe.h>\n", "workers/pool/a.c:1: includes libpq-fe.h"),
    ("house", "server/json/json_write.c", "#  include <jansson.h>\n", "server/json/json_write.c:1: includes jansson.h"),
    ("house", "observability/base/a.c", "#include <curl/multi.h>\n", "observability/base/a.c:1: includes curl/multi.h"),
    ("house", "workers/strategies/two.c", '#include "workers/strategies/one.h"\n',
     "workers/strategies/two.c:1: includes workers/strategies/one.h: the files of workers/strategies know nothing"),
    ("house", "workers/strategies/two.c", "int two(void) {\n    return one_attempt();\n}\n",
     "workers/strategies/two.c:2: uses one_attempt() of one: the"),
    ("house", "workers/gate/gate.h", '#include "sql/statements.h"\n', "workers/gate/gate.c:1: reaches sql/statements.h",
     {"workers/gate/gate.c": '#include "workers/gate/gate.h"\n\nint gate_open(void) {\n    return 1;\n}\n'}),
    ("house", "server/http/common.h", "// Everything.\n", "server/http/common.h:1: a header named common.h"),
    ("house", "workers/other/a.c", "int f(void);\n", "workers/other/a.c:1: workers/other is no folder of"),
    ("house", "workers/gate/gate.h", None, "tests/tidy/folders.txt:4: workers/gate has no public header",
     {"workers/database/database.h": ""}),
    ("house", "tests/tidy/folders.txt", FOLDERS.replace("server\n", "server/proxy\nserver\n", 1),
     "tests/tidy/folders.txt:10: server/proxy has no files"),
    ("house", "tests/tidy/folders.txt", FOLDERS + "allow all\n", "tests/tidy/folders.txt:18: cannot be read: allow all"),
    ("house", "tests/tidy/folders.txt", FOLDERS + "call workers/pool: pool -> pool_queue: it decides\n",
     "tests/tidy/folders.txt:18: pool -> pool_queue is in no cycle of workers/pool"),
    ("house", "tests/unit/test_pool.c", '#include "pool.h"\n', 'tests/unit/test_pool.c:1: includes "pool.h": write'),
    ("house", "tests/unit/test_pool.c", '#include "workers/pool/pool.c"\n', "tests/unit/test_pool.c:1: includes a source"),
    # A call goes up through a declaration in the lower folder; the include comes down: the folders form a cycle.
    ("house", "workers/gate/gate.c", "int gate_open(void) {\n    return db_run();\n}\n",
     "workers/gate/gate.c:2: workers/gate uses db_run() of workers/database, which is not below it in "
     "tests/tidy/folders.txt\nworkers/database:1: a cycle of folders: workers/database, workers/gate\n"),
    ("house", "workers/gate/gate.c", "int gate_open(void) {\n    return db_run();\n}\n",
     "workers/gate/gate.c:2: workers/gate uses db_run()",
     {"workers/database/db_run.c": "int db_run(char text[static 8]) {\n    return text[0];\n}\n"}),
    # Calls, functions taken as values, calls in a macro and in an inline function: each closes a cycle of two files.
    ("house", "workers/pool/pool_queue.c", POOL + QUEUE + "pool_start();\n}\n",
     "workers/pool/pool.c:5: a cycle of pool, pool_queue: pool uses pool_queue_put() of pool_queue\n"
     "workers/pool/pool_queue.c:5: a cycle of pool, pool_queue: pool_queue uses pool_start() of pool\n"),
    ("house", "workers/pool/pool_queue.c", POOL + QUEUE + "later(&job, pool_start);\n}\n", "workers/pool/pool.c:5: a cycle"),
    ("house", "workers/pool/pool_queue.c", POOL + "static const f table[] = {pool_start};\n" + QUEUE + "1;\n}\n",
     "workers/pool/pool.c:5: a cycle"),
    ("house", "workers/pool/pool_queue.c", POOL + "#define NEXT() \\\n    pool_start()\n" + QUEUE + "NEXT();\n}\n",
     "workers/pool/pool.c:5: a cycle"),
    ("house", "workers/pool/pool_internal.h", "static inline int pool_finish(void) {\n    return pool_queue_put();\n}\n",
     "workers/pool/pool_internal.h:2: a cycle of pool_internal.h, pool_queue",
     {"workers/pool/pool_queue.c": POOL + QUEUE + "pool_finish();\n}\n"}),
    ("house", "workers/pool/pool_internal.h", "#define pool_finish() pool_queue_put()\n",
     "workers/pool/pool_internal.h:1: a cycle of pool_internal.h, pool_queue",
     {"workers/pool/pool_queue.c": POOL + QUEUE + "pool_finish();\n}\n"}),
    ("words", "workers/a.c", "int few_at_a_time;\n", 'workers/a.c:1: "few_at_a_time" (few_at_a_time): use max_in_flight'),
    ("words", "workers/a.c", "\nvoid pool_lane_add(void);\n", 'workers/a.c:2: "pool_lane_add" (lane): use account queue'),
    ("words", "workers/a.c", "#define LANES_MAX 1\n", 'workers/a.c:1: "LANES_MAX" (lane)'),
    ("words", "workers/lanes.c", "int f(void);\n", "workers/lanes.c:1: the file's name says \"lane\": use account queue"),
    ("words", "loadtest/race.js", "const isLane = 1;\n", 'loadtest/race.js:1: "isLane" (lane)'),
    ("words", "workers/a.c", "enum { BET_TO };\n", 'workers/a.c:1: "BET_TO" (bet): use optimistic batch'),
    ("words", "docs/RUNBOOK.md", "A bet is lost.\n", 'docs/RUNBOOK.md:1: "bet" (bet)'),
    ("words", "workers/a.c", "bool is_impatient;\n", 'workers/a.c:1: "is_impatient" (patient): use batch split'),
    ("words", "workers/a.c", "// Told to the log.\n", 'workers/a.c:1: "Told" (told): use the exact verb'),
    ("words", "sql/statements.sql", "SELECT rows_told();\n", 'sql/statements.sql:1: "rows_told" (told)'),
    ("words", "tests/api/test_a.py", "def test_tells():\n    pass\n", 'tests/api/test_a.py:1: "test_tells" (told)'),
    ("words", "compose/native/x.sh", "# The log tells.\n", 'compose/native/x.sh:1: "tells" (told)'),
    ("words", "server/page/openapi.json", '{"description": "It is told."}\n', 'server/page/openapi.json:1: "told" (told)'),
    ("words", "workers/a.c", "struct feed_event e;\n", 'workers/a.c:1: "feed_event" (feed): use event queue'),
    ("words", "workers/a.c", "bool is_long;\n", 'workers/a.c:1: "is_long" (is_long): use may_block_at_gate'),
    ("words", "server/page/words.js", 'const MINUS = "\\u2212";\n', 'server/page/words.js:1: "\\u2212" (amount): use the sp'),
    ("words", "docs/RUNBOOK.md", "She is at $-600.\n", 'docs/RUNBOOK.md:1: "$-600" (amount): use the spelling'),
    ("words", "workers/a.c", "int timeout_ms; // for its dealings\n", 'workers/a.c:1: "dealings" (dealings): use database'),
    ("words", "workers/a.c", "enum { TRANSFER_HALF_DONE };\n", 'workers/a.c:1: "TRANSFER_HALF_DONE" (half done): use'),
    ("words", "docs/RUNBOOK.md", "It was left half done.\n", 'docs/RUNBOOK.md:1: "half done" (half done)'),
    ("words", "workers/a.c", "enum { TRANSFER_GOES_ON };\n", 'workers/a.c:1: "TRANSFER_GOES_ON" (goes_on): use continue'),
    ("words", "workers/a.c", "return DB_AWAY;\n", 'workers/a.c:1: "DB_AWAY" (away): use unavailable'),
    ("words", "docs/RUNBOOK.md", "The database is away.\n", 'docs/RUNBOOK.md:1: "is away" (away)'),
    ("words", "lab", ". compose/native/stage.sh\n", 'lab:1: "stage.sh" (stage): use sandbox.sh'),
    ("words", "compose/native/x.sh", "stage_open here\n", 'compose/native/x.sh:1: "stage_open" (stage)'),
    ("words", "workers/a.c", "struct party *parties;\n", 'workers/a.c:1: "party" (party): use waiter'),
    ("words", "workers/a.c", "struct barrier_roll roll;\n", 'workers/a.c:1: "barrier_roll" (roll): use released list'),
    ("words", "workers/a.c", "transfer_book(transfer);\n", 'workers/a.c:1: "transfer_book" (booking): use post'),
    ("words", "workers/a.c", "// A worker books many of them.\n", 'workers/a.c:1: "worker books" (booking)'),
    ("words", "workers/a.c", "bool booked;\n", 'workers/a.c:1: "booked" (booking)'),
    ("sentences", "server/a.c", "// Who does not wait is let go.\n", 'server/a.c:1: opens with "Who": Who does not wait is'),
    ("sentences", "server/a.c", "// It waits.\n// Whoever comes\n// later goes.\n", 'server/a.c:2: opens with "Whoever"'),
    ("sentences", "server/a.c", "// It waits for all. Those\n// that come go.\n", 'server/a.c:1: opens with "Those"'),
    ("sentences", "server/a.c", "int a; // of the last round\n", 'server/a.c:1: opens with "of": of the last round'),
    ("sentences", "server/a.c", 'char *s = "//"; // what it holds\n', 'server/a.c:1: opens with "what"'),
    ("sentences", "server/a.c", "/*\n * Whatever comes is kept.\n */\n", 'server/a.c:2: opens with "Whatever"'),
    ("sentences", "server/a.c", "/// \"Whose\" name it is.\n", 'server/a.c:1: opens with "Whose"'),
    ("sentences", "server/a.c", "// Is it so? What it is.\n", 'server/a.c:1: opens with "What": What it is.'),
    ("sentences", "server/a.c", "// " + "wide " * 24 + "\n", "server/a.c:1: 123 columns, more than 120"),
    ("sentences", "sql/statements.sql", "SELECT '--'; -- what was read\n", 'sql/statements.sql:1: opens with "what"'),
    ("sentences", "compose/native/x.sh", "#!/bin/sh\n# Who runs it.\n", 'compose/native/x.sh:2: opens with "Who"'),
    ("sentences", "compose/native/help.sh", "cat <<'TEXT'\nIt runs.\n\nWhat it is\nfor is this.\nTEXT\n",
     'compose/native/help.sh:4: opens with "What": What it is for is this.'),
    ("sentences", "compose/native/help.sh", "cat <<'TEXT'\n  --x   What it does.\nTEXT\n", 'compose/native/help.sh:2: opens'),
    ("sentences", "loadtest/race.js", "const a = `x // y`; // what it is\n", 'loadtest/race.js:1: opens with "what"'),
    ("sentences", "tests/api/test_a.py", 'def test_a():\n    """It ends.\n\n    Of two one ends."""\n',
     'tests/api/test_a.py:4: opens with "Of"'),
    ("sentences", "tests/api/test_a.py", "a = '# Who'  # what it is\n", 'tests/api/test_a.py:1: opens with "what"'),
    ("sentences", "compose.yaml", "a: 'b' # what it is\n", 'compose.yaml:1: opens with "what"'),
    ("sentences", "README.md", "The lab.\n\n- What it installs is listed.\n", 'README.md:3: opens with "What"'),
    ("sentences", "docs/RUNBOOK.md", "| a | It runs. Who waits is served. |\n", 'docs/RUNBOOK.md:1: opens with "Who"'),
    ("sentences", "server/page/openapi.json", '{"a": {\n"description": "Read.\\n\\nWhat follows is it."}}\n',
     'server/page/openapi.json:2: opens with "What"'),
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
    ("registry_hosts", "docs/RUNBOOK.md", "apt-get install docker.io\n"),
    ("house", "workers/pool/pool_queue.c", POOL + QUEUE + "job.pool_start + job->pool_start; // pool_start()\n}\n"),
    ("house", "workers/pool/pool_queue.c", POOL + "static int pool_start(void) {\n    return 1;\n}\n" + QUEUE
     + "pool_start();\n}\n"),
    ("house", "workers/pool/pool_queue.c", POOL + "int pool_queue_put(void) {\n    f *pool_start = 0;\n"
     "    return pool_start(pool_start);\n}\n"),
    ("house", "workers/pool/pool_queue.c", POOL + "int pool_start(void);\n" + QUEUE + "1;\n}\n"),
    ("house", "tests/tidy/folders.txt", FOLDERS + "call workers/pool: pool -> pool_queue: it decides\n",
     {"workers/pool/pool_queue.c": POOL + QUEUE + "pool_start();\n}\n"}),
    ("house", "server/main.c", '// #include "pool.h"\n'),
    ("house", "workers/pool/pool.h", "int pool_start(void);\n#define pool_again() pool_start()\n",
     {"workers/pool/pool.c": POOL + "int pool_start(void) {\n    return pool_again();\n}\n"}),
    ("house", "workers/pool/pool_internal.h", "#define pool_finish() text_length()\n",
     {"workers/pool/pool_queue.c": POOL + QUEUE + "pool_finish();\n}\n"}),
    ("words", "server/page/race_panels.js", "const lane = laneOf(stage_a);\n"),
    ("words", "workers/a.c", "int between, tollgate, planets; // BETWEEN the alphabet, untold, a teller, rollback\n"),
    ("words", "workers/a.c", "transfer_roll_back(t); // rolls the transaction back\n"),
    ("words", "workers/a.c", "gate->parties++; // the number on the wire\n"),
    ("words", "workers/a.c", 'text(out, ",\\"parties\\":"); text(out, "barrier.parties");\n'),
    ("words", "sql/statements.sql", "SELECT parties; -- The key \"parties\".\n"),
    ("words", "loadtest/race.js", "const n = step.parties + { parties: 2 };\n"),
    ("words", "docs/RUNBOOK.md", "The books balance. The runbook is for a third party. A line_feed.\n"),
    ("words", "server/http_parser.c", "int http_parser_feed(void);\n"),
    ("words", "tests/api/schemas/01.sql", "SELECT told;\n"),
    ("sentences", "server/a.c", "// What is it? Who knows? The one who waits; what it is for.\n"),
    ("sentences", "server/a.c", 'char *s = "// Who"; // e.g. what "What is" prints\n'),
    ("sentences", "server/a.c", "// " + "x" * 100 + " https://example.org/a/long/path\n"),
    ("sentences", "server/a.c", "int x = 1; // " + "x" * 100 + "\n"),
    ("sentences", "docs/RUNBOOK.md", "## What the log says\n\n| what | of |\n|---|---|\n\n```\n# What it is.\n```\n"),
    ("sentences", "server/page/vendor/a.js", "// Who wrote it.\n"),
]

failures = 0


def expect(condition, what, output=""):
    global failures
    if not condition:
        failures += 1
        print(f"FAILED: {what}\n{output}")


def write_tree(folder, replaced, clean=None):
    for name, content in {**(clean or CLEAN), **replaced}.items():
        if content is not None:
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")


def run(arguments):
    result = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return result.returncode, result.stdout


def run_rule(rule, replaced, as_program=False):
    with tempfile.TemporaryDirectory() as folder:
        write_tree(folder, replaced, HOUSE if rule == "house" else CLEAN)
        if as_program:
            return run([sys.executable, "-B", str(HERE / f"{rule}.py"), folder])
        lines = list(tree.findings(importlib.import_module(rule).check, folder))
        return 1 if lines else 0, "".join(f"{line}\n" for line in lines)


def test_rules():
    for rule in sorted({rule for rule, *_ in PLANTED}):
        status, output = run_rule(rule, {}, as_program=True)
        expect(status == 0 and output == "", f"{rule} passes a clean tree", output)
        name, content, where, *more = next(planted[1:] for planted in PLANTED if planted[0] == rule)
        status, output = run_rule(rule, {name: content, **(more[0] if more else {})}, as_program=True)
        expect(status == 1 and output.startswith(where), f"{rule} ends with 1 for {where}", output)
    for rule, name, content, where, *more in PLANTED:
        status, output = run_rule(rule, {name: content, **(more[0] if more else {})})
        expect(status == 1 and output.startswith(where), f"{rule} sees {where}", output)
    for rule, name, content, *more in HARMLESS:
        status, output = run_rule(rule, {name: content, **(more[0] if more else {})})
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


class Linted:
    """A tree of one C file and its header, under lint.py; the header can be changed."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder).resolve()
        shutil.copy(ROOT / ".clang-tidy", self.root)
        for name in ("server", "build"):
            (self.root / name).mkdir()
        self.write("server/a.h", "int f(int a);\n")
        self.write("server/a.c", '#include "a.h"\nint f(int a) {\n    if (a > 1) {\n        return 1;\n    }\n'
                                 "#ifdef BAD\n    if (a > 0)\n        return 2;\n#endif\n    return 0;\n}\n")
        self.compile_with("")

    def write(self, name, content):
        (self.root / name).write_text(content, encoding="utf-8")

    def compile_with(self, options):
        path = self.root / "server/a.c"
        self.write("build/compile_commands.json", json.dumps([
            {"directory": str(self.root), "file": str(path), "command": f"cc -std=c17 {options} -o a.o -c {path}"}]))

    def expect(self, what, status, part):
        outcome, output = run([sys.executable, "-B", str(HERE / "lint.py"), str(self.root), str(self.root / "build")])
        expect(outcome == status and part in output, f"lint {what}", output)


def test_lint():
    if not shutil.which("clang-tidy"):
        return
    with tempfile.TemporaryDirectory() as folder:
        tree_of_one = Linted(folder)
        tree_of_one.expect("passes a clean file", 0, "1 checked")
        tree_of_one.expect("remembers that it passed", 0, "0 checked")
        tree_of_one.compile_with("-DBAD")
        tree_of_one.expect("sees missing braces that an option brings", 1, "readability-braces")
        tree_of_one.expect("does not remember a failure", 1, "readability-braces")
        tree_of_one.compile_with("")
        tree_of_one.write("server/a.h", "int f(int a);\n#define BAD\n")
        tree_of_one.expect("sees missing braces that a header brings", 1, "readability-braces")
        tree_of_one.write("server/a.h", "int f(int a);\n")
        tree_of_one.expect("remembers the state from before", 0, "0 checked")
        tree_of_one.write("server/a.h", "int f(int a); // NOLINT\n")
        tree_of_one.expect("checks again when a comment changes", 0, "1 checked")
        settings = (ROOT / ".clang-tidy").read_text(encoding="utf-8")
        tree_of_one.write(".clang-tidy", settings.replace("  -readability-identifier-length,\n", ""))
        tree_of_one.expect("checks again when .clang-tidy changes", 1, "readability-identifier-length")
        tree_of_one.write(".clang-tidy", settings)
        tree_of_one.write("server/a.c", "int f(void) {\n    return g;\n}\n")
        tree_of_one.expect("fails for a file that does not compile", 1, "undeclared identifier")


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
