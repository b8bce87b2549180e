"""A real, private PostgreSQL: its own data folder, Unix socket and free loopback port, fsync on."""

import contextlib
import glob
import hashlib
import os
import pathlib
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile

import psycopg2
import psycopg2.extras

# CTest names a folder in its build: the first cluster of each PostgreSQL release is kept there as initdb made it. The
# next ones are copies, which take a third of the processor time of initdb.
TEMPLATES = pathlib.Path(os.environ["LAB_CLUSTER_TEMPLATES"]) if "LAB_CLUSTER_TEMPLATES" in os.environ else None
USER = "postgres"


def free_port():
    """A loopback TCP port on which nothing listens now. The kernel gives the ports from 32768 to clients: one of those
    could be taken by a connection before its server starts."""
    while True:
        port = random.randrange(12000, 32768)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def _password():
    """A new one; where there are templates, the one that they have."""
    password = "lab-" + secrets.token_hex(8)
    if TEMPLATES is None:
        return password
    TEMPLATES.mkdir(parents=True, exist_ok=True)
    own = TEMPLATES / f"password.{os.getpid()}"
    own.touch(mode=0o600)
    own.write_text(password)
    with contextlib.suppress(FileExistsError):
        os.link(own, TEMPLATES / "password")  # fails if there is one already
    own.unlink()
    return (TEMPLATES / "password").read_text()


PASSWORD = _password()


def server_programs():
    """The folder of initdb and pg_ctl: from LAB_POSTGRES_BIN, from PATH, or the newest of Debian and Ubuntu."""
    chosen = os.environ.get("LAB_POSTGRES_BIN")
    if chosen:
        assert (pathlib.Path(chosen) / "pg_ctl").is_file(), f"LAB_POSTGRES_BIN: there is no pg_ctl in {chosen}"
        return pathlib.Path(chosen).resolve()
    found = shutil.which("pg_ctl")
    if found:
        return pathlib.Path(os.path.realpath(found)).parent
    folders = glob.glob("/usr/lib/postgresql/*/bin/pg_ctl")
    assert folders, "no PostgreSQL server found (apt install postgresql)"
    newest = max(folders, key=lambda path: float(path.split("/")[4]))
    return pathlib.Path(newest).parent


class Cluster:
    """One PostgreSQL cluster. PostgreSQL refuses to run as root, so as root it runs as the user `postgres`."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-pg-", dir="/tmp"))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = free_port()
        self._programs = server_programs()
        self._made_databases = 0
        self._databases = set()
        self._free_databases = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._initialise()

    def _run(self, program, *arguments):
        step_down = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        outcome = subprocess.run(
            [*step_down, str(self._programs / program), *map(str, arguments)],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, timeout=120)
        assert outcome.returncode == 0, f"{program}: {outcome.stderr}\n{self._log_tail()}"

    def _log_tail(self):
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def _initialise(self):
        template = TEMPLATES and TEMPLATES / self._release()
        if template and template.exists():
            self._copy(template, self.data)
        else:
            self._make()
            if template:
                self._keep_as(template)
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
                       f"unix_socket_directories = '{self.folder}'\nunix_socket_permissions = 0700\n"
                       "max_connections = 300\nfsync = on\nsynchronous_commit = on\n")

    def _release(self):
        """A name for the programs that initialise this cluster; an update of PostgreSQL changes it."""
        changed = (self._programs / "initdb").stat().st_mtime_ns
        return hashlib.sha256(f"{self._programs} {changed}".encode()).hexdigest()[:16]

    @staticmethod
    def _copy(source, target):
        subprocess.run(["cp", "-a", "--", str(source), str(target)], check=True)

    def _keep_as(self, template):
        """Renames a complete copy; several tests may do that at once, and the first one's is kept."""
        own = template.with_name(f"{template.name}.{os.getpid()}")
        self._copy(self.data, own)
        try:
            own.rename(template)
        except OSError:
            shutil.rmtree(own)

    def _make(self):
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        os.chmod(secret, 0o600)
        shutil.chown(secret, self.folder.stat().st_uid)
        self._run("initdb", "--no-sync", "--pgdata", self.data, "--username", USER, "--encoding=UTF8", "--locale=C.UTF-8",
                  "--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile", secret)

    def start(self):
        self._run("pg_ctl", "start", "--wait", "--timeout=60", "--pgdata", self.data, "--log", self.log)

    def stop(self, mode="fast"):
        self._run("pg_ctl", "stop", "--wait", "--timeout=60", "--mode", mode, "--pgdata", self.data)

    def running(self):
        return (self.data / "postmaster.pid").exists()

    def accepts(self):
        """Whether it accepts a connection now; it does not while it starts or recovers."""
        try:
            with self.session("postgres"):
                return True
        except psycopg2.OperationalError:
            return False

    def starts(self):
        """The number of times it became ready: once for each start, and once more after each crash of a backend."""
        return self.log.read_text(errors="replace").count("database system is ready to accept connections")

    def remove(self):
        """Stops the cluster and leaves nothing behind."""
        self.resume()
        if self.running():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    # Databases

    def url(self, database):
        """The URL of the database through the Unix socket."""
        return f"postgresql:///{database}?host={self.folder}&port={self.port}&user={USER}"

    def url_over_tcp(self, database):
        """The URL of the database through the loopback port, with a password."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def unused_database_name(self):
        self._made_databases += 1
        return f"bank_{self._made_databases}"

    def new_database(self, name=None):
        """Makes an empty database and returns its name. A returned database is emptied and used again, because a new
        one takes 8 MB."""
        if name is None and self._free_databases:
            name = self._free_databases.pop()
            self.end_sessions(name)
            self.rows(name, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            return name
        name = name or self.unused_database_name()
        self.rows("postgres", f'CREATE DATABASE "{name}"')
        self._databases.add(name)
        return name

    def give_back(self, name):
        """Marks the database as unused."""
        if name in self._databases and name not in self._free_databases:
            self._free_databases.append(name)

    def session(self, database):
        """A connection for the test itself. Each statement is its own transaction; `with` closes the connection."""
        return Session(self.url(database))

    def rows(self, database, query, *values):
        """The rows of a query as dicts; None for a statement without rows."""
        with self.session(database) as session:
            cursor = session.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
            cursor.execute(query, values or None)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else None

    # Processes

    def postmaster(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def backends(self, database):
        """The ids of the processes that serve clients of this database, without the asking one."""
        found = self.rows("postgres", "SELECT pid FROM pg_stat_activity WHERE datname = %s "
                          "AND backend_type = 'client backend'", database)
        return [row["pid"] for row in found]

    def end_sessions(self, database):
        """Ends the sessions as an administrator does, with pg_terminate_backend."""
        self.rows("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", database)

    def orphans(self):
        """Processes of the cluster that are still alive without their postmaster."""
        for status in glob.glob("/proc/[0-9]*/cwd"):
            try:
                if pathlib.Path(os.readlink(status)) == self.data and int(status.split("/")[2]) != os.getpid():
                    yield int(status.split("/")[2])
            except (OSError, ValueError):
                continue

    def freeze(self):
        """Stops every process of the cluster with a signal: connections stay open, and nothing answers."""
        for pid in (self.postmaster(), *self._children()):
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        """Ends freeze()."""
        if not self.running():
            return
        for pid in (*self._children(), self.postmaster()):
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def _children(self):
        parent = self.postmaster()
        for status in glob.glob("/proc/[0-9]*/status"):
            try:
                text = pathlib.Path(status).read_text()
            except OSError:
                continue
            if re.search(rf"^PPid:\t{parent}$", text, re.MULTILINE):
                yield int(status.split("/")[2])


class Session:
    """A psycopg2 connection with autocommit, for use in `with`."""

    def __init__(self, url):
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True

    def __enter__(self):
        return self._connection

    def __exit__(self, *_):
        self._connection.close()


@contextlib.contextmanager
def running_cluster():
    """A private cluster for a `with`. Nothing of it is left at the end."""
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()
