"""The cluster: one etcd, three PostgreSQL under Patroni, three banks behind HAProxy, all on loopback and below one
folder."""

import base64
import glob
import http.client
import json
import os
import pathlib
import platform
import pwd
import secrets
import shutil
import signal
import socket
import subprocess

from machines import settings
from machines.process import Failure, Process, children, command_line, send, wait_until

MEMBERS = ("pg1", "pg2", "pg3")
BANKS = ("a", "b", "c")
OWNER = "postgres"  # runs PostgreSQL, Patroni, etcd and HAProxy if the launcher is run by root


def request(port, method, path, body=None, headers=None, timeout=5):
    """(status, parsed body), or (None, None) if there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, None
    except (OSError, http.client.HTTPException):
        return None, None
    finally:
        connection.close()


def free_ports(count):
    """Ports on which nothing listens; all are held until the last one is found, so no two are the same."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def newest_postgresql():
    """The folder of the server programs."""
    found = [path for path in glob.glob("/usr/lib/postgresql/*/bin") if os.access(f"{path}/postgres", os.X_OK)]
    if not found:
        raise Failure("no PostgreSQL server on this machine: apt-get install postgresql")
    return pathlib.Path(max(found, key=lambda path: float(path.split("/")[4])))


class Cluster:
    def __init__(self, place, program=None):
        self.place = pathlib.Path(place).resolve()  # the programs have folders of their own
        self._program = program
        self._owner = pwd.getpwnam(OWNER) if os.geteuid() == 0 else None
        self._file = self.place / "cluster.json"
        self._known = json.loads(self._file.read_text()) if self._file.exists() else {}
        self.etcd = Process(self.place, "etcd", self._owner)
        self.haproxy = Process(self.place, "haproxy", self._owner)
        self.patronis = {name: Process(self.place, name, self._owner) for name in MEMBERS}
        self.banks = {name: Process(self.place, f"bank-{name}") for name in BANKS}

    # Facts

    @property
    def is_made(self):
        return bool(self._known)

    @property
    def ports(self):
        return self._known["ports"]

    @property
    def mode(self):
        return self._known["mode"]

    def processes(self):
        return [self.haproxy, *self.banks.values(), *self.patronis.values(), self.etcd]

    def is_up(self):
        return self.is_made and all(process.pid() for process in self.processes())

    def _remember(self, **values):
        self._known.update(values)
        self._file.touch(mode=0o600)
        self._file.write_text(json.dumps(self._known, indent=1) + "\n")

    # Start

    def make(self, mode):
        """Chooses ports and passwords, and writes the settings of every program."""
        (self.place / "log").mkdir(parents=True, exist_ok=True)
        for log in (self.place / "log").glob("*.log"):
            log.unlink()
        names = ["etcd", "etcd-peer", "bank", *MEMBERS, *(f"{name}-api" for name in MEMBERS),
                 *(f"bank-{name}" for name in BANKS)]
        users = ("patroni", "postgres", "replicator", "rewind", "bank")
        self._remember(mode=mode, ports=dict(zip(names, free_ports(len(names)), strict=True)),
                       secrets={user: secrets.token_urlsafe(18) for user in users},
                       bin_dir=str(newest_postgresql()))
        for name in ("etcd", "haproxy", *MEMBERS):
            self._make_folder(name)
        for name in MEMBERS:
            self._write(self.place / name / "patroni.yml",
                        settings.patroni(name, self.place / name, self.ports, self._known["secrets"],
                                         self._known["bin_dir"], mode))
        self._write(self.place / "haproxy" / "haproxy.cfg", settings.haproxy(self.ports, BANKS))

    def _make_folder(self, name):
        (self.place / name).mkdir(mode=0o700)
        self._give(self.place / name)

    def _write(self, path, text):
        path.touch(mode=0o600)
        path.write_text(text)
        self._give(path)

    def _give(self, path):
        if self._owner:
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def start_etcd(self):
        other = {"aarch64": "arm64"}.get(platform.machine(), "")
        self.etcd.start(settings.etcd(self.place / "etcd", self.ports), self.place / "etcd",
                        {"ETCD_UNSUPPORTED_ARCH": other} if other else {})
        wait_until(lambda: request(self.ports["etcd"], "GET", "/health")[0] == 200, "etcd", 30, self.etcd.log)

    def start_patroni(self, name):
        folder = self.place / name
        self.patronis[name].start(["/usr/bin/patroni", str(folder / "patroni.yml")], folder,
                                  {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"})

    def start_bank(self, name):
        self.banks[name].start([self._program or self._known["program"]], self.place,
                               settings.bank_environment(name, self.ports, self._known["secrets"], MEMBERS))

    def wait_bank(self, name):
        wait_until(lambda: self.bank_is_healthy(name), f"bank-api {name}", 60, self.banks[name].log)

    def start_haproxy(self):
        folder = self.place / "haproxy"
        self.haproxy.start(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], folder, {})
        wait_until(lambda: request(self.ports["bank"], "GET", "/health")[0] == 200, "HAProxy", 30, self.haproxy.log)

    def start(self, mode, say):
        self.make(mode)
        self._remember(program=str(self._program))
        say("etcd")
        self.start_etcd()
        say("the first PostgreSQL")
        self.start_patroni("pg1")
        wait_until(self.leader, "a PostgreSQL that leads", 120, self.patronis["pg1"].log)
        self._make_database()
        say("two standbys")
        for name in MEMBERS[1:]:
            self.start_patroni(name)
        self.wait_whole(180)
        say("three banks and HAProxy")
        for name in BANKS:  # the first one makes the tables
            self.start_bank(name)
            self.wait_bank(name)
        self.start_haproxy()

    def _make_database(self):
        password = self._known["secrets"]["bank"]
        self.sql(f"CREATE ROLE bank LOGIN PASSWORD '{password}'", "postgres", "postgres")
        self.sql(f"CREATE DATABASE {settings.BANK_DATABASE} OWNER bank", "postgres", "postgres")

    # State

    def leader(self):
        """The name of the member that leads and takes writes, as it says itself; None if there is none."""
        for name in MEMBERS:
            if request(self.ports[f"{name}-api"], "GET", "/primary", timeout=2)[0] == 200:
                return name
        return None

    def members(self):
        """Each member as Patroni describes it, by its name."""
        for name in MEMBERS:
            status, answer = request(self.ports[f"{name}-api"], "GET", "/cluster", timeout=2)
            if status == 200:
                return {member["name"]: member for member in answer["members"]}
        return {}

    def standby(self):
        """The name of a standby: the synchronous one if there is one."""
        members = self.members()
        found = sorted((name for name, member in members.items() if member["role"] in ("replica", "sync_standby")),
                       key=lambda name: (members[name]["role"] != "sync_standby", name))
        if not found:
            raise Failure("there is no standby: './lab cluster status' shows the members")
        return found[0]

    def is_whole(self):
        """One leader and two standbys that follow it, one of which is synchronous if the mode is."""
        members = self.members()
        leaders = [member for member in members.values() if member["role"] in ("leader", "master")]
        standbys = [member for member in members.values() if member["role"] in ("replica", "sync_standby")]
        if len(leaders) != 1 or len(standbys) != len(MEMBERS) - 1 or not self.leader():
            return False
        followers = all(member["state"] in ("running", "streaming") and member.get("lag") in range(1 << 20) and
                        member.get("timeline") == leaders[0].get("timeline") for member in standbys)
        synchronous = [member for member in standbys if member["role"] == "sync_standby"]
        return followers and len(synchronous) == (1 if self.mode == "sync" else 0)

    def wait_whole(self, seconds=180):
        wait_until(self.is_whole, "a leader and two standbys that follow it", seconds, self.place / "log")

    def bank_is_healthy(self, name):
        return request(self.ports[f"bank-{name}"], "GET", "/health")[0] == 200

    def set_mode(self, mode):
        """Changes synchronous_mode through Patroni, and waits until it holds."""
        if mode != self.mode:
            password = self._known["secrets"]["patroni"]
            credentials = base64.b64encode(f"lab:{password}".encode()).decode()
            status, _ = request(self.ports[f"{self.leader()}-api"], "PATCH", "/config",
                                json.dumps({"synchronous_mode": mode == "sync"}),
                                {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"})
            if status != 200:
                raise Failure(f"Patroni did not take synchronous_mode (status {status})")
            self._remember(mode=mode)
        self.wait_whole()

    def sql(self, query, user="bank", database=settings.BANK_DATABASE):
        """The rows of a query on the leader, as lists of texts."""
        leader = self.leader()
        if not leader:
            raise Failure("no PostgreSQL leads: './lab cluster status' shows the members")
        url = f"host=127.0.0.1 port={self.ports[leader]} user={user} dbname={database} connect_timeout=5"
        outcome = subprocess.run(
            [f"{self._known['bin_dir']}/psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", query, url],
            env={"LC_ALL": "C.UTF-8", "PGPASSWORD": self._known["secrets"][user]}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        if outcome.returncode:
            raise Failure(f"PostgreSQL {leader}: {outcome.stderr.strip()}")
        return [line.split("|") for line in outcome.stdout.splitlines()]

    # The processes of one PostgreSQL

    def postmaster(self, name):
        """The process id of its PostgreSQL; None if it does not run."""
        data = self.place / name / "data"
        try:
            pid = int((data / "postmaster.pid").read_text().split()[0])
            return pid if pathlib.Path(os.readlink(f"/proc/{pid}/cwd")) == data.resolve() else None
        except (OSError, ValueError, IndexError):
            return None

    def machine(self, name):
        """Every process of the member: Patroni, which would start PostgreSQL again, comes first."""
        patroni, postmaster = self.patronis[name].pid(), self.postmaster(name)
        backends = children(postmaster) if postmaster else []
        return [pid for pid in (patroni, postmaster, *backends) if pid]

    def walsenders(self, name):
        postmaster = self.postmaster(name)
        return [pid for pid in children(postmaster) if " walsender " in command_line(pid)] if postmaster else []

    # End

    def stop(self):
        """Ends everything by process id. The databases are removed, so PostgreSQL ends without a checkpoint. Returns
        the names of processes that do not end."""
        for process in (self.haproxy, *self.banks.values()):
            process.kill(signal.SIGTERM)
        postmasters = {name: self.postmaster(name) for name in MEMBERS}
        for name, patroni in self.patronis.items():
            patroni.kill(signal.SIGCONT)
            patroni.kill()
            send([pid for pid in (postmasters[name],) if pid], signal.SIGCONT)
            send([pid for pid in (postmasters[name],) if pid], signal.SIGQUIT)
        for process in (self.haproxy, *self.banks.values(), self.etcd):
            process.stop(30)
        for name, pid in postmasters.items():
            try:
                wait_until(lambda name=name: not self.postmaster(name), f"the end of PostgreSQL {name}", 10)
            except Failure:
                send([*children(pid), pid], signal.SIGKILL)
        left = [process.name for process in self.processes() if not process.wait_end(10)]
        return left + [f"PostgreSQL {name}" for name in MEMBERS if self.postmaster(name)]

    def remove(self):
        """Removes everything but the logs."""
        for path in self.place.iterdir():
            if path.name in ("log", "lock"):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        self._known = {}


