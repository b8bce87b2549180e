// gate: the released list. Exactly one waiter of a round gets the list of the waiters that are released together.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "observability/base/clock.h"
#include "workers/gate/gate.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define VERSION 1                             // the version of the settings of a new gate
#define LONG 60000                            // milliseconds: no waiter may wait this long here
#define SOON_NS (20 * NANOSECONDS_PER_SECOND) // much longer than on a loaded machine, much shorter than LONG

static void wait_until_waiting(struct gate *gate, uint32_t count) {
    uint64_t deadline = clock_monotonic_ns() + SOON_NS;
    while (gate_barrier_waiting(gate) != count) {
        assert_true(clock_monotonic_ns() < deadline);
        (void)usleep(1000);
    }
}

static const char *const waiter_names[] = {"zero", "one", "two"};

struct waiter_thread {
    pthread_t thread;
    struct gate *gate;
    int number;
    uint32_t timeout_ms;
    struct barrier_ticket ticket;
    struct barrier_pass pass;
    struct released_list at_arrival;
};

static void *run_waiter_thread(void *argument) {
    struct waiter_thread *waiter = argument;
    struct barrier_waiter who = {.user_data = waiter->number == 1 ? waiter->gate : NULL};
    (void)snprintf(who.name, sizeof who.name, "%s", waiter_names[waiter->number]);
    gate_barrier_arrive(waiter->gate, VERSION, 3, &who, &waiter->ticket);
    waiter->at_arrival = waiter->ticket.released;
    waiter->ticket.released.count = 0;
    gate_barrier_await(waiter->gate, &waiter->ticket, waiter->timeout_ms, &waiter->pass);
    gate_barrier_end(waiter->gate, &waiter->ticket);
    return NULL;
}

static void start_waiter_thread(struct waiter_thread *waiter, struct gate *gate, int number, uint32_t timeout_ms) {
    *waiter = (struct waiter_thread){.gate = gate, .number = number, .timeout_ms = timeout_ms};
    assert_int_equal(pthread_create(&waiter->thread, NULL, run_waiter_thread, waiter), 0);
}

static void assert_released(const struct released_list *released, const struct gate *user_data, uint32_t count) {
    assert_int_equal(released->count, count);
    assert_ptr_equal(released->user_data, user_data);
    for (uint32_t i = 0; i < count; i++) {
        assert_string_equal(released->names[i], waiter_names[i]);
    }
}

static void test_the_last_waiter_has_the_released_list(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct waiter_thread waiters[3];
    for (int i = 0; i < 3; i++) {
        start_waiter_thread(&waiters[i], gate, i, LONG);
        if (i < 2) {
            wait_until_waiting(gate, (uint32_t)i + 1);
        }
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(waiters[i].thread, NULL), 0);
        assert_int_equal(waiters[i].ticket.released.count, 0);
    }
    assert_int_equal(waiters[0].at_arrival.count, 0);
    assert_int_equal(waiters[1].at_arrival.count, 0);
    assert_released(&waiters[2].at_arrival, gate, 3);
    gate_free(gate);
}

static void test_one_has_the_released_list_of_a_round_opened_early(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct waiter_thread waiters[2];
    for (int i = 0; i < 2; i++) {
        start_waiter_thread(&waiters[i], gate, i, LONG);
        wait_until_waiting(gate, (uint32_t)i + 1);
    }
    gate_change_settings(gate, VERSION + 1);
    uint32_t lists = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(waiters[i].thread, NULL), 0);
        assert_int_equal(waiters[i].pass.release, GATE_SETTINGS_CHANGED);
        if (waiters[i].ticket.released.count > 0) {
            assert_released(&waiters[i].ticket.released, gate, 2);
            lists++;
        }
    }
    assert_int_equal(lists, 1);
    gate_free(gate);
}

static void test_a_waiter_that_times_out_lists_itself(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct waiter_thread waiter;
    start_waiter_thread(&waiter, gate, 0, 20);
    assert_int_equal(pthread_join(waiter.thread, NULL), 0);
    assert_int_equal(waiter.pass.release, GATE_TIMED_OUT);
    assert_released(&waiter.ticket.released, NULL, 1);
    gate_free(gate);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_waiter_has_the_released_list),
        cmocka_unit_test(test_one_has_the_released_list_of_a_round_opened_early),
        cmocka_unit_test(test_a_waiter_that_times_out_lists_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
