// clock: the clocks run forward in the right unit, and timestamps follow the calendar.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka requires the four headers above first.
#include <cmocka.h>

#include "observability/base/clock.h"

#include <stdio.h>
#include <time.h>

static void assert_timestamp(int64_t realtime_us, const char *expected) {
    char out[CLOCK_TIMESTAMP_LENGTH];
    clock_format_timestamp(realtime_us, out);
    assert_string_equal(out, expected);
}

static void test_monotonic_counts_nanoseconds(void **state) {
    (void)state;
    uint64_t before = clock_monotonic_ns();
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    uint64_t slept = clock_monotonic_ns() - before;
    assert_true(slept >= 20 * NANOSECONDS_PER_MILLISECOND);
    assert_true(slept < 10 * NANOSECONDS_PER_SECOND);
}

static void test_realtime_counts_microseconds(void **state) {
    (void)state;
    int64_t before = (int64_t)time(NULL);
    int64_t now = clock_realtime_us();
    assert_true(now / 1000000 >= before);
    assert_true(now / 1000000 <= before + 5);
}

static void test_known_timestamps(void **state) {
    (void)state;
    assert_timestamp(0, "1970-01-01T00:00:00.000000Z");
    assert_timestamp(INT64_C(1769862896789012), "2026-01-31T12:34:56.789012Z");
    assert_timestamp(INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z");
    assert_timestamp(INT64_C(4107542399999999), "2100-02-28T23:59:59.999999Z");
    assert_timestamp(INT64_C(4107542400000000), "2100-03-01T00:00:00.000000Z");
    assert_timestamp(-1, "1969-12-31T23:59:59.999999Z");
}

static void test_outside_four_digit_years_is_clamped(void **state) {
    (void)state;
    assert_timestamp(INT64_C(253402300800000000), "9999-12-31T23:59:59.999999Z");
    assert_timestamp(INT64_C(-62167219200000001), "0000-01-01T00:00:00.000000Z");
    assert_timestamp(INT64_MAX, "9999-12-31T23:59:59.999999Z");
    assert_timestamp(INT64_MIN, "0000-01-01T00:00:00.000000Z");
    assert_timestamp(INT64_C(-62167219200000000) + 59 * INT64_C(86400000000), "0000-02-29T00:00:00.000000Z");
}

// Compares with libc, over days of all the years a timestamp can have.
static void test_agrees_with_libc(void **state) {
    (void)state;
    for (int64_t seconds = INT64_C(-62167219200); seconds < INT64_C(253402300800); seconds += 86400 * 11 + 3607) {
        struct tm tm;
        time_t time = (time_t)seconds;
        assert_non_null(gmtime_r(&time, &tm));
        char expected[64];
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.000000Z", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_timestamp(seconds * 1000000, expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_monotonic_counts_nanoseconds),
        cmocka_unit_test(test_realtime_counts_microseconds),
        cmocka_unit_test(test_known_timestamps),
        cmocka_unit_test(test_outside_four_digit_years_is_clamped),
        cmocka_unit_test(test_agrees_with_libc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
