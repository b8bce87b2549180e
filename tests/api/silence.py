"""Servers that never answer, and a program that sees other host names than this machine does."""

import contextlib
import os
import shlex
import socket
import stat
import subprocess

import pytest

from bank import PROGRAM


@contextlib.contextmanager
def silent_server(host="127.0.0.2"):
    """Accepts every TCP connection and sends nothing; returns its port."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        listener.listen(1000)
        yield listener.getsockname()[1]


@contextlib.contextmanager
def deaf_server(host="127.0.0.2"):
    """Neither accepts nor refuses a TCP connection: its queue is full, so the kernel drops new connections. Returns its
    port."""
    with socket.socket() as listener, contextlib.ExitStack() as clients:
        listener.bind((host, 0))
        listener.listen(0)
        for _ in range(8):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextlib.contextmanager
def silent_name_server(host="127.0.0.3"):
    """Receives every question and answers none; returns its address."""
    with socket.socket(type=socket.SOCK_DGRAM) as listener:
        try:
            listener.bind((host, 53))
        except OSError as error:
            pytest.skip(f"no name server of one's own here: {error}")
        yield host


def program_that_sees(folder, files, program=PROGRAM):
    """The path of a program that runs `program` with other files in /etc: {"hosts": "..."}. Only that process sees
    them."""
    script = folder / "bank-api-elsewhere"
    mounts = ""
    for name, content in files.items():
        (folder / name).write_text(content)
        mounts += f"mount --bind {shlex.quote(str(folder / name))} /etc/{name} && "
    script.write_text(f"#!/bin/sh\n{mounts}exec {shlex.quote(str(program))} \"$@\"\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    outer = folder / "bank-api-unshared"
    outer.write_text(f"#!/bin/sh\nexec unshare --mount {shlex.quote(str(script))} \"$@\"\n")
    outer.chmod(outer.stat().st_mode | stat.S_IXUSR)
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("no mount namespace of one's own here: it takes root")
    return outer
