"""The defaults that a session gets from outside: those of a role, of a database and of the connection string change
neither the meaning of a strategy nor the limits of the program."""

import secrets
import urllib.parse

import pytest

from client import together
from pace import HANG_GUARD, eventually

DEFAULTS = {
    "serializable": {"default_transaction_isolation": "serializable"},
    "repeatable_read": {"default_transaction_isolation": "repeatable read"},
    "read_only": {"default_transaction_read_only": "on"},
    "safe_snapshots": {"default_transaction_isolation": "serializable", "default_transaction_read_only": "on",
                       "default_transaction_deferrable": "on"},
    "statement_timeout": {"statement_timeout": "150ms"},
    "lock_timeout": {"lock_timeout": "50ms"},
    "idle_in_transaction": {"idle_in_transaction_session_timeout": "50ms"},
    "idle_session": {"idle_session_timeout": "50ms"},
    "transaction_timeout": {"transaction_timeout": "150ms"},
    "text": {"array_nulls": "off", "standard_conforming_strings": "off", "DateStyle": "SQL, DMY",
             "IntervalStyle": "sql_standard", "TimeZone": "Asia/Kathmandu", "extra_float_digits": "-15",
             "bytea_output": "escape", "client_encoding": "LATIN1"},
    "errors": {"exit_on_error": "on", "client_min_messages": "error"},
    "no_index": {"enable_indexscan": "off", "enable_bitmapscan": "off", "enable_indexonlyscan": "off"},
}
# Each way with the worst defaults; each default in one way.
CASES = ([(way, name) for way in ("role", "url", "PGOPTIONS") for name in ("serializable", "safe_snapshots")] +
         [("database", name) for name in DEFAULTS])


def as_options(settings):
    return " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in settings.items())


@pytest.fixture
def start_with_defaults(cluster, start_bank):
    """start(way, settings): a bank whose sessions begin with these defaults, set for a role, a database and so on."""
    database = cluster.new_database()
    role = f"teller_{secrets.token_hex(4)}"

    def alter(target, settings):
        for name, value in settings.items():
            cluster.rows("postgres", f'ALTER {target} SET "{name}" = %s', value)

    def start(way, settings, **environment):
        known = {row["name"] for row in cluster.rows("postgres", "SELECT name FROM pg_settings")}
        if not settings.keys() <= known:
            pytest.skip(f"this PostgreSQL has no {', '.join(settings.keys() - known)}")
        url = cluster.url(database)
        if way == "role":
            cluster.rows("postgres", f"CREATE ROLE {role} LOGIN")
            cluster.rows("postgres", f"ALTER DATABASE {database} OWNER TO {role}")
            cluster.rows(database, f"ALTER SCHEMA public OWNER TO {role}")
            alter(f"ROLE {role}", settings)
            url = url.replace("user=postgres", f"user={role}")
        elif way == "database":
            alter(f"DATABASE {database}", settings)
        elif way == "url":
            url += "&options=" + urllib.parse.quote(as_options(settings))
        else:
            environment["PGOPTIONS"] = as_options(settings)
        return start_bank(database=database, DATABASE_URL=url, **environment)

    yield start
    cluster.rows("postgres", f"ALTER DATABASE {database} RESET ALL")
    cluster.rows("postgres", f"ALTER DATABASE {database} OWNER TO postgres")


@pytest.mark.parametrize("way, name", CASES)
def test_the_race_and_its_fix_under_foreign_defaults(start_with_defaults, way, name):
    """The forced vulnerable race ends at -600, and the fix at 200, with a delay longer than any of the timeouts."""
    bank = start_with_defaults(way, DEFAULTS[name], BARRIER_ENABLED="true", DEBUG_DELAY_ENABLED="true", DEBUG_DELAY_MS=300)
    for strategy, balance in (("vulnerable", -600), ("for_update", 200), ("repeatable_read", 200)):
        bank.set(strategy=strategy)
        answers = together(lambda: bank.transfer("alice", "bob"), lambda: bank.transfer("alice", "charlie"))
        assert [answer.status for answer in answers] == [200, 200], answers
        assert bank.balance("alice") == balance
        assert bank.get("/health").status == 200
        assert bank.post("/reset").status == 200
    bank.set(strategy="batched", barrier_enabled=False, delay_enabled=False)
    assert bank.transfer("alice", "bob", "1").status == 200
    assert "ERROR" not in bank.log()


def test_the_warning_behind_a_commit_under_foreign_defaults(start_with_defaults, cluster, background):
    """The role hides warnings, and the wait for a synchronous standby is cancelled: the outcome is still unknown."""
    bank = start_with_defaults("role", DEFAULTS["errors"])

    def standby(name):
        cluster.rows("postgres", "ALTER SYSTEM SET synchronous_standby_names = %s", name)
        cluster.rows("postgres", "SELECT pg_reload_conf()")
        eventually(lambda: bank.rows("SHOW synchronous_standby_names")[0]["synchronous_standby_names"] == name, "set")

    standby("nobody")
    try:
        answer = background(bank.transfer, "alice", "bob", "1", "for_update")

        def cancelled():
            bank.rows("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            return answer.done()
        eventually(cancelled, "the transfer is answered")
        assert answer.result(HANG_GUARD).status == 504
    finally:
        standby("")
