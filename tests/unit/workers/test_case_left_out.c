// case_left_out: what the rest needs stays, and what only the left out statements need is left out with them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/case/case_reader.h"

static void read_case(const char *sql, struct case_list *list) {
    struct text problem = {0};
    *list = (struct case_list){.memory = case_memory_new()};
    struct case_reader reader = {.path = "a.sql", .content = slice_of(sql), .list = list, .problem = &problem};
    if (!case_read_sql(&reader)) {
        fail_msg("%s\n%s", sql, text_terminated(&problem));
    }
}

// The instructions of the first session that are left out, as digits.
static void append_instructions(const struct sql_case *made, const struct case_left_out *left_out, struct text *out) {
    for (size_t i = 0; i < made->sessions[0].count; i++) {
        if (case_is_left_out(left_out, 0, i)) {
            text_append_format(out, "%zu", i);
        }
    }
}

static void expect(const char *sql, const char *names, const char *instructions) {
    struct case_list list;
    struct case_left_out left_out;
    struct text shown = {0};
    struct text again = {0};
    struct text problem = {0};
    read_case(sql, &list);
    if (!case_read_left_out(&list.cases[0], names, &left_out, &problem)) {
        fail_msg("%s", text_terminated(&problem));
    }
    append_instructions(&list.cases[0], &left_out, &shown);
    assert_string_equal(text_terminated(&shown), instructions);
    case_append_left_out(&list.cases[0], &left_out, ",", &again);
    assert_string_equal(text_terminated(&again), names);
    assert_true(case_has_named_left_out(&list.cases[0], &left_out));
    text_free(&shown);
    text_free(&again);
    case_list_free(&list);
}

static void expect_refused(const char *sql, const char *names, const char *problem) {
    struct case_list list;
    struct case_left_out left_out;
    struct text said = {0};
    read_case(sql, &list);
    assert_false(case_read_left_out(&list.cases[0], names, &left_out, &said));
    assert_string_equal(text_terminated(&said), problem);
    text_free(&said);
    case_list_free(&list);
}

#define TWO "-- session B like A\n"

static void test_statements(void **state) {
    (void)state;
    expect("-- session A\nSELECT 1;\nSELECT 2;\nSELECT 3;\n" TWO, "", "");
    expect("-- session A\nSELECT 1;\nSELECT 2;\nSELECT 3;\n" TWO, "A1,A3", "02");
    expect("-- session A\nSELECT 1;\nSELECT 2;\n" TWO, "A,B2", "01");
}

static void test_a_value_that_is_read_stays(void **state) {
    (void)state;
    static const char sql[] = "-- session A\nSELECT 1 AS one \\gset\n\\set two :one\nSELECT :two;\nSELECT 4;\n" TWO;
    expect_refused(sql, "A1", "a.sql:2: A1 cannot be left out, because a later step reads a variable that it sets");
    expect(sql, "A1,A2", "012"); // with the \set between them
    expect(sql, "A2", "12");
    expect_refused("-- session A\nSELECT 1 \\gset p_\nSELECT :p_any;\n" TWO, "A1",
                   "a.sql:2: A1 cannot be left out, because a later step reads a variable that it sets");
    expect_refused("-- session A\nUPDATE t SET n = 1;\n\\set n :ROW_COUNT\nSELECT :n;\n" TWO, "A1",
                   "a.sql:2: A1 cannot be left out, because a later step reads a variable that it sets");
}

static void test_a_branch_without_a_statement_needs_no_condition(void **state) {
    (void)state;
    static const char sql[] =
        "-- session A\nSELECT true AS yes \\gset\n\\if :yes\nSELECT 2;\n\\else\nSELECT 3;\n\\endif\n"
        "SELECT 4;\n" TWO;
    expect(sql, "A1,A2,A3", "0124");
    expect(sql, "A2", "2");
    expect_refused(sql, "A1,A2", "a.sql:2: A1 cannot be left out, because a later step reads a variable that it sets");
    static const char set[] = "-- session A\nSELECT true AS yes \\gset\n\\if :yes\n\\set n 1\nSELECT 2;\n\\endif\n"
                              "SELECT :{?n};\n" TWO;
    expect(set, "A2", "3");
}

static void test_unknown_names(void **state) {
    (void)state;
    expect_refused("-- session A\nSELECT 1;\n" TWO, "A2",
                   "a.sql: \"A2\" is to be left out, but it is no step and no session");
}

static void test_transactions(void **state) {
    (void)state;
    struct case_list list;
    read_case(
        "-- session A\nBEGIN;\nSELECT 1 FROM t FOR UPDATE;\nCOMMIT;\nSELECT 2;\nSELECT pg_advisory_lock(1);\nBEGIN;\n"
        "\\if true\nROLLBACK;\n\\endif\nLOCK TABLE t;\n",
        &list);
    const struct case_session *session = &list.cases[0].sessions[0];
    assert_int_equal(case_transaction_end(session, 0), 2);
    assert_int_equal(case_transaction_end(session, 5), 0); // it ends in a branch
    static const bool may[] = {false, false, false, true, false, false, false, false, false, false};
    for (size_t i = 0; i < session->count; i++) {
        assert_int_equal(case_may_leave_out(session, i), may[i]);
    }
    case_list_free(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_a_value_that_is_read_stays),
        cmocka_unit_test(test_a_branch_without_a_statement_needs_no_condition),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_transactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
