"""isolationtester and race-explore --isolationtester on one server, and PostgreSQL's own isolation tests."""

import os
import pathlib
import subprocess

from explorer import PROGRAM

from cluster import server_programs

DATABASE = "isolation_regression"  # a spec of the schedule names it


def real_tester():
    """PostgreSQL's program, beside the server programs that are used, or None."""
    programs = server_programs().parent
    for folder in (programs / "lib", programs / "lib/postgresql"):
        path = folder / "pgxs/src/test/isolation/isolationtester"
        if path.is_file():
            return path
    return None


class Source:
    """The isolation tests in an unpacked source of PostgreSQL."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder) / "src/test/isolation"

    def schedule(self):
        """The names of the tests that `make check` runs."""
        path = self._folder / "isolation_schedule"
        lines = path.read_text().splitlines() if path.is_file() else []
        return [name for line in lines if line.startswith("test:") for name in line.split()[1:]]

    def spec(self, name):
        return self._folder / f"specs/{name}.spec"

    def expected_outputs(self, name):
        """The output that PostgreSQL expects, and its variants."""
        return [path.read_bytes() for path in sorted(self._folder.glob(f"expected/{name}.out"))
                + sorted(self._folder.glob(f"expected/{name}_[0-9].out"))]


class Programs:
    """Both programs, on a database of their own. The standard error is part of the output, as in pg_regress."""

    def __init__(self, cluster, program=PROGRAM):
        self._cluster = cluster
        self._program = program

    def _run(self, command, specification, **variables):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {"PGHOST": str(self._cluster.folder), "PGPORT": str(self._cluster.port), "PGUSER": "postgres",
                        "PGDATABASE": DATABASE, **variables}
        return subprocess.run(command, stdin=specification, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=environment, timeout=900, check=False)

    def ours(self, spec, **variables):
        return self._run([self._program, "--isolationtester", spec], subprocess.DEVNULL, **variables)

    def real(self, spec, **variables):
        """With the variables that pg_regress sets, and with libpq of its own release."""
        with open(spec, "rb") as specification:
            return self._run([real_tester(), f"dbname={DATABASE}"], specification,
                             PGAPPNAME=f"isolation/{spec.stem}", PGTZ="PST8PDT", PGDATESTYLE="Postgres, MDY",
                             PGOPTIONS="-c intervalstyle=postgres_verbose",
                             LD_LIBRARY_PATH=str(server_programs().parent / "lib"), **variables)

    def clear(self):
        """Makes the database anew: a refused file leaves its tables."""
        self._cluster.rows("postgres", f"DROP DATABASE IF EXISTS {DATABASE} (FORCE)")
        self._cluster.rows("postgres", f"CREATE DATABASE {DATABASE} TEMPLATE template0")
