"""The peers: built where their toolchain is present, started on a database of their own, stopped."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time

from harness import lab

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "loadtest" / "peers"
BUILT = ROOT / ".lab" / "peers"


def build_go():
    """The program, or None after a printed line that names the missing tool."""
    if shutil.which("go") is None:
        lab.say("no go: the peer in Go is left out (Debian: golang)")
        return None
    BUILT.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", str(BUILT / "go"), "."], cwd=SOURCES / "go", check=True)
    return [str(BUILT / "go")]


def build_fastapi():
    python = BUILT / "venv" / "bin" / "python"
    wanted = SOURCES / "fastapi" / "requirements.txt"
    mark = BUILT / "venv" / "installed"
    if not mark.exists() or mark.read_text() != wanted.read_text():
        try:
            subprocess.run(["python3", "-m", "venv", str(BUILT / "venv")], check=True, capture_output=True)
            subprocess.run([str(python), "-m", "pip", "-q", "install", "-r", str(wanted)], check=True,
                           capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            lab.say("no venv and pip that reach FastAPI: the peer in Python is left out (Debian: python3-venv)")
            return None
        mark.write_text(wanted.read_text())
    return [str(python), "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log",
            "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"]


def build():
    """{name: command} of the peers that can run here."""
    commands = {"go": build_go(), "fastapi": build_fastapi()}
    return {name: command for name, command in commands.items() if command is not None}


def until_connectable(port, process):
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("a peer did not start") from None
            time.sleep(0.02)


@contextlib.contextmanager
def running(name, command, url):
    """Starts the peer; gives the port and the process."""
    port = lab.free_port()
    environment = {**os.environ, "DATABASE_URL": url, "PORT": str(port)}
    process = subprocess.Popen([part.format(port=port) for part in command], env=environment, cwd=SOURCES / name,
                               stdin=subprocess.DEVNULL)
    try:
        until_connectable(port, process)
        yield port, process
    finally:
        process.terminate()
        process.wait(20)
