"""HTTP byte by byte: a raw socket and a strict parser of the answers."""

import http.client
import io
import socket

from client import Answer
from pace import HANG_GUARD


class CutOff(AssertionError):
    """The connection ended in the middle of an answer."""


class NoAnswer(AssertionError):
    """The connection ended before the first byte of an answer."""


class Wire:
    """One TCP connection to the bank."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=HANG_GUARD)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self.was_reset = False

    def send(self, data):
        self.socket.sendall(data)
        return self

    def send_what_is_taken(self, data):
        """Sends the data; a server that has closed already may refuse the rest."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def send_slowly(self, data):
        """Every byte in a packet of its own."""
        for position in range(len(data)):
            self.socket.sendall(data[position:position + 1])
        return self

    def _more(self):
        """Receives more bytes; returns False at the end of the connection."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            self.was_reset = True
            data = b""
        self._received += data
        return bool(data)

    def _line(self):
        while b"\r\n" not in self._received:
            if not self._more():
                raise CutOff(f"connection ended within {self._received!r}")
        line, self._received = self._received.split(b"\r\n", 1)
        return line

    def _exactly(self, count):
        while len(self._received) < count:
            if not self._more():
                raise CutOff(f"{len(self._received)} of {count} bytes of a body came")
        data, self._received = self._received[:count], self._received[count:]
        return data

    def answer(self, to="GET"):
        """The next answer, including interim ones (1xx). `to` is the method of the request: an answer to HEAD has no
        body."""
        if not self._received and not self._more():
            raise NoAnswer("connection ended without an answer")
        version, status, _ = self._line().split(b" ", 2)
        assert version in (b"HTTP/1.1", b"HTTP/1.0"), version
        lines = []
        while line := self._line():
            lines.append(line)
        headers = http.client.parse_headers(io.BytesIO(b"\r\n".join([*lines, b"", b""])))
        status = int(status)
        body = b"" if to == "HEAD" or status < 200 or status in (204, 304) else self._body(headers)
        return Answer(status, headers, body, 11 if version == b"HTTP/1.1" else 10)

    def _body(self, headers):
        if headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self._line().split(b";")[0], 16):
                body += self._exactly(size)
                assert self._exactly(2) == b"\r\n"
            while self._line():
                pass
            return body
        length = headers.get("Content-Length")
        assert length is not None, f"an answer without a known end: {headers.items()}"
        return self._exactly(int(length))

    def ends(self):
        """Nothing more comes: the server has closed the connection."""
        while self._more():
            pass
        assert self._received == b"", f"more came: {self._received[:500]!r}"

    def closed_with(self):
        """Everything that the server still sends before it closes."""
        while self._more():
            pass
        return self._received

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request_bytes(method, target, *lines, body=b"", host="localhost"):
    """The bytes of a request; Content-Length is added when there is a body."""
    length = [f"Content-Length: {len(body)}"] if body else []
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", *lines, *length]
    return ("\r\n".join(head) + "\r\n\r\n").encode("utf-8") + body
