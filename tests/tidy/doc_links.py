"""Links in the documentation lead somewhere: to a file, to a heading, or to the function that the file defines.

A link like workers/gate/gate.c#gate_delay names a file and one of its definitions: a function, struct, enum or table of
C, or a table, view, function or named statement of SQL. In README.md, CONTRIBUTING.md and docs/*.md a file's name in
backticks must be that of a file as well. docs/architecture.md links to the public header of every folder, in the order
of folders.txt."""
import os
import pathlib
import re
from typing import NamedTuple

import tree

PRUNED = {".git", ".lab", "build", "node_modules", "vendor", "__pycache__"}
GENERATED = {"page_assets.c", "statements.h", "compile_commands.json"}
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^ {0,3}\[[^\]^]+\]:\s*(\S+)"
                  r"|<(?:a|img)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"", re.MULTILINE)
CODE = re.compile(r"`([\w.][\w./-]*\.(?:c|h|sql|py|sh|js|cmake|md|ya?ml|json|awk|txt|css|html))`")
FENCE = re.compile(r"^([ \t]*)(```+|~~~+)[^\n]*\n.*?(?:^\1\2[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
ELSEWHERE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")
DEFINITIONS = {
    ".c": r"^(?![ \t#/])[^;{{}}\n]*\b{0}\([^;{{}}]*\)\s*\{{|^(?:typedef )?(?:struct|enum|union) {0} \{{"
          r"|^[^;{{}}()\n]*\b{0}(?:\[[^\]\n]*\])? = |^[ \t]*#[ \t]*define {0}\b",
    ".sql": r"^CREATE (?:OR REPLACE )?(?:VIEW|TABLE|FUNCTION)(?: IF NOT EXISTS)? {0}\b|^-- name: {0}\b",
}
DEFINITIONS[".h"] = DEFINITIONS[".c"]


class Page(NamedTuple):
    path: pathlib.Path
    text: str      # with the fenced code blanked, every line where it was
    headings: set


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def slug_of(heading):
    """The anchor that GitHub gives a heading."""
    words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def headings_of(text):
    found = set()
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*\s*$", text, re.MULTILINE):
        slug, number = slug_of(heading), 0
        while (slug if number == 0 else f"{slug}-{number}") in found:
            number += 1
        found.add(slug if number == 0 else f"{slug}-{number}")
    return found


def defines(path, name):
    text = tree.text_of(path)
    code = tree.code_only(text) if path.suffix in (".c", ".h") else text
    return re.search(DEFINITIONS[path.suffix].format(re.escape(name)), code, re.MULTILINE) is not None


def all_files(root):
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in PRUNED]
        for name in names:
            yield pathlib.Path(folder) / name


class Links:
    def __init__(self, root):
        self.root = root
        files = sorted(all_files(root))
        self.names = {path.name for path in files}
        self.pages = {}
        for path in files:
            if path.suffix == ".md":
                text = FENCE.sub(blank, tree.text_of(path))
                self.pages[path] = Page(path, text, headings_of(text))

    def problem_of(self, page, target):
        name, _, anchor = target.partition("#")
        path = (page.path.parent / name).resolve() if name else page.path
        if self.root not in path.parents and path != self.root:
            return "leads out of the repository"
        if not path.exists():
            return "there is no such file"
        if not anchor:
            return None
        if path.suffix in DEFINITIONS:
            return None if defines(path, anchor) else f"{name} does not define {anchor}"
        if path in self.pages:
            return None if anchor in self.pages[path].headings else f"{path.name} has no such heading"
        return "an anchor in such a file is not checked"

    def is_known(self, page, name):
        return name.rsplit("/", 1)[-1] in GENERATED or (self.root / name).exists() or \
            (page.path.parent / name).exists() or ("/" not in name and name in self.names)

    def findings(self):
        for page in self.pages.values():
            text = re.sub(r"`[^`\n]*`", blank, page.text)
            for match in LINK.finditer(text):
                target = next(group for group in match.groups() if group)
                problem = None if ELSEWHERE.match(target) else self.problem_of(page, target)
                if problem:
                    yield page.path, tree.line_of(text, match.start()), f"{target}: {problem}"
            relative = page.path.relative_to(self.root)
            if str(relative) in ("README.md", "CONTRIBUTING.md") or str(relative.parent) == "docs":
                for match in CODE.finditer(page.text):
                    if not self.is_known(page, match.group(1)):
                        line = tree.line_of(page.text, match.start())
                        yield page.path, line, f"`{match.group(1)}`: there is no such file"


def folders_missing(root):
    """The folders of the table that the tour does not list, or lists in another order."""
    table, tour = root / "tests/tidy/folders.txt", root / "docs/architecture.md"
    if not table.is_file() or not tour.is_file():
        return
    text = tree.text_of(tour)
    position = 0
    for line in tree.text_of(table).split("\n"):
        if re.fullmatch(r"[\w./]+", line):
            header = line if line.endswith(".h") else f"{line}/{line.rsplit('/', 1)[-1]}.h"
            found = text.find(f"](../{header})", position)
            if found < 0:
                yield tour, 1, f"its tables do not link to {header} in its place in the order of tests/tidy/folders.txt"
            position = max(found, position)


def check(root):
    whole = pathlib.Path(root).resolve()
    for path, line, message in [*Links(whole).findings(), *folders_missing(whole)]:
        yield root / path.relative_to(whole), line, message


if __name__ == "__main__":
    tree.main(check)
