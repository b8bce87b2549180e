"""A real PgBouncer in front of the cluster, if it is installed."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import psycopg2
import pytest

from cluster import USER, free_port
from pace import HANG_GUARD, eventually


def pgbouncer_program():
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        pytest.skip("no pgbouncer here (apt install pgbouncer)")
    return found


@contextlib.contextmanager
def running_pooler(cluster, mode, port=None, **settings):
    """Pools sessions of the cluster in this mode; returns its port. Like PostgreSQL it refuses to run as root."""
    program = pgbouncer_program()
    port = port or free_port()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-pooler-", dir="/tmp"))
    lines = {"listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "any",
             "pool_mode": mode, "ignore_startup_parameters": "extra_float_digits,options", **settings}
    (folder / "ini").write_text(f"[databases]\n* = host={cluster.folder} port={cluster.port} user={USER}\n[pgbouncer]\n" +
                                "".join(f"{name} = {value}\n" for name, value in lines.items()))
    step_down = []
    if os.geteuid() == 0:
        for path in (folder, folder / "ini"):
            shutil.chown(path, "postgres")
        step_down = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([*step_down, program, "--quiet", str(folder / "ini")], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log)
    try:
        eventually(lambda: accepts(port), f"pgbouncer takes connections: {(folder / 'log').read_text()}")
        yield port
    finally:
        process.terminate()
        process.wait(HANG_GUARD)
        shutil.rmtree(folder)


def accepts(port):
    try:
        psycopg2.connect(host="127.0.0.1", port=port, user=USER, dbname="postgres").close()
        return True
    except psycopg2.OperationalError:
        return False
