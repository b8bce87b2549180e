// gate: the places of a round. The place of a waiter that timed out is removed, and the others keep theirs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/gate/gate.h"

#include <malloc.h>

#define VERSION 1  // the version of the settings of a new gate
#define LONG 60000 // milliseconds: no waiter may wait this long here

struct waiter {
    int backend_pid;
    struct barrier_ticket ticket;
};

static void arrive(struct waiter *waiter, struct gate *gate, int backend_pid, uint32_t parties) {
    struct barrier_waiter who = {.account = "alice", .backend_pid = backend_pid};
    who.span.span_id[0] = (uint8_t)backend_pid;
    who.name[0] = (char)('a' + backend_pid % 26);
    waiter->backend_pid = backend_pid;
    gate_barrier_arrive(gate, VERSION, parties, &who, &waiter->ticket);
}

static void time_out(struct waiter *waiter, struct gate *gate) {
    struct barrier_pass pass;
    gate_barrier_await(gate, &waiter->ticket, 0, &pass);
    assert_int_equal(pass.release, GATE_TIMED_OUT);
}

static void give_up(struct waiter *waiter, struct gate *gate) {
    time_out(waiter, gate);
    gate_barrier_end(gate, &waiter->ticket);
}

static size_t allocated(void) {
    struct mallinfo2 info = mallinfo2(); // all zero with a sanitizer's allocator: then the test checks nothing
    return info.uordblks + info.hblkhd;
}

// One waiter stays while many others arrive and time out: the round must not grow.
static void test_a_round_does_not_grow(void **state) {
    (void)state;
    struct gate *gate = gate_new();
    struct waiter long_waiter;
    struct waiter others[3]; // they arrive in turn, so that two are always at the barrier
    arrive(&long_waiter, gate, 0, 28);
    size_t before = allocated();
    for (int i = 0; i < 20000; i++) {
        arrive(&others[i % 3], gate, 1, 28);
        assert_int_equal(others[i % 3].ticket.position, i < 2 ? i + 2 : 4);
        if (i >= 2) {
            give_up(&others[(i + 1) % 3], gate);
        }
    }
    assert_true(allocated() < before + 100000);
    give_up(&others[19998 % 3], gate);
    give_up(&others[19999 % 3], gate);
    give_up(&long_waiter, gate);
    gate_free(gate);
}

// Checks that a waiter gets the others as peers and as rivals, in the order of their arrival.
static void assert_knows_the_others(struct gate *gate, const struct waiter waiters[4], int self,
                                    const struct barrier_pass *pass) {
    int backend_pids[3] = {0};
    assert_int_equal(gate_barrier_rivals(gate, &waiters[self].ticket, backend_pids, 3), 3);
    assert_int_equal(pass->peer_count, 3);
    for (int i = 0; i < 3; i++) {
        int backend_pid = waiters[i < self ? i : i + 1].backend_pid;
        assert_int_equal(backend_pids[i], backend_pid);
        assert_int_equal(pass->peers[i].span_id[0], backend_pid);
    }
}

// A round of four. A bit of `give_ups` makes one of the first three time out before the round is complete. It ends at
// once, or after the release.
static void run_round(unsigned give_ups, bool end_late) {
    struct gate *gate = gate_new();
    struct waiter first[3];
    struct waiter waiters[4]; // the waiters that are released
    int count = 0;
    for (int i = 0; i < 3; i++) {
        arrive(&first[i], gate, i, 4);
    }
    for (int i = 0; i < 3; i++) {
        if ((give_ups >> i & 1) == 1) {
            time_out(&first[i], gate);
            if (!end_late) {
                gate_barrier_end(gate, &first[i].ticket);
            }
        } else {
            waiters[count++] = first[i];
            first[i].ticket.round = NULL; // the copy is its ticket now
        }
    }
    for (int backend_pid = 3; count < 4; backend_pid++) {
        arrive(&waiters[count++], gate, backend_pid, 4);
    }
    const struct released_list *released = &waiters[3].ticket.released;
    assert_int_equal(released->count, 4);
    struct barrier_pass passes[4];
    for (int i = 3; i >= 0; i--) { // the last to arrive opens the round
        assert_int_equal(released->names[i][0], 'a' + waiters[i].backend_pid);
        gate_barrier_await(gate, &waiters[i].ticket, LONG, &passes[i]);
    }
    for (int i = 0; i < 3; i++) {
        gate_barrier_end(gate, &first[i].ticket);
    }
    for (int i = 0; i < 4; i++) {
        assert_knows_the_others(gate, waiters, i, &passes[i]);
    }
    for (int i = 0; i < 4; i++) {
        gate_barrier_end(gate, &waiters[i].ticket);
    }
    gate_free(gate);
}

static void test_who_is_left_is_known(void **state) {
    (void)state;
    for (unsigned give_ups = 0; give_ups < 8; give_ups++) {
        run_round(give_ups, false);
        run_round(give_ups, true);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_round_does_not_grow),
        cmocka_unit_test(test_who_is_left_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
