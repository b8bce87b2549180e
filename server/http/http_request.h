// A request as the router and the handlers see it. Made and owned by the http_parser; valid until the answer is
// given. Loop thread.
#ifndef SERVER_HTTP_HTTP_REQUEST_H
#define SERVER_HTTP_HTTP_REQUEST_H

#include "observability/base/base.h"
#include "server/http/authority.h"

#include <stdbool.h>
#include <stdint.h>

enum http_method { HTTP_METHOD_GET, HTTP_METHOD_HEAD, HTTP_METHOD_POST, HTTP_METHOD_OTHER, HTTP_METHOD_COUNT };

// The headers anybody here reads; all others are only counted.
enum http_header {
    HTTP_HEADER_ACCEPT,
    HTTP_HEADER_AUTHORIZATION,
    HTTP_HEADER_CONTENT_ENCODING,
    HTTP_HEADER_CONTENT_TYPE,
    HTTP_HEADER_EXPECT,
    HTTP_HEADER_HOST,
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
    uint8_t minor_version;                   // of HTTP/1.x
    bool keep_alive;                         // the client would like the connection to stay
    bool is_https;                           // the scheme of an absolute target; otherwise it is http
    struct slice authority;                  // host[:port], from an absolute target or the Host header; NULL: neither
    struct authority server;                 // its parts; the host is empty without an authority
    struct slice path;                       // still percent-encoded
    struct slice query;                      // behind the "?", still encoded; empty if none
    struct slice headers[HTTP_HEADER_COUNT]; // data is NULL: not sent
    struct slice body;
    uint64_t started_ns; // monotonic: when its first byte was parsed
};

#endif
