"""No private words: names, comments, messages and documentation use the words of the field."""
import fnmatch
import re
from typing import NamedTuple

import prose
import tree

SUFFIXES = prose.SLASHES | prose.DASHES | prose.HASHES | {".py", ".md", ".html", ".lua", ".awk", ".json"}
PROGRAM = re.compile(r"\.(?:c|h|sql|js|py)$")


class Rule(NamedTuple):
    word: str
    pattern: re.Pattern
    use: str


def part(*words):
    """The words where they stand alone or as a part of a name: lane_add, LANE_MAX, laneOf, isLane."""
    either = "|".join(words)
    capital = "|".join(word[0].upper() + word[1:] for word in words)
    return (rf"(?<![A-Za-z])(?:(?:{either}|{capital})(?![a-z])|(?:{either.upper()})(?![A-Za-z]))"
            rf"|(?<=[a-z])(?:{capital})(?![a-z])")


def rule(word, pattern, use):
    return Rule(word, re.compile(pattern), use)


RULES = [
    rule("few_at_a_time", r"(?i:few[ _]at[ _]a[ _]time)", "max_in_flight_per_account"),
    rule("lane", part("lane", "lanes"), "account queue"),
    rule("bet", part("bet", "bets"), 'optimistic batch; for a lost one "the condition failed"'),
    rule("patient", part("patient", "impatient", "patience", "impatience", "patiently"),
         "batch split after a lock timeout"),
    rule("told", part("told", "tell", "tells", "telling", "tellings"),
         "the exact verb: log, publish, return, record, report, document, distinguish"),
    rule("feed", part("feed", "feeds"), "event queue; publish"),
    rule("is_long", r"\bis_long\b", "may_block_at_gate"),
    rule("dealings", part("dealings"), "database calls"),
    rule("half done", r"(?i:half[ _]done)", "partially applied"),
    rule("goes_on", r"\b(?:\w+_)?(?:goes_on|GOES_ON)\b", "continue"),
    rule("away", r"\b\w*_(?:AWAY|away)\b|\b(?:is|was|are|were|be|been|being|stays) away\b"
                 r"|\b(?:[Dd]atabase|PostgreSQL) (?:goes|went|gone) away\b", "unavailable"),
    rule("party", part("party"), "waiter"),  # `parties` is a count on the wire: the key of a step and of the events
    rule("roll", part("roll", "rolls"), "released list"),
    rule("booking", part("booked", "booking", "bookings") + r"|\b(?:book|BOOK)_\w|\w_(?:book|BOOK)(?![A-Za-z])"
         r"|\b(?:it|that|who|which|to|and|worker|writer|statement|`batched`) books?\b(?! balance)", "post, posting"),
    rule("amount", r"\u2212|\\u2212|&minus;|\$-\d", "the spelling -$600.00, with an ASCII sign before the currency"),
]
STAGE = rule("stage", r"\bstage\.sh\b|\bstage_\w+", "sandbox.sh, sandbox_")

# Meanings that the word has in the field as well, and names on the wire: each is taken out of a line first.
MEANT = re.compile("|".join([
    r"\brolls?\b[^.;\"]{0,30}\bback\b|\w*roll_back\w*",  # a transaction
    r"\b[Tt]hird[- ]part(?:y|ies)\b",
    r"(?<![A-Za-z])[Ll]ine[-_ ]feeds?(?![a-z])",
    r"""\\?["'`]parties\\?["'`]""",           # the key of a step, and of the events of the barrier
    r"\bbarrier\.parties\b",                 # the attribute of a span
    r"\bbank:database_away:bool\b",          # the recording rule
    r"\bSTATEMENT_BOOK\w*|\bbook(?:_if_\w+|_many\w*|_from_snapshot)\b",  # values of the metrics' label `statement`
    r"\b(?i:steps_told)\b",                 # a function of the database's schema
    r"RACE CONDITION DETECTED: \w+ is negative: \$-\d+",  # the line of the log
]))
# The key of a step once more, where a language writes keys without quotes.
KEY = {".js": re.compile(r"\.parties\b|\bparties:"), ".md": re.compile(r"\.parties\b"),
       ".html": re.compile(r"\.parties\b"), ".sql": re.compile(r"\bparties\b")}

# These quote the words.
QUOTES = {"tests/tidy/words.py", "tests/tidy/selftest.py"}

# File, word, reason.
EXCEPTIONS = [
    ("server/page/*", "lane", "a lane of the timeline is a swimlane"),
    ("tests/page/*", "lane", "a lane of the timeline is a swimlane"),
    ("tests/api/test_step_words.py", "lane", "the page's function takes a lane of the timeline"),
    ("tests/api/shown_races.py", "lane", "the page's model of a race has lanes of the timeline"),
    ("tests/tidy/report.py", "lane", "a file name of earlier versions"),
    ("tests/tidy/sentences.py", "told", "names the rule of words.py"),
    ("server/*http_parser*", "feed", "a parser is fed bytes"),
    ("server/*conn.c", "feed", "calls the parser's http_parser_feed()"),
    ("docs/one-transfer.md", "feed", "names the parser's http_parser_feed()"),
    ("tests/fuzz/*", "feed", "a parser is fed bytes"),
    ("tests/unit/server/*", "feed", "a parser is fed bytes"),
    ("observability/prometheus/*", "away", "the names of rules that operators have"),
    ("tests/observability/*", "away", "the names of rules that operators have"),
    ("tests/api/pace.py", "patient", "how long the tests wait"),
    ("tests/runbook/test_demo.py", "amount", "the spelling that the demo must not have"),
]


def is_exempt(relative, word):
    return any(word == other and fnmatch.fnmatchcase(relative, pattern) for pattern, other, _ in EXCEPTIONS)


def code_and_comment(line, suffix):
    """A line of SQL: what stands before its comment, and the comment."""
    code, mark, comment = line.partition("--")
    return (code, mark + comment) if suffix == ".sql" else (line, "")


def without_names_of_the_wire(line, suffix):
    line = MEANT.sub(" ", line)
    if suffix in KEY:
        code, comment = code_and_comment(line, suffix)
        line = KEY[suffix].sub(" ", code) + comment
    return line


def files(root):
    for path in tree.files(root, prose.FOLDERS, SUFFIXES):
        relative = path.relative_to(root)
        is_report = path.suffix == ".json" and path.name != "openapi.json"
        if not prose.not_ours(relative) and not is_report and str(relative) not in QUOTES:
            yield path, str(relative)


def rules_of(relative):
    is_shell = not PROGRAM.search(relative)
    return [each for each in RULES + ([STAGE] if is_shell else []) if not is_exempt(relative, each.word)]


def check(root):
    for path, relative in files(root):
        rules = rules_of(relative)
        if path.name.startswith("CMakeLists") and relative.startswith("tests/unit/server"):
            rules = [each for each in rules if each.word != "feed"]
        for each in rules:
            if each.pattern.search(relative):
                yield path, 1, f'the file\'s name says "{each.word}": use {each.use}'
        any_of = re.compile("|".join(each.pattern.pattern for each in rules))
        for number, line in enumerate(tree.text_of(path).split("\n"), 1):
            if not any_of.search(line):
                continue
            line = without_names_of_the_wire(line, path.suffix)
            for each in rules:
                match = each.pattern.search(line)
                if match:
                    name = re.search(r"\w*$", line[:match.start()]).group(0) + match.group(0)
                    name += re.match(r"\w*", line[match.end():]).group(0)
                    yield path, number, f'"{name}" ({each.word}): use {each.use}'


if __name__ == "__main__":
    tree.main(check)
