"""A witness inside PostgreSQL: the order of reads, writes and commits, independent of the records of the lab.

clock_timestamp() is replaced in the database under test. Each call also logs the snapshot of the statement that calls
it, so a read of the lab shows which transactions it could see. Triggers log each write of a balance (the old and the
new row) and each record. The times of the commits are PostgreSQL's own (track_commit_timestamp). A COMMIT takes that
time before other sessions see its writes and get its locks, and it logs its duration when it is done: the moment at
which they do is in between."""

import dataclasses
import decimal
import json
import re

from cluster import Cluster

# log_min_error_statement: a message of the witness is one line, without the statement.
SETTINGS = """
track_commit_timestamp = on
log_line_prefix = '%p|%n|'
log_checkpoints = off
log_min_error_statement = panic
log_min_duration_statement = 0
"""

# STABLE: such a function sees the snapshot of the statement that calls it. A VOLATILE one would get a new snapshot.
CLOCK = """
ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO witness_clock;
CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE at timestamptz := pg_catalog.witness_clock();
BEGIN
    RAISE LOG 'WITNESS %', json_build_object(
        'kind', 'clock', 'at', (extract(epoch FROM at) * 1000000)::bigint, 'snapshot', pg_current_snapshot(),
        'query', left(regexp_replace(current_query(), '\\s+', ' ', 'g'), 80));
    RETURN at;
END $$;
"""

TRIGGERS = """
CREATE FUNCTION witness_write() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE LOG 'WITNESS %', json_build_object(
        'kind', 'write', 'account', NEW.id, 'old', OLD.balance::text, 'new', NEW.balance::text, 'version', NEW.version,
        'xid', pg_current_xact_id(), 'snapshot', pg_current_snapshot(),
        'began', (extract(epoch FROM statement_timestamp()) * 1000000)::bigint,
        'query', left(regexp_replace(current_query(), '\\s+', ' ', 'g'), 80));
    RETURN NULL;
END $$;
CREATE FUNCTION witness_record() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE LOG 'WITNESS %', json_build_object('kind', 'record', 'id', NEW.id, 'status', NEW.status,
        'from', NEW.from_account, 'to', NEW.to_account, 'amount', NEW.amount::text, 'xid', pg_current_xact_id());
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION witness_write();
CREATE TRIGGER witness AFTER INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION witness_record();
"""

EVENT = re.compile(r"^(\d+)\|([\d.]+)\|LOG:  (?:WITNESS (\{.*\})|duration: \S+ ms  (?:execute|statement)[^:]*: COMMIT)$", re.MULTILINE)
LOG_CLOCK_US = 1000  # the log has milliseconds, rounded down


class WatchedCluster(Cluster):
    """A private cluster with the settings of the witness; start() it."""

    def _initialise(self):
        super()._initialise()
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(SETTINGS)


def watch_clock(cluster, database):
    """Call it before the bank starts: a statement that is prepared already keeps the genuine function."""
    cluster.rows(database, CLOCK)


def watch_tables(cluster, database):
    """Call it when the bank has made its tables."""
    cluster.rows(database, TRIGGERS)


@dataclasses.dataclass
class Write:
    """A committed write of a balance."""
    account: str
    old: decimal.Decimal
    new: decimal.Decimal
    version: int
    xid: int
    snapshot: "Snapshot"
    began_us: int  # the arrival of its statement
    at_us: int     # the clock that its statement has read with the row locked; None: it reads none
    transfers: tuple  # the ids of the transfers that its transaction recorded: more than one in a batch

    def __repr__(self):
        return f"<{self.account} {self.old} -> {self.new}, version {self.version}, of {self.transfers}>"


@dataclasses.dataclass
class Read:
    """One SELECT of both balances without a lock."""
    at_us: int  # just after its snapshot
    snapshot: "Snapshot"


class Snapshot:
    """pg_current_snapshot(), such as "10:14:10,12"."""

    def __init__(self, text):
        lowest, beyond, running = text.split(":")
        self.lowest, self.beyond = int(lowest), int(beyond)
        self.running = {int(each) for each in running.split(",") if each}

    def sees(self, xid):
        return xid < self.lowest or (xid < self.beyond and xid not in self.running)


class Transfer:
    """The reads and writes of one transfer, as PostgreSQL has seen them."""

    def __init__(self, record):
        self.id, self.status = record["id"], record["status"]
        self.source, self.target = record["from"], record["to"]
        self.amount = decimal.Decimal(record["amount"])
        self.reads = []
        self.locks = []  # the statements that lock both rows
        self.writes = []
        self.xid = int(record["xid"])

    def write_to(self, account):
        return next((write for write in self.writes if write.account == account), None)


class History:
    """All that has happened since the given position of PostgreSQL's log."""

    def __init__(self, cluster, database, position=0):
        self._cluster, self._database = cluster, database
        text = cluster.log.read_bytes()[position:].decode("utf-8", "replace")
        logged = EVENT.findall(text)
        self._events = [{"pid": int(pid), **json.loads(event)} for pid, _, event in logged if event]
        self._done = self._done_times(logged)
        self._commits = self._commit_times()
        self.chain = {}      # account: its writes, in the order of its versions
        self.transfers = {}  # id: Transfer
        for event in self._events:
            if event["kind"] == "record" and int(event["xid"]) in self._commits:
                self.transfers[event["id"]] = Transfer(event)
        for pid in {event["pid"] for event in self._events}:
            self._take([event for event in self._events if event["pid"] == pid])
        for writes in self.chain.values():
            writes.sort(key=lambda write: write.version)

    def _commit_times(self):
        numbers = sorted({int(event["xid"]) for event in self._events if event.get("xid")})
        rows = self._cluster.rows(self._database, """
            SELECT x AS xid, (extract(epoch FROM pg_xact_commit_timestamp(x::text::xid)) * 1000000)::bigint AS at
            FROM unnest(%s::bigint[]) AS x WHERE pg_xact_status(x::text::xid8) = 'committed'""", numbers)
        return {row["xid"]: row["at"] for row in rows}

    @staticmethod
    def _done_times(logged):
        """By transaction: when its COMMIT was done at the latest. A statement that commits by itself logs none."""
        done, last = {}, {}
        for pid, seconds, event in logged:
            if event:
                last[pid] = json.loads(event).get("xid", last.get(pid))
            elif last.get(pid):
                done[int(last.pop(pid))] = int(float(seconds) * 1_000_000) + LOG_CLOCK_US
        return done

    def done_us(self, made):
        """The moment at which its locks were free at the latest; None: not known."""
        return self._done.get(made.xid)

    def committed_us(self, made):
        """The commit of a write or of the record of a transfer."""
        return self._commits[made.xid]

    def _take(self, events):
        """The events of one session, in order: those up to a record are of that transfer."""
        records = [(place, event) for place, event in enumerate(events)
                   if event["kind"] == "record" and int(event["xid"]) in self._commits]
        clock_us, reading = None, None
        for place, event in enumerate(events):
            if event["kind"] == "clock":
                clock_us = event["at"] if event["query"].startswith(("UPDATE", "WITH")) else None
                reading = self._take_read(event, self._owners(records, place, event), reading)
            elif event["kind"] == "write" and int(event["xid"]) in self._commits:
                owners = self._owners(records, place, event)
                write = Write(event["account"], decimal.Decimal(event["old"]), decimal.Decimal(event["new"]),
                              event["version"], int(event["xid"]), Snapshot(event["snapshot"]), event["began"],
                              clock_us, tuple(owner.id for owner in owners))
                self.chain.setdefault(write.account, []).append(write)
                for owner in owners:
                    owner.writes.append(write)
                clock_us = None
            else:
                clock_us = None

    @staticmethod
    def _take_read(event, owners, reading):
        """A read of two rows reads the clock twice. Returns the first one of a pair."""
        if event["query"].startswith("SELECT id, balance, version, (extract(epoch FROM began.at"):
            for owner in owners:
                owner.locks.append(Read(event["at"], Snapshot(event["snapshot"])))
        if reading is not None or not event["query"].startswith("SELECT id, balance, version, (extract(epoch FROM clock"):
            return None
        for owner in owners:
            owner.reads.append(Read(event["at"], Snapshot(event["snapshot"])))
        return event

    def _owners(self, records, place, event):
        """The transfers of an event: those that its transaction records, else the next one of the session. A reset
        records none."""
        if event.get("query", "").startswith("UPDATE accounts SET balance = initial_balance"):
            return []
        same = [record for _, record in records if event.get("xid") and record["xid"] == event["xid"]]
        later = [record for at, record in records if at > place][:1]
        return [self.transfers[record["id"]] for record in same or later]

    def visible(self, account, snapshot):
        """The newest write of the account that the snapshot sees; None: the row as it was before all of them."""
        return next((write for write in reversed(self.chain.get(account, [])) if snapshot.sees(write.xid)), None)

    def value_visible(self, account, snapshot):
        write = self.visible(account, snapshot)
        return write.new if write else self.chain[account][0].old

    def before(self, write):
        """The write whose row this one has replaced."""
        place = self.chain[write.account].index(write)
        return self.chain[write.account][place - 1] if place else None
