// sql_array: array parameters as PostgreSQL reads them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/database/sql_array.h"

static void expect(const char *const *values, const char *text) {
    struct sql_array array = {0};
    for (size_t i = 0; values[i] != NULL; i++) {
        sql_array_add(&array, values[i]);
    }
    assert_string_equal(sql_array_end(&array), text);
    text_free(&array.text);
}

static void test_texts(void **state) {
    (void)state;
    expect((const char *[]){NULL}, "{}");
    expect((const char *[]){"", NULL}, "{\"\"}");
    expect((const char *[]){"alice", "bob", NULL}, "{\"alice\",\"bob\"}");
    expect((const char *[]){"NULL", "a,b", "{c}", NULL}, "{\"NULL\",\"a,b\",\"{c}\"}");
    expect((const char *[]){"a\"b", "c\\", "\\\"", NULL}, "{\"a\\\"b\",\"c\\\\\",\"\\\\\\\"\"}");
}

static void test_money(void **state) {
    (void)state;
    struct sql_array array = {0};
    sql_array_add_money(&array, -60000);
    sql_array_add_money(&array, 1);
    assert_string_equal(sql_array_end(&array), "{\"-600.00\",\"0.01\"}");
    text_free(&array.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_money)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
