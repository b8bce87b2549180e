// http_response: the exact bytes of each kind of answer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "server/http/http_response.h"

// The time is 2026-01-31T12:34:56Z.
#define NOW INT64_C(1769862896)
#define DATE "\r\nDate: Sat, 31 Jan 2026 12:34:56 GMT"
#define ALWAYS "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nContent-Length: "

static void assert_response(const struct http_response *response, struct http_response_framing framing,
                            const char *expected) {
    struct text out = {0};
    framing.now_s = NOW;
    http_response_write(response, &framing, &out);
    assert_string_equal(text_terminated(&out), expected);
    text_free(&out);
}

static void test_ok(void **state) {
    (void)state;
    assert_response(&(struct http_response){.status = 200, .body = SLICE_LITERAL("{}")},
                    (struct http_response_framing){.keep_alive = true},
                    "HTTP/1.1 200 OK" DATE "\r\nContent-Type: application/json" ALWAYS "2\r\n\r\n{}");
}

static void test_empty_body(void **state) {
    (void)state;
    assert_response(&(struct http_response){.status = 200}, (struct http_response_framing){.keep_alive = true},
                    "HTTP/1.1 200 OK" DATE "\r\nContent-Type: application/json" ALWAYS "0\r\n\r\n");
}

static void test_head_has_the_length_but_no_body(void **state) {
    (void)state;
    assert_response(&(struct http_response){.status = 200, .body = SLICE_LITERAL("12345")},
                    (struct http_response_framing){.keep_alive = true, .head_only = true},
                    "HTTP/1.1 200 OK" DATE "\r\nContent-Type: application/json" ALWAYS "5\r\n\r\n");
}

static void test_connection_header(void **state) {
    (void)state;
    struct http_response ok = {.status = 200, .content_type = "text/plain"};
    assert_response(&ok, (struct http_response_framing){.keep_alive = false},
                    "HTTP/1.1 200 OK" DATE "\r\nContent-Type: text/plain\r\nConnection: close" ALWAYS "0\r\n\r\n");
    assert_response(&ok, (struct http_response_framing){.keep_alive = false, .http_1_0 = true},
                    "HTTP/1.1 200 OK" DATE "\r\nContent-Type: text/plain\r\nConnection: close" ALWAYS "0\r\n\r\n");
    assert_response(&ok, (struct http_response_framing){.keep_alive = true, .http_1_0 = true},
                    "HTTP/1.1 200 OK" DATE "\r\nContent-Type: text/plain\r\nConnection: keep-alive" ALWAYS "0\r\n\r\n");
}

static void test_rare_headers(void **state) {
    (void)state;
    struct http_response_framing framing = {.keep_alive = true};
    assert_response(&(struct http_response){.status = 405, .content_type = "x/y", .allow = "GET, HEAD"}, framing,
                    "HTTP/1.1 405 Method Not Allowed" DATE "\r\nContent-Type: x/y\r\nAllow: GET, HEAD" ALWAYS
                    "0\r\n\r\n");
    assert_response(&(struct http_response){.status = 503, .content_type = "x/y", .retry_after = 12}, framing,
                    "HTTP/1.1 503 Service Unavailable" DATE "\r\nContent-Type: x/y\r\nRetry-After: 12" ALWAYS
                    "0\r\n\r\n");
    assert_response(&(struct http_response){.status = 401, .content_type = "x/y", .asks_for_token = true}, framing,
                    "HTTP/1.1 401 Unauthorized" DATE
                    "\r\nContent-Type: x/y\r\nWWW-Authenticate: Bearer realm=\"bank-api\"" ALWAYS "0\r\n\r\n");
    assert_response(&(struct http_response){.status = 200, .content_type = "x/y", .traceparent = "00-1-2-01"}, framing,
                    "HTTP/1.1 200 OK" DATE "\r\nContent-Type: x/y\r\ntraceparent: 00-1-2-01" ALWAYS "0\r\n\r\n");
}

static void test_a_stream_has_no_length(void **state) {
    (void)state;
    struct http_response stream = {.status = 200, .content_type = "text/event-stream", .streams = true};
    assert_response(&stream, (struct http_response_framing){0},
                    "HTTP/1.1 200 OK" DATE
                    "\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\nConnection: close"
                    "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n");
}

#define PAGE                                                                                                           \
    "\r\nETag: \"abc\"\r\nVary: Accept-Encoding\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; "   \
    "style-src 'self'; "                                                                                               \
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"            \
    "\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-cache\r\nX-Content-Type-Options: "                          \
    "nosniff\r\nContent-Length: "

static void test_a_file_of_the_page(void **state) {
    (void)state;
    struct http_response_framing framing = {.keep_alive = true};
    struct http_response file = {
        .status = 200, .content_type = "text/css", .body = SLICE_LITERAL("a{}"), .page_etag = "\"abc\""};
    assert_response(&file, framing, "HTTP/1.1 200 OK" DATE "\r\nContent-Type: text/css" PAGE "3\r\n\r\na{}");
    file.status = 304; // such an answer has no body
    assert_response(&file, framing, "HTTP/1.1 304 Not Modified" DATE "\r\nContent-Type: text/css" PAGE "3\r\n\r\n");
}

static void test_body_is_bytes(void **state) {
    (void)state;
    struct text out = {0};
    struct slice body = SLICE_LITERAL("a\0b\r\n");
    http_response_write(&(struct http_response){.status = 200, .body = body}, &(struct http_response_framing){0}, &out);
    assert_memory_equal(out.data + out.length - body.length, body.data, body.length);
    text_free(&out);
}

static void test_date_follows_the_clock(void **state) {
    (void)state;
    struct text out = {0};
    struct http_response ok = {.status = 200};
    http_response_write(&ok, &(struct http_response_framing){.now_s = NOW}, &out);
    text_clear(&out);
    http_response_write(&ok, &(struct http_response_framing){.now_s = NOW + 1}, &out);
    assert_non_null(strstr(text_terminated(&out), "\r\nDate: Sat, 31 Jan 2026 12:34:57 GMT\r\n"));
    text_clear(&out);
    http_response_write(&ok, &(struct http_response_framing){.now_s = 0}, &out);
    assert_non_null(strstr(text_terminated(&out), "\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"));
    text_free(&out);
}

static void test_every_status_has_its_reason(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        assert_string_equal(http_status_reason(reasons[i].status), reasons[i].reason);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ok),
        cmocka_unit_test(test_empty_body),
        cmocka_unit_test(test_head_has_the_length_but_no_body),
        cmocka_unit_test(test_connection_header),
        cmocka_unit_test(test_rare_headers),
        cmocka_unit_test(test_a_stream_has_no_length),
        cmocka_unit_test(test_a_file_of_the_page),
        cmocka_unit_test(test_body_is_bytes),
        cmocka_unit_test(test_date_follows_the_clock),
        cmocka_unit_test(test_every_status_has_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
