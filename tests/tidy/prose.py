"""The comments, docstrings and documentation of a tree, as blocks of text with the line of each piece."""
import io
import json
import re
import tokenize
from typing import NamedTuple

import tree

FOLDERS = tree.SOURCES + ("sql", "compose", "loadtest", "docs", "tests", "lab", ".ci", ".github", "CMakeLists.txt",
                          "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "compose.yaml")
SLASHES = {".c", ".h", ".js"}
DASHES = {".sql"}
HASHES = {".sh", ".yaml", ".yml", ".cmake", ".txt", ""}

SLASH_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|`(?:\\.|[^`\\])*`', re.DOTALL)
DASH_TOKEN = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)
HASH_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#(?!!)[^\n]*")
DESCRIPTION = re.compile(r'"description"\s*:\s*("(?:\\.|[^"\\])*")')
BULLET = re.compile(r"[ \t]*(?:[-*]|\d+\.)[ \t]+")
# The texts of --help. A line is an option or a verb, a gap, and its meaning.
HELP_TEXT = re.compile(r"<<'TEXT'\n(.*?)\nTEXT$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    lines: list          # (number, text) each
    is_sentence: bool    # its first word opens a sentence in lower case too


def not_ours(path):
    """Files that hold the text of others, or of old versions: neither words nor sentences of them are judged."""
    return ("vendor" in path.parts or "corpus" in path.parts
            or ("schemas" in path.parts and "api" in path.parts) or path.name == "LICENSE")


class _Comments:
    """Joins the lines of comments: a line alone belongs to the one above it that begins in the same column."""

    def __init__(self):
        self.blocks = []
        self.column = self.line = None

    def add(self, text, offset, comment, mark):
        number = tree.line_of(text, offset)
        start = text.rfind("\n", 0, offset) + 1
        is_alone = text[start:offset].strip() == ""
        words = [re.sub(mark, "", line).strip() for line in comment.split("\n")]
        lines = list(enumerate(words, number))
        if is_alone and self.blocks and self.line == number - 1 and self.column == offset - start:
            self.blocks[-1].lines.extend(lines)
        else:
            self.blocks.append(Block(lines, True))
        self.line, self.column = lines[-1][0], offset - start


def _by_tokens(text, pattern, openers, mark):
    comments = _Comments()
    for match in pattern.finditer(text):
        if match.group(0).startswith(openers):
            comments.add(text, match.start(), match.group(0), mark)
    return comments.blocks


def _by_hash(text):
    comments = _Comments()
    offset = 0
    for line in text.split("\n"):
        for match in HASH_COMMENT.finditer(line):
            before = line[:match.start()]
            if before.count("'") % 2 == 0 and before.count('"') % 2 == 0:
                if not match.group(0).startswith("# shellcheck"):
                    comments.add(text, offset + match.start(), match.group(0), r"^#+ ?")
                break
        offset += len(line) + 1
    return comments.blocks


def _python(text):
    comments = _Comments()
    docstrings = []
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    before = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith("#!"):
            comments.add(text, starts[token.start[0] - 1] + token.start[1], token.string, r"^#+ ?")
        elif token.type == tokenize.STRING and before in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            words = re.sub(r'^\w*("""|\'\'\'|"|\')|("""|\'\'\'|"|\')$', "", token.string).split("\n")
            docstrings.append(Block([(token.start[0] + i, word.strip()) for i, word in enumerate(words)], True))
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            before = token.type
    return comments.blocks + docstrings


def _markdown(text):
    blocks = []
    is_code = False
    current = None
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
            current = None
        elif is_code or not line.strip() or line.startswith(("#", "<")):
            current = None  # a heading is no sentence
        elif line.startswith("    ") and current is None:
            pass  # code
        elif line.startswith("|"):
            blocks.extend(Block([(number, cell.strip())], False) for cell in line.strip().strip("|").split("|"))
            current = None
        elif current is None or BULLET.match(line):
            current = Block([(number, BULLET.sub("", line, count=1).strip("> "))], True)
            blocks.append(current)
        else:
            current.lines.append((number, line.strip("> ")))
    return blocks


def _help(text):
    blocks = []
    for match in HELP_TEXT.finditer(text):
        current = None
        for number, line in enumerate(match.group(1).split("\n"), tree.line_of(text, match.start(1))):
            if line.startswith("  ") or not line.strip():
                blocks.extend(Block([(number, piece)], False) for piece in re.split(r"\s{2,}", line.strip()) if piece)
                current = None
            elif current is None:
                current = Block([(number, line)], True)
                blocks.append(current)
            else:
                current.lines.append((number, line))
    return blocks


def comments_of(path, text):
    if path.suffix in SLASHES:
        return _by_tokens(text, SLASH_TOKEN, ("//", "/*"), r"^\s*(?://+|/\*+|\*/|\*(?!/))|\*/$")
    if path.suffix in DASHES:
        return _by_tokens(text, DASH_TOKEN, ("--", "/*"), r"^\s*(?:--+|/\*+|\*/)|\*/$")
    if path.suffix == ".py":
        return _python(text)
    return _by_hash(text) if path.suffix in HASHES else []


def blocks_of(path, text):
    """All prose of a file."""
    if path.name == "openapi.json":
        return [Block([(tree.line_of(text, match.start()), json.loads(match.group(1)))], True)
                for match in DESCRIPTION.finditer(text)]
    if path.suffix == ".md":
        return _markdown(text)
    return comments_of(path, text) + (_help(text) if path.name == "help.sh" else [])


def files(root):
    for path in tree.files(root, FOLDERS, SLASHES | DASHES | HASHES | {".py", ".md", ".json"}):
        if not not_ours(path.relative_to(root)) and (path.suffix != ".json" or path.name == "openapi.json"):
            yield path
