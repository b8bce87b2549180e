"""A small HTTP proxy between the browser and the bank. A test can hold single requests or answers in it, so that the
order of the answers is certain."""

import fnmatch
import http.client
import http.server
import threading

from pace import HANG_GUARD

NOT_FORWARDED = {"connection", "transfer-encoding", "keep-alive"}


class Hold:
    """One request that the proxy holds: before the bank gets it ("request"), or after the bank has answered it
    ("answer"). Other requests of the same kind pass."""

    def __init__(self, method, path, moment):
        self._wanted = (method, path)
        self._moment = moment
        self._taken = threading.Lock()
        self._reached = threading.Event()
        self._released = threading.Event()
        self._delivered = threading.Event()

    def takes(self, method, path):
        return method == self._wanted[0] and fnmatch.fnmatchcase(path.split("?")[0], self._wanted[1]) and \
            self._taken.acquire(blocking=False)

    def at(self, moment):
        if moment == self._moment:
            self._reached.set()
            self._released.wait(HANG_GUARD * 2)

    def delivered(self):
        self._delivered.set()

    def until_reached(self):
        assert self._reached.wait(HANG_GUARD), f"nothing to hold came: {self._wanted}"

    def release(self):
        """Releases it, and waits until the browser's socket has the whole answer."""
        self._released.set()
        assert self._delivered.wait(HANG_GUARD), f"never answered: {self._wanted}"


class HeldProxy:
    """Listens on its own port and forwards everything to the bank; the test opens the page at this port."""

    def __init__(self, bank):
        self._holds = []
        self._flowing = threading.Event()
        self._flowing.set()
        self.requests = []  # (method, path) in the order of arrival
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler(bank))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def count(self, method, path):
        """The number of such requests so far."""
        return sum(1 for each in list(self.requests) if each[0] == method and fnmatch.fnmatchcase(each[1].split("?")[0], path))

    def hold_request(self, method, path):
        """Holds the next such request; path may have wildcards."""
        return self._hold(method, path, "request")

    def hold_answer(self, method, path):
        return self._hold(method, path, "answer")

    def hold_events(self):
        """Holds the bank's data on open streams until release_events()."""
        self._flowing.clear()

    def release_events(self):
        self._flowing.set()

    def _hold(self, method, path, moment):
        hold = Hold(method, path, moment)
        self._holds.append(hold)
        return hold

    def stop(self):
        self.release_events()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, bank):
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):  # pylint: disable=invalid-name
                self._forward()

            def do_POST(self):  # pylint: disable=invalid-name
                self._forward()

            def _forward(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                proxy.requests.append((self.command, self.path))
                hold = next((each for each in proxy._holds if each.takes(self.command, self.path)), None)
                if hold:
                    hold.at("request")
                upstream = http.client.HTTPConnection("127.0.0.1", bank.port)
                try:
                    upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for name, value in self.headers.items():
                        if name.lower() not in NOT_FORWARDED:
                            upstream.putheader(name, value)
                    upstream.endheaders(body or None)
                    self._answer(upstream.getresponse(), hold)
                except OSError:  # one of the two sides has closed: the other one notices
                    self.close_connection = True
                finally:
                    upstream.close()
                if hold:
                    hold.delivered()

            def _answer(self, answer, hold):
                streamed = answer.getheader("Content-Length") is None and answer.status not in (204, 304)
                body = None if streamed else answer.read()
                if hold:
                    hold.at("answer")
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in NOT_FORWARDED:
                        self.send_header(name, value)
                if streamed:
                    self.close_connection = True
                    self.send_header("Connection", "close")
                self.end_headers()
                if body:
                    self.wfile.write(body)
                while streamed and (part := answer.read1()):
                    proxy._flowing.wait()
                    self.wfile.write(part)

        return Handler
