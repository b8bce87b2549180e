"""Every C file begins with a comment that says what it is for."""
import tree

WORDS_LEAST = 4


def check(root):
    for path in tree.files(root, tree.SOURCES + ("tests",), {".c", ".h"}):
        words = []
        for line in tree.text_of(path).split("\n"):
            if not line.startswith("//"):
                break
            words += line[2:].split()
        if len(words) < WORDS_LEAST:
            yield path, 1, "no banner comment that says what the file is for"


if __name__ == "__main__":
    tree.main(check)
