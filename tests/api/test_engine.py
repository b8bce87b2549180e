"""Other engines that speak PostgreSQL's protocol are named at the start, and no transfer runs on them. A real
PostgreSQL takes their part: the role's search_path finds a version() of its own first."""

import secrets

import pytest

from bank import run_to_the_end
from cluster import free_port

ENGINES = ["CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu, go1.22.2)",
           "PostgreSQL 15.2-YB-2.25.1.0-b0 on x86_64-pc-linux-gnu, compiled by clang, 64-bit",
           "PostgreSQL 12.12 (Greenplum Database 7.1.0 build) on x86_64-pc-linux-gnu",
           "CrateDB 5.8.1"]


@pytest.mark.parametrize("version", ENGINES, ids=lambda version: version.split()[0] + version.split()[1])
def test_another_engine_is_named(cluster, version):
    database = cluster.new_database()
    schema = f"engine_{secrets.token_hex(4)}"
    cluster.rows(database, f"CREATE SCHEMA {schema}")
    cluster.rows(database, f"CREATE FUNCTION {schema}.version() RETURNS text LANGUAGE sql AS $$ SELECT '{version}'::text $$")
    cluster.rows(database, f"ALTER DATABASE {database} SET search_path = {schema}, pg_catalog, public")
    outcome = run_to_the_end(BANK_API_PORT=free_port(), DATABASE_URL=cluster.url(database), LOG_LEVEL="error")
    line, = outcome.stderr.splitlines()
    assert outcome.returncode == 2 and version[:80] in line and "docs/OTHER-ENGINES.md" in line
    assert cluster.rows(database, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []
