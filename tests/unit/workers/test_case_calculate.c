// case_calculate: expressions of pgbench. The expected values are those that pgbench 15 gives.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "workers/case/case_value.h"

#include <stdlib.h>

struct expected {
    const char *expression;
    const char *value; // or a part of the problem
};

static void assert_calculated(const struct expected *cases, size_t count, bool expects_value) {
    for (size_t i = 0; i < count; i++) {
        struct text value = {0};
        struct text problem = {0};
        bool good = case_calculate(cases[i].expression, &value, &problem);
        const char *shown = good ? text_terminated(&value) : text_terminated(&problem);
        bool is_expected = expects_value ? strcmp(shown, cases[i].value) == 0 : strstr(shown, cases[i].value) != NULL;
        if (good != expects_value || !is_expected) {
            fail_msg("%s: \"%s\", expected \"%s\"", cases[i].expression, shown, cases[i].value);
        }
        text_free(&value);
        text_free(&problem);
    }
}

#define ASSERT_VALUES(cases) assert_calculated(cases, sizeof(cases) / sizeof(cases)[0], true)
#define ASSERT_PROBLEMS(cases) assert_calculated(cases, sizeof(cases) / sizeof(cases)[0], false)

static void test_numbers(void **state) {
    (void)state;
    static const struct expected cases[] = {
        {"1", "1"},
        {" 1 + 2 * 3 ", "7"},
        {"(1 + 2) * 3", "9"},
        {"7 / 2", "3"},
        {"-7 / 2", "-3"},
        {"-7 % 3", "-1"},
        {"7 / 2.0", "3.5"},
        {"1 - 2 - 3", "-4"},
        {"2 - -3", "5"},
        {"- -3", "3"},
        {"--3", "3"},
        {"+3", "3"},
        {"1e3", "1000"},
        {".5 + 1.", "1.5"},
        {"1.5e-3", "0.0015"},
        {"1/3.0", "0.333333333333333"},
        {"1.0 / 0", "Infinity"},
        {"-1 / 0.0", "-Infinity"},
        {"sqrt(-1)", "NaN"},
        {"~1 * 1 - 10", "8"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"5 % -1", "0"},
        {"-9223372036854775808 % -1", "0"},
        {"1 << 3 | 1", "9"},
        {"12 & 10 # 1", "9"},
        {"~5", "-6"},
        {"-16 >> 2", "-4"},
        {"1 + 1 << 2", "8"},
        {"2.5 & 3", "2"},
    };
    ASSERT_VALUES(cases);
}

static void test_logic(void **state) {
    (void)state;
    static const struct expected cases[] = {
        {"1 < 2", "true"},
        {"1 >= 2", "false"},
        {"1 = 1.0", "true"},
        {"1 <> 2 and 1 != 1", "false"},
        {"true or false and false", "true"},
        {"not true or true", "true"},
        {"not 1 = 2", "true"},
        {"NOT NOT TRUE", "true"},
        {"null is null", "true"},
        {"1 is not null", "true"},
        {"true is false", "false"},
        {"1 isnull", "false"},
        {"null notnull", "false"},
        {"null + 1", "NULL"},
        {"null and false", "NULL"}, // not as in SQL: the left side decides
        {"false and null", "false"},
        {"null and true", "NULL"},
        {"true or null", "true"},
        {"null or true", "NULL"},
        {"null or false", "NULL"},
        {"not null", "NULL"},
        {"1 + 1 = 2 is true", "true"},
        {"false and 1 / 0 = 1", "false"}, // the right side is not evaluated
        {"true or 1 / 0 = 1", "true"},
        {"case when 1 > 2 then 1 / 0 when 2 > 1 then 5 else 1 / 0 end", "5"},
        {"case when false then 1 end", "NULL"},
        {"case when 0 then 1 else 2 end + 1", "3"},
        {"case when null then 1 else 2 end", "2"},
        {"case when 0.5 then case when true then 3 end end", "3"},
        {"t", "true"}, // a value that \gset gives
        {"f or t", "true"},
    };
    ASSERT_VALUES(cases);
}

static void test_functions(void **state) {
    (void)state;
    static const struct expected cases[] = {
        {"abs(-5)", "5"},
        {"ABS(-2.5)", "2.5"},
        {"greatest(1, 3, 2)", "3"},
        {"least(4, 2.5)", "2.5"},
        {"greatest(4, 2.5)", "4"},
        {"int(2.5)", "2"},
        {"int(3.7)", "4"},
        {"double(2) / 4", "0.5"},
        {"mod(7, 3)", "1"},
        {"sqrt(16)", "4"},
        {"pow(2, 10)", "1024"},
        {"power(2, -1)", "0.5"},
        {"ln(exp(2))", "2"},
        {"pi()", "3.14159265358979"},
        {"debug(5)", "5"},
        {"abs(null)", "NULL"},
        {"hash(10, 5432)", "-5817877081768721676"}, // documented in pgbench's tests
        {"hash_murmur2(10, 5432)", "-5817877081768721676"},
        {"hash_fnv1a(10, 5432)", "-7793829335365542153"},
    };
    ASSERT_VALUES(cases);
}

static void test_problems(void **state) {
    (void)state;
    static const struct expected cases[] = {
        {"", "ends too early"},
        {"1 +", "ends too early"},
        {"(1", "\")\" is expected"},
        {"1 2", "\"2\" is not understood here"},
        {"1 + x", "\"x\" is not understood here"},
        {"foo(1)", "foo() is not a function"},
        {"abs(1, 2)", "needs one argument"},
        {"random(1, 2)", "drawn when the script is read"},
        {"1 / 0", "division by zero"},
        {"1 % 0", "division by zero"},
        {"9223372036854775807 + 1", "does not fit"},
        {"-9223372036854775808 / -1", "does not fit"},
        {"4611686018427387904 * 2", "does not fit"},
        {"9223372036854775808", "a number is too large"},
        {"1e400", "a number is too large"},
        {"12a", "a number is too large or not well formed"},
        {"0x10", "not well formed"},
        {"1e30 % 2", "does not fit"},
        {"true + 1", "an integer is expected, not boolean"},
        {"not 1", "a boolean is expected, not integer"},
        {"1 and true", "a boolean is expected, not integer"},
        {"1 is 2", "IS needs"},
        {"case when 1 then 2", "\"end\" is expected"},
        {"hash(1)", "needs a value and a seed"},
        {"permute(1, 2)", "is not a function"},
        {"greatest()", "needs an argument"},
        {"case when true then 1 else foo end", "not understood"}, // a part that is not evaluated is read
    };
    ASSERT_PROBLEMS(cases);
}

static void test_depth(void **state) {
    (void)state;
    struct text deep = {0};
    for (int i = 0; i < 100000; i++) {
        text_append_string(&deep, i % 2 == 0 ? "(" : "-");
    }
    const struct expected cases[] = {{text_terminated(&deep), "nested too deep"}};
    ASSERT_PROBLEMS(cases);
    text_free(&deep);
}

static int64_t draw(const char *expression, uint64_t *random) {
    struct text value = {0};
    struct text problem = {0};
    if (!case_calculate_random(expression, random, &value, &problem)) {
        fail_msg("%s: %s", expression, text_terminated(&problem));
    }
    int64_t number = strtoll(text_terminated(&value), NULL, 10);
    text_free(&value);
    text_free(&problem);
    return number;
}

// Every value stays in its bounds, and the mean is where the distribution has it.
static void test_random(void **state) {
    (void)state;
    static const struct {
        const char *expression;
        double least_mean, most_mean;
    } cases[] = {
        {"random(1, 100)", 49, 52},
        {"random_gaussian(1, 100, 5)", 49, 52},
        {"random_exponential(1, 100, 5)", 19, 22},
        {"random_zipfian(1, 100, 1.5)", 6, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t random = 42;
        double sum = 0;
        for (int j = 0; j < 20000; j++) {
            int64_t value = draw(cases[i].expression, &random);
            assert_true(value >= 1 && value <= 100);
            sum += (double)value;
        }
        if (sum / 20000 < cases[i].least_mean || sum / 20000 > cases[i].most_mean) {
            fail_msg("%s: the mean is %f", cases[i].expression, sum / 20000);
        }
    }
    uint64_t first = 7;
    uint64_t second = 7;
    assert_int_equal(draw("random(1, 1000000)", &first), draw("random(1, 1000000)", &second));
    assert_int_equal(draw("random(5, 5) + random_zipfian(3, 3, 1.001)", &first), 8);
}

static void test_random_problems(void **state) {
    (void)state;
    static const char *const expressions[] = {
        "random(2, 1)",
        "random(1)",
        "random(1, true)",
        "random(-9223372036854775808, 9223372036854775807)",
        "random_gaussian(1, 2, 1)",
        "random_gaussian(1, 2, 2.5 / 0.0)",
        "random_zipfian(1, 2, 1)",
        "random_exponential(1, 2, 0)",
    };
    for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
        struct text value = {0};
        struct text problem = {0};
        uint64_t random = 1;
        assert_false(case_calculate_random(expressions[i], &random, &value, &problem));
        assert_true(problem.length > 0);
        text_free(&value);
        text_free(&problem);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),         cmocka_unit_test(test_logic), cmocka_unit_test(test_functions),
        cmocka_unit_test(test_problems),        cmocka_unit_test(test_depth), cmocka_unit_test(test_random),
        cmocka_unit_test(test_random_problems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
