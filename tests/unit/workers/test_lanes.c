// lanes: who waits, by source account and strategy, in the order of arrival.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "workers/pool/lanes.h"
#include "workers/strategies/strategies.h"
#include "workers/transfer/strategy.h"

#include <stdio.h>

static void test_order(void **state) {
    (void)state;
    struct lanes *lanes = lanes_new();
    struct lane *lane = lanes_of(lanes, &strategy_batched, "alice");
    struct transfer_job *jobs[3];
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = transfer_job_new();
        lane_put(lane, jobs[i]);
    }
    lanes_settle(lanes, lane); // somebody waits: it stays
    assert_ptr_equal(lanes_of(lanes, &strategy_batched, "alice"), lane);
    assert_ptr_equal(lane_take(lane), jobs[0]);
    assert_ptr_equal(lane_take(lane), jobs[1]);
    lane_put(lane, jobs[0]);
    lane_put_back(lane, jobs[1]); // before all that wait
    assert_ptr_equal(lane_take(lane), jobs[1]);
    assert_ptr_equal(lane_take(lane), jobs[2]);
    assert_ptr_equal(lane_take(lane), jobs[0]);
    lane_put_back(lane, jobs[0]); // nobody waits
    lane_put(lane, jobs[1]);
    assert_ptr_equal(lane_take(lane), jobs[0]);
    assert_ptr_equal(lane_take(lane), jobs[1]);
    assert_null(lane_take(lane));
    for (size_t i = 0; i < 3; i++) {
        transfer_job_free(jobs[i]);
    }
    lanes_settle(lanes, lane);
    assert_null(lanes_first(lanes));
    lanes_free(lanes);
}

static void test_a_lane_an_account_and_strategy(void **state) {
    (void)state;
    struct lanes *lanes = lanes_new();
    struct lane *alice = lanes_of(lanes, &strategy_batched, "alice");
    struct lane *bob = lanes_of(lanes, &strategy_batched, "bob");
    struct lane *locked = lanes_of(lanes, &strategy_for_update, "alice");
    assert_true(alice != bob && alice != locked && bob != locked);
    alice->running = 1;
    locked->is_ready = true;
    lanes_settle(lanes, alice);
    lanes_settle(lanes, locked);
    lanes_settle(lanes, bob);
    assert_ptr_equal(lanes_of(lanes, &strategy_batched, "alice"), alice); // in use, each for its own reason
    assert_ptr_equal(lanes_of(lanes, &strategy_for_update, "alice"), locked);
    alice->running = 0;
    locked->is_ready = false;
    lanes_settle(lanes, alice);
    lanes_settle(lanes, locked);
    assert_null(lanes_first(lanes));
    lanes_free(lanes);
}

static void test_many(void **state) {
    (void)state;
    struct lanes *lanes = lanes_new();
    char name[16];
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "acct-%u", i);
        lanes_of(lanes, &strategy_batched, name)->running = i + 1;
    }
    for (unsigned i = 0; i < 1000; i += 2) {
        (void)snprintf(name, sizeof name, "acct-%u", i);
        struct lane *lane = lanes_of(lanes, &strategy_batched, name);
        assert_int_equal(lane->running, i + 1);
        lane->running = 0;
        lanes_settle(lanes, lane);
    }
    size_t left = 0;
    struct lane *lane;
    while ((lane = lanes_first(lanes)) != NULL) {
        lane->running = 0;
        lanes_settle(lanes, lane);
        left++;
    }
    assert_int_equal(left, 500);
    lanes_free(lanes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_a_lane_an_account_and_strategy),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
