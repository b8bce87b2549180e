// A request, as the router and the handlers read it. The http_parser makes and owns it; it is valid until the request
// is answered. Loop thread.
#ifndef SERVER_HTTP_HTTP_REQUEST_H
#define SERVER_HTTP_HTTP_REQUEST_H

#include "observability/base/base.h"
#include "server/http/authority.h"

#include <stdbool.h>
#include <stdint.h>

enum http_method { HTTP_METHOD_GET, HTTP_METHOD_HEAD, HTTP_METHOD_POST, HTTP_METHOD_OTHER, HTTP_METHOD_COUNT };

// The headers that the program reads. All others only count in HTTP_HEADERS_MAX.
enum http_header {
    HTTP_HEADER_ACCEPT,
    HTTP_HEADER_ACCEPT_ENCODING,
    HTTP_HEADER_AUTHORIZATION,
    HTTP_HEADER_CONTENT_ENCODING,
    HTTP_HEADER_CONTENT_TYPE,
    HTTP_HEADER_EXPECT,
    HTTP_HEADER_HOST,
    HTTP_HEADER_IDEMPOTENCY_KEY,
    HTTP_HEADER_IF_NONE_MATCH,
    HTTP_HEADER_LAST_EVENT_ID,
    HTTP_HEADER_ORIGIN,
    HTTP_HEADER_TRACEPARENT,
    HTTP_HEADER_TRACESTATE,
    HTTP_HEADER_TRANSFER_ENCODING,
    HTTP_HEADER_USER_AGENT,
    HTTP_HEADER_COUNT
};

struct http_request {
    enum http_method method;
    uint8_t minor_version;   // the x of HTTP/1.x
    bool keep_alive;         // the client wants the connection to stay open
    bool is_https;           // an absolute target with the scheme https; every other request is http
    struct slice authority;  // host[:port] of an absolute target or of the Host header; data is NULL without both
    struct authority server; // the parts of `authority`; the host is empty if there is none
    struct slice path;       // still percent-encoded
    struct slice query;      // the part behind the "?", still percent-encoded; empty if there is none
    struct slice headers[HTTP_HEADER_COUNT]; // data is NULL if the header was not sent
    struct slice body;
    uint64_t started_ns; // monotonic time at which its first byte was parsed
};

#endif
