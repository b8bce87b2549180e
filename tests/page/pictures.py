"""Takes the README's pictures of the page: a real race and the same race under the fix, in light, dark and phone width.
And the picture of docs/EXPLORER.md: an order at two levels, and its conflict graph.

    /usr/bin/python3 tests/page/pictures.py [FOLDER]        # docs/pictures by default

It needs the tools of the page's tests. It makes the PNGs smaller if there is a pngquant or an optipng."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(ROOT / "tests/api")]

# pylint: disable=wrong-import-position
from bank import Bank
from browser import PHONE, Browser
from cluster import running_cluster
from explorations import Explorations
from pace import eventually

DESKTOP = (1440, 1200)
END = "return Math.ceil(document.querySelector('#panel-fix').getBoundingClientRect().bottom + scrollY + 16)"
PICTURES = {"live-light": (DESKTOP, "light"), "live-dark": (DESKTOP, "dark"), "live-phone": (PHONE, "light")}


CALM = """return document.querySelectorAll(".band.queue").length === 0 &&
    [...document.querySelectorAll(".band.delay .label")].every((label) => label.textContent === "delay 200 ms")"""
TRIES = 40


def play(page):
    """Plays the scenario to its end. A busy machine can disturb the race, so the first undisturbed picture is kept. The
    bars show the balances after the double spend."""
    page.switch("delay", True)
    page.enter("#delay-ms", 200)
    page.switch("barrier", True)
    for _ in range(TRIES):
        page.race_under_the_fix()
        page.race()
        if page.script(CALM):
            break
    page.until_balance("alice", "−$600.00")
    eventually(lambda: len(page.all("#history li")) >= 2, "all are in the history")


def take_explorer(cluster, folder, work):
    """Both levels at the moment at which a session waits, and the conflict graph."""
    _, alone = Explorations(cluster.url("postgres"), work).case("absolute_update")
    page = Browser(size=(1280, 900))
    page.driver.get(alone.as_uri())
    for _ in range(2):
        page.click("#back")
    page.script("document.querySelector('#choice').hidden = true; document.activeElement.blur(); scrollTo(0, 0)")
    end = "return Math.ceil(document.querySelector('#edges').getBoundingClientRect().bottom + scrollY + 32)"
    path = folder / "explore.png"
    path.write_bytes(page.picture(page.script(end)))
    page.close()
    smaller(path)
    print(f"{path}: {path.stat().st_size} bytes")


def smaller(path):
    """Makes the file as small as the tools of this machine can."""
    if shutil.which("pngquant"):
        subprocess.run(["pngquant", "--force", "--skip-if-larger", "--quality=85-100", "--output", path, path], check=False)
    if shutil.which("optipng"):
        subprocess.run(["optipng", "-quiet", "-o4", "-strip", "all", path], check=False)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with running_cluster() as cluster, tempfile.TemporaryDirectory() as logs:
        take_explorer(cluster, folder, pathlib.Path(logs))
        bank = Bank(cluster, cluster.new_database(), pathlib.Path(logs) / "log", {}).until_healthy()
        try:
            for number, (name, (size, scheme)) in enumerate(PICTURES.items()):
                page = Browser(size=size, scheme=scheme).open(bank).until_live()
                if number == 0:
                    play(page)
                page.until_finished("race")
                page.until_finished("fix")
                page.script("document.activeElement?.blur()")
                path = folder / f"{name}.png"
                path.write_bytes(page.picture(page.script(END)))
                smaller(path)
                print(f"{path}: {path.stat().st_size} bytes")
                page.close()
        finally:
            bank.stop()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/pictures")
