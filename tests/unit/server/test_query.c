// query: percent escapes, booleans, whole numbers, and the error texts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "server/http/query.h"

#include <stdio.h>

static void assert_decoded(struct slice encoded, bool plus_is_space, const char *expected) {
    struct text out = {0};
    assert_true(percent_decode(encoded, plus_is_space, &out));
    assert_string_equal(text_terminated(&out), expected);
    text_free(&out);
}

static void test_percent_decode(void **state) {
    (void)state;
    assert_decoded(SLICE_LITERAL(""), true, "");
    assert_decoded(SLICE_LITERAL("plain"), true, "plain");
    assert_decoded(SLICE_LITERAL("%41%7a%7A"), true, "Azz");
    assert_decoded(SLICE_LITERAL("caf%c3%A9"), true, "caf\xC3\xA9");
    assert_decoded(SLICE_LITERAL("a+b%2B"), true, "a b+");
    assert_decoded(SLICE_LITERAL("a+b%2B"), false, "a+b+");
    assert_decoded(SLICE_LITERAL("%25%32%35"), true, "%25");
}

static void test_percent_decode_refuses(void **state) {
    (void)state;
    static const char *const broken[] = {"%", "%4", "a%", "a%4", "%zz", "%4z", "%z4", "%%41", "%00", "a%00b", "% 1"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct text out = {0};
        assert_false(percent_decode(slice_of(broken[i]), true, &out));
        text_free(&out);
    }
}

// Each escape "%00" .. "%FF" decodes to its byte; only NUL is refused.
static void test_percent_decode_every_byte(void **state) {
    (void)state;
    for (unsigned byte = 1; byte < 256; byte++) {
        struct text encoded = {0};
        struct text decoded = {0};
        text_append_format(&encoded, "%%%02x%%%02X", byte, byte);
        assert_true(percent_decode((struct slice){encoded.data, encoded.length}, true, &decoded));
        assert_int_equal(decoded.length, 2);
        assert_int_equal((unsigned char)decoded.data[0], byte);
        assert_int_equal((unsigned char)decoded.data[1], byte);
        text_free(&decoded);
        text_free(&encoded);
    }
}

static void test_booleans(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool value;
    } good[] = {{"true", true},   {"1", true},  {"on", true},   {"yes", true}, {"TRUE", true},   {"On", true},
                {"false", false}, {"0", false}, {"off", false}, {"no", false}, {"FALSE", false}, {"nO", false}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        bool value = !good[i].value;
        assert_true(boolean_parse(slice_of(good[i].text), &value));
        assert_int_equal(value, good[i].value);
    }
    static const char *const bad[] = {"", "2", "tru", "truee", " true", "true ", "y", "n", "null", "01"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bool value;
        assert_false(boolean_parse(slice_of(bad[i]), &value));
    }
}

static void test_integers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"7", 7},
        {"007", 7},
        {"-42", -42},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", INT64_MAX},
        {"-9223372036854775807", -INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"-9223372036854775809", INT64_MIN},
        {"99999999999999999999999999999999999999", INT64_MAX},
        {"-99999999999999999999999999999999999999", INT64_MIN},
        {"18446744073709551617", INT64_MAX}, // 2^64 + 1, which would wrap to 1
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t value = 12345;
        assert_true(integer_parse(slice_of(good[i].text), &value));
        assert_int_equal(value, good[i].value);
    }
    static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "--1", "1-", "a", "1a"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t value;
        assert_false(integer_parse(slice_of(bad[i]), &value));
    }
}

static void test_parameters_are_taken(void **state) {
    (void)state;
    struct query query;
    bool enabled = false;
    int64_t number = 100;
    query_parse(&query, SLICE_LITERAL("enabled=o%6E&&%6ds=20%30&"));
    assert_true(query_take_boolean(&query, "enabled", &enabled));
    assert_true(query_take_integer(&query, "ms", 0, 60000, &number));
    assert_true(query_finish(&query));
    assert_true(enabled);
    assert_int_equal(number, 200);
    query_free(&query);
}

static void test_absent_parameters_leave_the_default(void **state) {
    (void)state;
    static const struct slice empty[] = {{NULL, 0}, {"", 0}, {"&", 1}, {"&&&", 3}};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        struct query query;
        bool enabled = true;
        int64_t number = 100;
        query_parse(&query, empty[i]);
        assert_false(query_take_boolean(&query, "enabled", &enabled));
        assert_false(query_take_integer(&query, "ms", 0, 60000, &number));
        assert_true(query_finish(&query));
        assert_true(enabled);
        assert_int_equal(number, 100);
        query_free(&query);
    }
}

// Checks the error text for a query whose known parameters are enabled (boolean) and ms (integer).
static void assert_problem(const char *encoded, const char *expected) {
    struct query query;
    bool enabled;
    int64_t number;
    query_parse(&query, slice_of(encoded));
    query_take_boolean(&query, "enabled", &enabled);
    query_take_integer(&query, "ms", 0, 60000, &number);
    assert_false(query_finish(&query));
    assert_string_equal(text_terminated(&query.problem), expected);
    query_free(&query);
}

#define BROKEN_ESCAPE "The query has a broken percent escape: send % and two hexadecimal digits, but not %00"

static void test_problems(void **state) {
    (void)state;
    assert_problem("enabled=maybe", "enabled must be true or false (or 1, 0, on, off, yes, no)");
    assert_problem("enabled", "enabled must be true or false (or 1, 0, on, off, yes, no)");
    assert_problem("enabled=", "enabled must be true or false (or 1, 0, on, off, yes, no)");
    assert_problem("ms=1.5", "ms must be a whole number from 0 to 60000");
    assert_problem("ms=1=2", "ms must be a whole number from 0 to 60000");
    assert_problem("ms=-1", "ms is -1, but must be a whole number from 0 to 60000");
    assert_problem("ms=60001", "ms is 60001, but must be a whole number from 0 to 60000");
    assert_problem("delay=5", "This path has no parameter \"delay\": use enabled or ms");
    assert_problem("MS=5", "This path has no parameter \"MS\": use enabled or ms");
    assert_problem("=5", "This path has no parameter \"\": use enabled or ms");
    assert_problem("ms=1&ms=1", "Send this parameter once: ms");
    assert_problem("ms=1&%6Ds=1", "Send this parameter once: ms");
    assert_problem("ms=%zz", BROKEN_ESCAPE);
    assert_problem("%=1", BROKEN_ESCAPE);
    assert_problem("ms=%00", BROKEN_ESCAPE);
    assert_problem(
        "ms=x&enabled=x",
        "enabled must be true or false (or 1, 0, on, off, yes, no)"); // the error of the parameter that was taken first
}

static void test_a_path_without_parameters(void **state) {
    (void)state;
    struct query query;
    query_parse(&query, SLICE_LITERAL("ms=5"));
    assert_false(query_finish(&query));
    assert_string_equal(text_terminated(&query.problem),
                        "This path has no parameter \"ms\": remove the query, because the path has no parameters");
    query_free(&query);
}

static void test_as_many_parameters_as_there_is_room_for(void **state) {
    (void)state;
    struct text encoded = {0};
    for (int i = 0; i < QUERY_PARAMETERS_MAX; i++) {
        text_append_format(&encoded, "%sp%d=%d", i == 0 ? "" : "&", i, i);
    }
    struct query query;
    query_parse(&query, (struct slice){encoded.data, encoded.length});
    for (int i = 0; i < QUERY_PARAMETERS_MAX; i++) {
        char name[8];
        int64_t value = -1;
        (void)snprintf(name, sizeof name, "p%d", i);
        assert_true(query_take_integer(&query, name, 0, QUERY_PARAMETERS_MAX, &value));
        assert_int_equal(value, i);
    }
    assert_true(query_finish(&query));
    query_free(&query);
    text_append_string(&encoded, "&one=more");
    assert_problem(text_terminated(&encoded), "The query has too many parameters: send fewer");
    text_free(&encoded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percent_decode),
        cmocka_unit_test(test_percent_decode_refuses),
        cmocka_unit_test(test_percent_decode_every_byte),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_parameters_are_taken),
        cmocka_unit_test(test_absent_parameters_leave_the_default),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_a_path_without_parameters),
        cmocka_unit_test(test_as_many_parameters_as_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
