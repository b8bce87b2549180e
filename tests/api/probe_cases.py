"""Raw requests and what RFC 9110 and RFC 9112 require of the answer. The cases follow the list of Http11Probe
(https://github.com/MDA2AV/Http11Probe), in our own bytes.

A case is (name, bytes, statuses). The bank gives the first status. The others are allowed by the RFCs too, and a later
version may give them; the comment has the reason. After a refusal the connection must end, and nothing behind the
request may run."""

HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
BODY = b'{"from_account": "alice", "to_account": "bob", "amount": 1}'
SIZE = b"%d" % len(BODY)


def get(lines=b"", target=b"/health", host=HOST, version=b"HTTP/1.1", method=b"GET"):
    return method + b" " + target + b" " + version + b"\r\n" + host + lines + b"\r\n"


def post(lines, body=BODY):
    return b"POST /transfer HTTP/1.1\r\n" + HOST + JSON + lines + b"\r\n" + body


def chunks(data, lines=b""):
    return post(b"Transfer-Encoding: chunked\r\n" + lines, data)


CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

# Well-formed requests: they are served, and the connection stays open.
SERVED = [
    ("a plain GET", get(), 200),
    ("one empty line before the request", b"\r\n" + get(), 200),
    ("an absolute target", get(target=b"http://localhost/health"), 200),
    ("an absolute target wins over another Host", get(target=b"http://localhost/health", host=b"Host: other\r\n"), 200),
    ("a body with its length", post(b"Content-Length: " + SIZE + b"\r\n"), 200),
    ("blanks around a length", post(b"Content-Length:   " + SIZE + b"  \r\n"), 200),
    ("a length with leading zeros is still decimal", post(b"Content-Length: 000" + SIZE + b"\r\n"), 200),
    ("an empty body is no transfer", post(b"Content-Length: 0\r\n", b""), 400),
    ("no length means no body", post(b"", b""), 400),
    ("one chunk", chunks(CHUNKED), 200),
    ("two chunks", chunks(b"5\r\n%s\r\n%X\r\n%s\r\n0\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:])), 200),
    ("no chunk but the last", chunks(b"0\r\n\r\n"), 400),
    ("a chunk extension is ignored", chunks(b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)), 200),
    ("a trailer is ignored", chunks(CHUNKED[:-2] + b"X-Sum: 1\r\n\r\n"), 200),
    # llhttp's decision; RFC 9112 section 3 allows it
    ("two blanks before the target", get().replace(b" /", b"  /", 1), 200, 400),
    ("Host in a trailer is ignored", chunks(CHUNKED[:-2] + b"Host: evil.example\r\n\r\n"), 200),
    ("a coding in capitals", post(b"TRANSFER-ENCODING: Chunked\r\n", CHUNKED), 200),
    ("a tab before a coding", post(b"Transfer-Encoding:\tchunked\r\n", CHUNKED), 200),
    ("a blank behind a coding", post(b"Transfer-Encoding: chunked \r\n", CHUNKED), 200),
    ("underscores make another header", get(b"Content_Length: 9\r\nTransfer_Encoding: chunked\r\n"), 200),
    ("lists that take turns, a line each", get((b"Accept: " + b"a" * 400 + b"\r\nIf-None-Match: b\r\n") * 10), 200),
    ("a Range over what has no ranges", get(b"Range: bytes=0-1,0-2,0-3\r\n"), 200),
    ("an Accept that nobody can meet", get(b"Accept: nonsense\r\n"), 200),
    ("an Upgrade without its option", get(b"Upgrade: websocket\r\n"), 200),
    ("an Upgrade to an unknown protocol", get(b"Connection: Upgrade\r\nUpgrade: x/9\r\n"), 200),
    ("a WebSocket of another version", get(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 9\r\n"),
     200),
    ("a body of a GET", get(b"Content-Length: 5\r\n") + b"GET /", 200),
    ("cookies are nobody's business", get(b"Cookie: a=b; =; c\r\nCookie: d\xff=\r\n"), 200),
    ("OPTIONS *", get(target=b"*", method=b"OPTIONS"), 405),
    ("OPTIONS with a body", get(b"Content-Length: 2\r\n", method=b"OPTIONS") + b"{}", 405),
    ("TRACE", get(method=b"TRACE"), 405),
    ("a known method where it is not allowed", get(method=b"DELETE"), 405),
    ("a foreign Host", get(host=b"Host: evil.example\r\n"), 421),
    ("an IPv6 Host", get(host=b"Host: [::1]:8000\r\n"), 200),
    ("an empty port", get(host=b"Host: localhost:\r\n"), 200),
    ("a target over https", get(target=b"https://localhost/health"), 421),
    ("an encoded NUL is a name like another", get(target=b"/%00"), 404),
    ("an encoded line end is a name like another", get(target=b"/%0d%0aX:1"), 404),
    ("overlong UTF-8, encoded", get(target=b"/accounts/%c0%af"), 400),
    ("a backslash is no slash", get(target=b"/\\health"), 404),
    ("a coding of the content", post(b"Content-Encoding: gzip\r\nContent-Length: " + SIZE + b"\r\n"), 415),
    ("another content type", get(b"Content-Length: 1\r\nContent-Type: text/plain\r\n", b"/transfer", method=b"POST")
     + b"x", 415),
]

# Requests that are served, and after which the connection ends.
LAST = [
    ("Connection: close", get(b"Connection: close\r\n"), 200),
    ("HTTP/1.0", get(version=b"HTTP/1.0"), 200),
    ("HTTP/1.0 without a Host", get(version=b"HTTP/1.0", host=b""), 200),
]

# Requests that are refused, and after which the connection ends.
REFUSED = [
    # The request line
    ("a line end of CR only", b"GET /health HTTP/1.1\r" + HOST + b"\r\n", 400),
    # a server may accept it: we do not
    ("a line end of LF only in the request line", get().replace(b"\r\n", b"\n", 1), 400),
    ("a line end of LF only in a header", get(b"X: 1\n"), 400),  # the same
    ("two blanks before the version", get(version=b" HTTP/1.1"), 400, 200),
    ("a tab in the request line", get().replace(b" /", b"\t/", 1), 400),
    ("a blank before the request line", b" " + get(), 400),
    ("a line of blanks before it", b"  \r\n" + get(), 400),
    ("no target", b"GET HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("HTTP/0.9", b"GET /health\r\n\r\n", 400),
    ("another protocol's name", get(version=b"RTSP/1.1"), 400),
    ("another protocol's name with its own method", get(version=b"ICE/1.0", method=b"SOURCE"), 400),
    ("an unknown protocol", get(version=b"FTP/1.1"), 400),
    ("the protocol in lower case", get(version=b"http/1.1"), 400),
    ("no minor version", get(version=b"HTTP/1"), 400),
    ("a version with leading zeros", get(version=b"HTTP/01.01"), 400),
    ("blanks in a version", get(version=b"HTTP/ 1.1"), 400),
    ("a version behind a comma", get(version=b"HTTP/1,1"), 400),
    ("HTTP/9.9", get(version=b"HTTP/9.9"), 400, 505),  # llhttp's decision: it does not know the version
    ("HTTP/1.2", get(version=b"HTTP/1.2"), 400, 200, 505),  # the same; RFC 9110 would have it served as 1.1
    ("HTTP/2.0", get(version=b"HTTP/2.0"), 505, 400),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 400),
    ("a method in lower case", get(method=b"get"), 400, 501),  # llhttp's decision: it knows no such method
    ("an unknown method", get(method=b"FOO"), 400, 501),  # the same
    ("a very long method", get(method=b"A" * 9000), 400, 501),  # the same
    ("CONNECT", get(target=b"localhost:80", method=b"CONNECT"), 501, 400, 405),
    ("* with GET", get(target=b"*"), 400),
    ("a fragment", get(target=b"/health#top"), 400),
    ("a target without a slash", get(target=b"health"), 400),
    ("another scheme", get(target=b"ftp://localhost/"), 400),
    ("a user's name in the target", get(target=b"http://me@localhost/"), 400),
    ("a target without a host", get(target=b"http:///health"), 400),
    ("a port of letters in the target", get(target=b"http://localhost:8x/health"), 400),
    ("an absolute target and a bad Host", get(target=b"http://localhost/health", host=b"Host: a b\r\n"), 400),
    ("NUL in the target", get(target=b"/he\0alth"), 400),
    ("a control character in the target", get(target=b"/he\x01alth"), 400),
    ("bytes beyond ASCII in the target", get(target=b"/h\xc3\xa9alth"), 400),
    ("a very long target", get(target=b"/" + b"a" * 65000), 414),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), 400),
    ("noise", bytes(range(128, 256)) * 4, 400),
    # Host
    ("no Host", get(host=b""), 400),
    ("two Hosts", get(host=HOST + b"Host: evil.example\r\n"), 400),
    ("the same Host twice", get(host=HOST + HOST), 400),
    ("an empty Host", get(host=b"Host:\r\n"), 400),
    ("only a port", get(host=b"Host: :8000\r\n"), 400),
    ("a user's name in Host", get(host=b"Host: me@localhost\r\n"), 400),
    ("a path in Host", get(host=b"Host: localhost/x\r\n"), 400),
    ("a list in Host", get(host=b"Host: localhost, evil.example\r\n"), 400),
    ("a port of letters", get(host=b"Host: localhost:80x\r\n"), 400),
    ("two ports", get(host=b"Host: localhost:80:80\r\n"), 400),
    ("a port that cannot be", get(host=b"Host: localhost:65536\r\n"), 400),
    ("IPv6 without brackets", get(host=b"Host: ::1\r\n"), 400),
    ("text behind the brackets", get(host=b"Host: [::1].evil\r\n"), 400),
    ("brackets that do not close", get(host=b"Host: [::1\r\n"), 400),
    # Headers
    ("a blank before the colon", get(b"X : 1\r\n"), 400),
    ("a tab before the colon", get(b"X\t: 1\r\n"), 400),
    ("a tab in a name", get(b"X\tY: 1\r\n"), 400),
    ("a folded line", get(b"X: 1\r\n 2\r\n"), 400),
    ("white space before the first header", get(host=b" X: 1\r\n" + HOST), 400),
    ("no name", get(b": 1\r\n"), 400),
    ("a name with brackets", get(b"X[1]: 1\r\n"), 400),
    ("a name beyond ASCII", get(b"X\xc3\xa9: 1\r\n"), 400),
    ("no colon", get(b"nonsense\r\n"), 400),
    ("NUL in a value", get(b"X: a\0b\r\n"), 400),
    ("CR in a value", get(b"X: a\rb\r\n"), 400),
    ("a control character in a value", get(b"X: a\x01b\r\n"), 400),
    ("a very long value", get(b"X: " + b"a" * 70000 + b"\r\n"), 431),
    ("a very long name", get(b"X" * 70000 + b": 1\r\n"), 431),
    ("very many headers", get(b"X: 1\r\n" * 10000), 431),
    ("an expectation nobody knows", get(b"Expect: 200-ok\r\n"), 417, 200),
    ("two content types", post(b"Content-Type: text/plain\r\nContent-Length: " + SIZE + b"\r\n"), 400),
    # Content-Length
    *((f"a length of {value!r}", post(b"Content-Length: " + value + b"\r\n"), 400) for value in (
        b"", b"-1", b"-0", b"+" + SIZE, b"0x3b", b"0o5", b"5_9", b"5 9", b"59.0", b"abc", SIZE + b"\0", SIZE + b";a",
        SIZE + b"," + SIZE, SIZE + b", 1", SIZE + b",")),
    # llhttp's decision; it is white space
    ("a tab behind a length", post(b"Content-Length: " + SIZE + b"\t\r\n"), 400, 200),
    ("a length in a trailer", chunks(CHUNKED[:-2] + b"Content-Length: 9\r\n\r\n"), 400, 200),  # could be ignored
    ("a length beyond 64 bits", post(b"Content-Length: 99999999999999999999\r\n"), 400, 413),
    ("a huge length and no body", post(b"Content-Length: 999999999\r\n", b""), 413),
    ("two lengths", post(b"Content-Length: 5\r\nContent-Length: " + SIZE + b"\r\n"), 400),
    ("a length twice", post((b"Content-Length: " + SIZE + b"\r\n") * 2), 400),
    # Transfer-Encoding
    *((f"a coding of {value!r}", post(b"Transfer-Encoding: " + value + b"\r\n", CHUNKED), 400, 501) for value in (
        b"", b"xchunked", b"identity", b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"chunked;q=1",
        b'"chunked"', b"\x0bchunked", b"\x0cchunked", b"chunked\0", b"chun ked", b"chunked,", b",chunked",
        b"chunked\r\n\t")),  # empty elements of the list could be skipped: we accept one spelling only
    ("a coding twice", post(b"Transfer-Encoding: chunked\r\n" * 2, CHUNKED), 400),
    ("a coding, then another", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", CHUNKED), 400, 501),
    ("a coding in HTTP/1.0", chunks(CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0", 1), 400),
    ("a length and a coding", chunks(CHUNKED, b"Content-Length: 6\r\n"), 400),
    ("a coding behind a length", post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", CHUNKED), 400),
    ("a blank behind a coding, and a length", post(b"Transfer-Encoding: chunked \r\nContent-Length: 6\r\n", CHUNKED), 400),
    # Chunks
    *((f"chunks {data!r}", chunks(data + b"\r\n0\r\n\r\n"), 400) for data in (
        b"0x5\r\nhello", b"5_0\r\nhello", b" 5\r\nhello", b"5 \r\nhello", b"-5\r\nhello", b"+5\r\nhello", b"x\r\nhello",
        b"\r\nhello", b"5;\0\r\nhello", b"5;a\rb\r\nhello", b"5\rhello", b"5\nhello", b"5;a\nhello",
        b"5\r\nhelloxx", b"5\r\nhello0")),
    ("a chunk without its line end", chunks(b"5\r\nhello0\r\n\r\n"), 400),
    ("a chunk ended by LF", chunks(b"5\r\nhello\n0\r\n\r\n"), 400),
    ("a trailer ended by LF", chunks(b"5\r\nhello\r\n0\r\n\n"), 400),
    ("a chunk beyond 64 bits", chunks(b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"), 400, 413),
    ("64 KiB of an extension", chunks(b"5;" + b"a" * 65536 + b"\r\nhello\r\n0\r\n\r\n"), 431, 400),
]

# The client closes its side in the middle of a request: nothing is done.
CUT_SHORT = [
    ("nothing", b""),
    ("half a head", get()[:-2]),
    ("half a body", post(b"Content-Length: " + SIZE + b"\r\n", BODY[:-1])),
    ("chunks without the last", chunks(CHUNKED[:-5])),
]
