"""Clients work through the proxy as they work without it."""

import subprocess

import psycopg2
import pytest


def psql(url, *arguments, **settings):
    return subprocess.run(["psql", "-X", "-At", *arguments, url], capture_output=True, text=True, timeout=60, **settings)


def test_psql(proxy, database):
    found = psql(proxy.url(database), "-c", "SELECT 6 * 7", "-c", "SELECT current_user")
    assert (found.stdout, found.stderr) == ("42\npostgres\n", "")


def test_a_unix_socket_is_the_upstream(start_proxy, cluster, database):
    proxy = start_proxy(upstream=cluster.url("postgres"))
    assert psql(proxy.url(database), "-c", "SELECT 1").stdout == "1\n"


def test_an_error_passes(proxy, database):
    with pytest.raises(psycopg2.errors.DivisionByZero):
        with psycopg2.connect(proxy.url(database)) as session:
            session.cursor().execute("SELECT 1/0")


def test_a_wrong_password_is_refused_by_the_server(proxy, database):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(proxy.url(database, password="wrong"))
