#!/usr/bin/python3
"""Reads natural races as a person does, on the page, at psql and in the terminal, and compares every statement with
what PostgreSQL did (witness.py).

No barrier and no delay: transfers of one account are sent at the same time until enough of them have met. It needs node
and jq. Exit status: 0 if every statement was right, 1 if not.

    BANK_API=build/release/bank-api tests/api/cold_reader.py --races 30"""

import argparse
import collections
import decimal
import pathlib
import sys
import tempfile

from bank import Bank
from client import together
from shown_races import Page, show_psql, show_terminal
from strategies import SAFE, WRONG
from witness import History, WatchedCluster, watch_clock, watch_tables

TRIES_A_RACE = 12
WARM_UP = 5
AMOUNTS = ("800", "800", "150", "50")
# The clock that a statement reads comes after its snapshot, by the time that the statement needs to begin.
DOUBTFUL_US = 300
LATE_US = 2000
ROUNDING_MS = 0.11

# A strategy whose transfers do not race by nature, and why.
CANNOT_RACE = {
    **{name: "a safe strategy: its transfers meet, and none acts on a balance that has changed" for name in SAFE},
    "process_mutex": "one server: the mutex keeps its transfers apart",
}


class Judge:
    """Compares one race, in all three texts, with the history. `problems` has a line for each wrong statement."""

    def __init__(self, history, details, shown):
        self.history = history
        self.race = details["race"]
        self.details = {each["id"]: each for each in details["transfers"]}
        self.account = self.race["account"]
        self.all_missed = details["missed_writes"]
        self.shown = shown  # place: Shown
        self.problems = []
        self.statements = 0

    def check(self, holds, place, text):
        self.statements += 1
        if not holds:
            self.problems.append(f"{self.race['id']} {'+'.join(self.race['strategies'])}, {place}: {text}")

    # The facts of PostgreSQL

    def of(self, transfer):
        return self.history.transfers[transfer]

    def reading(self, transfer):
        """The snapshot on which the transfer has acted: that of its last read, or of its writing statement."""
        seen = self.of(transfer)
        write = seen.write_to(self.account)
        return seen.reads[-1].snapshot if seen.reads else write.snapshot if write else None

    def locks_first(self, transfer):
        return any(step["step"] in ("lock", "batch") for step in self.details[transfer]["steps"])

    def relative(self, transfer):
        return self.details[transfer]["strategy"] not in ("absolute_update", "cte_snapshot")

    def anomaly(self, transfer):
        """double_spend, lost_update, stale_read or None, by the rows alone."""
        seen = self.of(transfer)
        write = seen.write_to(self.account)
        if write is None or self.locks_first(transfer) or self.details[transfer]["strategy"] == "atomic_update":
            return None
        for each in seen.writes if not self.relative(transfer) else ():
            if self.history.visible(each.account, self.reading(transfer)) is not self.history.before(each):
                return "lost_update"
        if self.history.value_visible(self.account, self.reading(transfer)) == write.old:
            return None
        return "double_spend" if write.new < 0 else "stale_read"

    # The statements

    def judge(self):
        for transfer in self.details:
            self.judge_flags(transfer)
        for place, shown in self.shown.items():
            for transfer in self.details:
                self.judge_values(place, shown, transfer)
                self.judge_stale(place, shown, transfer)
            self.judge_order(place, shown)
            self.judge_waits(place, shown)
            self.judge_missed(place, shown)
            self.judge_committed(place, shown)
            self.judge_end(place, shown)
        self.judge_agreement()
        return self

    def judge_flags(self, transfer):
        stated, expected = self.details[transfer]["anomaly"], self.anomaly(transfer)
        self.check(stated == expected, "record", f"{transfer} is {stated}, the rows say {expected}")
        self.check(self.details[transfer]["race_detected"] == (expected is not None), "record", f"{transfer} raced")
        self.check(self.details[transfer]["status"] == self.of(transfer).status, "record", f"status of {transfer}")

    def judge_values(self, place, shown, transfer):
        """Each value that the transfer has read or written, in order."""
        seen = self.of(transfer)
        if self.details[transfer]["strategy"] == "batched":
            self.judge_batched(place, shown, transfer)
            return
        wrote = [(write.account, write.new) for write in seen.writes]
        stated = [(account, value) for who, account, value in shown.kinds("wrote") if who == transfer]
        self.check(stated == wrote, place, f"{transfer} wrote {stated}, the rows say {wrote}")
        saw = [value for who, _, value in shown.kinds("saw") if who == transfer]
        if seen.reads:
            expected = [self.history.value_visible(self.account, read.snapshot) for read in seen.reads]
            self.check(saw == expected, place, f"{transfer} read {saw}, its snapshots {expected}")
        elif saw and seen.write_to(self.account):
            self.check(saw[-1] == seen.write_to(self.account).old, place, f"{transfer} locked and read {saw}")
        elif saw:
            self.check(saw[-1] in [write.new for write in self.history.chain[self.account]], place,
                       f"{transfer} locked and read {saw}, which was never the balance")

    def judge_batched(self, place, shown, transfer):
        """The rows have one write for a whole batch: it begins with one transfer's balance and ends with another's."""
        write = self.of(transfer).write_to(self.account)
        if write is None:
            return
        stated = [value for who, account, value in shown.kinds("wrote") if who in write.transfers and account == self.account]
        amounts = sum(self.of(each).amount for each in write.transfers
                      if self.of(each).source == self.account and self.of(each).status == "success")
        self.check(write.old - amounts == write.new, "rows", f"the batch {write}")
        self.check(not stated or min(stated) >= write.new and max(stated) < write.old, place, f"the batch {write}: {stated}")

    def judge_stale(self, place, shown, transfer):
        expected = self.anomaly(transfer)
        write = self.of(transfer).write_to(self.account)
        found, computed = shown.found.get(transfer), shown.computed.get(transfer)
        if place == "psql":
            spend = shown.spends.get(transfer)
            self.check((spend is not None) == (expected == "double_spend"), place, f"double spend of {transfer}: {spend}")
            if spend is not None:
                read = self.history.value_visible(self.account, self.reading(transfer))
                self.check(spend == (read, write.old, write.new), place, f"double spend of {transfer}: {spend}, {write}")
            if computed is not None:
                self.check(transfer in shown.missed and shown.missed[transfer][0] == computed[1], place,
                           f"{transfer}: show_race says {computed}, show_missed_writes {shown.missed.get(transfer)}")
            return
        self.check((found is not None) == (expected in ("double_spend", "stale_read")), place, f"{transfer} found {found}")
        self.check((computed is not None) == (expected == "lost_update"), place, f"{transfer} computed from {computed}")
        if found is not None and write:
            read = self.history.value_visible(self.account, self.reading(transfer))
            self.check(found == (read, write.old), place, f"{transfer} read and found {found}, the rows say {read}, {write}")

    def judge_order(self, place, shown):
        """A value is written before anybody reads it, and the writes to a row are in the order of its versions."""
        mine = [(who, value) for _, who, what, account, value in shown.moments
                if what == "wrote" and account == self.account]
        rows = [(write.transfers[0], write.new) for write in self.history.chain.get(self.account, [])
                if len(write.transfers) == 1 and write.transfers[0] in self.details]
        if self.details and not any(each["strategy"] == "batched" for each in self.details.values()):
            self.check(mine == rows, place, f"the writes {mine} are in another order than the rows {rows}")
        written = set()
        writes = {(at, account, value) for at, _, what, account, value in shown.moments if what == "wrote"}
        for at, who, what, account, value in shown.moments:
            if what == "wrote":
                written.add((account, value))
            if what == "saw":
                source = next((write for write in self.history.chain.get(account, []) if write.new == value
                               and set(write.transfers) & set(self.details)), None)
                # The steps of a batch have one time, so the order of its lines says nothing.
                at_once = source is not None and who in source.transfers and (at, account, value) in writes
                self.check(source is None or at_once or (account, value) in written, place,
                           f"{who} reads {value} before it is written")
        if shown.chain is not None and rows and len(rows) == len(mine):
            first = next(write for write in self.history.chain[self.account] if write.transfers[:1] == (rows[0][0],))
            self.check(shown.chain == [first.old] + [value for _, value in rows], place, f"the row went {shown.chain}")

    def judge_waits(self, place, shown):
        for waiter, holder in shown.waits:
            if "mutex" in [step["step"] for step in self.details[waiter]["steps"]]:
                continue  # PostgreSQL knows nothing of it
            write, held = self.of(waiter).write_to(self.account), self.of(holder).write_to(self.account)
            if self.locks_first(waiter) or self.details[waiter]["strategy"] == "advisory_lock":
                self.judge_lock(place, waiter, holder)
                continue
            if write is None or held is None:
                continue
            self.check(not write.snapshot.sees(held.xid), place, f"{waiter} waited for {holder}, which had ended before")
            self.check(held.version < write.version, place, f"{waiter} waited for {holder}, which came later")

    def judge_lock(self, place, waiter, holder):
        """The holder had not committed when the waiter asked."""
        if self.of(waiter).locks:
            self.check(not self.of(waiter).locks[-1].snapshot.sees(self.of(holder).xid), place,
                       f"{waiter} waited for {holder}, whose commit its snapshot has seen")
            return
        asked_us = [wait["from_us"] for wait in self.details[waiter]["blocked_by"] if wait["transfer_id"] == holder]
        done_us = self.history.done_us(self.of(holder)) or self.history.committed_us(self.of(holder)) + DOUBTFUL_US
        self.check(asked_us and done_us >= min(asked_us), place,
                   f"{waiter} waited for {holder}, which had ended before")

    def judge_missed(self, place, shown):
        for transfer in self.details:
            expected = self.anomaly(transfer)
            self.check((transfer in shown.missed) == (expected is not None), place,
                       f"{transfer} is {expected}, its missed write {shown.missed.get(transfer)}")
        for reader, (writer, read, written, before) in shown.missed.items():
            self.judge_one_missed(place, shown, reader, writer, read, written, before)

    def judge_one_missed(self, place, shown, reader, writer, read, written, before):
        stated = f"{reader} read {read}, {writer} {'had written, not committed,' if before else 'wrote later'} {written}"
        account = next(miss["account"] for miss in self.missed_of(reader))
        mine = self.of(reader).write_to(account)
        missed = mine and self.history.before(mine)
        if not missed:
            self.check(False, place, f"{stated}: there was no such write")
            return
        snapshot = self.reading(reader)
        self.check(missed.transfers == (writer,) and missed.new == written, place, f"{stated}: it replaced the row of {missed}")
        self.check(not snapshot.sees(missed.xid), place, f"{stated}: its snapshot saw that write")
        self.check(self.history.value_visible(account, snapshot) == read, place, f"{stated}: its snapshot saw another value")
        verdict = self.written_before(reader, missed)
        self.check(None in (verdict, before) or before == verdict, place, f"{stated}: by the rows it was written {'before' if verdict else 'later'}")

    def missed_of(self, reader):
        return [miss for miss in self.all_missed if miss["reader"] == reader]

    def written_before(self, reader, missed):
        """Whether the write was made before the snapshot of the reader; None if the two were too close to know."""
        if missed.at_us is None:
            return None
        seen = self.of(reader)
        # A statement that reads and writes has its snapshot soon after it began.
        read_us = seen.reads[-1].at_us if seen.reads else seen.write_to(self.account).began_us
        late = missed.at_us - read_us
        if seen.reads:
            return False if late > 0 else True if late < -DOUBTFUL_US else None
        return True if late < 0 else False if late > LATE_US else None

    def judge_committed(self, place, shown):
        for transfer, times in shown.committed.items():
            for account, within in times.items():
                write = self.of(transfer).write_to(account)
                took = (self.history.committed_us(write) - write.at_us) / 1000
                self.check(took <= float(within) + ROUNDING_MS, place,
                           f"{transfer} committed {account} within {within} ms, PostgreSQL after {took}")

    def judge_end(self, place, shown):
        """The verdict, the balance and how many succeeded; "commit" only where there is a transaction."""
        kinds = [self.anomaly(transfer) for transfer in self.details]
        worst = next((kind for kind in ("double_spend", "lost_update", "stale_read") if kind in kinds), "clean")
        self.check(shown.verdict == worst.replace("_", " "), place, f"the verdict is {shown.verdict}, the rows say {worst}")
        without = any(each["strategy"] in ("vulnerable", "absolute_update", "process_mutex") for each in self.details.values())
        for _, who, what, word, _ in shown.moments:
            if what == "ends" and without:
                self.check(word != "commit", place, f"{who} commits, and has no transaction")
        if shown.sentence is None:
            return
        done = sum(self.of(transfer).status == "success" for transfer in self.details)
        word = "both" if done == len(self.details) == 2 else "all" if done == len(self.details) else str(done)
        began = f"{word} succeeded" if done else f"{len(self.details)} refused; {self.account} stayed at"
        self.check(shown.sentence.lower().startswith(began), place, f"{done} succeeded: {shown.sentence}")
        lowest = [write.new for transfer in self.details for write in [self.of(transfer).write_to(self.account)] if write]
        low = min(lowest, default=None)
        self.check(low is None or f"${abs(low):.2f}" in shown.sentence, place, f"the lowest balance was {low}: {shown.sentence}")
        self.check(low is not None or done == 0, place, f"{done} succeeded, and the rows have no write")

    def judge_agreement(self):
        page = self.shown["page"]
        for place, shown in self.shown.items():
            self.check(shown.letters == page.letters, place, f"the letters {shown.letters}, on the page {page.letters}")
            same = all(page.missed.get(reader, ())[:3] == each[:3] and each[3] in (None, page.missed[reader][3])
                       for reader, each in shown.missed.items())
            self.check(same and len(shown.missed) == len(page.missed), place, f"missed {shown.missed}, on the page {page.missed}")
            # The page counts from its first drawn piece, the others from the beginning of the first step: the time
            # between the two moments is the same.
            for reader, (read, wrote) in shown.missed_ms.items():
                page_read, page_wrote = page.missed_ms.get(reader, (0, 0))
                self.check(abs((wrote - read) - (page_wrote - page_read)) < 2 * ROUNDING_MS, place,
                           f"{reader} at {read} and {wrote} ms, on the page {page_read} and {page_wrote}")
            self.check([(who, what, value) for _, who, what, _, value in shown.moments if what != "ends"] ==
                       [(who, what, value) for _, who, what, _, value in page.moments if what != "ends"], place,
                       "the steps are in another order than on the page")
        timeline = {reader: each[2:] for reader, each in page.missed.items()}
        stated = self.shown["psql"].timeline
        self.check(stated == timeline, "race_timeline", f"missed {stated}, on the page {timeline}")


def last_race(bank, records):
    """The newest race, and its texts; None if the transfers did not meet."""
    listed = bank.get("/races?limit=1").json()["races"]
    ids = {record["id"] for record in records}
    if not listed or not ids & set(listed[0]["transfer_ids"]):
        return None
    return bank.get(f"/races/{listed[0]['id']}")


def one_round(bank, turn):
    """Resets the bank and sends two to four transfers of alice's at once."""
    assert bank.post("/reset").status == 200
    count = 2 + turn % 3 % 2 + turn % 7 // 6
    answers = together(*[lambda place=place: bank.transfer("alice", ("bob", "charlie")[place % 2], AMOUNTS[place])
                         for place in range(count)])
    return [answer.json() for answer in answers if answer.status == 200]


def read_races(bank, page, strategy, wanted, seen):
    """Judges races of the strategy until there are `wanted`; adds to `seen`, a Counter, and returns the problems."""
    bank.set(strategy=strategy)
    problems, tries = [], 0
    needs_race = strategy not in CANNOT_RACE
    while seen["raced" if needs_race else "met"] < wanted and tries < wanted * TRIES_A_RACE:
        position = bank.cluster.log.stat().st_size
        answer = last_race(bank, one_round(bank, tries))
        tries += 1
        if answer is None or len(answer.json()["transfers"]) < 2:
            continue
        seen["met"] += 1
        problems += judge(bank, page, answer, position, seen)
    seen["tries"] = tries
    return problems


def judge(bank, page, answer, position, seen):
    details = answer.json()
    shown = {"page": page.show(answer.text())}
    shown["terminal"] = show_terminal(answer.text(), shown["page"].letters)
    shown["psql"] = show_psql(bank, details["race"]["id"])
    judged = Judge(History(bank.cluster, bank.database, position), details, shown).judge()
    seen["raced"] += details["race"]["verdict"] != "clean"
    seen["statements"] += judged.statements
    seen["uncommitted"] += any(miss["uncommitted_at_read"] for miss in details["missed_writes"])
    seen["wrong"] += len(judged.problems)
    return judged.problems


def open_bank(cluster, folder):
    """A bank whose database the witness watches."""
    database = cluster.new_database()
    watch_clock(cluster, database)
    bank = Bank(cluster, database, pathlib.Path(folder) / "bank.log", {}).until_healthy()
    watch_tables(cluster, database)
    # The first call of a function in a session takes long, and would keep the clock apart from the snapshot.
    for strategy in (*WRONG, *SAFE):
        bank.set(strategy=strategy)
        for _ in range(WARM_UP):
            together(*[lambda: bank.transfer("alice", "bob", "1")] * 4)
    return bank


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--races", type=int, default=30, help="races of each strategy (30)")
    parser.add_argument("--strategy", action="append", help="only this strategy; may be repeated")
    options = parser.parse_args()
    total = collections.Counter()
    cluster = WatchedCluster()
    try:
        cluster.start()
        with tempfile.TemporaryDirectory() as folder:
            bank = open_bank(cluster, folder)
            page = Page(pathlib.Path(folder), bank.get("/strategies").text())
            for strategy in options.strategy or [*WRONG, *SAFE]:
                seen = collections.Counter()
                for problem in read_races(bank, page, strategy, options.races, seen):
                    print("WRONG", problem)
                why = CANNOT_RACE.get(strategy)
                print(f"{strategy:20} {seen['met']:3} met, {seen['raced']:3} raced ({seen['uncommitted']} read before a commit) in "
                      f"{seen['tries']} tries; {seen['statements']} statements, {seen['wrong']} wrong" + (f"; {why}" if why else ""))
                total += seen
            page.close()
            bank.stop()
    finally:
        cluster.remove()
    print(f"{total['met']} races, {total['statements']} statements, {total['wrong']} wrong")
    return 1 if total["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
