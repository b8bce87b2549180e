// An answer, and the function that writes it as bytes. Loop thread.
#ifndef SERVER_HTTP_HTTP_RESPONSE_H
#define SERVER_HTTP_HTTP_RESPONSE_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

struct http_response {
    int status;
    const char *content_type; // NULL means application/json
    struct slice body;        // copied by http_response_write()
    const char *allow;        // the Allow header of a 405, or NULL
    const char *traceparent;  // the traceparent header, or NULL
    unsigned retry_after;     // the Retry-After header in seconds, or 0
    bool is_replay;           // adds Idempotent-Replayed: true
    bool asks_for_token;      // adds WWW-Authenticate: Bearer
    bool refuses_coding;      // adds Accept-Encoding: identity, for a 415
    bool streams;             // the body ends with the connection, so there is no Content-Length
    const char *page_etag;    // the ETag of a file of the page, with its quotes, or NULL: browsers cache such an answer
    bool is_gzip;             // the body is compressed
};

// The properties of the answer that the connection decides.
struct http_response_framing {
    bool head_only;  // the answer to a HEAD: the length of the body without the body
    bool keep_alive; // false adds "Connection: close"
    bool http_1_0;   // such a client needs "Connection: keep-alive" to keep the connection
    int64_t now_s;   // seconds since 1970, for the Date header
};

// Appends the head and the body to `out`.
void http_response_write(const struct http_response *response, const struct http_response_framing *framing,
                         struct text *out);

// Returns the reason phrase of a status that this program sends. Another status is a bug.
MUST_CHECK const char *http_status_reason(int status);

#endif
