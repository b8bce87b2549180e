"""Shared by the tidy checks: the files of the tree, and C text without comments or strings."""
import pathlib
import re
import sys

SOURCES = ("server", "workers", "observability")

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def files(root, folders, suffixes):
    """The files below the folders of root (or those of the folders that are files), in order."""
    root = pathlib.Path(root)
    for folder in folders:
        start = root / folder
        found = sorted(start.rglob("*")) if start.is_dir() else [start]
        for path in found:
            if path.is_file() and (path.suffix in suffixes or not suffixes) and "__pycache__" not in path.parts:
                yield path


def text_of(path):
    return path.read_text(encoding="utf-8", errors="replace")


def _blank(match, keep_strings):
    token = match.group(0)
    if token.startswith("/"):
        return re.sub(r"[^\n]", " ", token)
    return token if keep_strings else token[0] + " " * (len(token) - 2) + token[-1]


def without_comments(text):
    return TOKEN.sub(lambda match: _blank(match, True), text)


def code_only(text):
    """Neither comments nor what stands in strings; every line where it was."""
    return TOKEN.sub(lambda match: _blank(match, False), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def findings(check, root):
    """The lines that a rule prints of a tree. check(root) gives its findings, each (path, line, message)."""
    root = pathlib.Path(root)
    for path, line, message in check(root):
        yield f"{pathlib.Path(path).relative_to(root)}:{line}: {message}"


def main(check):
    """Prints the findings of a rule, and ends the program: with 1 if there are any."""
    lines = list(findings(check, sys.argv[1]))
    for line in lines:
        print(line)
    sys.exit(1 if lines else 0)
