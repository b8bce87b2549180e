"""A real PgBouncer in front of the cluster: one from before it knew prepared statements (1.21), and a current one. The
one that is not installed comes from another Debian release by apt, unpacked into a folder of its own."""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import psycopg2
import pytest

from cluster import USER, free_port
from pace import HANG_GUARD, eventually

PRIVATE = pathlib.Path(__file__).resolve().parents[2] / ".lab" / "pgbouncer"
RELEASES = {"old": "bookworm", "current": "trixie"}
# With its C library: a program of a newer release does not run with the older one.
PACKAGES = {"bookworm": ["libevent-2.1-7", "libc-ares2", "libssl3"],
            "trixie": ["libevent-2.1-7t64", "libcares2", "libssl3t64", "libc6", "libpam0g", "libsystemd0", "libaudit1",
                       "libcap-ng0", "libcap2", "zlib1g", "libzstd1"]}


def version_of(command):
    outcome = subprocess.run([*command, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    found = re.match(r"PgBouncer (\d+)\.(\d+)", outcome.stdout)
    return (int(found[1]), int(found[2])) if found else None


def fits(kind, version):
    return version is not None and (version < (1, 21)) == (kind == "old")


def mirror():
    """The mirror of this machine's own apt, so that a proxy or a local mirror is used here too."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE) $(COMPONENT)", "Created-By: Packages"],
                            stdout=subprocess.PIPE, text=True, check=True).stdout
    return next((line.split()[0] for line in listed.splitlines() if line.startswith("http") and line.endswith(" main")), None)


def fetch(release, folder):
    """Downloads with a sources list and a state folder of its own: the system's lists stay as they are."""
    with tempfile.TemporaryDirectory(prefix="lab-apt-", dir="/tmp") as work:
        work = pathlib.Path(work)
        for made in ("lists/partial", "cache/archives/partial", "debs"):
            (work / made).mkdir(parents=True)
        (work / "sources.list").write_text(
            f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror()} {release} main\n")
        options = [f"Dir::Etc::SourceList={work}/sources.list", "Dir::Etc::SourceParts=/dev/null",
                   "Dir::Etc::Preferences=/dev/null", "Dir::Etc::PreferencesParts=/dev/null",
                   f"Dir::State::Lists={work}/lists", f"Dir::Cache={work}/cache",
                   f"APT::Sandbox::User={subprocess.run(['id', '-un'], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()}",
                   "Acquire::Languages=none"]
        apt = ["apt-get", "-q", *(word for option in options for word in ("-o", option))]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "check": True, "timeout": HANG_GUARD}
        subprocess.run([*apt, "--error-on=any", "update"], **quiet)
        subprocess.run([*apt, "download", "pgbouncer", *PACKAGES[release]], cwd=work / "debs", **quiet)
        for package in (work / "debs").iterdir():
            subprocess.run(["dpkg", "-x", package, work / "root"], **quiet)
        # The server may run as another user than the one that owns the checkout.
        subprocess.run(["chmod", "-R", "a+rX", work / "root"], **quiet)
        shutil.copytree(work / "root", folder, symlinks=True, dirs_exist_ok=True)


def private_command(folder):
    """Its own loader finds its own libraries, also for the C library of another release."""
    libraries = [str(path) for path in folder.glob("usr/lib/*-linux-gnu")] + [str(path) for path in folder.glob("lib/*-linux-gnu")]
    loader = next((path for at in libraries for path in pathlib.Path(at).glob("ld-linux-*.so.2")), None)
    program = str(folder / "usr/sbin/pgbouncer")
    if loader:
        return [str(loader), "--library-path", ":".join(libraries), program]
    return ["env", f"LD_LIBRARY_PATH={':'.join(libraries)}", program]


def pgbouncer_command(kind):
    """The command of an `old` PgBouncer (before 1.21) or of a `current` one."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found and fits(kind, version_of([found])):
        return [found]
    folder = PRIVATE / RELEASES[kind]
    PRIVATE.mkdir(parents=True, exist_ok=True)
    with open(PRIVATE / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "usr/sbin/pgbouncer").exists():
            try:
                fetch(RELEASES[kind], folder)
            except (OSError, subprocess.SubprocessError) as error:
                pytest.skip(f"no {kind} PgBouncer: it is not installed, and apt cannot fetch it ({error})")
    command = private_command(folder)
    if not fits(kind, version_of(command)):
        pytest.skip(f"no {kind} PgBouncer: the one of {RELEASES[kind]} does not run here")
    return command


class Pooler:
    """A running PgBouncer."""

    def __init__(self, cluster, kind, mode, port, settings):
        self.cluster = cluster
        self.command = pgbouncer_command(kind)
        self.port = port or free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-pooler-", dir="/tmp"))
        self.process = None
        lines = {"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "auth_type": "any",
                 "pool_mode": mode, "ignore_startup_parameters": "extra_float_digits,options", "max_client_conn": 1000,
                 "admin_users": USER, "default_pool_size": 60, **settings}
        # Database names are fixed, because the admin console is a database as well.
        (self.folder / "ini").write_text(
            f"[databases]\n* = host={cluster.folder} port={cluster.port} user={USER}\n[pgbouncer]\n" +
            "".join(f"{name} = {value}\n" for name, value in lines.items()))

    def start(self):
        step_down = []
        if os.geteuid() == 0:  # like PostgreSQL it refuses to run as root
            for path in (self.folder, self.folder / "ini"):
                shutil.chown(path, "postgres")
            step_down = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([*step_down, *self.command, "--quiet", str(self.folder / "ini")],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: accepts(self.port), f"pgbouncer takes connections: {(self.folder / 'log').read_text()}")

    def url(self, database):
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def admin(self, command):
        """A command of the admin console, such as PAUSE."""
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, user=USER, dbname="pgbouncer")
        connection.autocommit = True
        with contextlib.closing(connection):
            cursor = connection.cursor()
            cursor.execute(command)
            return cursor.fetchall() if cursor.description else None

    def change(self, **settings):
        """Changes the configuration, and makes it valid at once."""
        path = self.folder / "ini"
        text = path.read_text()
        for name, value in settings.items():
            text = re.sub(rf"^{name} = .*\n", "", text, flags=re.MULTILINE) + f"{name} = {value}\n"
        path.write_text(text)
        self.admin("RELOAD")

    def kill(self):
        """Ends it with SIGKILL."""
        self.process.kill()
        self.process.wait(HANG_GUARD)

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()  # since 1.23, SIGTERM waits for the clients
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def running_pooler(cluster, mode, kind="current", port=None, **settings):
    """Pools sessions of the cluster in this mode."""
    pooler = Pooler(cluster, kind, mode, port, settings)
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.remove()


def accepts(port):
    try:
        psycopg2.connect(host="127.0.0.1", port=port, user=USER, dbname="postgres").close()
        return True
    except psycopg2.OperationalError:
        return False
