"""The version is stated in one place, project(VERSION) of CMakeLists.txt, and CHANGELOG.md describes it."""
import re

import tree

FOLDERS = tree.SOURCES + ("sql", "compose", "loadtest", "docs", "tests", ".github", ".ci", "lab", "CMakeLists.txt",
                          "CMakePresets.json", "README.md", "CONTRIBUTING.md", "SECURITY.md", "compose.yaml")
PROJECT = re.compile(r"^project\([^)]*\bVERSION\s+(\d+(?:\.\d+)*)", re.MULTILINE)


def project_version(root):
    match = PROJECT.search(tree.text_of(root / "CMakeLists.txt"))
    return match.group(1) if match else None


def copies_of(version):
    """A line that gives the version to this program; `other_version=0.1.0` is another program's."""
    return re.compile(r"(?<![A-Za-z0-9_])(?:(?:LAB|PROJECT|BANK_API)_?)?(?:version|bank-api|race-conditions-lab)\W{1,6}"
                      + re.escape(version) + r"(?!\.?\d)", re.IGNORECASE)


def check(root):
    build = root / "CMakeLists.txt"
    version = project_version(root)
    if version is None:
        yield build, 1, "project() has no VERSION"
        return
    copy = copies_of(version)
    for path in tree.files(root, FOLDERS, set()):
        if path == build or "vendor" in path.parts or "benchmarks" in path.parts:
            continue
        for number, line in enumerate(tree.text_of(path).split("\n"), 1):
            if copy.search(line):
                yield path, number, f"states the version {version}: CMakeLists.txt is the one place for it"
    changes = root / "CHANGELOG.md"
    if not re.search(rf"^## \[{re.escape(version)}\]", tree.text_of(changes), re.MULTILINE):
        yield changes, 1, f"has no section for the version {version}"


if __name__ == "__main__":
    tree.main(check)
