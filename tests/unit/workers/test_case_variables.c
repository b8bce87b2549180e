// case_variables: the variables of a session. case_template: a text with variables, quoted as psql quotes them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "workers/case/case_template.h"

static void test_set(void **state) {
    (void)state;
    struct case_variables variables = {0};
    char name[16] = "a";
    assert_null(case_variables_get(&variables, "a"));
    case_variables_set(&variables, name, "1");
    name[0] = 'b'; // the names are copies
    case_variables_set(&variables, name, "2");
    assert_string_equal(case_variables_get(&variables, "a"), "1");
    case_variables_set(&variables, "a", case_variables_get(&variables, "a"));
    assert_string_equal(case_variables_get(&variables, "a"), "1");
    case_variables_unset(&variables, "a");
    case_variables_unset(&variables, "a");
    assert_null(case_variables_get(&variables, "a"));
    assert_string_equal(case_variables_get(&variables, "b"), "2");
    for (int i = 0; i < 100; i++) {
        struct text number = {0};
        text_append_format(&number, "%d", i);
        case_variables_set(&variables, text_terminated(&number), "x");
        text_free(&number);
    }
    assert_int_equal(variables.count, 101);
    case_variables_free(&variables);
    assert_null(case_variables_get(&variables, "b"));
    case_variables_set(&variables, "B", ""); // an empty value is a value; names have letter cases
    assert_string_equal(case_variables_get(&variables, "B"), "");
    assert_null(case_variables_get(&variables, "b"));
    case_variables_free(&variables);
}

static void assert_rendered(const char *sql, const char *value, const char *expected) {
    struct case_memory *memory = case_memory_new();
    struct case_variables variables = {0};
    struct text out = {0};
    struct text problem = {0};
    struct case_template text = case_template_of_sql(memory, slice_of(sql));
    if (value != NULL) {
        case_variables_set(&variables, "x", value);
    }
    bool good = case_render(&text, &variables, &out, &problem);
    assert_int_equal(good, problem.length == 0);
    assert_string_equal(good ? text_terminated(&out) : text_terminated(&problem), expected);
    text_free(&out);
    text_free(&problem);
    case_variables_free(&variables);
    case_memory_free(memory);
}

static void test_render(void **state) {
    (void)state;
    assert_rendered("", NULL, "");
    assert_rendered("SELECT 1", NULL, "SELECT 1");
    assert_rendered("SELECT :x, :'x', :\"x\", :{?x}, :{?y}", "a", "SELECT a, 'a', \"a\", TRUE, FALSE");
    assert_rendered(":x:x", "ab", "abab");
    assert_rendered("':x' \":x\" $$:x$$ a::x /* :x */ -- :x", "a", "':x' \":x\" $$:x$$ a::x /* :x */ -- :x");
    assert_rendered(":'x' :\"x\"", "it's \"b\"", "'it''s \"b\"' \"it's \"\"b\"\"\"");
    assert_rendered("a =:'x'", "c:\\d'", "a = E'c:\\\\d'''");
    assert_rendered(":x", "", "");
    assert_rendered(":'x'", "", "''");
    assert_rendered(":x", ":'x'", ":'x'"); // a value is not read again
    assert_rendered("SELECT 1\\; SELECT a[\\:x]", NULL, "SELECT 1; SELECT a[:x]");
    assert_rendered("SELECT :y", "a", "the variable \"y\" is not set");
    assert_rendered("SELECT :'y'", "a", "the variable \"y\" is not set");
}

static void test_booleans(void **state) {
    (void)state;
    static const char *const trues[] = {"t", "TRUE", "tr", "y", "Yes", "on", "ON", "1"};
    static const char *const falses[] = {"f", "false", "FALS", "n", "no", "of", "OFF", "0"};
    static const char *const neither[] = {"", "o", "2", "10", "truee", "offf", "onn", " t", "t ", "null", "-"};
    for (size_t i = 0; i < sizeof trues / sizeof trues[0]; i++) {
        bool value = false;
        assert_true(case_parse_boolean(trues[i], &value) && value);
    }
    for (size_t i = 0; i < sizeof falses / sizeof falses[0]; i++) {
        bool value = true;
        assert_true(case_parse_boolean(falses[i], &value) && !value);
    }
    for (size_t i = 0; i < sizeof neither / sizeof neither[0]; i++) {
        bool value = true;
        assert_false(case_parse_boolean(neither[i], &value));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_render),
        cmocka_unit_test(test_booleans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
