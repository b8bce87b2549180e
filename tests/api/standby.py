"""A real hot standby of a private PostgreSQL, made by pg_basebackup. Its delay is set by the tests."""

import contextlib

from cluster import USER, Cluster
from pace import eventually

FOR_EVER = "24h"  # recovery_min_apply_delay: a commit is not replayed while a test runs


class Standby(Cluster):
    """It replays at once, until set_delay()."""

    NAME = "standby"  # its application_name, for synchronous_standby_names

    def __init__(self, primary):
        self.primary = primary
        super().__init__()

    def _initialise(self):
        source = f"host={self.primary.folder} port={self.primary.port} user={USER} application_name={self.NAME}"
        self._run("pg_basebackup", "--dbname", source, "--pgdata", self.data, "--write-recovery-conf",
                  "--wal-method=stream", "--checkpoint=fast", "--no-sync")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:  # behind the primary's own lines
            conf.write(f"port = {self.port}\nunix_socket_directories = '{self.folder}'\n")

    def set(self, name, value):
        """Changes a setting, and returns when every process of the standby has been told."""
        self.rows("postgres", f"ALTER SYSTEM SET {name} = '{value}'")
        self.rows("postgres", "SELECT pg_reload_conf()")
        wanted = self.rows("postgres", "SELECT setting FROM pg_file_settings WHERE name = %s AND applied", name)
        eventually(lambda: self.rows("postgres", "SELECT current_setting(%s) AS now", name)[0]["now"] == value,
                   f"{name} is {value}: {wanted}")

    def fall_behind(self):
        """From now on no commit of the primary is replayed."""
        self.set("recovery_min_apply_delay", FOR_EVER.replace("24h", "1d"))

    def catch_up(self):
        """Replays everything that the primary has committed, and goes on without a delay."""
        self.set("recovery_min_apply_delay", "0")
        self.until_replayed()

    def until_replayed(self):
        flushed = self.primary.rows("postgres", "SELECT pg_current_wal_flush_lsn()::text AS at")[0]["at"]
        eventually(lambda: self.rows("postgres", "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn AS is_there",
                                     flushed)[0]["is_there"], f"the standby has replayed {flushed}")


@contextlib.contextmanager
def running_standby(primary):
    """A standby for a `with`. Nothing of it is left at the end."""
    standby = Standby(primary)
    try:
        standby.start()
        yield standby
    finally:
        standby.remove()
