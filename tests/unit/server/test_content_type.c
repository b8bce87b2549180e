// content_type: what counts as JSON, and who asks for OpenMetrics.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "content_type.h"

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

static bool wants_openmetrics(const char *accept) {
    struct http_request request = {0};
    request.headers[HTTP_HEADER_ACCEPT] = accept == NULL ? (struct slice){NULL, 0} : slice_of(accept);
    return accepts_openmetrics(&request);
}

static void test_openmetrics(void **state) {
    (void)state;
    assert_true(wants_openmetrics("application/openmetrics-text"));
    assert_true(wants_openmetrics("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"));
    assert_true(wants_openmetrics("text/plain, Application/OpenMetrics-Text ; q=0.01"));
    assert_false(wants_openmetrics("application/openmetrics-text;q=0"));
    assert_false(wants_openmetrics("application/openmetrics-text; version=1.0.0; Q=0.000, text/plain"));
    assert_false(wants_openmetrics("text/plain; x=application/openmetrics-text"));
    assert_false(wants_openmetrics("application/openmetrics-textual"));
    assert_false(wants_openmetrics(",;,=,"));
    assert_false(wants_openmetrics(NULL));
    assert_false(wants_openmetrics(""));
    assert_false(wants_openmetrics("*/*"));
    assert_false(wants_openmetrics("text/plain"));
    assert_false(wants_openmetrics("application/openmetrics-tex"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_openmetrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
