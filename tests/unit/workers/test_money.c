// money: converts text to cents and back, at all limits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/money/money.h"

#define LARGEST INT64_C(999999999999999) // cents: numeric(15,2)

static void assert_parsed(const char *text, int64_t expected) {
    int64_t cents = 12345;
    enum money_parse_result result = money_parse(slice_of(text), &cents);
    if (result != MONEY_PARSED || cents != expected) {
        fail_msg("\"%s\": result %d, %lld cents", text, (int)result, (long long)cents);
    }
}

static void assert_refused(const char *text, enum money_parse_result expected) {
    int64_t cents = 12345;
    enum money_parse_result result = money_parse(slice_of(text), &cents);
    if (result != expected) {
        fail_msg("\"%s\": result %d, expected %d", text, (int)result, (int)expected);
    }
    assert_int_equal(cents, 12345); // not changed
}

static void test_parse(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t cents;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"0.0", 0},
        {"-0.00", 0},
        {"0.01", 1},
        {"-0.01", -1},
        {"0.1", 10},
        {"0.10", 10},
        {"0.99", 99},
        {"1", 100},
        {"1.00", 100},
        {"12.34", 1234},
        {"-600.00", -60000},
        {"1000", 100000},
        {"007", 700},
        {"0000000000000000000000000000000000001", 100},
        {"1.2300000000000000000000000000000000000", 123},
        {"9999999999999.99", LARGEST},
        {"-9999999999999.99", -LARGEST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_parsed(cases[i].text, cases[i].cents);
    }
}

static void test_parse_exponents(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t cents;
    } cases[] = {
        {"1e0", 100},
        {"1E0", 100},
        {"1e+0", 100},
        {"1e-0", 100},
        {"1e3", 100000},
        {"1e03", 100000},
        {"1e-2", 1},
        {"1.5e1", 1500},
        {"1.5e-1", 15},
        {"12.345e1", 12345},
        {"0.001e1", 1},
        {"1200e-4", 12},
        {"100000e-7", 1},
        {"9.99999999999999e12", 999999999999999},
        {"0.000000000000000000001e21", 100},
        {"1000000000000000000000e-21", 100},
        {"0e400", 0},
        {"0e-400", 0},
        {"0.00e99999999999999999999", 0},
        {"-0e-99999999999999999999", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_parsed(cases[i].text, cases[i].cents);
    }
}

static void test_parse_malformed(void **state) {
    (void)state;
    static const char *const texts[] = {"",      "-",   "+",        "+1",  ".",    ".5",   "5.",      "-.5", "1..2",
                                        "1.2.3", " 1",  "1 ",       "1,5", "1e",   "1e+",  "1e-",     "e5",  "1e1.5",
                                        "1e5x",  "1x",  "0x1",      "NaN", "nan",  "inf",  "--1",     "1-",  "1e--1",
                                        "$1",    "1_0", "Infinity", "-e1", "1.e1", "1e 1", "\xD9\xA1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_refused(texts[i], MONEY_MALFORMED);
    }
    int64_t cents = 12345;
    assert_int_equal(money_parse((struct slice){NULL, 0}, &cents), MONEY_MALFORMED);
    assert_int_equal(money_parse(SLICE_LITERAL("1\0"), &cents), MONEY_MALFORMED);
    assert_int_equal(money_parse(SLICE_LITERAL("1\00002"), &cents), MONEY_MALFORMED);
}

static void test_parse_too_precise(void **state) {
    (void)state;
    static const char *const texts[] = {"0.001",
                                        "-0.001",
                                        "1.005",
                                        "12.345",
                                        "1e-3",
                                        "1.5e-2",
                                        "1e-400",
                                        "0.0000000000000000000000000000000000001",
                                        "9999999999999.991",
                                        "1e-99999999999999999999",
                                        "123.4567e0"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_refused(texts[i], MONEY_TOO_PRECISE);
    }
}

static void test_parse_out_of_range(void **state) {
    (void)state;
    static const char *const texts[] = {"10000000000000",
                                        "10000000000000.00",
                                        "-10000000000000",
                                        "1e13",
                                        "1e400",
                                        "1e99999999999999999999",
                                        "-1e99999999999999999999",
                                        "99999999999999999999999999999999999999",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "18446744073709551616",
                                        "0.1e14",
                                        "10000000000000.001"}; // also too precise: the range is reported
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_refused(texts[i], MONEY_OUT_OF_RANGE);
    }
}

// As many digits as fit in a request body: before the point, behind it, and in the exponent.
static void test_parse_long_texts(void **state) {
    (void)state;
    struct text text = {0};
    for (int i = 0; i < 60000; i++) {
        text_append_string(&text, "0");
    }
    text_append_string(&text, "1");
    assert_parsed(text_terminated(&text), 100);
    text_clear(&text);
    text_append_string(&text, "1.");
    for (int i = 0; i < 60000; i++) {
        text_append_string(&text, "0");
    }
    assert_parsed(text_terminated(&text), 100);
    text_append_string(&text, "1");
    assert_refused(text_terminated(&text), MONEY_TOO_PRECISE);
    text_clear(&text);
    text_append_string(&text, "1e");
    for (int i = 0; i < 60000; i++) {
        text_append_string(&text, "0");
    }
    text_append_string(&text, "2");
    assert_parsed(text_terminated(&text), 10000);
    text_free(&text);
}

static void assert_sum(const char *sum, const char *json) {
    struct text text = {0};
    assert_true(money_sum_is_valid(slice_of(sum)));
    money_sum_append_json(&text, slice_of(sum));
    assert_string_equal(text_terminated(&text), json);
    text_free(&text);
}

static void test_sums(void **state) {
    (void)state;
    assert_sum("0", "0.0");
    assert_sum("0.00", "0.0");
    assert_sum("-600.00", "-600.0");
    assert_sum("0.05", "0.05");
    assert_sum("-12.5", "-12.5");
    assert_sum("12.34", "12.34");
    assert_sum("12.340000", "12.34");
    assert_sum("50000000000000000", "50000000000000000.0"); // more than an int64_t of cents
    assert_sum("-123456789012345678901234567890123456789012345678901234567890.12",
               "-123456789012345678901234567890123456789012345678901234567890.12");
    static const char *const others[] = {"",   "-",    "NaN", "Infinity", "-Infinity", "1.005", "1.",   ".5",   "+1",
                                         "1 ", "1e16", "--1", "1.2.3",    "0x1",       "1,5",   "1.0x", "1.-2", "007"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (money_sum_is_valid(slice_of(others[i]))) {
            fail_msg("\"%s\" was taken for a sum", others[i]);
        }
    }
}

static void assert_format(int64_t cents, const char *sql, const char *json) {
    char out[MONEY_TEXT_LENGTH];
    struct text text = {0};
    money_format(cents, out);
    assert_string_equal(out, sql);
    money_append_json(&text, cents);
    assert_string_equal(text_terminated(&text), json);
    text_free(&text);
}

static void test_format(void **state) {
    (void)state;
    assert_format(0, "0.00", "0.0");
    assert_format(1, "0.01", "0.01");
    assert_format(-1, "-0.01", "-0.01");
    assert_format(10, "0.10", "0.1");
    assert_format(99, "0.99", "0.99");
    assert_format(100, "1.00", "1.0");
    assert_format(1234, "12.34", "12.34");
    assert_format(1230, "12.30", "12.3");
    assert_format(100000, "1000.00", "1000.0");
    assert_format(-60000, "-600.00", "-600.0");
    assert_format(LARGEST, "9999999999999.99", "9999999999999.99");
    assert_format(INT64_MAX, "92233720368547758.07", "92233720368547758.07");
    assert_format(INT64_MIN, "-92233720368547758.08", "-92233720368547758.08");
}

static void assert_round_trip(int64_t cents) {
    char out[MONEY_TEXT_LENGTH];
    money_format(cents, out);
    assert_parsed(out, cents);
    struct text json = {0};
    money_append_json(&json, cents);
    assert_parsed(text_terminated(&json), cents);
    text_free(&json);
}

static void test_round_trips(void **state) {
    (void)state;
    for (int64_t cents = -20000; cents <= 20000; cents++) {
        assert_round_trip(cents);
    }
    for (int64_t power = 1; power <= LARGEST; power *= 10) {
        for (int64_t near = -2; near <= 2; near++) {
            assert_round_trip(power + near);
            assert_round_trip(-power + near);
        }
    }
    uint64_t state_of_chance = 42; // a fixed seed, so that a failure can be repeated
    for (int i = 0; i < 100000; i++) {
        state_of_chance = state_of_chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t cents = (int64_t)((state_of_chance >> 11) % (uint64_t)LARGEST);
        assert_round_trip(i % 2 == 0 ? cents : -cents);
    }
    assert_round_trip(LARGEST);
    assert_round_trip(-LARGEST);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_exponents),
        cmocka_unit_test(test_parse_malformed),
        cmocka_unit_test(test_parse_too_precise),
        cmocka_unit_test(test_parse_out_of_range),
        cmocka_unit_test(test_parse_long_texts),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
