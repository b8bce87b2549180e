"""A real OTLP/HTTP receiver: it accepts and decodes the program's exports, and can answer with errors."""

import gzip
import http.server
import json
import threading
import time

from pace import eventually


def plain(value):
    """Converts an AnyValue of OTLP to a Python value; an intValue must be a decimal string."""
    (kind, inner), = value.items()
    if kind == "intValue":
        assert isinstance(inner, str), value
        return int(inner)
    assert kind in ("stringValue", "doubleValue", "boolValue"), value
    return inner


class Span:
    """One span, with the resource it came with."""

    def __init__(self, raw, resource):
        self.raw = raw
        self.resource = resource
        self.trace_id, self.id, self.parent = raw["traceId"], raw["spanId"], raw.get("parentSpanId")
        self.name, self.kind, self.status = raw["name"], raw["kind"], raw.get("status", {})
        self.start, self.end = int(raw["startTimeUnixNano"]), int(raw["endTimeUnixNano"])
        self.attributes = {each["key"]: plain(each["value"]) for each in raw["attributes"]}
        assert len(self.attributes) == len(raw["attributes"]), f"an attribute twice: {raw}"
        self.links = [(link["traceId"], link["spanId"]) for link in raw.get("links", [])]

    def __repr__(self):
        return f"<{self.name} {self.attributes}>"


class Collector:
    """Listens on a free loopback port, with TLS if it gets an SSLContext. `answers` is a list of (status, headers,
    body); each request gets one of them, and after the last one 200. With `hang` it accepts a request and never
    answers."""

    def __init__(self, tls=None):
        self.requests = []  # (path, headers, decoded JSON)
        self.times = []  # monotonic times of the requests
        self.answers = []
        self.hang = threading.Event()
        self._released = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer._take(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self.endpoint = f"https://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if self.hang.is_set():
            self._released.wait()
            return
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        status, headers, answer = self.answers.pop(0) if self.answers else (200, {}, "{}")
        self.times.append(time.monotonic())
        self.requests.append((request.path, dict(request.headers), json.loads(body)))
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(answer.encode())

    def stop(self):
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def spans(self):
        found = []
        for _, _, envelope in list(self.requests):
            for resource in envelope["resourceSpans"]:
                attributes = {each["key"]: plain(each["value"]) for each in resource["resource"]["attributes"]}
                for scope in resource["scopeSpans"]:
                    found += [Span(raw, attributes) for raw in scope["spans"]]
        return found

    def trace(self, trace_id):
        return [span for span in self.spans() if span.trace_id == trace_id]

    def until_trace(self, trace_id):
        return eventually(lambda: self.trace(trace_id), f"trace {trace_id} arrives")


def exported(bank):
    """The bank's counts of exported spans and of dropped spans."""
    return bank.metric("otel_spans_exported_total"), bank.metric("otel_spans_dropped_total")
