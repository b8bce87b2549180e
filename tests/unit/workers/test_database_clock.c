// database_clock: converts times of the database's clock when the clocks agree, when they differ, and when one is set.
#include "observability/base/clock.h"
#include "workers/database/database_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HOUR_US INT64_C(3600000000)
#define START_US INT64_C(1800000000000000)
#define START_NS (UINT64_C(1000) * NANOSECONDS_PER_SECOND)

static const struct clock_anchor anchor = {START_US, START_NS};

static uint64_t after_us(uint64_t us) {
    return START_NS + us * NANOSECONDS_PER_MICROSECOND;
}

// An exchange from 100 to 300 us. In its middle, at 200 us, the database's clock shows 200 us plus `ahead_us`.
static uint64_t exchange(int64_t ahead_us) {
    return database_clock_moment_ns(anchor, START_US + ahead_us + 200, after_us(100), after_us(300));
}

static void test_clocks_that_agree(void **state) {
    (void)state;
    assert_int_equal(database_clock_ahead_us(anchor), 0); // no exchange was observed yet
    assert_int_equal(database_clock_most_ahead_us(anchor), 0);
    assert_true(exchange(0) == after_us(200));
    assert_int_equal(database_clock_ahead_us(anchor), 0);
}

static void test_a_clock_that_is_set(void **state) {
    (void)state;
    const int64_t aheads[] = {HOUR_US, -HOUR_US, 30000, -30000};
    for (size_t i = 0; i < sizeof aheads / sizeof aheads[0]; i++) {
        assert_true(exchange(aheads[i]) == after_us(200)); // the middle of the bounds is the estimate
        assert_in_range(database_clock_ahead_us(anchor) - aheads[i] + 101, 0, 202);
        assert_in_range(database_clock_most_ahead_us(anchor) - aheads[i], 0, 202); // never less than the truth
    }
    assert_true(exchange(0) == after_us(200));
    assert_int_equal(database_clock_ahead_us(anchor), 0);
}

static void test_a_moment_outside_of_its_exchange(void **state) {
    (void)state;
    assert_true(exchange(0) == after_us(200));
    assert_true(database_clock_moment_ns(anchor, START_US + 50, after_us(100), after_us(101)) >= after_us(100));
    assert_true(database_clock_moment_ns(anchor, INT64_MAX / 2, after_us(100), after_us(300)) <= after_us(300));
    assert_true(database_clock_moment_ns(anchor, 0, after_us(100), after_us(300)) >= after_us(100));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks_that_agree),
        cmocka_unit_test(test_a_clock_that_is_set),
        cmocka_unit_test(test_a_moment_outside_of_its_exchange),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
