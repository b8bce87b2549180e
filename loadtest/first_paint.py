#!/usr/bin/python3
"""How soon a browser paints the live page: the first contentful paint, in milliseconds after the address was opened.

Usage: first_paint.py [--loads N]

It starts a bank on a private PostgreSQL, and needs chromium, chromium-driver and python3-selenium, as the tests of the
page do. The program is build/release/bank-api, or the one that BANK_API names.
"""

import argparse
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "page"))
from harness import lab  # noqa: E402
from browser import DESKTOP, Browser  # noqa: E402
from waiting import eventually  # noqa: E402

PAINT = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def measure(bank, loads):
    page = Browser().begin(size=DESKTOP)
    try:
        page.open(bank).until_live()  # the first load starts the browser's own processes
        for _ in range(loads):
            page.open(bank).until_live()
            yield eventually(lambda: page.script(PAINT), "the page is painted")
    finally:
        page.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--loads", type=int, default=20)
    options = parser.parse_args()
    with lab.cluster() as own, lab.bank(own, own.new_database()) as bank:
        paints = sorted(measure(bank, options.loads))
    print(f"first contentful paint of {len(paints)} loads: least {paints[0]:.0f} ms, "
          f"median {statistics.median(paints):.0f} ms, most {paints[-1]:.0f} ms")


if __name__ == "__main__":
    main()
