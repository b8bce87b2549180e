"""The documents that the explorer's page shows: made by the real program on the private PostgreSQL."""

import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("RACE_EXPLORE", ROOT / "build/release/race-explore")).resolve()
CASES = ROOT / "tests/explore/cases"

# Each string would run a script if it were taken for markup anywhere.
HOSTILE = """-- setup
CREATE TABLE "<img src=x onerror=alert(1)>" (id integer PRIMARY KEY, "</script><script>alert(2)</script>" text);
INSERT INTO "<img src=x onerror=alert(1)>" VALUES (1, '<!--<script>alert(3)'), (2, E'\\u2028 $&'' "');
-- session A
SELECT "</script><script>alert(2)</script>" || '<iframe src="javascript:alert(6)">' AS had, '</script><script>alert(5)</script>' AS other
  FROM "<img src=x onerror=alert(1)>" WHERE id = 1 \\gset
UPDATE "<img src=x onerror=alert(1)>" SET "</script><script>alert(2)</script>" = :'had' WHERE id = 1;
-- session B like A
-- invariant two_frames
SELECT "</script><script>alert(2)</script>" LIKE '%<iframe%<iframe%' FROM "<img src=x onerror=alert(1)>" WHERE id = 1;
"""


def sessions(count):
    """A case with so many sessions: each reads a counter and writes the next value."""
    first = ("-- setup\nCREATE TABLE counters (id integer PRIMARY KEY, value integer);\nINSERT INTO counters VALUES (1, 0);\n"
             "-- session A\nSELECT value + 1 AS next FROM counters WHERE id = 1 \\gset\n"
             "UPDATE counters SET value = :next WHERE id = 1;\n")
    return first + "".join(f"-- session {name} like A\n" for name in "BCDEF"[:count - 1])


class Explorations:
    """Runs race-explore on one server, each question once."""

    def __init__(self, server, folder):
        self._server, self._folder, self._made = server, folder, {}

    def files(self, path, *options):
        """(the JSON file, the page) of a case."""
        key = (path, *options)
        if key not in self._made:
            name = f"{pathlib.Path(path).stem}-{len(self._made)}"
            json_file, page = self._folder / f"{name}.json", self._folder / f"{name}.html"
            outcome = subprocess.run([PROGRAM, "--server", self._server, "--json", json_file, "--html", page, *options, path],
                                     stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
            assert outcome.returncode in (0, 1, 3), outcome.stderr
            self._made[key] = json_file, page
        return self._made[key]

    def case(self, name, *options):
        return self.files(CASES / f"{name}.sql", *options)

    def text(self, name, content, *options):
        """The same for a case that is given as its text."""
        path = self._folder / f"{name}.sql"
        path.write_text(content, encoding="utf-8")
        return self.files(path, *options)

    def write(self, name, document):
        """A document that no exploration would write."""
        path = self._folder / name
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return path
