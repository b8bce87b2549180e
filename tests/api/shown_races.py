"""A race as a person reads it, in three places: on the page, at psql and in the terminal. Each text is taken apart into
the same statements, so that they can be compared with each other and with what PostgreSQL did.

The page's texts come from its own modules under node, the terminal's from the launcher's race.jq, those of psql from
the views."""

import decimal
import json
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "compose" / "native" / "lib"

# Prints the texts of the page for each race of its standard input. A line is a race, the first line the strategies.
PAGE = """
import { createInterface } from "node:readline";
import { raceModel } from "./race_model.js";
import * as words from "./words.js";
let strategies = null;
for await (const line of createInterface({ input: process.stdin })) {
  if (strategies === null) {
    ({ strategies } = JSON.parse(line));
    continue;
  }
  const race = raceModel(JSON.parse(line), strategies);
  const at = (us) => `${((us - race.startUs) / 1000).toFixed(1)} ms`;
  console.log(JSON.stringify({
    letters: Object.fromEntries(race.lanes.map(({ letter, id }) => [letter, id])),
    rows: race.rows.map(({ us, letter, text }) => [(us - race.startUs) / 1000, letter, text]),
    missed: race.missed.map((miss) => words.missedSentence(miss, at)),
    labels: race.missed.map((miss) => [miss.reader, words.missedLabel(miss)]),
    tour: race.missed.map((miss) => [miss.reader, words.missedExplanation(miss)]),
    verdict: words.VERDICTS[race.verdict], sentence: words.verdictSentence(race),
  }));
}
"""

MONEY = r"-?\$-?[\d.]+"


def amount(text):
    return decimal.Decimal(text.replace("$", ""))


class Shown:
    """The statements of one text. Ids of transfers stand for the letters."""

    def __init__(self):
        self.letters = {}   # letter: id
        self.moments = []   # (ms, id, "saw" or "wrote" or "ends", account, value), in the order of the text
        self.found = {}     # id: (the balance that it had read, the balance that its write found)
        self.computed = {}  # id: the balance that it had read, where it overwrote a newer one
        self.waits = set()  # (id, the id of the transfer that it waited for)
        self.missed = {}    # reader: (writer, value read, value written, True if it was not committed)
        self.missed_ms = {} # reader: (ms of the read, ms of the write)
        self.committed = {} # id: {account: the time within which the write was committed, in ms}
        self.verdict = None
        self.sentence = None
        self.chain = None   # the balances of the contested account, one after the other

    def kinds(self, kind):
        return [(who, account, value) for _, who, what, account, value in self.moments if what == kind]


SEES = re.compile(rf"reads (\S+): ({MONEY})")
DOES = re.compile(rf"(?:deducts|adds) {MONEY}: (\S+) is ({MONEY})")
FOUND = re.compile(rf"\(it had read ({MONEY}), but found ({MONEY})\)")
COMPUTED = re.compile(rf"\(computed from the ({MONEY}) it had read: another write is lost\)")
WAITED = re.compile(r"(?:after waiting [\d.]+ ms for|held by) ([A-Z](?:(?:, | and )[A-Z])*)")
WITHIN = re.compile(r"committed within ([\d.]+) ms")
AFTER = re.compile(rf"(\w) read ({MONEY}) at ([\d.-]+) ms\. It never saw that (\w) wrote ({MONEY})(?: to (\S+))? at ([\d.-]+) ms\.")
BEFORE = re.compile(rf"(\w) had written ({MONEY})(?: to (\S+))? at ([\d.-]+) ms but not committed it when (\w) read ({MONEY}) "
                    r"at ([\d.-]+) ms: (\w) could not see it\.")


def take_row(shown, ms, letter, text):
    """A step in the words of the page, which are the terminal's words too."""
    who = shown.letters[letter]
    if (found := SEES.search(text)) is not None:
        shown.moments.append((ms, who, "saw", found.group(1), amount(found.group(2))))
    if (found := DOES.match(text)) is not None:
        account = found.group(1)
        shown.moments.append((ms, who, "wrote", account, amount(found.group(2))))
        if (within := WITHIN.search(text)) is not None:
            shown.committed.setdefault(who, {})[account] = decimal.Decimal(within.group(1))
    if (found := FOUND.search(text)) is not None:
        shown.found[who] = tuple(map(amount, found.groups()))
    if (found := COMPUTED.search(text)) is not None:
        shown.computed[who] = amount(found.group(1))
    if (found := WAITED.search(text)) is not None:
        shown.waits |= {(who, shown.letters[each]) for each in re.findall(r"[A-Z]", found.group(1))}
    if re.match(r"ends|commits|done", text):
        shown.moments.append((ms, who, "ends", "commit" if "committed" in text and "on its own" not in text or
                              text.startswith("commits") else "", None))


def take_missed(shown, sentences):
    for found in AFTER.finditer(sentences):
        reader, read, read_ms, writer, written, _, written_ms = found.groups()
        shown.missed[shown.letters[reader]] = (shown.letters[writer], amount(read), amount(written), False)
        shown.missed_ms[shown.letters[reader]] = (float(read_ms), float(written_ms))
    for found in BEFORE.finditer(sentences):
        writer, written, _, written_ms, reader, read, read_ms, again = found.groups()
        assert reader == again, sentences
        shown.missed[shown.letters[reader]] = (shown.letters[writer], amount(read), amount(written), True)
        shown.missed_ms[shown.letters[reader]] = (float(read_ms), float(written_ms))


class Page:
    """The page's modules in a node that stays open."""

    def __init__(self, folder, strategies):
        for module in (ROOT / "server/page").glob("*.js"):
            shutil.copy(module, folder)
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "say.js").write_text(PAGE)
        self._node = subprocess.Popen(["node", "say.js"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._say(strategies)

    def _say(self, text):
        self._node.stdin.write(text.replace("\n", "") + "\n")
        self._node.stdin.flush()

    def show(self, race):
        self._say(race)
        said = json.loads(self._node.stdout.readline())
        shown = Shown()
        shown.letters = said["letters"]
        for ms, letter, text in said["rows"]:
            take_row(shown, ms, letter, text)
        take_missed(shown, " ".join(said["missed"]))
        assert len(shown.missed) == len(said["missed"]), said["missed"]
        self._agree(shown, said)
        shown.verdict, shown.sentence = said["verdict"].lower(), said["sentence"]
        return shown

    @staticmethod
    def _agree(shown, said):
        """The label at the red line and the sentence of the tour say the same as the sentence under the picture."""
        for letter, label in said["labels"]:
            assert ("not committed" in label) == shown.missed[shown.letters[letter]][3], label
        for letter, explanation in said["tour"]:
            assert ("not committed" in explanation) == shown.missed[shown.letters[letter]][3], explanation

    def close(self):
        self._node.stdin.close()
        self._node.wait()


def terminal_text(race, width=60):
    """The picture of `./lab races ID`, without its colours."""
    drawn = subprocess.run(["jq", "-r", "-L", LAUNCHER, "--argjson", "width", str(width), "--argjson", "color", "{}",
                            'include "race"; [.] | model | headed'], input=race, check=True, capture_output=True, text=True)
    return drawn.stdout


ROW = re.compile(r" *([\d.-]*) \| ([ A-Z]+) \| (.*)")


def show_terminal(race, ids):
    """A terminal of 60 columns has all transfers in one column. `ids`: letter: id, which the terminal does not show."""
    text = terminal_text(race)
    shown = Shown()
    shown.letters = ids
    rows, rest = [], []
    for line in text.splitlines():
        if (found := ROW.match(line)) is not None:
            ms, letter, words = found.groups()
            if letter.strip():
                rows.append([float(ms), letter.strip(), words])
            else:
                rows[-1][2] += " " + words.strip()
        elif "---" not in line:
            rest.append(line.strip())
    for row in rows:
        take_row(shown, *row)
    words = " ".join(rest)
    take_missed(shown, words)
    shown.verdict = re.search(r"UTC, .*?: (double spend|lost update|stale read|clean)", words).group(1)
    shown.sentence = rest[-1]
    if (found := re.search(rf"in the database: ((?:{MONEY}(?: -> )?)+)", words)) is not None:
        shown.chain = [amount(each) for each in found.group(1).split(" -> ")]
    return shown


def show_psql(bank, race_id):
    """show_race, which has the newest race, and the rows of the other views about it."""
    shown = Shown()
    for row in bank.rows("TABLE show_race"):
        column = "A" if row["A"] is not None else "B"
        text = re.sub(r"\s+", " ", row[column])
        if (named := re.match(r"([A-Z]): (?=[0-9a-f]{8}: |\D)", text)) is not None:
            column, text = named.group(1), text[3:]
        if row["ms"] is None:
            shown.letters[column] = re.match(r"([0-9a-f]{8}): ", text).group(1)
            continue
        take_psql_row(shown, float(row["ms"]), column, text)
    letter = {letter: id_ for letter, id_ in shown.letters.items()}
    for row in bank.rows("SELECT * FROM show_missed_writes WHERE race = %s", race_id):
        take_psql_missed(shown, letter, re.sub(r"\s+", " ", row["what"]), row["account"])
    shown.spends = {letter[row["who"]]: (row["read"], row["found"], row["after"])
                    for row in bank.rows("SELECT * FROM show_double_spends WHERE race = %s", race_id)}
    shown.waits = {(letter[row["who"]], letter[row["whom"]])
                   for row in bank.rows("SELECT * FROM show_lock_waits WHERE race = %s", race_id)}
    shown.verdict = bank.rows("SELECT verdict FROM show_races WHERE id = %s", race_id)[0]["verdict"].replace("_", " ")
    shown.timeline = timeline_missed(bank, set(shown.letters.values()))
    return shown


def take_psql_row(shown, ms, letter, text):
    who = shown.letters[letter]
    if (found := SEES.search(text)) is not None:
        shown.moments.append((ms, who, "saw", found.group(1), amount(found.group(2))))
    elif (found := re.match(rf"writes (\S+): ({MONEY})", text)) is not None:
        shown.moments.append((ms, who, "wrote", found.group(1), amount(found.group(2))))
    elif text in ("commits", "ends"):
        shown.moments.append((ms, who, "ends", "commit" if text == "commits" else "", None))
    if (found := re.search(rf"\(it had read ({MONEY}); (\w+|another race) wrote ({MONEY})\)", text)) is not None:
        read, writer, written = found.groups()
        shown.computed[who] = (amount(read), shown.letters.get(writer), amount(written))


WHAT = re.compile(rf"(\w+) read ({MONEY}) at ([\d.-]+) ms, (\w+) wrote ({MONEY}) at ([\d.-]+) ms, committed by ([\d.-]+) ms")


def take_psql_missed(shown, letters, text, account):
    found = WHAT.fullmatch(text)
    assert found, text
    reader, read, read_ms, writer, written, written_ms, _ = found.groups()
    shown.missed[letters[reader]] = (letters.get(writer, writer), amount(read), amount(written),
                                     None if written_ms == read_ms else float(written_ms) < float(read_ms))
    shown.missed_ms[letters[reader]] = (float(read_ms), float(written_ms))


def timeline_missed(bank, ids):
    """reader: (the writer's value, True if it had not committed), from race_timeline."""
    found = {}
    for row in bank.rows("SELECT * FROM race_timeline"):
        text = next(row[name] for name in ("racer_1", "racer_2", "racer_3", "racer_4", "other_racers") if row[name])
        if row["transfer_id"] not in ids:
            continue
        if (after := re.search(rf"wrote ({MONEY}) after this one had read\)", text)) is not None:
            found[row["transfer_id"]] = (amount(after.group(1)), False)
        if (before := re.search(rf"had written ({MONEY}) but not committed when this one read", text)) is not None:
            found[row["transfer_id"]] = (amount(before.group(1)), True)
    return found
