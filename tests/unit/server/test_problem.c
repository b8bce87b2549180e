// problem: RFC 9457, for every text that the detail may quote.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "server/http/problem.h"

static void assert_problem(int status, struct slice detail, const char *expected) {
    struct text out = {0};
    problem_write(&out, status, detail, NULL);
    assert_string_equal(text_terminated(&out), expected);
    text_free(&out);
}

static void test_problem(void **state) {
    (void)state;
    assert_problem(404, SLICE_LITERAL("There is no account \"eve\""),
                   "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                   "\"detail\":\"There is no account \\\"eve\\\"\"}");
    assert_problem(422, (struct slice){NULL, 0},
                   "{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\",\"status\":422,\"detail\":\"\"}");
}

static void test_what_a_client_sent_stays_json(void **state) {
    (void)state;
    assert_problem(400, SLICE_LITERAL("\xFF\0\n"),
                   "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                   "\"detail\":\"\xEF\xBF\xBD\\u0000\\n\"}");
}

static void test_a_traced_problem_names_its_trace(void **state) {
    (void)state;
    struct trace_context trace;
    struct text out = {0};
    assert_true(trace_context_parse(SLICE_LITERAL("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), &trace));
    problem_write(&out, 504, SLICE_LITERAL("slow"), &trace);
    assert_string_equal(text_terminated(&out),
                        "{\"type\":\"about:blank\",\"title\":\"Gateway Timeout\",\"status\":504,"
                        "\"detail\":\"slow\",\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"}");
    text_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problem),
        cmocka_unit_test(test_a_traced_problem_names_its_trace),
        cmocka_unit_test(test_what_a_client_sent_stays_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
