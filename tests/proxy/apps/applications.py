"""The example applications: how each is installed below .lab/apps, started, and mended.

Each is a wallet of one row: POST /withdraw/HOW?id=alice&amount=80 answers 200 (paid) or 409 (refused). HOW is "plain"
(read, check, write) or a fix that is usual for the framework. No application knows the proxy."""

import contextlib
import dataclasses
import hashlib
import http.client
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
from urllib.parse import unquote, urlsplit

SOURCES = pathlib.Path(__file__).resolve().parent
INSTALLED = pathlib.Path(os.environ.get("LAB_STATE", SOURCES.parents[2] / ".lab")) / "apps"
START_S = 300  # the JVM on a busy machine
INSTALL_S = 600


class CannotInstall(Exception):
    """Says in one line why an application cannot be installed here."""


@dataclasses.dataclass
class Application:
    name: str
    programs: tuple  # must be on PATH
    install: tuple   # commands, run in a copy of the application's folder
    start: tuple     # the command that serves; {port} is replaced
    url_options: str = dataclasses.field(default="", kw_only=True)
    fixes: tuple
    packages: str  # named in the message if it cannot be installed; as Debian calls them

    @property
    def folder(self):
        return INSTALLED / self.name

    def environment(self):
        """Each package manager keeps its files below .lab/apps."""
        return {**os.environ, "GOPATH": str(INSTALLED / "gopath"), "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}

    def ensure(self):
        """Installs the application, unless this version of it is installed already."""
        missing = [program for program in self.programs if shutil.which(program) is None]
        if missing:
            raise CannotInstall(f"needs {' and '.join(missing)}: install {self.packages}")
        source = SOURCES / self.name
        mark = self.folder / "installed"
        version = self._version(source)
        if mark.is_file() and mark.read_text() == version:
            return
        shutil.copytree(source, self.folder, dirs_exist_ok=True)
        for command in self.install:
            self._run([word.format(installed=INSTALLED) for word in command])
        mark.write_text(version)

    def _version(self, source):
        files = sorted(path for path in source.rglob("*") if path.is_file())
        content = b"".join(path.read_bytes() for path in files) + repr(self.install).encode()
        return hashlib.sha256(content).hexdigest()

    def _run(self, command):
        log = self.folder / "install.log"
        try:
            with open(log, "ab") as out:
                subprocess.run(command, cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL, stdout=out,
                               stderr=out, timeout=INSTALL_S, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotInstall(f"{command[0]} failed (log: {log}); it may need {self.packages}") from error

    @contextlib.contextmanager
    def running(self, database_url):
        """The port of the application, which answers."""
        port = free_port()
        url = urlsplit(database_url)
        own = {"DATABASE_URL": database_url + self.url_options, "PORT": str(port),
               # Spring has no DATABASE_URL: these are its own names.
               "SPRING_DATASOURCE_URL": f"jdbc:postgresql://{url.hostname}:{url.port}{url.path}",
               "SPRING_DATASOURCE_USERNAME": unquote(url.username),
               "SPRING_DATASOURCE_PASSWORD": unquote(url.password)}
        log = self.folder / "run.log"
        with open(log, "wb") as out:
            process = subprocess.Popen([word.format(port=port) for word in self.start], cwd=self.folder,
                                       env={**self.environment(), **own}, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=out, start_new_session=True)
        try:
            wait_until_it_listens(port, process, log)
            yield port
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_listens(port, process, log):
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/")
            connection.getresponse().read()
            connection.close()
            return
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        assert time.monotonic() < deadline, f"it does not listen: {log}"
        time.sleep(0.05)


def python_application(name, start, fixes):
    return Application(
        name=name, programs=(), packages="python3-venv",
        install=((sys.executable, "-m", "venv", "venv"),
                 ("venv/bin/pip", "install", "--quiet", "--requirement", "requirements.txt")),
        start=start, fixes=fixes)


APPLICATIONS = {each.name: each for each in (
    python_application("django", ("venv/bin/gunicorn", "--bind", "127.0.0.1:{port}", "--threads", "4", "--keep-alive",
                                  "60", "--no-control-socket", "wallet:application"), ("lock", "guard")),
    python_application("sqlalchemy", ("venv/bin/uvicorn", "--port", "{port}", "--timeout-keep-alive", "60",
                                      "--no-access-log", "wallet:application"), ("lock", "version")),
    Application("node", ("node", "npm"), (("npm", "ci", "--silent", "--no-audit", "--no-fund"),),
                ("node", "wallet.js"), ("lock", "guard"), "nodejs npm"),
    Application("go", ("go",), (("go", "build", "-o", "wallet", "."),), ("./wallet",), ("lock", "serializable"),
                "golang", url_options="?pool_max_conns=4&statement_timeout=30000"),
    Application("spring", ("java", "mvn"),
                (("mvn", "--quiet", "--batch-mode", "-Dmaven.repo.local={installed}/maven", "package"),),
                ("java", "-Xmx256m", "-jar", "target/wallet-1.jar"), ("lock", "version"), "openjdk-17-jdk maven"),
    Application("rails", ("ruby",), (("ruby", "-e", "require 'rails'; require 'active_record'; require 'pg'; "
                                      "require 'puma'"),),
                ("ruby", "wallet.rb"), ("lock", "version"),
                "ruby-railties ruby-activerecord ruby-actionpack ruby-pg puma"),
)}
