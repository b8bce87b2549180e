"""A client that speaks PostgreSQL's protocol byte by byte."""

import socket
import struct

SSL, GSS, CANCEL = 80877103, 80877104, 80877102


def packet(code, body=b""):
    """A packet without a type byte."""
    return struct.pack("!ii", len(body) + 8, code) + body


def startup(user, database, version=3 << 16, **parameters):
    pairs = {"user": user, "database": database, **parameters}
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in pairs.items()) + b"\0"
    return packet(version, body)


def message(kind, body=b""):
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def query(sql):
    return message("Q", sql.encode() + b"\0")


def parse(sql, name=""):
    return message("P", name.encode() + b"\0" + sql.encode() + b"\0" + struct.pack("!h", 0))


def bind(name="", portal=""):
    return message("B", portal.encode() + b"\0" + name.encode() + b"\0" + struct.pack("!hhh", 0, 0, 0))


def describe(portal=""):
    return message("D", b"P" + portal.encode() + b"\0")


def execute(portal="", limit=0):
    return message("E", portal.encode() + b"\0" + struct.pack("!i", limit))


SYNC, FLUSH, TERMINATE = message("S"), message("H"), message("X")


class Wire:
    """One connection. Reading times out, so that a test fails instead of hanging."""

    def __init__(self, address, timeout=30):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))
        return self

    def start(self, user, database, **parameters):
        """Starts a session without a password, and returns the messages."""
        self.send(startup(user, database, **parameters))
        return self.until("Z")

    def rest(self):
        """All bytes until the other side closes."""
        found, self.left = [self.left], b""
        try:
            while data := self.socket.recv(65536):
                found.append(data)
        except ConnectionResetError:
            pass
        return b"".join(found)

    def exactly(self, length):
        while len(self.left) < length:
            data = self.socket.recv(65536)
            assert data, f"closed after {self.left!r}"
            self.left += data
        data, self.left = self.left[:length], self.left[length:]
        return data

    def message(self):
        """(type, body)"""
        header = self.exactly(5)
        return chr(header[0]), self.exactly(struct.unpack("!i", header[1:])[0] - 4)

    def until(self, kind):
        """The messages up to the first one of this type."""
        found = []
        while not found or found[-1][0] != kind:
            found.append(self.message())
        return found

    def is_silent(self, seconds):
        """True if nothing comes for so long."""
        self.socket.settimeout(seconds)
        try:
            self.left += self.exactly(1)
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(30)


def field(body, code):
    """A field of an ErrorResponse."""
    for each in body.split(b"\0"):
        if each[:1] == code.encode():
            return each[1:].decode()
    return None
