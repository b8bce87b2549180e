// The callbacks of llhttp, and the limits they enforce. llhttp may pass the bytes of one value in several pieces.
// Loop thread.
//
// http_parser_feed() runs llhttp, which calls the on_...() functions in this order: message begin, method, url,
// version, headers, headers complete, body, message complete. They copy values into `kept`, or call refuse().
// on_message_complete() fills `request` and pauses llhttp; http_parser_next() resumes it after the answer.
#include "server/http/http_parser.h"

#include "observability/base/base.h"
#include "server/http/http_limits.h"
#include "server/http/http_target.h"

#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_NAME_MAX 24 // a longer name is cut; it is not in header_names
// Bytes of memory that an idle connection keeps, so that a small request needs no allocation.
#define KEPT_BETWEEN_REQUESTS 512

// The bytes between the request target and the digits of the version.
#define PROTOCOL " HTTP/"
#define PROTOCOL_LENGTH (sizeof PROTOCOL - 1)

#define BODY_TOO_LONG "The body is longer than 64 KiB"

// A part of parser->kept. It has an offset and no pointer, because the text moves when it grows.
struct kept_span {
    size_t offset;
    size_t length;
    bool present;
};

struct http_parser {
    llhttp_t llhttp; // the first member, because parser_of() casts it to the parser
    struct http_request request;
    struct http_parse_error error;
    struct text kept; // the target, the values of known headers and the body; empty between requests
    struct kept_span target;
    struct kept_span headers[HTTP_HEADER_COUNT];
    struct kept_span body;
    const char *protocol_start; // where the protocol name begins or continues in the bytes that are parsed now
    char protocol[PROTOCOL_LENGTH];
    size_t protocol_length;
    bool has_version;
    char header_name[HEADER_NAME_MAX];
    size_t header_name_length;
    struct kept_span *value; // receives the value of the current header; NULL if nobody reads that header
    size_t header_bytes;     // counted for HTTP_HEADERS_MAX
    size_t message_bytes;    // all bytes since the end of the previous request, for HTTP_REQUEST_MAX
    bool inside_request;
    bool has_method;
    bool headers_complete;
    bool complete;
    bool expects_continue;
};

static_assert(offsetof(struct http_parser, llhttp) == 0, "parser_of() casts");

static struct http_parser *parser_of(llhttp_t *llhttp) {
    return (struct http_parser *)llhttp;
}

static int refuse(struct http_parser *parser, int status, const char *detail) {
    parser->error = (struct http_parse_error){status, detail};
    return HPE_USER;
}

static void keep(struct http_parser *parser, struct kept_span *span, const char *data, size_t length) {
    if (!span->present) {
        *span = (struct kept_span){.offset = parser->kept.length, .present = true};
    }
    text_append(&parser->kept, data, length);
    span->length += length;
}

static struct slice kept_slice(const struct http_parser *parser, const struct kept_span *span) {
    if (!span->present) {
        return (struct slice){NULL, 0};
    }
    return (struct slice){parser->kept.data + span->offset, span->length};
}

// Returns a value without the white space around it, which is not a part of it (RFC 9112 section 5). llhttp removes
// only the white space before it.
static struct slice header_value(const struct http_parser *parser, enum http_header header) {
    return slice_trim(kept_slice(parser, &parser->headers[header]));
}

static int on_message_begin(llhttp_t *llhttp) {
    struct http_parser *parser = parser_of(llhttp);
    parser->inside_request = true;
    parser->request.started_ns = clock_monotonic_ns();
    return HPE_OK;
}

static int on_method_complete(llhttp_t *llhttp) {
    parser_of(llhttp)->has_method = true;
    return HPE_OK;
}

static int on_url(llhttp_t *llhttp, const char *data, size_t length) {
    struct http_parser *parser = parser_of(llhttp);
    if (parser->target.length + length > HTTP_URL_MAX) {
        return refuse(parser, 414, "The request target is longer than 8 KiB: shorten it");
    }
    keep(parser, &parser->target, data, length);
    parser->protocol_start = data + length;
    return HPE_OK;
}

// Collects the protocol name from the raw bytes. llhttp has no callback for it, and accepts RTSP and ICE as well.
static void keep_protocol(struct http_parser *parser, const char *end) {
    for (const char *at = parser->protocol_start; at < end; at++) {
        if (parser->protocol_length < PROTOCOL_LENGTH) {
            parser->protocol[parser->protocol_length] = *at;
        }
        parser->protocol_length++;
    }
    parser->protocol_start = end;
}

static int on_version(llhttp_t *llhttp, const char *data, size_t length) {
    struct http_parser *parser = parser_of(llhttp);
    (void)length;
    if (parser->has_version) {
        return HPE_OK; // a further piece of the version
    }
    parser->has_version = true;
    keep_protocol(parser, data);
    if (parser->protocol_length != PROTOCOL_LENGTH || memcmp(parser->protocol, PROTOCOL, PROTOCOL_LENGTH) != 0) {
        return refuse(parser, 400, "The protocol must be HTTP: end the request line with HTTP/1.1");
    }
    return HPE_OK;
}

static int count_header_bytes(struct http_parser *parser, size_t length) {
    parser->header_bytes += length;
    if (parser->header_bytes > HTTP_HEADERS_MAX) {
        return refuse(parser, 431,
                      "The headers, trailers and chunk extensions are longer than 16 KiB in all: send fewer or shorter "
                      "ones");
    }
    return HPE_OK;
}

static int on_header_field(llhttp_t *llhttp, const char *data, size_t length) {
    struct http_parser *parser = parser_of(llhttp);
    for (size_t i = 0; i < length && parser->header_name_length < HEADER_NAME_MAX; i++) {
        parser->header_name[parser->header_name_length++] = data[i];
    }
    return count_header_bytes(parser, length);
}

static const struct slice header_names[HTTP_HEADER_COUNT] = {
    [HTTP_HEADER_ACCEPT] = SLICE_INITIALIZER("accept"),
    [HTTP_HEADER_ACCEPT_ENCODING] = SLICE_INITIALIZER("accept-encoding"),
    [HTTP_HEADER_AUTHORIZATION] = SLICE_INITIALIZER("authorization"),
    [HTTP_HEADER_CONTENT_ENCODING] = SLICE_INITIALIZER("content-encoding"),
    [HTTP_HEADER_CONTENT_TYPE] = SLICE_INITIALIZER("content-type"),
    [HTTP_HEADER_EXPECT] = SLICE_INITIALIZER("expect"),
    [HTTP_HEADER_HOST] = SLICE_INITIALIZER("host"),
    [HTTP_HEADER_IDEMPOTENCY_KEY] = SLICE_INITIALIZER("idempotency-key"),
    [HTTP_HEADER_IF_NONE_MATCH] = SLICE_INITIALIZER("if-none-match"),
    [HTTP_HEADER_LAST_EVENT_ID] = SLICE_INITIALIZER("last-event-id"),
    [HTTP_HEADER_ORIGIN] = SLICE_INITIALIZER("origin"),
    [HTTP_HEADER_TRACEPARENT] = SLICE_INITIALIZER("traceparent"),
    [HTTP_HEADER_TRACESTATE] = SLICE_INITIALIZER("tracestate"),
    [HTTP_HEADER_TRANSFER_ENCODING] = SLICE_INITIALIZER("transfer-encoding"),
    [HTTP_HEADER_USER_AGENT] = SLICE_INITIALIZER("user-agent"),
};

// These headers are lists, so a client may send them in several lines (RFC 9110 section 5.3).
static bool is_list(enum http_header header) {
    return header == HTTP_HEADER_ACCEPT || header == HTTP_HEADER_ACCEPT_ENCODING ||
           header == HTTP_HEADER_CONTENT_ENCODING || header == HTTP_HEADER_IF_NONE_MATCH ||
           header == HTTP_HEADER_TRACESTATE;
}

// These headers change nothing important, so the first of several lines is used. All other headers must be sent once,
// because two parsers could choose different lines.
static bool may_repeat(enum http_header header) {
    return header == HTTP_HEADER_LAST_EVENT_ID || header == HTTP_HEADER_USER_AGENT;
}

// Moves a value to the end of `kept`, so that it can grow, and closes the gap it leaves. Without that, a client that
// sends lines of two lists in turn could make `kept` grow with the square of their number.
static void move_to_end(struct http_parser *parser, struct kept_span *value) {
    struct text *kept = &parser->kept;
    size_t offset = value->offset;
    text_reserve(kept, value->length); // before the next line takes a pointer, because this may move the text
    text_append(kept, kept->data + offset, value->length);
    kept->length -= value->length;
    memmove(kept->data + offset, kept->data + offset + value->length, kept->length - offset);
    for (enum http_header header = 0; header < HTTP_HEADER_COUNT; header++) {
        if (parser->headers[header].present && parser->headers[header].offset > offset) {
            parser->headers[header].offset -= value->length;
        }
    }
    value->offset = kept->length - value->length;
}

// Prepares the value of a list for one more line.
static void continue_list(struct http_parser *parser, struct kept_span *value) {
    if (value->offset + value->length != parser->kept.length) {
        move_to_end(parser, value);
    }
    keep(parser, value, ",", 1);
    parser->value = value;
}

static int on_header_field_complete(llhttp_t *llhttp) {
    struct http_parser *parser = parser_of(llhttp);
    struct slice name = {parser->header_name, parser->header_name_length};
    parser->header_name_length = 0;
    parser->value = NULL;
    if (parser->headers_complete) {
        return HPE_OK; // trailers are ignored
    }
    for (enum http_header header = 0; header < HTTP_HEADER_COUNT; header++) {
        if (!slice_equals_ignoring_case(name, header_names[header])) {
            continue;
        }
        struct kept_span *value = &parser->headers[header];
        if (!value->present) {
            *value = (struct kept_span){.offset = parser->kept.length, .present = true};
            parser->value = value;
        } else if (is_list(header)) {
            continue_list(parser, value);
        } else if (header == HTTP_HEADER_TRACEPARENT) {
            value->length = 0; // two lines contradict each other, so both are ignored; a bad trace refuses no request
        } else if (!may_repeat(header)) {
            return refuse(parser, 400,
                          "A header that must be sent once was sent twice (Host, Content-Type, "
                          "Authorization, Expect, Idempotency-Key, Origin or Transfer-Encoding)");
        }
        break;
    }
    return HPE_OK;
}

static int on_header_value(llhttp_t *llhttp, const char *data, size_t length) {
    struct http_parser *parser = parser_of(llhttp);
    if (parser->value != NULL) {
        keep(parser, parser->value, data, length);
    }
    return count_header_bytes(parser, length);
}

static int on_header_value_complete(llhttp_t *llhttp) {
    return count_header_bytes(parser_of(llhttp), sizeof ": \r\n" - 1);
}

static int check_framing(struct http_parser *parser) {
    struct slice encoding = header_value(parser, HTTP_HEADER_TRANSFER_ENCODING);
    bool is_http_1_0 = parser->llhttp.http_minor == 0;
    if (!parser->has_version) {
        return refuse(parser, 400, "The request line must end with HTTP/1.1");
    }
    if (parser->llhttp.http_major != 1 || parser->llhttp.http_minor > 1) {
        return refuse(parser, 505, "This server supports only HTTP/1.0 and HTTP/1.1");
    }
    if (parser->llhttp.method == HTTP_CONNECT) {
        return refuse(parser, 501, "This server is not a proxy: it does not support CONNECT");
    }
    if (encoding.data != NULL && (is_http_1_0 || !slice_equals_ignoring_case(encoding, SLICE_LITERAL("chunked")))) {
        return refuse(parser, 400, "This server supports only the Transfer-Encoding \"chunked\", and only in HTTP/1.1");
    }
    if (!is_http_1_0 && !parser->headers[HTTP_HEADER_HOST].present) {
        return refuse(parser, 400, "HTTP/1.1 needs a Host header");
    }
    if (parser->llhttp.content_length > HTTP_BODY_MAX && encoding.data == NULL) {
        return refuse(parser, 413, BODY_TOO_LONG);
    }
    return HPE_OK;
}

static int on_headers_complete(llhttp_t *llhttp) {
    struct http_parser *parser = parser_of(llhttp);
    parser->headers_complete = true;
    int verdict = check_framing(parser);
    if (verdict != HPE_OK) {
        return verdict;
    }
    struct slice expect = header_value(parser, HTTP_HEADER_EXPECT);
    if (expect.data != NULL && parser->llhttp.http_minor > 0) {
        if (!slice_equals_ignoring_case(expect, SLICE_LITERAL("100-continue"))) {
            return refuse(parser, 417, "This server supports only the expectation \"100-continue\"");
        }
        bool has_body = parser->llhttp.content_length > 0 || (parser->llhttp.flags & F_CHUNKED) != 0;
        parser->expects_continue = has_body;
    }
    return HPE_OK;
}

static int on_body(llhttp_t *llhttp, const char *data, size_t length) {
    struct http_parser *parser = parser_of(llhttp);
    parser->expects_continue = false; // the client did not wait
    if (parser->body.length + length > HTTP_BODY_MAX) {
        return refuse(parser, 413, BODY_TOO_LONG);
    }
    keep(parser, &parser->body, data, length);
    return HPE_OK;
}

// Refuses a chunk that is too long when its size is read, not after 64 KiB of its data.
static int on_chunk_header(llhttp_t *llhttp) {
    struct http_parser *parser = parser_of(llhttp);
    if (llhttp->content_length > HTTP_BODY_MAX - parser->body.length) {
        return refuse(parser, 413, BODY_TOO_LONG);
    }
    return HPE_OK;
}

static int on_chunk_extension(llhttp_t *llhttp, const char *data, size_t length) {
    (void)data;
    return count_header_bytes(parser_of(llhttp), length);
}

static enum http_method method_of(uint8_t method) {
    switch (method) {
    case HTTP_GET: return HTTP_METHOD_GET;
    case HTTP_HEAD: return HTTP_METHOD_HEAD;
    case HTTP_POST: return HTTP_METHOD_POST;
    default: return HTTP_METHOD_OTHER;
    }
}

static int on_message_complete(llhttp_t *llhttp) {
    struct http_parser *parser = parser_of(llhttp);
    struct http_request *request = &parser->request;
    request->method = method_of(llhttp->method);
    request->minor_version = llhttp->http_minor;
    request->keep_alive = llhttp_should_keep_alive(llhttp) == 1;
    for (enum http_header header = 0; header < HTTP_HEADER_COUNT; header++) {
        request->headers[header] = header_value(parser, header);
    }
    request->body = kept_slice(parser, &parser->body);
    const char *problem = http_target_read(request, kept_slice(parser, &parser->target),
                                           llhttp->method == HTTP_OPTIONS);
    if (problem != NULL) {
        return refuse(parser, 400, problem);
    }
    parser->complete = true;
    parser->inside_request = false;
    return HPE_PAUSED; // the caller gets one request at a time
}

static const llhttp_settings_t callbacks = {
    .on_message_begin = on_message_begin,
    .on_method_complete = on_method_complete,
    .on_url = on_url,
    .on_version = on_version,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_chunk_extension_name = on_chunk_extension,
    .on_chunk_extension_value = on_chunk_extension,
    .on_message_complete = on_message_complete,
};

struct http_parser *http_parser_new(void) {
    struct http_parser *parser = memory_allocate_zeroed(sizeof *parser);
    llhttp_init(&parser->llhttp, HTTP_REQUEST, &callbacks);
    return parser;
}

void http_parser_free(struct http_parser *parser) {
    text_free(&parser->kept);
    free(parser);
}

// Counts all bytes of a request. llhttp has no callback for the leading zeros of a chunk size, the blanks before a
// value and the empty lines before a request, so the other limits do not count them.
static bool is_too_long(struct http_parser *parser, size_t used) {
    parser->message_bytes += used;
    if (parser->message_bytes > HTTP_REQUEST_MAX) {
        (void)refuse(parser, 413,
                     "The request is longer than 512 KiB in all: send larger chunks, and fewer blanks, leading zeros "
                     "and empty lines");
        return true;
    }
    return false;
}

enum http_parse_result http_parser_feed(struct http_parser *parser, const char *data, size_t length, size_t *used) {
    const char *at = data;
    const char *end = data + length;
    parser->protocol_start = data;
    llhttp_errno_t verdict = llhttp_execute(&parser->llhttp, at, length);
    while (verdict == HPE_PAUSED_UPGRADE) {
        // We support no upgrade. RFC 9110 section 7.8 allows a server to ignore the Upgrade header.
        at = llhttp_get_error_pos(&parser->llhttp);
        llhttp_resume_after_upgrade(&parser->llhttp);
        verdict = llhttp_execute(&parser->llhttp, at, (size_t)(end - at));
    }
    *used = verdict == HPE_OK ? length : (size_t)(llhttp_get_error_pos(&parser->llhttp) - data);
    if (is_too_long(parser, *used)) {
        return HTTP_PARSE_ERROR;
    }
    if (verdict == HPE_OK) {
        if (parser->target.present && !parser->has_version) {
            keep_protocol(parser, end);
        }
        return HTTP_PARSE_MORE;
    }
    if (verdict == HPE_PAUSED && parser->complete) {
        return HTTP_PARSE_REQUEST;
    }
    if (verdict == HPE_PAUSED_H2_UPGRADE) {
        (void)refuse(parser, 505, "This server does not support HTTP/2: use HTTP/1.1");
    }
    if (parser->error.status == 0) {
        (void)refuse(parser, 400, "The bytes are not a well-formed HTTP/1.1 request");
        const char *reason = llhttp_get_error_reason(&parser->llhttp);
        if (reason != NULL && reason[0] != '\0') {
            parser->error.detail = reason;
        }
    }
    return HTTP_PARSE_ERROR;
}

const struct http_request *http_parser_request(const struct http_parser *parser) {
    CHECK(parser->complete);
    return &parser->request;
}

struct http_parse_error http_parser_error(const struct http_parser *parser) {
    CHECK(parser->error.status != 0);
    return parser->error;
}

bool http_parser_is_inside_request(const struct http_parser *parser) {
    return parser->inside_request;
}

bool http_parser_has_head(const struct http_parser *parser) {
    return parser->headers_complete && !parser->complete;
}

enum http_method http_parser_method(const struct http_parser *parser) {
    return parser->has_method ? method_of(parser->llhttp.method) : HTTP_METHOD_OTHER;
}

bool http_parser_take_expectation(struct http_parser *parser) {
    bool expects = parser->expects_continue;
    parser->expects_continue = false;
    return expects;
}

void http_parser_next(struct http_parser *parser) {
    CHECK(parser->complete);
    llhttp_resume(&parser->llhttp);
    if (parser->kept.capacity > KEPT_BETWEEN_REQUESTS) {
        text_free(&parser->kept);
    } else {
        text_clear(&parser->kept);
    }
    parser->target = (struct kept_span){0};
    parser->body = (struct kept_span){0};
    memset(parser->headers, 0, sizeof parser->headers);
    parser->request = (struct http_request){0};
    parser->header_bytes = 0;
    parser->message_bytes = 0;
    parser->protocol_length = 0;
    parser->has_version = false;
    parser->has_method = false;
    parser->headers_complete = false;
    parser->complete = false;
    parser->expects_continue = false;
}
