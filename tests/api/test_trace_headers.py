"""Tracing headers never change a result: traceparent and tracestate with the W3C's cases, and with other malformed
values."""

import re

import pytest

from wire import request_bytes

TRACE = "12345678901234567890123456789012"
SPAN = "1234567890123456"
GIVEN = f"00-{TRACE}-{SPAN}-01"
FUTURE = f"cc-{TRACE}-{SPAN}-01"

# The cases of the W3C's own suite (github.com/w3c/trace-context, test/test.py): header lines, and whether the trace
# continues. If it does not, a new trace begins. test_multiple_requests_* are left out, because the bank sends no
# requests.
TRACEPARENTS = {
    "none": ([], False),
    "one": ([f"traceparent: {GIVEN}"], True),
    "twice, differently": ([f"traceparent: {GIVEN}", f"traceparent: {GIVEN.replace('1234', '1235', 1)}"], False),
    "twice, the same": ([f"traceparent: {GIVEN}", f"traceparent: {GIVEN}"], False),
    "three times": ([f"traceparent: {GIVEN}"] * 3, False),
    "twice, a later version with more behind it": ([f"traceparent: {FUTURE}-x"] * 2, False),
    "two in one line": ([f"traceparent: {GIVEN},{GIVEN}"], False),
    "two of a later version in one line": ([f"traceparent: {FUTURE}-x,{FUTURE}-x"], False),
    "a dash in the name": ([f"trace-parent: {GIVEN}"], False),
    "a dot in the name": ([f"trace.parent: {GIVEN}"], False),
    "TraceParent": ([f"TraceParent: {GIVEN}"], True),
    "TrAcEpArEnT": ([f"TrAcEpArEnT: {GIVEN}"], True),
    "TRACEPARENT": ([f"TRACEPARENT: {GIVEN}"], True),
    "version 00 and a dot": ([f"traceparent: {GIVEN}."], False),
    "version 00 and more": ([f"traceparent: {GIVEN}-what-the-future-will-be-like"], False),
    "version cc": ([f"traceparent: {FUTURE}"], True),
    "version cc and more": ([f"traceparent: {FUTURE}-what-the-future-will-be-like"], True),
    "version cc and a dot": ([f"traceparent: {FUTURE}.what-the-future-will-be-like"], False),
    "version ff": ([f"traceparent: ff{GIVEN[2:]}"], False),
    "a dot first in the version": ([f"traceparent: .0{GIVEN[2:]}"], False),
    "a dot last in the version": ([f"traceparent: 0.{GIVEN[2:]}"], False),
    "a version of three": ([f"traceparent: 000{GIVEN[2:]}"], False),
    "a version of four": ([f"traceparent: 0000{GIVEN[2:]}"], False),
    "a version of one": ([f"traceparent: 0{GIVEN[2:]}"], False),
    "a trace id of zeros": ([f"traceparent: 00-{'0' * 32}-{SPAN}-01"], False),
    "a dot first in the trace id": ([f"traceparent: 00-.{TRACE[1:]}-{SPAN}-01"], False),
    "a dot last in the trace id": ([f"traceparent: 00-{TRACE[:-1]}.-{SPAN}-01"], False),
    "a trace id of 33": ([f"traceparent: 00-{TRACE}3-{SPAN}-01"], False),
    "a trace id of 31": ([f"traceparent: 00-{TRACE[:-1]}-{SPAN}-01"], False),
    "a trace id in capitals": ([f"traceparent: 00-{'A' * 32}-{SPAN}-01"], False),
    "a span id of zeros": ([f"traceparent: 00-{TRACE}-{'0' * 16}-01"], False),
    "a dot first in the span id": ([f"traceparent: 00-{TRACE}-.{SPAN[1:]}-01"], False),
    "a dot last in the span id": ([f"traceparent: 00-{TRACE}-{SPAN[:-1]}.-01"], False),
    "a span id of 17": ([f"traceparent: 00-{TRACE}-{SPAN}7-01"], False),
    "a span id of 15": ([f"traceparent: 00-{TRACE}-{SPAN[:-1]}-01"], False),
    "a dot first in the flags": ([f"traceparent: 00-{TRACE}-{SPAN}-.0"], False),
    "a dot last in the flags": ([f"traceparent: 00-{TRACE}-{SPAN}-0."], False),
    "flags of three": ([f"traceparent: 00-{TRACE}-{SPAN}-001"], False),
    "flags of one": ([f"traceparent: 00-{TRACE}-{SPAN}-1"], False),
    "flags nobody knows": ([f"traceparent: 00-{TRACE}-{SPAN}-ff"], True),
    "a blank before it": ([f"traceparent:  {GIVEN}"], True),
    "a tab before it": ([f"traceparent:\t{GIVEN}"], True),
    "a blank behind it": ([f"traceparent: {GIVEN} "], True),
    "a tab behind it": ([f"traceparent: {GIVEN}\t"], True),
    "blanks and tabs around it": ([f"traceparent: \t {GIVEN} \t"], True),
    "empty": (["traceparent:"], False),
    "very long": ([f"traceparent: {'0' * 12000}"], False),
    "a tab inside": ([f"traceparent: 00\t{GIVEN[3:]}"], False),
    "bytes beyond ASCII": (["traceparent: \u00e9\u20ac"], False),
}

KEY = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
VALUE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",=")
MEMBERS = [f"bar{number:02}={number:02}" for number in range(1, 34)]
LINES = [",".join(MEMBERS[start:start + 10]) for start in range(0, 30, 10)]

# The same suite's cases of tracestate, with a valid traceparent: values of its lines, and the value that the spans
# carry.
TRACESTATES = {
    "one line": (["foo=1,bar=2"], "foo=1,bar=2"),
    "empty": ([""], None),
    "empty behind another": (["foo=1", ""], "foo=1"),
    "empty before another": (["", "foo=1"], "foo=1"),
    "three lines": (["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
    "a key twice, the same": (["foo=1,foo=1"], None),
    "a key twice, differently": (["foo=1,foo=2"], None),
    "a key twice, in two lines": (["foo=1", "foo=1"], None),
    "a key twice, differently, in two lines": (["foo=1", "foo=2"], None),
    "every character": ([f"{KEY}={VALUE}"], f"{KEY}={VALUE}"),
    "every character and a tenant": ([f"{KEY}@a-z0-9_-*/={VALUE}"], f"{KEY}@a-z0-9_-*/={VALUE}"),
    "blanks and tabs": (["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
    "tabs and blanks": (["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
    "a blank before it": ([" foo=1"], "foo=1"),
    "a tab before it": (["\tfoo=1"], "foo=1"),
    "a blank behind it": (["foo=1 "], "foo=1"),
    "a tab behind it": (["foo=1\t"], "foo=1"),
    "blanks around it": (["\t foo=1 \t"], "foo=1"),
    "a blank in a key": (["foo =1"], None),
    "capitals in a key": (["FOO=1"], None),
    "a dot in a key": (["foo.bar=1"], None),
    "a key that starts with a digit": (["1foo=1"], None),
    "a tenant that starts with a digit": (["1foo@bar=1"], "1foo@bar=1"),
    "no system": (["foo@=1,bar=2"], None),
    "no tenant": (["@foo=1,bar=2"], None),
    "two @": (["foo@@bar=1,bar=2"], None),
    "two systems": (["foo@bar@baz=1,bar=2"], None),
    "32 members": ([*LINES, ",".join(MEMBERS[30:32])], ",".join(MEMBERS[:32])),
    "33 members": ([*LINES, ",".join(MEMBERS[30:33])], None),
    "a key of 256": (["foo=1", "z" * 256 + "=1"], "foo=1," + "z" * 256 + "=1"),
    "a key of 257": (["foo=1", "z" * 257 + "=1"], None),
    "a tenant of 241": (["foo=1", "t" * 241 + "@" + "v" * 14 + "=1"], "foo=1," + "t" * 241 + "@" + "v" * 14 + "=1"),
    "a tenant of 242": (["foo=1", "t" * 242 + "@v=1"], None),
    "a system of 15": (["foo=1", "t@" + "v" * 15 + "=1"], None),
    "a value of 256": (["foo=" + "v" * 256], "foo=" + "v" * 256),
    "a value of 257": (["foo=" + "v" * 257], None),
    "two equals signs": (["foo=bar=baz"], None),
    "no value": (["foo=,bar=3"], None),
    "no equals sign": (["foo"], None),
    "a tab in a value": (["foo=a\tb"], None),
    "bytes beyond ASCII": (["foo=\u00e9"], None),
    "a hundred lines": ([f"k{number}=1" for number in range(100)], None),
    "a hundred empty lines": ([""] * 99 + ["foo=1"], "foo=1"),
}


def send_traced(wire, *lines):
    """Sends a transfer of a cent with these header lines; returns its answer, which must be a record."""
    body = b'{"from_account": "alice", "to_account": "bob", "amount": 0.01}'
    answer = wire.send(request_bytes("POST", "/transfer", "Content-Type: application/json", *lines, body=body)).answer()
    assert answer.status == 200, (lines, answer)
    return answer


def test_the_w3c_cases_of_traceparent(bank):
    wrong = []
    with bank.wire() as wire:
        for name, (lines, continues) in TRACEPARENTS.items():
            answer = send_traced(wire, *lines)
            version, trace_id, span_id, flags = answer.headers["traceparent"].split("-")
            assert re.fullmatch("00 [0-9a-f]{32} [0-9a-f]{16} 0[01]", f"{version} {trace_id} {span_id} {flags}"), name
            assert trace_id == answer.json()["trace_id"] and trace_id != "0" * 32 and span_id not in (SPAN, "0" * 16)
            wrong += [] if (trace_id == TRACE) is continues else [name]
    assert wrong == []


def test_the_w3c_cases_of_tracestate(start_traced, collector):
    """Every span of the trace carries it; a list that breaks a rule is dropped as a whole."""
    bank = start_traced()
    sent = {}
    with bank.wire() as wire:
        for name, (values, _) in TRACESTATES.items():
            number = len(sent) + 1
            send_traced(wire, f"traceparent: 00-{number:032x}-{SPAN}-01", *[f"TraceState: {value}" for value in values])
            sent[name] = f"{number:032x}"
        alone = send_traced(wire, "tracestate: foo=1").json()["trace_id"]
        malformed = send_traced(wire, "traceparent: 00", "tracestate: foo=1").json()["trace_id"]
        misnamed = "f" * 32
        send_traced(wire, f"traceparent: 00-{misnamed}-{SPAN}-01", "trace-state: foo=1", "trace.state: foo=1")
    bank.stop()  # flushes
    carried = {name: {span.raw.get("traceState") for span in collector.trace(trace)} for name, trace in sent.items()}
    assert {name: state for name, state in carried.items() if state != {TRACESTATES[name][1]}} == {}
    for trace in (alone, malformed, misnamed):
        assert {span.raw.get("traceState") for span in collector.trace(trace)} == {None}


@pytest.mark.parametrize("name", ["traceparent", "tracestate", "baggage", "b3", "X-B3-TraceId", "uber-trace-id",
                                  "X-Amzn-Trace-Id", "X-Cloud-Trace-Context", "grpc-trace-bin", "sentry-trace"])
def test_a_header_that_only_observes_never_costs_a_request(bank, name):
    values = ["", ",", "0", "%00%ff", "a" * 12000, "\t\t\t", "=;,@", "\u20ac" * 100, "a=1;b=2,c=%zz", "00-00-00-00"]
    with bank.wire() as wire:
        for value in values:
            send_traced(wire, f"{name}: {value}")
            assert wire.send(request_bytes("GET", "/health", f"{name}: {value}")).answer().status == 200
        for value in values[:4] + values[5:]:
            send_traced(wire, *[f"{name}: {value}"] * 20)
        send_traced(wire, *[f"{name}: a=1"] * 500)
        wire.send_what_is_taken(request_bytes("GET", "/health", *[f"{name}: {'a' * 1000}"] * 17))
        assert wire.answer().status == 431  # the limit for all headers together


@pytest.mark.parametrize("propagators, continues", [("tracecontext", True), ("tracecontext,baggage", True),
                                                  ("baggage", False), ("none", False), ("TraceContext", True)])
def test_propagators(start_bank, propagators, continues):
    bank = start_bank(OTEL_PROPAGATORS=propagators)
    with bank.wire() as wire:
        assert (send_traced(wire, f"traceparent: {GIVEN}").json()["trace_id"] == TRACE) is continues
