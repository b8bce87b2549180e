// An answer, and the bytes it becomes. Loop thread.
#ifndef SERVER_HTTP_HTTP_RESPONSE_H
#define SERVER_HTTP_HTTP_RESPONSE_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

struct http_response {
    int status;
    const char *content_type; // lives for ever; NULL: application/json
    struct slice body;        // the caller's, copied when written
    const char *allow;        // of a 405, or NULL
    const char *traceparent;  // or NULL
    unsigned retry_after;     // seconds; 0: none
    bool asks_for_token;      // WWW-Authenticate: Bearer
    bool refuses_coding;      // Accept-Encoding: identity, of a 415
    bool streams;             // what is behind the head has no known end but the connection's
    const char *page_etag;    // of a file of the page, with its quotes: browsers keep it, and ask whether it holds
};

// How the connection wants it written.
struct http_response_framing {
    bool head_only;  // to a HEAD: the length, not the body
    bool keep_alive; // else Connection: close
    bool http_1_0;   // then keep-alive must be said
    int64_t now_s;   // since 1970, for the Date header
};

void http_response_write(const struct http_response *response, const struct http_response_framing *framing,
                         struct text *out);

MUST_CHECK const char *http_status_reason(int status);

#endif
