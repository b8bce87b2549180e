"""A function has at most 70 lines, its signature counted; a file of C has at most 500."""
import c_source
import tree

FUNCTION_MAX = 70
FILE_MAX = 500


def functions(text):
    """(first line, last line, first line's text) of every function."""
    for each in c_source.functions(c_source.without_directives(tree.code_only(text))):
        first, last = tree.line_of(text, each.start), tree.line_of(text, each.end)
        yield first, last, text[each.start:each.body].split("\n", 1)[0]


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
