"""Raw messages are answered through the proxy as PostgreSQL answers them, byte for byte."""

import re
import struct

import pytest
from messages import FLUSH, SYNC, TERMINATE, Wire, bind, describe, execute, message, packet, parse, query, startup


def copy_data(*rows):
    return b"".join(message("d", row) for row in rows)


# name -> the parts to send behind the startup. Each ends in Terminate, so the answers end as well.
SESSIONS = {
    "nothing": [],
    "an empty query": [query("")],
    "a syntax error": [query("SELEKT 1")],
    "several statements": [query("SELECT 1; SELECT 'two'; CREATE TEMP TABLE t (n int); INSERT INTO t VALUES (1), (2)")],
    "an error between statements": [query("SELECT 1; SELECT 1/0; SELECT 2")],
    "a failed transaction": [query("BEGIN"), query("SELECT 1/0"), query("SELECT 1"), query("COMMIT")],
    "many rows": [query("SELECT n, repeat('x', n % 100) FROM generate_series(1, 20000) AS g (n)")],
    "a row larger than any buffer": [query("SELECT repeat('x', 3000000)")],
    "a statement larger than any buffer": [query("SELECT length('" + "x" * 300000 + "')")],
    "notices": [query("DO $$BEGIN RAISE NOTICE 'hello'; END$$"), query("DROP TABLE IF EXISTS none")],
    "prepared statements": [parse("SELECT 1 AS one", "a"), message("D", b"Sa\0"), bind("a", "p"), describe("p"),
                            execute("p"), message("C", b"Sa\0"), SYNC],
    "a portal in parts": [query("BEGIN"), parse("SELECT generate_series(1, 10)"), bind(), execute(limit=3), execute(limit=3),
                          execute(), SYNC, query("COMMIT")],
    "a flush": [parse("SELECT 1"), FLUSH, bind(), FLUSH, execute(), FLUSH, SYNC],
    "an error skips to the sync": [parse("SELECT 1/0"), bind(), execute(), parse("SELECT 2"), bind(), execute(), SYNC, query("SELECT 3")],
    "an unknown statement": [bind("none"), execute(), SYNC],
    "COPY in": [query("CREATE TEMP TABLE t (n int)"), query("COPY t FROM STDIN"), copy_data(b"1\n", b"2\n", b"3\n"),
                message("c"), query("SELECT sum(n) FROM t")],
    "COPY in that fails": [query("CREATE TEMP TABLE t (n int)"), query("COPY t FROM STDIN"), copy_data(b"1\n"),
                           message("f", b"no more\0"), query("SELECT count(*) FROM t")],
    "COPY out": [query("COPY (SELECT generate_series(1, 1000)) TO STDOUT")],
    "COPY by the extended protocol": [query("CREATE TEMP TABLE t (n int)"), parse("COPY t FROM STDIN"), bind(), execute(),
                                      SYNC, copy_data(b"1\n"), message("c"), SYNC, query("SELECT sum(n) FROM t")],
    "a function call": [message("F", struct.pack("!ihhh", 1610, 0, 0, 0))],
    "a message of an unknown type": [message("y", b"what")],
    "a message that is too short": [message("B", b"")],
    "a length of zero": [b"Q\0\0\0\0"],
    "a negative length": [b"Q\xff\xff\xff\xff"],
    "a huge length": [b"Q\x7f\xff\xff\xff"],
    "a query without its end": [message("Q", b"SELECT 1")],
}
STARTUPS = {
    "protocol 2.0": [packet(2 << 16, b"a" * 288)],
    "protocol 4.0": [packet(4 << 16, b"user\0a\0\0")],
    "protocol 3.2": [startup("postgres", "postgres", version=3 << 16 | 2)],
    "protocol 3.9999": [startup("postgres", "postgres", version=3 << 16 | 9999, **{"_pq_.test": "x"})],
    "no user": [packet(3 << 16, b"database\0x\0\0")],
    "no database of that name": [startup("postgres", "none")],
    "no role of that name": [startup("nobody", "postgres")],
    "a parameter that is none": [startup("postgres", "postgres", nonsense="1")],
    "a broken list of parameters": [packet(3 << 16, b"user\0postgres\0database")],
    "settings": [startup("postgres", "postgres", options="-c work_mem=1MB", application_name="corpus")],
    "a length of zero": [b"\0\0\0\0\0\0\0\0"],
    "a huge length": [b"\x7f\xff\xff\xff\0\3\0\0"],
    "HTTP": [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
}


def without_chance(data):
    """The answers without the process id and the secret of BackendKeyData, which is longer in protocol 3.2."""
    return re.sub(rb"K\0\0\0(\x0c.{8}|\x28.{36})", b"K", data, flags=re.DOTALL)


def answers(address, parts):
    with Wire(address) as wire:
        try:
            wire.send(*parts, TERMINATE)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return without_chance(wire.rest())


@pytest.fixture
def both(start_proxy, cluster, database):
    """The addresses of PostgreSQL and of a proxy with rules, none of which matches."""
    proxy = start_proxy("--force", "--rule", "before update none gate", upstream=cluster.url("postgres"))
    return f"{cluster.folder}/.s.PGSQL.{cluster.port}", ("127.0.0.1", proxy.port)


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session(both, database, name):
    parts = [startup("postgres", database), *SESSIONS[name]]
    direct, through = (answers(address, parts) for address in both)
    assert direct and through == direct


@pytest.mark.parametrize("name", STARTUPS)
def test_a_startup(both, name):
    direct, through = (answers(address, STARTUPS[name]) for address in both)
    assert through == direct
