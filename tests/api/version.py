"""The program's version: CMakeLists.txt states it, and the build writes it into the JSON files of the page."""

import pathlib
import re

BUILD = pathlib.Path(__file__).resolve().parents[2] / "CMakeLists.txt"


def program_version():
    return re.search(r"^project\(\S+ VERSION (\S+) ", BUILD.read_text(encoding="utf-8"), re.MULTILINE).group(1)


def as_served(text):
    return text.replace("@LAB_VERSION@", program_version())
