// settle(): which waits of sessions end only when the explorer goes on, and which sessions wait in a circle.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/explore/explore_internal.h"

enum { A = 1, B = 2, C = 4, D = 8 };

struct waits {
    uint32_t of[CASE_SESSIONS_MAX];
};

static void check(uint16_t running, struct waits waits, enum settled expected, uint16_t stable, uint16_t circle) {
    uint16_t found_stable = UINT16_MAX;
    uint16_t found_circle = UINT16_MAX;
    assert_int_equal(settle(running, waits.of, &found_stable, &found_circle), expected);
    assert_int_equal(found_stable, stable);
    assert_int_equal(found_circle, circle);
}

static void test_nothing_runs(void **state) {
    (void)state;
    check(0, (struct waits){{0}}, SETTLED, 0, 0);
    check(0, (struct waits){{B, A}}, SETTLED, 0, 0); // waits of an earlier look
}

static void test_a_statement_that_waits_for_nobody_runs(void **state) {
    (void)state;
    check(A, (struct waits){{0}}, NOT_SETTLED, 0, 0);
    check(A | B, (struct waits){{0, A}}, NOT_SETTLED, 0, 0);
}

static void test_a_blocker_that_stands_still(void **state) {
    (void)state;
    check(A, (struct waits){{B}}, SETTLED, A, 0);
    check(A | C, (struct waits){{B, 0, B}}, SETTLED, A | C, 0);
    check(A | C, (struct waits){{B}}, NOT_SETTLED, A, 0); // C runs
}

static void test_a_chain_ends_where_a_session_stands_still(void **state) {
    (void)state;
    check(A | B | C, (struct waits){{B, C, D}}, SETTLED, A | B | C, 0);
    check(A | B | C, (struct waits){{D, A, B}}, SETTLED, A | B | C, 0);
    check(A | B | C, (struct waits){{B, C, 0}}, NOT_SETTLED, 0, 0);
}

static void test_one_of_several_blockers_is_enough(void **state) {
    (void)state;
    check(A | B, (struct waits){{B | C}}, NOT_SETTLED, A, 0);
    check(A, (struct waits){{C | OUTSIDE}}, SETTLED, A, 0);
}

static void test_another_process_goes_on_by_itself(void **state) {
    (void)state;
    check(A, (struct waits){{OUTSIDE}}, NOT_SETTLED, 0, 0);
    check(A | B, (struct waits){{B, OUTSIDE}}, NOT_SETTLED, 0, 0);
    check(A | B, (struct waits){{B | OUTSIDE, A}}, NOT_SETTLED, 0, 0);
}

static void test_a_circle_is_a_deadlock(void **state) {
    (void)state;
    check(A | B, (struct waits){{B, A}}, DEADLOCKED, 0, A | B);
    check(A | B | C, (struct waits){{B, C, A}}, DEADLOCKED, 0, A | B | C);
    check(1U << 14 | 1U << 15, (struct waits){{[14] = 1U << 15, [15] = 1U << 14}}, DEADLOCKED, 0, 1U << 14 | 1U << 15);
}

static void test_a_wait_for_a_circle_is_no_member_of_it(void **state) {
    (void)state;
    check(A | B | C, (struct waits){{B, A, A}}, DEADLOCKED, 0, A | B);
}

static void test_two_circles(void **state) {
    (void)state;
    check(A | B | C | D, (struct waits){{B, A, D, C}}, DEADLOCKED, 0, A | B | C | D);
}

static void test_a_circle_beside_others(void **state) {
    (void)state;
    check(A | B | C, (struct waits){{B, A, D}}, DEADLOCKED, C, A | B); // C waits for one that stands still
    check(A | B | C, (struct waits){{B, A, 0}}, NOT_SETTLED, 0, 0);    // C runs, and may end the circle's wait
    check(A | B, (struct waits){{B | C, A}}, SETTLED, A | B, 0);       // C stands still, and A waits for it too
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_runs),
        cmocka_unit_test(test_a_statement_that_waits_for_nobody_runs),
        cmocka_unit_test(test_a_blocker_that_stands_still),
        cmocka_unit_test(test_a_chain_ends_where_a_session_stands_still),
        cmocka_unit_test(test_one_of_several_blockers_is_enough),
        cmocka_unit_test(test_another_process_goes_on_by_itself),
        cmocka_unit_test(test_a_circle_is_a_deadlock),
        cmocka_unit_test(test_a_wait_for_a_circle_is_no_member_of_it),
        cmocka_unit_test(test_two_circles),
        cmocka_unit_test(test_a_circle_beside_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
