"""No text of the tree holds a mark of unfinished work."""
import re

import tree

FOLDERS = tree.SOURCES + ("sql", "compose", "loadtest", "docs", "tests", "lab", ".ci", ".github", "CMakeLists.txt",
                          "CMakePresets.json", "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md",
                          "compose.yaml", ".dockerignore")
SUFFIXES = {"", ".c", ".h", ".sql", ".awk", ".sh", ".py", ".js", ".md", ".txt", ".json", ".yaml", ".yml", ".cmake"}
MARKS = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b|\bnot (?:yet )?implemented\b|\bunimplemented\b|\bstub(?:s|bed)?\b|"
                   r"\bcoming soon\b|\bplaceholder\b", re.IGNORECASE)
UPPER_ONLY = {"todo", "fixme", "xxx", "hack"}  # in lower case they may be words


def check(root):
    for path in tree.files(root, FOLDERS, SUFFIXES):
        if "tidy" in path.parts or "corpus" in path.parts or "vendor" in path.parts:
            continue  # here the marks are quoted, or somebody else's
        for number, line in enumerate(tree.text_of(path).split("\n"), 1):
            line = line.replace('case 501: return "Not Implemented"', "")  # HTTP's own words
            for match in MARKS.finditer(line):
                word = match.group(0)
                if word.lower() not in UPPER_ONLY or word.isupper():
                    yield path, number, f"left over: {line.strip()[:100]}"
                    break


if __name__ == "__main__":
    tree.main(check)
