// gate: the released list. Exactly one waiter of a round gets the list of the waiters that are released together.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
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

static const char *const roll_names[] = {"zero", "one", "two"};

struct rolled {
    pthread_t thread;
    struct gate *gate;
    int number;
    uint32_t timeout_ms;
    struct barrier_ticket ticket;
    struct barrier_pass pass;
    struct barrier_roll at_arrival;
};

static void *run_rolled(void *argument) {
    struct rolled *party = argument;
    struct barrier_party who = {.watcher = party->number == 1 ? party->gate : NULL};
    (void)snprintf(who.name, sizeof who.name, "%s", roll_names[party->number]);
    gate_barrier_arrive(party->gate, VERSION, 3, &who, &party->ticket);
    party->at_arrival = party->ticket.roll;
    party->ticket.roll.count = 0;
    gate_barrier_await(party->gate, &party->ticket, party->timeout_ms, &party->pass);
    gate_barrier_end(party->gate, &party->ticket);
    return NULL;
}

static void start_rolled(struct rolled *party, struct gate *gate, int number, uint32_t timeout_ms) {
    *party = (struct rolled){.gate = gate, .number = number, .timeout_ms = timeout_ms};
    assert_int_equal(pthread_create(&party->thread, NULL, run_rolled, party), 0);
}

static void assert_roll(const struct barrier_roll *roll, const struct gate *watcher, uint32_t count) {
    assert_int_equal(roll->count, count);
    assert_ptr_equal(roll->watcher, watcher);
    for (uint32_t i = 0; i < count; i++) {
        assert_string_equal(roll->names[i], roll_names[i]);
    }
}

static void test_the_last_party_has_the_roll(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct rolled parties[3];
    for (int i = 0; i < 3; i++) {
        start_rolled(&parties[i], gate, i, LONG);
        if (i < 2) {
            wait_until_waiting(gate, (uint32_t)i + 1);
        }
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(parties[i].thread, NULL), 0);
        assert_int_equal(parties[i].ticket.roll.count, 0);
    }
    assert_int_equal(parties[0].at_arrival.count, 0);
    assert_int_equal(parties[1].at_arrival.count, 0);
    assert_roll(&parties[2].at_arrival, gate, 3);
    gate_free(gate);
}

static void test_one_has_the_roll_of_a_round_that_is_opened_early(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct rolled parties[2];
    for (int i = 0; i < 2; i++) {
        start_rolled(&parties[i], gate, i, LONG);
        wait_until_waiting(gate, (uint32_t)i + 1);
    }
    gate_change_settings(gate, VERSION + 1);
    uint32_t told = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(parties[i].thread, NULL), 0);
        assert_int_equal(parties[i].pass.release, GATE_SETTINGS_CHANGED);
        if (parties[i].ticket.roll.count > 0) {
            assert_roll(&parties[i].ticket.roll, gate, 2);
            told++;
        }
    }
    assert_int_equal(told, 1);
    gate_free(gate);
}

static void test_who_times_out_has_itself_for_a_roll(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct rolled party;
    start_rolled(&party, gate, 0, 20);
    assert_int_equal(pthread_join(party.thread, NULL), 0);
    assert_int_equal(party.pass.release, GATE_TIMED_OUT);
    assert_roll(&party.ticket.roll, NULL, 1);
    gate_free(gate);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_party_has_the_roll),
        cmocka_unit_test(test_one_has_the_roll_of_a_round_that_is_opened_early),
        cmocka_unit_test(test_who_times_out_has_itself_for_a_roll),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
