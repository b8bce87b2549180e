"""The launcher at a terminal of a given size: a real pseudo-terminal, whose lines and colours are read."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

HANG_GUARD = 300

# A sequence that only changes the look of the text, and one that moves the cursor or clears.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"\x1b[\[(][0-9;?]*[A-Za-z]")


class Terminal:
    """A launcher that runs at a terminal: its output, and the keys that it gets."""

    def __init__(self, lab, columns, *arguments, rows=30, **environment):
        self.columns = columns
        self.printed = ""
        self.master, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(inner)
        self.inner = inner
        parts = lab.command(*arguments, TERM="xterm", **environment)
        parts.update(stdin=inner, stdout=inner, stderr=inner, text=False)
        self.process = subprocess.Popen(**parts, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def _read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                self.printed += os.read(self.master, 65536).decode("utf-8", "replace")

    def until(self, text, count=1):
        """Waits until the text has been printed so often."""
        deadline = time.monotonic() + HANG_GUARD
        while COLOUR.sub("", self.printed).count(text) < count:
            assert time.monotonic() < deadline and (self.process.poll() is None or select.select([self.master], [], [], 0)[0]), \
                f"no {text!r} in: {self.printed[-3000:]}"
            self._read(0.2)
        return self.printed

    def press(self, keys):
        os.write(self.master, keys.encode())

    def end(self):
        """Waits for the end; returns the exit status."""
        deadline = time.monotonic() + HANG_GUARD
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.printed[-3000:]
            self._read(0.1)
        while select.select([self.master], [], [], 0)[0]:
            self._read(0)
        return self.process.returncode

    def is_restored(self):
        """Whether the terminal has the modes that it had before the launcher began."""
        return termios.tcgetattr(self.inner) == self.before

    def text(self):
        return COLOUR.sub("", self.printed).replace("\r\n", "\n")

    def lines(self):
        """The lines as they are seen at the end: a line that was cleared is left out."""
        for line in self.text().split("\n"):
            yield CONTROL.sub("", line.split("\r")[-1])

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.end()
        os.close(self.master)
        os.close(self.inner)
