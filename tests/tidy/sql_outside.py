"""SQL stands in sql/, not in string literals of the program."""
import re

import tree

# A literal, with those that follow it: the compiler joins them, and so does this.
LITERALS = re.compile(r'"(?:\\.|[^"\\\n])*"(?:\s*"(?:\\.|[^"\\\n])*")*')
SQL = re.compile(
    r"\bselect\b.+\bfrom\b|\binsert\s+into\b|\bupdate\s+\S+\s+set\b|\bdelete\s+from\b|\bselect\s+\w+\s*\("
    r"|\b(?:create|drop|alter)\s+(?:or\s+replace\s+)?(?:table|view|index|function|schema)\b|\btruncate\s+\w"
    r"|\bbegin\s+isolation\b|\b(?:begin|commit|rollback)\s*;|\bwhere\s+\w+\s*=\s*\$\d",
    re.IGNORECASE | re.DOTALL)


def check(root):
    for path in tree.files(root, tree.SOURCES, {".c", ".h"}):
        text = tree.without_comments(tree.text_of(path))
        for match in LITERALS.finditer(text):
            literal = re.sub(r'"\s*"', "", match.group(0)).replace("\\n", " ")
            if SQL.search(literal):
                yield path, tree.line_of(text, match.start()), f"SQL outside sql/: {literal[:80]}"


if __name__ == "__main__":
    tree.main(check)
