// gate: real threads wait at the barrier and in the delay, and are released for each of the possible reasons.
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
#include <stdlib.h>
#include <unistd.h>

#define WAITERS_MAX 16
#define VERSION 1                             // the version of the settings of a new gate
#define LONG 60000                            // milliseconds: no waiter may wait this long here
#define SOON_NS (20 * NANOSECONDS_PER_SECOND) // much longer than on a loaded machine, much shorter than LONG

static void arrive(struct gate *gate, uint64_t version, uint32_t parties, struct barrier_ticket *ticket) {
    gate_barrier_arrive(gate, version, parties, &(struct barrier_waiter){.span.sampled = true}, ticket);
}

struct waiter {
    pthread_t thread;
    struct gate *gate;
    uint64_t version;
    uint32_t parties;
    uint32_t timeout_ms;
    uint32_t rounds;
    struct trace_context context; // the span of the waiter, as its peers get it
    struct barrier_ticket ticket; // in the last round
    struct barrier_pass pass;
    uint32_t skews;      // rounds of which this waiter measured the skew
    uint32_t releases;   // rounds that it left with GATE_RELEASED
    uint64_t arrived_ns; // in the last round
    uint64_t left_ns;
};

static void *run_waiter(void *argument) {
    struct waiter *waiter = argument;
    for (uint32_t round = 0; round < waiter->rounds; round++) {
        waiter->arrived_ns = clock_monotonic_ns();
        struct barrier_waiter who = {.span = waiter->context};
        gate_barrier_arrive(waiter->gate, waiter->version, waiter->parties, &who, &waiter->ticket);
        if (waiter->ticket.round == NULL) {
            return NULL;
        }
        gate_barrier_await(waiter->gate, &waiter->ticket, waiter->timeout_ms, &waiter->pass);
        waiter->left_ns = clock_monotonic_ns();
        waiter->skews += waiter->pass.measured_skew;
        waiter->releases += waiter->pass.release == GATE_RELEASED;
        gate_barrier_end(waiter->gate, &waiter->ticket);
    }
    return NULL;
}

static void start_as(struct waiter *waiter, uint8_t name, struct gate *gate, uint32_t parties, uint32_t timeout_ms,
                     uint32_t rounds) {
    *waiter = (struct waiter){
        .gate = gate, .version = VERSION, .parties = parties, .timeout_ms = timeout_ms, .rounds = rounds};
    waiter->context.span_id[0] = name;
    assert_int_equal(pthread_create(&waiter->thread, NULL, run_waiter, waiter), 0);
}

static void start(struct waiter *waiter, struct gate *gate, uint32_t parties, uint32_t timeout_ms, uint32_t rounds) {
    start_as(waiter, 0, gate, parties, timeout_ms, rounds);
}

static void join(struct waiter *waiter) {
    assert_int_equal(pthread_join(waiter->thread, NULL), 0);
}

static void wait_until_waiting(struct gate *gate, uint32_t count) {
    uint64_t deadline = clock_monotonic_ns() + SOON_NS;
    while (gate_barrier_waiting(gate) != count) {
        assert_true(clock_monotonic_ns() < deadline);
        (void)usleep(1000);
    }
}

static void end(struct gate *gate) {
    assert_int_equal(gate_barrier_waiting(gate), 0);
    gate_free(gate);
}

// Checks that the peers are the others of the released round, each once.
static void assert_peers(const struct waiter *waiters, uint32_t count, uint32_t self) {
    const struct barrier_pass *pass = &waiters[self].pass;
    assert_int_equal(pass->peer_count, count - 1);
    uint32_t found = 0; // a bit for each peer
    for (uint32_t i = 0; i < pass->peer_count; i++) {
        found |= UINT32_C(1) << pass->peers[i].span_id[0];
    }
    assert_int_equal(found, ((UINT32_C(1) << count) - 1) & ~(UINT32_C(1) << self));
}

// No waiter leaves before all have arrived; all leave with GATE_RELEASED; the skew is measured once.
static void test_all_waiters(void **state) {
    (void)state;
    for (uint32_t count = 2; count <= WAITERS_MAX; count++) {
        struct gate *gate = gate_new();
        struct waiter waiters[WAITERS_MAX];
        for (uint32_t i = 0; i + 1 < count; i++) {
            start_as(&waiters[i], (uint8_t)i, gate, count, LONG, 1);
        }
        wait_until_waiting(gate, count - 1);
        uint64_t before_last_ns = clock_monotonic_ns();
        start_as(&waiters[count - 1], (uint8_t)(count - 1), gate, count, LONG, 1);
        uint32_t skews = 0;
        uint32_t positions = 0; // a bit for each position
        for (uint32_t i = 0; i < count; i++) {
            join(&waiters[i]);
            assert_int_equal(waiters[i].pass.release, GATE_RELEASED);
            assert_int_equal(waiters[i].pass.present, count);
            assert_int_equal(waiters[i].ticket.parties, count);
            assert_peers(waiters, count, i);
            assert_true(waiters[i].left_ns >= before_last_ns);
            assert_true(waiters[i].pass.skew_ns < SOON_NS);
            skews += waiters[i].skews;
            positions |= UINT32_C(1) << waiters[i].ticket.position;
        }
        assert_int_equal(skews, 1);
        assert_int_equal(positions, ((UINT32_C(1) << count) - 1) << 1); // 1..count, each once
        end(gate);
    }
}

// The same threads go directly from one round to the next: a fast thread must not enter again the round that it left.
static void test_rounds_back_to_back(void **state) {
    (void)state;
    static const uint32_t counts[] = {2, 3, 8};
    enum { rounds = 300 };
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        struct gate *gate = gate_new();
        struct waiter waiters[WAITERS_MAX];
        for (uint32_t i = 0; i < counts[c]; i++) {
            start(&waiters[i], gate, counts[c], LONG, rounds);
        }
        uint32_t skews = 0;
        for (uint32_t i = 0; i < counts[c]; i++) {
            join(&waiters[i]);
            assert_int_equal(waiters[i].releases, rounds);
            skews += waiters[i].skews;
        }
        assert_int_equal(skews, rounds);
        end(gate);
    }
}

// Four times as many threads as a round needs complete four rounds, in any order.
static void test_more_threads_than_waiters(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    for (int wave = 0; wave < 50; wave++) {
        struct waiter waiters[WAITERS_MAX];
        for (uint32_t i = 0; i < WAITERS_MAX; i++) {
            start(&waiters[i], gate, WAITERS_MAX / 4, LONG, 1);
        }
        uint32_t skews = 0;
        for (uint32_t i = 0; i < WAITERS_MAX; i++) {
            join(&waiters[i]);
            assert_int_equal(waiters[i].releases, 1);
            skews += waiters[i].skews;
        }
        assert_int_equal(skews, 4);
    }
    end(gate);
}

static void test_a_lone_waiter_times_out(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct waiter waiter;
    start(&waiter, gate, 3, 60, 1);
    join(&waiter);
    assert_int_equal(waiter.pass.release, GATE_TIMED_OUT);
    assert_int_equal(waiter.pass.present, 1);
    assert_int_equal(waiter.pass.peer_count, 0);
    assert_false(waiter.pass.measured_skew);
    assert_int_equal(waiter.ticket.position, 1);
    uint64_t took_ns = waiter.left_ns - waiter.arrived_ns;
    assert_true(took_ns >= 60 * NANOSECONDS_PER_MILLISECOND && took_ns < SOON_NS);
    end(gate);
}

// One waiter times out. Its place becomes free, and waiters that arrive later complete the round.
static void test_a_round_outlives_one_that_timed_out(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct waiter short_waiter;
    struct waiter long_waiter[3];
    start_as(&long_waiter[0], 0, gate, 3, LONG, 1);
    wait_until_waiting(gate, 1);
    start_as(&short_waiter, 9, gate, 3, 30, 1);
    join(&short_waiter);
    assert_int_equal(short_waiter.pass.release, GATE_TIMED_OUT);
    assert_int_equal(short_waiter.pass.present, 2);
    assert_int_equal(gate_barrier_waiting(gate), 1);
    start_as(&long_waiter[1], 1, gate, 3, LONG, 1);
    wait_until_waiting(gate, 2); // not three: the waiter that left does not count
    start_as(&long_waiter[2], 2, gate, 3, LONG, 1);
    for (uint32_t i = 0; i < 3; i++) {
        join(&long_waiter[i]);
        assert_peers(long_waiter, 3, i); // the waiter that left is no peer of the others
        assert_int_equal(long_waiter[i].pass.release, GATE_RELEASED);
        assert_int_equal(long_waiter[i].pass.present, 3);
    }
    end(gate);
}

// After all waiters have timed out, the next one has position 1 again.
static void test_a_new_round_after_a_timeout(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct waiter first;
    struct waiter second;
    start(&first, gate, 2, 10, 1);
    join(&first);
    start(&second, gate, 2, 10, 1);
    join(&second);
    assert_int_equal(second.ticket.position, 1);
    assert_int_equal(second.pass.release, GATE_TIMED_OUT);
    end(gate);
}

// The deadline of the first waiter and the arrival of the last one are close: both are released, or both time out.
static void test_timeout_against_the_last_waiter(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        struct gate *gate = gate_new();
        struct waiter first;
        struct waiter second;
        start(&first, gate, 2, 2, 1);
        (void)usleep(1500 + (useconds_t)(i * 20));
        start(&second, gate, 2, 2, 1);
        join(&first);
        join(&second);
        bool released = first.pass.release == GATE_RELEASED;
        assert_int_equal(second.pass.release, released ? GATE_RELEASED : GATE_TIMED_OUT);
        assert_int_equal(first.skews + second.skews, released ? 1 : 0);
        end(gate);
    }
}

static void test_a_change_of_settings_frees_the_waiters(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct waiter waiters[5];
    for (size_t i = 0; i < 5; i++) {
        start(&waiters[i], gate, 6, LONG, 1);
    }
    wait_until_waiting(gate, 5);
    gate_change_settings(gate, VERSION); // no change
    (void)usleep(20000);
    assert_int_equal(gate_barrier_waiting(gate), 5);
    gate_change_settings(gate, VERSION + 1);
    for (size_t i = 0; i < 5; i++) {
        join(&waiters[i]);
        assert_int_equal(waiters[i].pass.release, GATE_SETTINGS_CHANGED);
        assert_int_equal(waiters[i].skews, 0);
    }
    end(gate);
}

// A transfer that was admitted with old settings reaches the barrier late: it must not wait for others that never come.
static void test_an_old_version_is_not_let_in(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct barrier_ticket ticket;
    gate_change_settings(gate, VERSION + 1);
    arrive(gate, VERSION, 2, &ticket);
    assert_null(ticket.round);
    arrive(gate, VERSION + 2, 2, &ticket);
    assert_null(ticket.round);
    assert_int_equal(gate_barrier_waiting(gate), 0);
    assert_int_equal(gate_delay(gate, VERSION, LONG), GATE_SETTINGS_CHANGED);
    end(gate);
}

// The settings change between the arrival of a waiter and its wait.
static void test_a_change_before_the_wait(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct barrier_ticket ticket;
    struct barrier_pass pass;
    arrive(gate, VERSION, 2, &ticket);
    assert_int_equal(ticket.position, 1);
    gate_change_settings(gate, VERSION + 1);
    gate_barrier_await(gate, &ticket, LONG, &pass);
    gate_barrier_end(gate, &ticket);
    assert_int_equal(pass.release, GATE_SETTINGS_CHANGED);
    end(gate);
}

// All have arrived, and the last has not yet called await: a change of the settings is too late to change the release.
static void test_a_complete_round_is_released_whatever_changes(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct waiter first;
    start(&first, gate, 2, 200, 1);
    wait_until_waiting(gate, 1);
    struct barrier_ticket ticket;
    struct barrier_pass pass;
    arrive(gate, VERSION, 2, &ticket);
    if (ticket.position == 2) { // else the first has timed out just before
        gate_change_settings(gate, VERSION + 1);
        (void)usleep(300000); // longer than the timeout of the first: it stays, because the round is complete
        assert_int_equal(gate_barrier_waiting(gate), 2);
        gate_barrier_await(gate, &ticket, LONG, &pass);
        gate_barrier_end(gate, &ticket);
        join(&first);
        assert_int_equal(pass.release, GATE_RELEASED);
        assert_int_equal(first.pass.release, GATE_RELEASED);
        assert_int_equal(pass.measured_skew + first.skews, 1);
    } else {
        gate_barrier_await(gate, &ticket, 1, &pass);
        gate_barrier_end(gate, &ticket);
        join(&first);
    }
    end(gate);
}

// This thread plays all four waiters of a round: the last to arrive calls await first, and opens the round.
static void test_rivals(void **state) {
    (void)state;
    static const char *const accounts[] = {"alice", "alice", "bob", "alice"};
    struct gate *gate = gate_new();
    struct barrier_ticket tickets[4];
    struct barrier_pass pass;
    for (size_t i = 0; i < 4; i++) {
        struct barrier_waiter waiter = {.span.sampled = true, .backend_pid = (int)i + 100};
        (void)snprintf(waiter.account, sizeof waiter.account, "%s", accounts[i]);
        gate_barrier_arrive(gate, VERSION, 4, &waiter, &tickets[i]);
    }
    int backend_pids[2] = {0};
    assert_int_equal(gate_barrier_rivals(gate, &tickets[3], backend_pids, 1), 2);
    assert_int_equal(backend_pids[0], 100);
    assert_int_equal(backend_pids[1], 0); // the call was given room for one PID
    assert_int_equal(gate_barrier_rivals(gate, &tickets[3], backend_pids, 2), 2);
    assert_int_equal(backend_pids[1], 101);
    for (size_t i = 4; i > 0; i--) {
        gate_barrier_await(gate, &tickets[i - 1], LONG, &pass);
        assert_int_equal(pass.release, GATE_RELEASED);
    }
    assert_int_equal(gate_barrier_rivals(gate, &tickets[0], NULL, 0), 2); // they have left, but not ended
    assert_int_equal(gate_barrier_rivals(gate, &tickets[2], NULL, 0), 0);
    gate_barrier_end(gate, &tickets[3]);
    assert_int_equal(gate_barrier_rivals(gate, &tickets[0], NULL, 0), 1);
    gate_barrier_end(gate, &tickets[0]);
    assert_int_equal(gate_barrier_rivals(gate, &tickets[0], NULL, 0), 0); // it has ended, so it has no round any more
    assert_int_equal(gate_barrier_rivals(gate, &tickets[1], NULL, 0), 0);
    gate_barrier_end(gate, &tickets[1]);
    gate_barrier_end(gate, &tickets[2]);
    gate_barrier_end(gate, &tickets[2]); // a second call does nothing
    end(gate);
}

// A waiter that timed out is no rival, and a round that is not complete has no rivals.
static void test_rivals_of_a_round_that_timed_out(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct barrier_ticket tickets[2];
    struct barrier_pass pass;
    struct barrier_waiter waiter = {.account = "alice"};
    gate_barrier_arrive(gate, VERSION, 3, &waiter, &tickets[0]);
    gate_barrier_arrive(gate, VERSION, 3, &waiter, &tickets[1]);
    gate_barrier_await(gate, &tickets[0], 1, &pass);
    assert_int_equal(pass.release, GATE_TIMED_OUT);
    assert_int_equal(gate_barrier_rivals(gate, &tickets[1], NULL, 0), 0);
    gate_barrier_end(gate, &tickets[0]);
    gate_barrier_await(gate, &tickets[1], 1, &pass);
    gate_barrier_end(gate, &tickets[1]);
    end(gate);
}

static void test_shutdown_frees_everybody_for_good(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct waiter waiters[3];
    for (size_t i = 0; i < 3; i++) {
        start(&waiters[i], gate, 4, LONG, 1);
    }
    wait_until_waiting(gate, 3);
    gate_open_for_shutdown(gate);
    for (size_t i = 0; i < 3; i++) {
        join(&waiters[i]);
        assert_int_equal(waiters[i].pass.release, GATE_SHUTDOWN);
    }
    struct barrier_ticket ticket;
    arrive(gate, VERSION, 2, &ticket);
    assert_null(ticket.round);
    assert_int_equal(gate_delay(gate, VERSION, LONG), GATE_SHUTDOWN);
    end(gate);
}

struct sleeper {
    pthread_t thread;
    struct gate *gate;
    uint32_t milliseconds;
    enum gate_release release;
    uint64_t took_ns;
};

static void *run_sleeper(void *argument) {
    struct sleeper *sleeper = argument;
    uint64_t started_ns = clock_monotonic_ns();
    sleeper->release = gate_delay(sleeper->gate, VERSION, sleeper->milliseconds);
    sleeper->took_ns = clock_monotonic_ns() - started_ns;
    return NULL;
}

static struct sleeper *sleep_at(struct gate *gate, uint32_t milliseconds) {
    struct sleeper *sleeper = memory_allocate_zeroed(sizeof *sleeper);
    sleeper->gate = gate;
    sleeper->milliseconds = milliseconds;
    assert_int_equal(pthread_create(&sleeper->thread, NULL, run_sleeper, sleeper), 0);
    return sleeper;
}

static void assert_woken(struct sleeper *sleeper, enum gate_release release, uint64_t least_ns) {
    assert_int_equal(pthread_join(sleeper->thread, NULL), 0);
    assert_int_equal(sleeper->release, release);
    assert_true(sleeper->took_ns >= least_ns && sleeper->took_ns < SOON_NS);
    free(sleeper);
}

static void test_delay(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    assert_woken(sleep_at(gate, 0), GATE_RELEASED, 0);
    assert_woken(sleep_at(gate, 40), GATE_RELEASED, 40 * NANOSECONDS_PER_MILLISECOND);
    // The release of a barrier does not end a delay.
    struct sleeper *asleep = sleep_at(gate, 200);
    struct waiter waiters[2];
    start(&waiters[0], gate, 2, LONG, 1);
    start(&waiters[1], gate, 2, LONG, 1);
    join(&waiters[0]);
    join(&waiters[1]);
    assert_woken(asleep, GATE_RELEASED, 200 * NANOSECONDS_PER_MILLISECOND);
    end(gate);
}

static void test_delay_is_cut_short(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct sleeper *changed[3] = {sleep_at(gate, LONG), sleep_at(gate, LONG), sleep_at(gate, LONG)};
    (void)usleep(20000);
    gate_change_settings(gate, VERSION + 1);
    for (size_t i = 0; i < 3; i++) {
        assert_woken(changed[i], GATE_SETTINGS_CHANGED, 0);
    }
    gate_change_settings(gate, VERSION);
    struct sleeper *stopped = sleep_at(gate, LONG);
    (void)usleep(20000);
    gate_open_for_shutdown(gate);
    assert_woken(stopped, GATE_SHUTDOWN, 0);
    end(gate);
}

static void test_release_names(void **state) {
    (void)state;
    assert_string_equal(gate_release_name(GATE_RELEASED), "released");
    assert_string_equal(gate_release_name(GATE_TIMED_OUT), "timed out");
    assert_string_equal(gate_release_name(GATE_SETTINGS_CHANGED), "settings changed");
    assert_string_equal(gate_release_name(GATE_SHUTDOWN), "shutdown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_waiters),
        cmocka_unit_test(test_rounds_back_to_back),
        cmocka_unit_test(test_more_threads_than_waiters),
        cmocka_unit_test(test_a_lone_waiter_times_out),
        cmocka_unit_test(test_a_round_outlives_one_that_timed_out),
        cmocka_unit_test(test_a_new_round_after_a_timeout),
        cmocka_unit_test(test_timeout_against_the_last_waiter),
        cmocka_unit_test(test_a_change_of_settings_frees_the_waiters),
        cmocka_unit_test(test_an_old_version_is_not_let_in),
        cmocka_unit_test(test_a_change_before_the_wait),
        cmocka_unit_test(test_a_complete_round_is_released_whatever_changes),
        cmocka_unit_test(test_rivals),
        cmocka_unit_test(test_rivals_of_a_round_that_timed_out),
        cmocka_unit_test(test_shutdown_frees_everybody_for_good),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_delay_is_cut_short),
        cmocka_unit_test(test_release_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
