"""No package registry's or mirror's host name in the tree: where packages come from is the machine's to say."""
import re

import tree

FOLDERS = tree.SOURCES + ("sql", "compose", "loadtest", "docs", "tests", "lab", ".ci", ".github", "CMakeLists.txt",
                          "CMakePresets.json", "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md",
                          "compose.yaml", ".dockerignore")
HOSTS = re.compile(
    r"\b(?:registry\.npmjs\.org|pypi\.org|pythonhosted\.org|(?:proxy|sum)\.golang\.org|crates\.io|rubygems\.org"
    r"|repo1?\.maven\.org|ghcr\.io|quay\.io|gcr\.io|mcr\.microsoft\.com|registry-1\.docker\.io|index\.docker\.io"
    r"|docker\.io/\w)"
    r"|\bhttps?://[^/\s\"']*(?:artifactory|nexus|mirror|registry)[^/\s\"']*", re.IGNORECASE)


def check(root):
    for path in tree.files(root, FOLDERS, set()):
        if "tidy" in path.parts or "corpus" in path.parts or ("vendor" in path.parts and path.name != "README.md"):
            continue  # here the names are quoted, or somebody else's
        for number, line in enumerate(tree.text_of(path).split("\n"), 1):
            match = HOSTS.search(line)
            if match:
                yield path, number, f"names a registry: {match.group(0)}"


if __name__ == "__main__":
    tree.main(check)
