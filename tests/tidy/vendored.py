"""Files of others are as they were published: each file of server/page/vendor is listed in SHA256SUMS there, and is as
the list says; and its version and its licence are named."""
import hashlib
import pathlib
import re

import tree

FOLDER = pathlib.Path("server/page/vendor")
OURS = {"README.md", "SHA256SUMS"}
LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
ORIGIN = re.compile(r"^\S+ \d+\.\d+\.\d+ \(`sha512-[A-Za-z0-9+/=]{88}`\), \S+, ", re.MULTILINE)


def check(root):
    folder = root / FOLDER
    sums = folder / "SHA256SUMS"
    listed = {}
    for number, line in enumerate(tree.text_of(sums).splitlines(), 1):
        match = LINE.fullmatch(line)
        if match is None:
            yield sums, number, f"is no line of a list of hashes: {line[:80]}"
        else:
            listed[match.group(2)] = (number, match.group(1))
    found = {path.name: path for path in tree.files(root, (str(FOLDER),), set()) if path.name not in OURS}
    for name, path in found.items():
        if name not in listed:
            yield path, 1, "is not listed in SHA256SUMS"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != listed[name][1]:
            yield path, 1, "is not as it was published: fetch it again with server/vendor_viewer.sh"
    for name, (number, _) in listed.items():
        if name not in found:
            yield sums, number, f"there is no {name}"
    if "LICENSE" not in found:
        yield sums, 1, "there is no LICENSE"
    if not ORIGIN.search(tree.text_of(folder / "README.md")):
        yield folder / "README.md", 1, "names no package, version, integrity and licence"


if __name__ == "__main__":
    tree.main(check)
