"""The page and its files: the program serves them as they are in server/page/, with a policy that allows no other
source."""

import gzip
import pathlib

import pytest

from problem import assert_problem
from version import as_served
from wire import request_bytes

FOLDER = pathlib.Path(__file__).resolve().parent / "../../server/page"
FILES = {str(path.relative_to(FOLDER)).replace("/", "-"): path for path in sorted(FOLDER.rglob("*")) if path.is_file()}
PAGES = {"/": "index.html", "/docs": "docs.html", "/explore": "explore.html", "/play": "play.html",
         "/openapi.json": "openapi.json"}
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".json": "application/json", ".svg": "image/svg+xml"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


def served(name):
    data = FILES[name].read_bytes()
    return as_served(data.decode()).encode() if name.endswith(".json") else data


@pytest.mark.parametrize("name", FILES)
def test_every_file(bank, name):
    answer = bank.get(f"/page/{name}")
    assert answer.status == 200
    assert answer.body == served(name)
    assert answer.headers["Content-Type"] == TYPES.get(FILES[name].suffix, "text/plain; charset=utf-8")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize("path", PAGES)
def test_the_pages(bank, path):
    if PAGES[path] in FILES:
        assert bank.get(path).body == served(PAGES[path])
        assert bank.request("HEAD", path).status == 200
    else:
        assert_problem(bank.get(path), 404)
    assert_problem(bank.post(path), 405)


@pytest.mark.parametrize("name", FILES)
def test_a_client_that_reads_gzip(bank, name):
    plain, packed = bank.get(f"/page/{name}"), bank.get(f"/page/{name}", Accept_Encoding="br, gzip;q=0.5")
    for answer in (plain, packed):
        assert (answer.status, answer.headers["Vary"]) == (200, "Accept-Encoding")
    if "Content-Encoding" not in packed.headers:
        assert (packed.body, packed.headers["ETag"]) == (plain.body, plain.headers["ETag"])
        assert len(gzip.compress(plain.body, 9)) >= len(plain.body) - 100
        return
    assert packed.headers["Content-Encoding"] == "gzip" and len(packed.body) < len(plain.body)
    assert gzip.decompress(packed.body) == served(name)
    assert packed.headers["ETag"] != plain.headers["ETag"]
    again = {tag: bank.get(f"/page/{name}", Accept_Encoding="gzip", If_None_Match=tag)
             for tag in (plain.headers["ETag"], packed.headers["ETag"])}
    assert [answer.status for answer in again.values()] == [200, 304]


def test_a_client_that_refuses_gzip(bank):
    for accepted in ("identity", "gzip;q=0", "br"):
        answer = bank.get("/page/main.js", Accept_Encoding=accepted)
        assert "Content-Encoding" not in answer.headers and answer.body == served("main.js")


def test_a_link_to_a_race_is_the_page(bank):
    """The page itself reads the text behind the "?"."""
    assert bank.get("/?race=0123abcd").body == FILES["index.html"].read_bytes()


def test_a_copy_that_is_still_good(bank):
    tag = bank.get("/page/page.css").headers["ETag"]
    assert tag.startswith('"') and tag.endswith('"')
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        with bank.wire() as wire:
            wire.send(request_bytes("GET", "/page/page.css", f"If-None-Match: {known}"))
            answer = wire.answer()
            assert (answer.status, answer.headers["ETag"], answer.body) == (304, tag, b"")
            assert wire.send(request_bytes("GET", "/health")).answer().status == 200  # no body followed it
    for other in ('"other"', tag.strip('"'), f'"x{tag.strip(chr(34))}"', bank.get("/page/main.js").headers["ETag"]):
        assert bank.get("/page/page.css", If_None_Match=other).status == 200, other


@pytest.mark.parametrize("name", ["nothing.js", "..%2Findex.html", "..", "%2e%2e%2frouter.c", "page", "Page.css",
                                  "index.html/"])
def test_what_is_no_file(bank, name):
    assert_problem(bank.get(f"/page/{name}"), 404)


def test_a_name_that_is_no_text(bank):
    assert_problem(bank.get("/page/%ff%fe"), 400)
    assert_problem(bank.get("/page/%zz"), 400)
    assert_problem(bank.get("/page/index.html%00"), 400)


def test_it_is_served_without_a_database(start_bank, cluster):
    bank = start_bank(database=cluster.unused_database_name(), ready=False).until_serving()
    assert bank.get("/").status == 200


def test_only_to_its_own_host(bank):
    with bank.wire() as wire:
        assert wire.send(request_bytes("GET", "/", host="attacker.example")).answer().status == 421
