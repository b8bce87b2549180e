// case_variant: the changed lines of a fix, and the instructions that it leaves.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "tests/unit/workers/case_show.h"

static void read_case(const char *sql, struct case_list *list) {
    struct text problem = {0};
    *list = (struct case_list){.memory = case_memory_new()};
    struct case_reader reader = {.path = "a.sql", .content = slice_of(sql), .list = list, .problem = &problem};
    if (!case_read_sql(&reader)) {
        fail_msg("%s\n%s", sql, text_terminated(&problem));
    }
}

// `diff`: NULL if the variant has no place. `instructions`: of the first session, or NULL.
static void expect(const char *sql, enum case_variant variant, const char *diff, const char *instructions) {
    struct case_list list;
    struct sql_case made;
    struct text said = {0};
    struct text shown = {0};
    read_case(sql, &list);
    assert_int_equal(case_make_variant(&list, &list.cases[0], variant, &made, &said), diff != NULL);
    if (diff != NULL) {
        assert_string_equal(text_terminated(&said), diff);
    }
    if (instructions != NULL) {
        show_list(true, &(struct case_list){.cases = &made, .count = 1}, NULL, &shown);
        assert_memory_equal(text_terminated(&shown), instructions, strlen(instructions));
    }
    text_free(&said);
    text_free(&shown);
    case_list_free(&list);
}

#define READ "SELECT balance >= 800 AS enough FROM accounts WHERE id = 'alice' \\gset\n"
#define UPDATE "UPDATE accounts SET balance = balance - 800 WHERE id = 'alice'"
#define REST "UPDATE accounts SET balance = balance + 800 WHERE id = 'bob'"

static void test_a_read_of_no_other_use_is_replaced(void **state) {
    (void)state;
    expect("-- session A\n" READ "\\if :enough\n" UPDATE ";\n" REST ";\n\\else\nSELECT 1;\n\\endif\nSELECT 2;\n"
           "-- session B like A\n",
           CASE_GUARDS_UPDATE,
           "@@ session A, B @@\n"
           "-" READ "-\\if :enough\n"
           "-" UPDATE ";\n"
           "+" UPDATE " AND balance >= 800 RETURNING true AS enough \\gset\n"
           "+\\if :{?enough}\n",
           "session A\n"
           "4 A2 " UPDATE " AND balance >= 800 RETURNING true AS enough gset()\n"
           "3 unless {is set enough} -> 4\n"
           "5 A3 " REST "\n"
           "6 skip -> 5\n"
           "7 A4 SELECT 1\n"
           "9 A5 SELECT 2\n");
}

static void test_a_read_that_is_used_stays(void **state) {
    (void)state;
    expect("-- session A\n"
           "SELECT balance AS old, balance >= 800 AS enough FROM accounts WHERE id='alice' \\gset\n"
           "\\if :enough\nSELECT :old;\n" UPDATE ";\n" REST ";\n\\else\nSELECT 1;\n\\endif\nSELECT 2;\n",
           CASE_GUARDS_UPDATE,
           "@@ session A @@\n"
           " \\if :enough\n"
           "-" UPDATE ";\n"
           "+" UPDATE " AND balance >= 800 RETURNING true AS enough_holds \\gset\n"
           "+\\endif\n"
           "+\\if :{?enough_holds}\n",
           "session A\n"
           "2 A1 SELECT balance AS old, balance >= 800 AS enough FROM accounts WHERE id='alice' gset()\n"
           "3 unless {value enough} -> 7\n"
           "4 A2 SELECT {value old}\n"
           "5 A3 " UPDATE " AND balance >= 800 RETURNING true AS enough_holds gset()\n"
           "3 unless {is set enough_holds} -> 7\n"
           "6 A4 " REST "\n"
           "7 skip -> 8\n"
           "8 A5 SELECT 1\n"
           "10 A6 SELECT 2\n");
}

static void test_what_needs_a_person(void **state) {
    (void)state;
    static const char *const places[] = {
        READ UPDATE ";\n",                                    // no branch
        READ "\\if :enough\n" REST ";\n\\endif\n",            // another row
        READ "\\if :enough\n" UPDATE " OR true;\n\\endif\n",  // another condition
        READ "\\if :enough\nSELECT 1;\n\\endif\n" UPDATE ";", // behind the branch
        READ "\\if :enough\n" UPDATE " RETURNING 1;\n\\endif\n",
        "SELECT count(*) >= 2 AS enough FROM accounts WHERE id = 'alice' \\gset\n\\if :enough\n" UPDATE ";\n\\endif\n",
        "SELECT balance >= 800 AS enough FROM accounts a WHERE id = 'alice' \\gset\n\\if :enough\n" UPDATE
        ";\n\\endif\n",
        "SELECT balance >= 800 AS enough FROM accounts WHERE id = 'alice' FOR UPDATE \\gset\n\\if :enough\n" UPDATE
        ";\n\\endif\n",
        "SELECT balance >= 800 OR true AS enough FROM accounts WHERE id = 'alice' \\gset\n\\if :enough\n" UPDATE
        ";\n\\endif\n",
        READ "\\if :enough\n\\if true\n" UPDATE ";\n\\endif\n\\endif\n", // in an inner branch
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct text sql = {0};
        text_append_format(&sql, "-- session A\n%s\n-- session B like A\n", places[i]);
        expect(text_terminated(&sql), CASE_GUARDS_UPDATE, NULL, NULL);
        text_free(&sql);
    }
}

static void test_transactions_and_locks(void **state) {
    (void)state;
    static const char sql[] =
        "-- session A\nSELECT n\n  FROM t \\gset p_\nUPDATE t SET n = 1;\n-- session B\nBEGIN;\nCOMMIT;\n";
    expect(sql, CASE_IN_TRANSACTION, "@@ session A @@\n+BEGIN;\n ...\n+COMMIT;\n", NULL);
    expect(
        "-- session A\nSELECT n FROM t \\gset p_\nUPDATE t SET n = 1;\n", CASE_LOCKS_READS,
        "@@ session A @@\n+BEGIN;\n-SELECT n FROM t \\gset p_\n+SELECT n FROM t FOR UPDATE \\gset p_\n ...\n+COMMIT;\n",
        NULL);
    expect("-- session A\nBEGIN;\nCOMMIT;\n", CASE_IN_TRANSACTION, NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_read_of_no_other_use_is_replaced),
        cmocka_unit_test(test_a_read_that_is_used_stays),
        cmocka_unit_test(test_what_needs_a_person),
        cmocka_unit_test(test_transactions_and_locks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
