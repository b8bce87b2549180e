"""Takes a picture of every state of the page: the start, a race under way, a race and its fix, each step of the tours,
the presentation, the other pages, a phone, the dark theme, and the paper. The README and docs/EXPLORER.md show some.

    /usr/bin/python3 tests/page/pictures.py [FOLDER [NAME...]]    # docs/pictures, and all pictures, by default

It needs the tools of the page's tests; pdftoppm for the paper. It makes the PNGs smaller if there is a pngquant or an
optipng."""

import base64
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
from browser import DESKTOP, PHONE, Browser
from cluster import running_cluster
from explorations import Explorations
from waiting import eventually

TALL = (1440, 1200)
HALL = (1920, 1080)
END = "return Math.ceil(document.querySelector('#panel-race').getBoundingClientRect().bottom + scrollY + 16)"
WHOLE = "return document.documentElement.scrollHeight"

CALM = """return document.querySelectorAll(".band.queue").length === 0 &&
    [...document.querySelectorAll(".band.delay .label")].every((label) => label.textContent === "delay 200 ms")"""
TRIES = 12
LIVE = ("live-light", "live-dark", "live-phone", "live-phone-dark", "live-tablet", "whole", "presentation", "forced-colours")


def smaller(path):
    """Makes the file as small as the tools of this machine can."""
    if shutil.which("pngquant"):
        subprocess.run(["pngquant", "--force", "--skip-if-larger", "--quality=85-100", "--output", path, path], check=False)
    if shutil.which("optipng"):
        subprocess.run(["optipng", "-quiet", "-o4", "-strip", "all", path], check=False)


class Photographer:
    """Opens pages of one bank, and writes their pictures."""

    def __init__(self, bank, folder, names):
        self.bank = bank
        self.folder = folder
        self.names = names

    def wants(self, *names):
        return not self.names or any(name in self.names for name in names)

    def open(self, path="/", **options):
        page = Browser().begin(**options).open(self.bank, path)
        return page.until_live() if path.startswith("/?") or path == "/" or path.startswith("/#") else page

    def take(self, page, name, height=None):
        """height: a script that returns it, or None for the part that fits the window."""
        if not self.wants(name):
            return
        if height is not None:
            page.script("document.activeElement?.blur()")
        self.write(name, page.picture(height and page.script(height)))

    def write(self, name, png):
        path = self.folder / f"{name}.png"
        path.write_bytes(png)
        smaller(path)
        print(f"{path}: {path.stat().st_size} bytes")


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
    page.until_balance("alice", "-$600.00")
    eventually(lambda: len(page.all("#history li")) >= 2, "all are in the history")


def take_live(photos):
    """The page at its start, while it races, and after both races; the same in other sizes, colours and on paper."""
    page = photos.open(size=DESKTOP)
    photos.take(page, "start")
    page.switch("delay", True)
    page.enter("#delay-ms", 3000)
    page.click("#race")
    eventually(lambda: page.all("#panel-race .band"), "the race is under way")
    photos.take(page, "racing", WHOLE)
    page.until_finished("race")
    play(page)
    page.close()
    for name, size, scheme, end in (("live-light", TALL, "light", END), ("live-dark", TALL, "dark", END),
                                    ("live-phone", PHONE, "light", END), ("live-phone-dark", PHONE, "dark", END),
                                    ("live-tablet", (768, 1024), "light", END), ("whole", DESKTOP, "light", WHOLE)):
        if photos.wants(name):
            page = drawn(photos, size=size, scheme=scheme)
            photos.take(page, name, end)
            page.close()
    take_variants(photos)


def drawn(photos, path="/", **options):
    page = photos.open(path, **options)
    page.until_finished("race")
    page.until_finished("fix")
    return page


def take_variants(photos):
    if photos.wants("presentation"):
        page = drawn(photos, "/?present", size=HALL)
        photos.take(page, "presentation")
        page.close()
    if photos.wants("forced-colours"):
        page = drawn(photos, size=TALL)
        page.command("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
        photos.take(page, "forced-colours", END)
        page.close()
    if photos.wants("paper") and shutil.which("pdftoppm"):
        page = drawn(photos, size=DESKTOP)
        take_paper(photos, page)
        page.close()


def take_paper(photos, page):
    with tempfile.TemporaryDirectory() as work:
        pdf = pathlib.Path(work) / "paper.pdf"
        pdf.write_bytes(base64.b64decode(page.command("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"]))
        subprocess.run(["pdftoppm", "-r", "80", "-png", pdf, pdf.with_suffix("")], check=True)
        for number, sheet in enumerate(sorted(pathlib.Path(work).glob("*.png")), start=1):
            photos.write(f"paper-{number}", sheet.read_bytes())


def take_tours(photos, name, steps, prefix="", **options):
    """Every step of a tour after its prediction, and its end."""
    names = [f"{prefix}{name}-{step}" for step in range(steps + 1)]
    if not photos.wants(*names, f"{prefix}{name}-end"):
        return
    page = photos.open(f"/#{name}", **options)
    eventually(lambda: page.shown("#tour-answers .answer"), "the tour asks")
    photos.take(page, names[0])
    for step in range(1, steps + 1):
        page.until("#tour-title", f"{step} of {steps}")
        eventually(lambda: page.all("#tour-answers .answer") and not page.is_off("#tour-answers .answer"), "it asks")
        page.click("#tour-answers .answer:last-child")
        eventually(lambda: page.text("#tour-outcome"), "it has run")
        if page.text("#panel-race .replay") != "Pause":
            eventually(lambda: page.all(".panel.judged") or step == 1, "drawn")
        photos.take(page, names[step])
        page.click("#tour-next")
    photos.take(page, f"{prefix}{name}-end")
    page.close()


def take_other_pages(photos):
    for scheme in ("light", "dark"):
        suffix = "" if scheme == "light" else "-dark"
        if photos.wants(f"play{suffix}"):
            page = photos.open("/play", size=DESKTOP, scheme=scheme)
            eventually(lambda: page.all("#lane-B .program li"), "the lesson is shown")
            page.click("#step-A")
            eventually(lambda: page.text("#order").endswith("A1"), "A has read")
            page.click("#step-B")
            eventually(lambda: page.text("#order").endswith("B1"), "B has read")
            photos.take(page, f"play{suffix}", WHOLE)
            page.close()
        if photos.wants(f"docs{suffix}"):
            page = photos.open("/docs", size=DESKTOP, scheme=scheme)
            eventually(lambda: page.all("#docs .opblock"), "the operations are shown")
            photos.take(page, f"docs{suffix}")
            page.close()


def take_explorer(cluster, photos, work):
    """Both levels at the moment at which a session waits, and the conflict graph."""
    if not photos.wants("explore"):
        return
    _, alone = Explorations(cluster.url("postgres"), work).case("absolute_update")
    page = Browser().begin(size=(1280, 900))
    page.driver.get(alone.as_uri())
    for _ in range(2):
        page.click("#back")
    page.script("document.querySelector('#choice').hidden = true; document.activeElement.blur(); scrollTo(0, 0)")
    photos.take(page, "explore", "return Math.ceil(document.querySelector('#edges').getBoundingClientRect().bottom + scrollY + 32)")
    page.close()


def main(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    with running_cluster() as cluster, tempfile.TemporaryDirectory() as logs:
        bank = Bank(cluster, cluster.new_database(), pathlib.Path(logs) / "log", {}).until_healthy()
        photos = Photographer(bank, folder, names)
        try:
            if photos.wants("start", "racing", *LIVE) or any(name.startswith("paper") for name in names):
                take_live(photos)
            take_tours(photos, "tour", 5, size=DESKTOP)
            take_tours(photos, "tour", 5, prefix="phone-", size=PHONE)
            take_tours(photos, "fixes", 5, size=DESKTOP)
            take_tours(photos, "fixes", 5, prefix="hall-", size=HALL)
            take_other_pages(photos)
        finally:
            bank.stop()
        take_explorer(cluster, photos, pathlib.Path(logs))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/pictures", sys.argv[2:])
