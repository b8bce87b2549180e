// case_names: which variables \gset sets. A name that is not certain makes every name with the prefix known.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "workers/case/case_names.h"

static void assert_columns(const char *sql, const char *prefix, const char *expected) {
    struct case_memory *memory = case_memory_new();
    struct case_names names = {0};
    struct text shown = {0};
    case_names_add_columns(memory, &names, slice_of(sql), prefix);
    case_names_append(&shown, &names);
    if (strcmp(text_terminated(&shown), expected) != 0) {
        fail_msg("%s: \"%s\", expected \"%s\"", sql, text_terminated(&shown), expected);
    }
    text_free(&shown);
    case_memory_free(memory);
}

static void test_certain(void **state) {
    (void)state;
    assert_columns("SELECT a FROM t", "", "a");
    assert_columns("SELECT a, t.B, c >= 3 AS Enough, 4 as \"F g\"\"h\" FROM t", "p_", "p_a, p_b, p_enough, p_F g\"h");
    assert_columns("SELECT count(*), max(a + f(b)), a IS DISTINCT FROM b AS c FROM t", "", "count, max, c");
    assert_columns("SELECT ARRAY[1, 2] AS a, (SELECT b FROM c) AS d, e", "", "a, d, e");
    assert_columns("WITH x AS (SELECT a, b FROM t) SELECT c FROM x", "", "c");
    assert_columns("SELECT a UNION SELECT b", "", "a");
    assert_columns("SELECT a ORDER BY b, c", "", "a");
    assert_columns("SELECT a, a", "", "a");
    assert_columns("UPDATE t SET a = (SELECT 1), b = 2 RETURNING a, b AS c", "", "a, c");
    assert_columns("INSERT INTO t SELECT a FROM b RETURNING id", "", "id");
    assert_columns("WITH x AS (DELETE FROM t RETURNING a) SELECT b FROM x", "", "b");
}

static void test_not_certain(void **state) {
    (void)state;
    assert_columns("SELECT * FROM t", "p_", "p_*");
    assert_columns("SELECT a, a + 1 FROM t", "", "a, *");
    assert_columns("SELECT a b FROM t", "", "*");
    assert_columns("SELECT t.*, c AS d FROM t", "p_", "p_*, p_d");
    assert_columns("SELECT f(1) + g(2)", "", "*");
    assert_columns("SELECT U&\"a\"", "", "*");
    assert_columns("SELECT DISTINCT a FROM t", "", "*");
    assert_columns("VALUES (1)", "p", "p*");
    assert_columns("INSERT INTO t SELECT a FROM b", "", "*");
    assert_columns("", "", "*");
    assert_columns("SELECT", "", "*");
}

static void test_have(void **state) {
    (void)state;
    struct case_memory *memory = case_memory_new();
    struct case_names names = {0};
    struct text shown = {0};
    case_names_append(&shown, &names);
    assert_string_equal(text_terminated(&shown), "none");
    case_names_add(memory, &names, "abc", false);
    case_names_add(memory, &names, "p_", true);
    assert_true(case_names_have(&names, "abc"));
    assert_false(case_names_have(&names, "abcd"));
    assert_false(case_names_have(&names, "ABC"));
    assert_true(case_names_have(&names, "p_x"));
    assert_false(case_names_have(&names, "p"));
    for (int i = 0; i < 3000; i++) {
        case_names_add(memory, &names, case_format(memory, "n%d", i), false);
    }
    assert_true(names.count < 2000);
    assert_true(case_names_have(&names, "n2999")); // too many names: each name counts as known
    text_clear(&shown);
    case_names_append(&shown, &names);
    assert_true(shown.length < 200);
    text_free(&shown);
    case_memory_free(memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certain),
        cmocka_unit_test(test_not_certain),
        cmocka_unit_test(test_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
