"""A subscriber of GET /events: the received events in order, as (id, name, data)."""

import collections
import json
import socket

from pace import HANG_GUARD

Event = collections.namedtuple("Event", "id name data")


class Ended(AssertionError):
    """The stream ended before the awaited event."""


class Stream:
    """One connection that reads events. A small `receive_buffer` makes it a subscriber that soon accepts no more."""

    def __init__(self, port, last_event_id=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(HANG_GUARD)
        self.socket.connect(("127.0.0.1", port))
        resume = f"Last-Event-ID: {last_event_id}\r\n" if last_event_id else ""
        self.socket.sendall(f"GET /events HTTP/1.1\r\nHost: localhost\r\n{resume}\r\n".encode())
        self._received = b""
        self.comments = []
        self.last_id = None
        head = self._block(b"\r\n\r\n").decode("latin-1").split("\r\n")
        self.status = int(head[0].split()[1])
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:])}
        if self.status == 200:
            assert self._block(b"\n\n") == b"retry: 1000"
            self.hello = self.next()
            assert self.hello.name == "hello", self.hello

    def _block(self, end):
        while end not in self._received:
            data = self.socket.recv(65536)
            if not data:
                raise Ended(f"with {self._received[-300:]!r}")
            self._received += data
        block, self._received = self._received.split(end, 1)
        return block

    def next(self):
        """The next event; comments are kept separately."""
        while True:
            fields = {}
            for line in self._block(b"\n\n").decode("utf-8").split("\n"):
                name, value = line.split(": ", 1)
                assert name not in fields, line
                fields[name] = value
            if "" in fields:
                self.comments.append(fields[""])
                return Event(None, "", None)
            self.last_id = fields.get("id", self.last_id)
            return Event(fields.get("id"), fields["event"], json.loads(fields["data"]))

    def until(self, name, holds=lambda data: True):
        """All events up to and including the first of this name for which `holds(data)` is true."""
        events = []
        while not events or events[-1].name != name or not holds(events[-1].data):
            events.append(self.next())
        return events

    def rest(self):
        """All events until the server closes."""
        events = []
        try:
            while True:
                events.append(self.next())
        except Ended:
            assert self._received == b"", f"cut off within {self._received!r}"
            return events

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def number_of(event_id):
    return int(event_id.split("-")[1])


def are_contiguous(events):
    """The events with an id follow each other without a gap."""
    numbers = [number_of(event.id) for event in events if event.id and event.name != "hello"]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
