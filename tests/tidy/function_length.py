"""A function has at most 70 lines, its signature counted; a file of C has at most 500."""
import re

import tree

FUNCTION_MAX = 70
FILE_MAX = 500
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE)


def functions(text):
    """(first line, last line, first line's text) of every body that stands at the outermost level behind a ")"."""
    code = DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), tree.code_only(text))
    depth = 0
    start = 0  # of the declaration being read
    body = None
    for offset, letter in enumerate(code):
        if letter == "{":
            if depth == 0 and code[start:offset].rstrip().endswith(")"):
                body = start + len(code[start:offset]) - len(code[start:offset].lstrip())
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                if body is not None:
                    yield tree.line_of(code, body), tree.line_of(code, offset), text[body:offset].split("\n", 1)[0]
                body = None
                start = offset + 1
        elif letter == ";" and depth == 0:
            start = offset + 1


def check(root):
    for path in tree.files(root, tree.SOURCES + ("tests",), {".c", ".h"}):
        text = tree.text_of(path)
        lines = text.count("\n")
        if lines > FILE_MAX:
            yield path, FILE_MAX, f"the file has {lines} lines, more than {FILE_MAX}"
        for first, last, signature in functions(text):
            length = last - first + 1
            if length > FUNCTION_MAX:
                yield path, first, f"{length} lines, more than {FUNCTION_MAX}: {signature}"


if __name__ == "__main__":
    tree.main(check)
