// problem: the body is JSON as RFC 9457 says, with any bytes in the detail.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "server/http/http_limits.h"
#include "server/http/problem.h"

static void assert_problem(int status, struct slice detail, const char *expected) {
    struct text body = {0};
    struct http_response response = problem_response(&body, status, detail, NULL);
    assert_int_equal(response.status, status);
    assert_string_equal(response.content_type, "application/problem+json");
    assert_true(slice_equals(response.body, slice_of(expected)));
    text_free(&body);
}

static void test_problem(void **state) {
    (void)state;
    assert_problem(404, SLICE_LITERAL("There is no account \"eve\""),
                   "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                   "\"detail\":\"There is no account \\\"eve\\\"\"}\n");
    assert_problem(422, (struct slice){NULL, 0},
                   "{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\",\"status\":422,\"detail\":\"\"}\n");
}

static void test_what_a_client_sent_stays_json(void **state) {
    (void)state;
    assert_problem(400, SLICE_LITERAL("\xFF\0\n"),
                   "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                   "\"detail\":\"\xEF\xBF\xBD\\u0000\\n\"}\n");
}

static void test_a_traced_problem_names_its_trace(void **state) {
    (void)state;
    struct trace_context trace;
    struct text body = {0};
    assert_true(trace_context_parse(SLICE_LITERAL("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), &trace));
    struct http_response response = problem_response(&body, 504, SLICE_LITERAL("slow"), &trace);
    assert_int_equal(response.status, 504);
    assert_string_equal(text_terminated(&body),
                        "{\"type\":\"about:blank\",\"title\":\"Gateway Timeout\",\"status\":504,"
                        "\"detail\":\"slow\",\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"}\n");
    text_free(&body);
}

static void test_headers_follow_the_status(void **state) {
    (void)state;
    struct text body = {0};
    struct http_response busy = problem_response(&body, 503, SLICE_LITERAL("busy"), NULL);
    assert_int_equal(busy.retry_after, RETRY_AFTER_SECONDS);
    assert_false(busy.asks_for_token);
    text_clear(&body);
    struct http_response no_token = problem_response(&body, 401, SLICE_LITERAL("no token"), NULL);
    assert_int_equal(no_token.retry_after, 0);
    assert_true(no_token.asks_for_token);
    text_free(&body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problem),
        cmocka_unit_test(test_a_traced_problem_names_its_trace),
        cmocka_unit_test(test_headers_follow_the_status),
        cmocka_unit_test(test_what_a_client_sent_stays_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
