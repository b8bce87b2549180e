// Writes the head and the body of an answer. Loop thread. Every request passes here, so the code avoids printf().
#include "server/http/http_response.h"

#include <time.h>

// The Content-Security-Policy of the page: it may load its own files and call this server. Files of other servers and
// inline scripts or styles are forbidden.
#define PAGE_POLICY                                                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "              \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const char *http_status_reason(int status) {
    switch (status) {
    case 200: return "OK";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: CHECK(false);
    }
}

// Returns the Date header (RFC 9110 section 5.6.7). It is formatted once a second.
static struct slice date_header(int64_t now_s) {
    static int64_t made_at = -1;
    static char header[64];
    static size_t length;
    if (made_at != now_s) {
        time_t seconds = (time_t)now_s;
        struct tm utc;
        CHECK(gmtime_r(&seconds, &utc) != NULL);
        length = strftime(header, sizeof header, "\r\nDate: %a, %d %b %Y %H:%M:%S GMT", &utc);
        made_at = now_s;
    }
    return (struct slice){header, length};
}

static void write_header(struct text *out, const char *name, const char *value) {
    text_append_string(out, "\r\n");
    text_append_string(out, name);
    text_append_string(out, ": ");
    text_append_string(out, value);
}

static void write_rare_headers(const struct http_response *response, struct text *out) {
    if (response->allow != NULL) {
        write_header(out, "Allow", response->allow);
    }
    if (response->traceparent != NULL) {
        write_header(out, "traceparent", response->traceparent);
    }
    if (response->retry_after > 0) {
        text_append_string(out, "\r\nRetry-After: ");
        text_append_unsigned(out, response->retry_after);
    }
    if (response->is_replay) {
        write_header(out, "Idempotent-Replayed", "true");
    }
    if (response->asks_for_token) {
        write_header(out, "WWW-Authenticate", "Bearer realm=\"bank-api\"");
    }
    if (response->refuses_coding) {
        write_header(out, "Accept-Encoding", "identity");
    }
    if (response->streams) {
        write_header(out, "X-Accel-Buffering", "no"); // otherwise nginx delays the events until its buffer is full
    }
    if (response->is_gzip) {
        write_header(out, "Content-Encoding", "gzip");
    }
    if (response->page_etag != NULL) {
        write_header(out, "ETag", response->page_etag);
        write_header(out, "Vary", "Accept-Encoding");
        write_header(out, "Content-Security-Policy", PAGE_POLICY);
        write_header(out, "Referrer-Policy", "no-referrer");
    }
}

void http_response_write(const struct http_response *response, const struct http_response_framing *framing,
                         struct text *out) {
    static const struct slice ok = SLICE_INITIALIZER("HTTP/1.1 200 OK");
    static const struct slice json = SLICE_INITIALIZER("\r\nContent-Type: application/json");
    static const struct slice fleeting = SLICE_INITIALIZER("\r\nCache-Control: no-store");
    static const struct slice kept = SLICE_INITIALIZER("\r\nCache-Control: no-cache");
    static const struct slice always = SLICE_INITIALIZER("\r\nX-Content-Type-Options: nosniff");
    static const struct slice length = SLICE_INITIALIZER("\r\nContent-Length: ");
    if (response->status == 200) {
        text_append_slice(out, ok);
    } else {
        text_append_string(out, "HTTP/1.1 ");
        text_append_unsigned(out, (uint64_t)response->status);
        text_append_string(out, " ");
        text_append_string(out, http_status_reason(response->status));
    }
    text_append_slice(out, date_header(framing->now_s));
    if (response->content_type == NULL) {
        text_append_slice(out, json);
    } else {
        write_header(out, "Content-Type", response->content_type);
    }
    write_rare_headers(response, out);
    if (!framing->keep_alive) {
        write_header(out, "Connection", "close");
    } else if (framing->http_1_0) {
        write_header(out, "Connection", "keep-alive");
    }
    text_append_slice(out, response->page_etag == NULL ? fleeting : kept);
    text_append_slice(out, always);
    if (!response->streams) {
        text_append_slice(out, length);
        text_append_unsigned(out, response->body.length);
    }
    text_append(out, "\r\n\r\n", 4);
    if (!framing->head_only && response->status != 304) {
        text_append_slice(out, response->body);
    }
}
