// record_hash_rows(): tables whose rows differ have different hashes; the order of the rows does not count.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/explore/explore_internal.h"

#include <libpq-fe.h>

// Two columns; NULL is the NULL of SQL.
static uint64_t hash_of(const char *const (*rows)[2], int count) {
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    char names[2][2] = {"a", "b"};
    PGresAttDesc columns[2] = {{.name = names[0]}, {.name = names[1]}};
    assert_true(PQsetResultAttrs(result, 2, columns));
    for (int row = 0; row < count; row++) {
        for (int column = 0; column < 2; column++) {
            const char *value = rows[row][column];
            char copy[32] = "";
            (void)strncpy(copy, value == NULL ? "" : value, sizeof copy - 1);
            assert_true(
                PQsetvalue(result, row, column, value == NULL ? NULL : copy, value == NULL ? -1 : (int)strlen(copy)));
        }
    }
    uint64_t hash = record_hash_rows((const struct db_async_answer *)(const void *)result);
    PQclear(result);
    return hash;
}

static void test_the_order_of_the_rows_does_not_count(void **state) {
    (void)state;
    const char *const one[][2] = {{"alice", "1"}, {"bob", "2"}, {"carol", "3"}};
    const char *const other[][2] = {{"carol", "3"}, {"alice", "1"}, {"bob", "2"}};
    assert_true(hash_of(one, 3) == hash_of(other, 3));
}

static void test_one_more_here_and_one_less_there(void **state) {
    (void)state;
    for (int digit = '1'; digit < '9'; digit++) {
        const char low[2] = {(char)digit, '\0'};
        const char high[2] = {(char)(digit + 1), '\0'};
        const char *const one[][2] = {{"alice", low}, {"bob", high}};
        const char *const other[][2] = {{"alice", high}, {"bob", low}};
        assert_true(hash_of(one, 2) != hash_of(other, 2));
    }
}

static void test_null_is_not_empty(void **state) {
    (void)state;
    const char *const null[][2] = {{"alice", NULL}};
    const char *const empty[][2] = {{"alice", ""}};
    assert_true(hash_of(null, 1) != hash_of(empty, 1));
}

static void test_a_value_stays_in_its_column(void **state) {
    (void)state;
    const char *const one[][2] = {{"ab", "c"}};
    const char *const other[][2] = {{"a", "bc"}};
    assert_true(hash_of(one, 1) != hash_of(other, 1));
}

static void test_the_number_of_equal_rows_counts(void **state) {
    (void)state;
    const char *const rows[][2] = {{"a", "1"}, {"a", "1"}, {"a", "1"}};
    for (int count = 0; count < 3; count++) {
        assert_true(hash_of(rows, count) != hash_of(rows, count + 1));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_order_of_the_rows_does_not_count),
        cmocka_unit_test(test_one_more_here_and_one_less_there),
        cmocka_unit_test(test_null_is_not_empty),
        cmocka_unit_test(test_a_value_stays_in_its_column),
        cmocka_unit_test(test_the_number_of_equal_rows_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
