"""C text as the rules need it: function bodies, the functions that others can call, and the places that use a name."""
import bisect
import re
from typing import NamedTuple

import tree

DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)\(", re.MULTILINE)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
LAST_WORD = re.compile(r"([A-Za-z_]\w*)\s*$")
NOT_A_TYPE = {"return", "else", "case", "goto", "do", "sizeof"}


class Function(NamedTuple):
    name: str
    is_static: bool
    start: int  # offset of the signature
    body: int   # offset of the opening brace
    end: int    # offset of the closing brace


def without_directives(code):
    return DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), code)


def _head_of(declaration):
    """(the identifier before the parameter list, whether it is static). The list is the last pair of parentheses."""
    depth = 0
    for offset in range(len(declaration) - 1, -1, -1):
        depth += (declaration[offset] == ")") - (declaration[offset] == "(")
        if depth == 0:
            word = LAST_WORD.search(declaration, 0, offset)
            is_static = re.search(r"\bstatic\b", declaration[:offset]) is not None  # not "buffer[static 8]"
            return word.group(1) if word else "", is_static
    return "", False


def functions(code):
    """Every body at the outermost level behind a ")". `code` is without comments, strings and directives."""
    depth = 0
    start = 0  # the declaration being read begins here
    found = None
    for match in re.finditer(r"[{};]", code):
        offset = match.start()
        letter = match.group(0)
        if letter == "{":
            declaration = code[start:offset].rstrip() if depth == 0 else ""
            if declaration.endswith(")"):
                first = start + len(declaration) - len(declaration.lstrip())
                found = (*_head_of(declaration), first, offset)
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                if found is not None:
                    yield Function(*found, offset)
                found = None
                start = offset + 1
        elif depth == 0:
            start = offset + 1


class Source:
    """One file of C: what it includes, what it defines, and what it uses."""

    def __init__(self, path):
        text = tree.text_of(path)
        without_comments = tree.without_comments(text)
        self.includes = [(tree.line_of(text, match.start()), match.group(1) == '"', match.group(2))
                         for match in INCLUDE.finditer(without_comments)]
        self._code = INCLUDE.sub("", tree.code_only(text))
        self._outside = without_directives(self._code)
        self.functions = list(functions(self._outside))
        self.external = {each.name for each in self.functions if not each.is_static}
        self.own = {each.name for each in self.functions if each.is_static}
        self.macros = set(MACRO.findall(self._code))

    def uses(self, names):
        """(name, line) of each of the names that this file calls or takes the address of."""
        shadowed = set()
        found = []
        depths = _depths(self._outside)
        for match in IDENTIFIER.finditer(self._code):
            name = match.group(0)
            if name not in names or name in self.own or name in self.macros:
                continue
            before = self._code[max(0, match.start() - 60):match.start()].rstrip()
            if before.endswith((".", "->")):
                continue  # a member
            in_directive = self._outside[match.start()] == " "
            if not in_directive and depths(match.start()) == 0:
                continue  # a prototype or a definition
            after = self._code[match.end():match.end() + 60].lstrip()[:1]
            word = LAST_WORD.search(before)
            if (before.endswith("*") or (word and word.group(1) not in NOT_A_TYPE)) and after != "(":
                shadowed.add(name)  # a variable of that name
            elif before.endswith("(*") and after == ")":
                shadowed.add(name)
            else:
                found.append((name, tree.line_of(self._code, match.start())))
        parameters = " ".join(self._outside[each.start:each.body] for each in self.functions)
        shadowed |= {name for name, _ in found if re.search(rf"(?:\w|\*)\s*\b{name}\s*[,)\[]", parameters)}
        return [(name, line) for name, line in found if name not in shadowed]


def _depths(code):
    """A function that answers how many braces are open at an offset."""
    offsets, depths = [0], [0]
    for match in re.finditer(r"[{}]", code):
        offsets.append(match.start())
        depths.append(depths[-1] + (1 if match.group(0) == "{" else -1))
    return lambda offset: depths[bisect.bisect_right(offsets, offset) - 1]
