"""--isolationtester writes what PostgreSQL's isolationtester writes, byte for byte.

The client package of Debian and Ubuntu has isolationtester: both programs run the files of tests/explore/specs. With
PostgreSQL's sources (LAB_POSTGRES_SOURCE; isolation_source.sh fetches them), the files of its schedule are compared
with the outputs that PostgreSQL expects.
"""

import os
import pathlib
import subprocess
import time

import pytest
from explorer import CASES, PROGRAM, ROOT

from cluster import running_cluster, server_programs

SPECS = ROOT / "tests/explore/specs"
DATABASE = "isolation_regression"  # a spec of the schedule names it
SOURCE = pathlib.Path(os.environ.get("LAB_POSTGRES_SOURCE", "/nonexistent")) / "src/test/isolation"


def real_tester():
    """PostgreSQL's program, or None."""
    path = server_programs().parent / "lib/pgxs/src/test/isolation/isolationtester"
    return path if path.is_file() else None


class Programs:
    """Both programs, on a database of their own. The standard error is part of the output, as in pg_regress."""

    def __init__(self, cluster):
        self._cluster = cluster

    def _run(self, command, specification, **variables):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {"PGHOST": str(self._cluster.folder), "PGPORT": str(self._cluster.port), "PGUSER": "postgres",
                        "PGDATABASE": DATABASE, **variables}
        return subprocess.run(command, stdin=specification, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=environment, timeout=900, check=False)

    def ours(self, spec, **variables):
        return self._run([PROGRAM, "--isolationtester", spec], subprocess.DEVNULL, **variables)

    def real(self, spec, **variables):
        """With the variables that pg_regress sets."""
        with open(spec, "rb") as specification:
            return self._run([real_tester(), f"dbname={DATABASE}"], specification,
                             PGAPPNAME=f"isolation/{spec.stem}", PGTZ="PST8PDT", PGDATESTYLE="Postgres, MDY",
                             PGOPTIONS="-c intervalstyle=postgres_verbose", **variables)

    def clear(self):
        """Makes the database anew: a refused file leaves its tables."""
        self._cluster.rows("postgres", f"DROP DATABASE IF EXISTS {DATABASE} (FORCE)")
        self._cluster.rows("postgres", f"CREATE DATABASE {DATABASE} TEMPLATE template0")


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
    limits = {"cancelled": {"PGISOLATIONTIMEOUT": "1"}}.get(name, {})
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


def schedule():
    path = SOURCE / "isolation_schedule"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [name for line in lines if line.startswith("test:") for name in line.split()[1:]]


def expected_outputs(name):
    """The output that PostgreSQL expects, and its variants."""
    return [path.read_bytes() for path in sorted(SOURCE.glob(f"expected/{name}.out"))
            + sorted(SOURCE.glob(f"expected/{name}_[0-9].out"))]


@pytest.mark.skipif(not schedule(), reason="LAB_POSTGRES_SOURCE names no source of PostgreSQL")
def test_the_schedule(testers):
    testers.clear()
    began = time.monotonic()
    different = [name for name in schedule()
                 if testers.ours(SOURCE / f"specs/{name}.spec").stdout not in expected_outputs(name)]
    print(f"{len(schedule()) - len(different)} of {len(schedule())} equal in {time.monotonic() - began:.1f} s")
    assert different == []
