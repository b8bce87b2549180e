"""Reads a /metrics page, strictly enough to notice a malformed one."""

import re
from decimal import Decimal

SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: # .*)?$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)')


class Scrape:
    """All samples of one scrape: `types` by family name, `samples` as (name, labels, value)."""

    def __init__(self, text):
        self.text = text
        self.types = {}
        self.helps = {}
        self.samples = []
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line[len("# TYPE "):].split(" ")
                assert name not in self.types, f"two TYPE lines of {name}"
                self.types[name] = kind
            elif line.startswith("# HELP "):
                name, words = line[len("# HELP "):].split(" ", 1)
                assert name not in self.helps, f"two HELP lines of {name}"
                self.helps[name] = words
            elif not line.startswith("#"):
                self.samples.append(self._sample(line))

    @staticmethod
    def _sample(line):
        match = SAMPLE.match(line)
        assert match, f"not a sample: {line!r}"
        name, labels, value = match.groups()
        pairs = LABEL.findall(labels or "")
        assert LABEL.sub("", labels or "") == "", f"not labels: {line!r}"
        assert len(dict(pairs)) == len(pairs), f"a label twice: {line!r}"
        return name, dict(pairs), Decimal(value.replace("+Inf", "Infinity"))

    def values(self, name, **labels):
        """The values of all samples of that name that have these labels."""
        return [value for found, has, value in self.samples
                if found == name and all(has.get(key) == wanted for key, wanted in labels.items())]

    def total(self, name, **labels):
        """The sum of the values; 0 without any."""
        return sum(self.values(name, **labels), Decimal(0))

    def labels(self, name):
        return [labels for found, labels, _ in self.samples if found == name]
