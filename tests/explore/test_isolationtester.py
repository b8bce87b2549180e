"""--isolationtester writes what PostgreSQL's isolationtester writes, byte for byte.

The client package of Debian and Ubuntu has isolationtester: both programs run the files of tests/explore/specs. With
PostgreSQL's sources (LAB_POSTGRES_SOURCE; isolation_source.sh fetches them), the files of its schedule are compared
with the outputs that PostgreSQL expects.
"""

import os
import time

import pytest
from explorer import CASES, ROOT
from isolation import Programs, Source, real_tester

from cluster import running_cluster

SPECS = ROOT / "tests/explore/specs"
SOURCE = Source(os.environ.get("LAB_POSTGRES_SOURCE", "/nonexistent"))


@pytest.fixture(scope="module")
def testers():
    with running_cluster() as cluster:
        cluster.rows("postgres", "ALTER SYSTEM SET fsync = off")
        cluster.rows("postgres", "SELECT pg_reload_conf()")
        programs = Programs(cluster)
        programs.clear()
        yield programs


@pytest.mark.skipif(real_tester() is None, reason="isolationtester is not installed")
@pytest.mark.parametrize("name", sorted(path.stem for path in SPECS.glob("*.spec")))
def test_as_the_real_one(testers, name):
    limits = {"cancelled": {"PGISOLATIONTIMEOUT": "1", "PG_TEST_TIMEOUT_DEFAULT": "1"}}.get(name, {})
    outcomes = []
    for run in (testers.real, testers.ours):
        testers.clear()
        outcomes.append(run(SPECS / f"{name}.spec", **limits))
    real, ours = outcomes
    assert ours.stdout.decode() == real.stdout.decode()
    assert (ours.returncode == 0) == (real.returncode == 0)


def test_only_its_own_form(testers):
    found = testers.ours(CASES / "vulnerable.sql")
    assert found.returncode == 2
    assert b"give a .spec" in found.stdout


@pytest.mark.skipif(not SOURCE.schedule(), reason="LAB_POSTGRES_SOURCE names no source of PostgreSQL")
def test_the_schedule(testers):
    testers.clear()
    names = SOURCE.schedule()
    began = time.monotonic()
    different = [name for name in names
                 if testers.ours(SOURCE.spec(name)).stdout not in SOURCE.expected_outputs(name)]
    print(f"{len(names) - len(different)} of {len(names)} equal in {time.monotonic() - began:.1f} s")
    assert different == []
