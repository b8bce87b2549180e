"""A real hot standby of a private PostgreSQL, made by pg_basebackup. The tests set how far it is behind."""

import contextlib
import threading

import pytest

from cluster import USER, Cluster, server_programs
from pace import eventually

COMMIT = "SELECT pg_logical_emit_message(true, 'lab', 'a commit')"


class Standby(Cluster):
    """It replays at once until a test sets a delay."""

    NAME = "lab_standby"  # its application_name, for synchronous_standby_names

    def __init__(self, primary):
        self.primary = primary
        super().__init__()

    def _initialise(self):
        source = f"host={self.primary.folder} port={self.primary.port} user={USER} application_name={self.NAME}"
        self._run("pg_basebackup", "--dbname", source, "--pgdata", self.data, "--write-recovery-conf",
                  "--wal-method=stream", "--checkpoint=fast", "--no-sync")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:  # behind the lines of the primary
            conf.write(f"port = {self.port}\nunix_socket_directories = '{self.folder}'\n")

    def set_delay(self, delay):
        """Sets recovery_min_apply_delay. Afterwards the process that replays has got the signal to read it."""
        change(self, "recovery_min_apply_delay", delay)

    def fall_behind(self):
        """From now on no commit of the primary is replayed."""
        self.set_delay("1d")

    def catch_up(self):
        """Replays everything that the primary has committed, and from now on at once."""
        self.set_delay("0")
        flushed = self.primary.rows("postgres", "SELECT pg_current_wal_flush_lsn()::text AS at")[0]["at"]
        eventually(lambda: self.rows("postgres", "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn AS done",
                                     flushed)[0]["done"], f"the standby has replayed {flushed}")

    def promote(self):
        self._run("pg_ctl", "promote", "--wait", "--timeout=60", "--pgdata", self.data)


def change(cluster, name, value):
    """Sets a parameter of a running cluster. Processes that start afterwards have it, and the others were signalled."""
    cluster.rows("postgres", f"ALTER SYSTEM SET {name} = '{value}'")
    cluster.rows("postgres", "SELECT pg_reload_conf()")
    eventually(lambda: cluster.rows("postgres", "SELECT current_setting(%s) AS now", name)[0]["now"] == value,
               f"{name} is {value}")


def commit_something(primary):
    """A commit that is flushed, and all before it with it."""
    primary.rows("postgres", COMMIT)


def waits_for_standby(primary):
    """Whether a COMMIT under remote_apply waits. The standby must be behind. Only a cancel ends such a wait."""
    with primary.session("postgres") as session, session.cursor() as cursor:
        cursor.execute("SET synchronous_commit = remote_apply")
        commit = threading.Thread(target=cursor.execute, args=(COMMIT,))
        commit.start()
        cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        waited = eventually(lambda: primary.rows("postgres", cancel) or not commit.is_alive(), "a commit ends or waits")
        commit.join()
        return waited is not True


@contextlib.contextmanager
def synchronous(standby):
    """The primary waits for the standby as each session's synchronous_commit says. The standby is behind at first."""
    standby.fall_behind()
    change(standby.primary, "synchronous_standby_names", Standby.NAME)
    try:
        eventually(lambda: waits_for_standby(standby.primary), "the primary waits for its standby")
        yield
    finally:
        change(standby.primary, "synchronous_standby_names", "")


@contextlib.contextmanager
def running_standby(primary):
    """A standby for a `with`. Nothing of it is left at the end."""
    if not (server_programs() / "pg_basebackup").exists():
        pytest.skip("this PostgreSQL has no pg_basebackup, which makes a standby")
    standby = Standby(primary)
    try:
        standby.start()
        yield standby
    finally:
        standby.remove()
