// content_type: which bodies are JSON, and which Accept headers ask for OpenMetrics.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "server/http/content_type.h"

static bool is_json(const char *type) {
    struct http_request request = {0};
    request.headers[HTTP_HEADER_CONTENT_TYPE] = type == NULL ? (struct slice){NULL, 0} : slice_of(type);
    return content_type_is_json(&request);
}

static void test_json(void **state) {
    (void)state;
    assert_true(is_json("application/json"));
    assert_true(is_json("Application/JSON"));
    assert_true(is_json("application/json; charset=utf-8"));
    assert_true(is_json("application/json;charset=utf-8"));
    assert_true(is_json("application/json\t;x=y"));
    assert_true(is_json("application/json "));
}

static void test_not_json(void **state) {
    (void)state;
    static const char *const types[] = {NULL,
                                        "",
                                        ";",
                                        "text/plain",
                                        "application/x-www-form-urlencoded",
                                        "application/jso",
                                        "application/jsonx",
                                        "application/json+x",
                                        "application/problem+json",
                                        "text/plain; application/json",
                                        "application/json,text/plain"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        assert_false(is_json(types[i]));
    }
}

static bool wants_gzip(const char *accept) {
    struct http_request request = {0};
    request.headers[HTTP_HEADER_ACCEPT_ENCODING] = accept == NULL ? (struct slice){NULL, 0} : slice_of(accept);
    return accepts_gzip(&request);
}

static void test_gzip(void **state) {
    (void)state;
    static const char *const wanted[] = {"gzip", "deflate, gzip;q=0.001", "gzip, deflate, br, zstd", "br;q=1, GZIP ",
                                         "*",    "identity, * ; q=0.5"};
    static const char *const unwanted[] = {NULL,    "",           "identity", "gzip;q=0", "gzip; q=0.000, *", "*;q=0",
                                           "xgzip", "gzip;q=nan", "br",       ",",        "*, gzip;q=0"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_true(wants_gzip(wanted[i]));
    }
    for (size_t i = 0; i < sizeof unwanted / sizeof unwanted[0]; i++) {
        assert_false(wants_gzip(unwanted[i]));
    }
}

static bool wants_openmetrics(const char *accept) {
    struct http_request request = {0};
    request.headers[HTTP_HEADER_ACCEPT] = accept == NULL ? (struct slice){NULL, 0} : slice_of(accept);
    return accepts_openmetrics(&request);
}

// The Accept header that Prometheus 3 sends.
static const char prometheus[] = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                                 "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,"
                                 "text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

static void test_openmetrics(void **state) {
    (void)state;
    static const char *const wanted[] = {
        "application/openmetrics-text",
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3",
        prometheus,
        "text/plain, Application/OpenMetrics-Text",
        "application/openmetrics-text; version=\"1.0.0\"",
        "text/plain;q=0.9, application/*",
        "text/plain;q=0, */*",
        "text/plain;version=1.0.0, application/openmetrics-text;q=0.1",
        ", ,application/openmetrics-text",
        "x/y;z=\"text/plain,\", application/openmetrics-text"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (!wants_openmetrics(wanted[i])) {
            fail_msg("%s", wanted[i]);
        }
    }
}

static void test_prometheus_text(void **state) {
    (void)state;
    static const char *const others[] = {
        NULL,
        "",
        "*/*",
        "text/plain",
        "text/*, application/*",
        "text/plain, application/openmetrics-text;q=0.01",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0, */*",
        "application/openmetrics-text; version=1.0.0; Q=0.000, text/plain",
        "application/openmetrics-text; version=0.0.1",
        "application/openmetrics-text; version=1.0.0;q=0, application/openmetrics-text;q=1, text/plain;q=0.1",
        "application/openmetrics-text;q=2",
        "application/openmetrics-text;q=0.1234",
        "application/openmetrics-text;q=",
        "text/plain; x=application/openmetrics-text",
        "text/plain; x=\"application/openmetrics-text, application/openmetrics-text\"",
        "\"application/openmetrics-text",
        "application/openmetrics-textual",
        "application/openmetrics-tex",
        "application/json",
        ",;,=,"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (wants_openmetrics(others[i])) {
            fail_msg("%s", others[i]);
        }
    }
}

static bool is_plain(const char *codings) {
    struct http_request request = {0};
    request.headers[HTTP_HEADER_CONTENT_ENCODING] = codings == NULL ? (struct slice){NULL, 0} : slice_of(codings);
    return content_is_plain(&request);
}

static void test_content_encoding(void **state) {
    (void)state;
    assert_true(is_plain(NULL));
    assert_true(is_plain(""));
    assert_true(is_plain("identity"));
    assert_true(is_plain("Identity, ,identity"));
    assert_false(is_plain("gzip"));
    assert_false(is_plain("identity, gzip"));
    assert_false(is_plain("identityx"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_openmetrics),
        cmocka_unit_test(test_prometheus_text),
        cmocka_unit_test(test_content_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
