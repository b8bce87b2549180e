// The barrier and the delay: a mutex and condition variables, because uv_barrier_wait() has no time limit.
//
// A worker calls gate_barrier_arrive() > round_enter(), then gate_barrier_await() > round_wait() > round_leave(), then
// gate_barrier_end(). The loop calls gate_change_settings() or gate_open_for_shutdown(): both wake all waiters.
// A round lives until each of its tickets has been ended.
// With an outside, no round completes by itself: gate_release_together() moves the waiters that the outside names into
// a round of their own, which is open.
#include "workers/gate/gate_internal.h"

#include <stdlib.h>
#include <string.h>

struct gate *gate_new(void) {
    struct gate *gate = memory_allocate_zeroed(sizeof *gate);
    gate->version = 1;
    CHECK(uv_mutex_init(&gate->mutex) == 0);
    CHECK(uv_cond_init(&gate->delay_moved) == 0);
    CHECK(uv_cond_init(&gate->outside_moved) == 0);
    return gate;
}

void gate_free(struct gate *gate) {
    CHECK(gate->round == NULL && gate->waiting == 0);
    uv_cond_destroy(&gate->delay_moved);
    uv_cond_destroy(&gate->outside_moved);
    uv_mutex_destroy(&gate->mutex);
    free(gate);
}

static void gate_free_everyone(struct gate *gate, enum gate_release release) {
    if (gate->round != NULL) {
        round_open(gate->round, release);
        gate->round = NULL; // the next waiter begins a new round
    }
    uv_cond_broadcast(&gate->delay_moved);
    uv_cond_broadcast(&gate->outside_moved);
}

void gate_use_outside(struct gate *gate, const struct gate_outside *outside) {
    gate->outside = outside;
}

void gate_change_settings(struct gate *gate, uint64_t version) {
    uv_mutex_lock(&gate->mutex);
    if (version != gate->version) {
        gate->version = version;
        gate_free_everyone(gate, GATE_SETTINGS_CHANGED);
    }
    uv_mutex_unlock(&gate->mutex);
}

void gate_open_for_shutdown(struct gate *gate) {
    uv_mutex_lock(&gate->mutex);
    gate->shutting_down = true;
    gate_free_everyone(gate, GATE_SHUTDOWN);
    uv_mutex_unlock(&gate->mutex);
}

uint32_t gate_barrier_waiting(struct gate *gate) {
    uv_mutex_lock(&gate->mutex);
    uint32_t waiting = gate->waiting;
    uv_mutex_unlock(&gate->mutex);
    return waiting;
}

void gate_barrier_arrive(struct gate *gate, uint64_t version, uint32_t parties, const struct barrier_waiter *waiter,
                         struct barrier_ticket *ticket) {
    *ticket = (struct barrier_ticket){.round = NULL, .parties = parties};
    uv_mutex_lock(&gate->mutex);
    if (!gate->shutting_down && version == gate->version) {
        if (gate->round == NULL) {
            gate->round = round_new(parties);
        }
        round_enter(gate->round, waiter, ticket);
        gate->waiting++;
        if (gate->outside != NULL) {
            ticket->is_shared = true;
            gate->outside->arrived(gate->outside->user, waiter->name, version);
        } else if (gate->round->present == gate->round->parties) {
            round_complete(gate->round, ticket);
            gate->round = NULL;
        }
    }
    uv_mutex_unlock(&gate->mutex);
}

// Waits until the round opens. Returns after the timeout if the round is not complete then. The mutex is held.
static void round_wait(struct gate *gate, struct barrier_round *round, uint32_t timeout_ms) {
    uint64_t deadline = clock_monotonic_ns() + timeout_ms * NANOSECONDS_PER_MILLISECOND;
    while (!round->open) {
        if (round->complete) {
            uv_cond_wait(&round->moved, &gate->mutex);
            continue;
        }
        uint64_t now = clock_monotonic_ns();
        if (now >= deadline) {
            return;
        }
        (void)uv_cond_timedwait(&round->moved, &gate->mutex, deadline - now);
    }
}

static void report_left(const struct gate *gate, struct round_place *place) {
    if (!place->reported) {
        place->reported = true;
        gate->outside->left(gate->outside->user, place->waiter.name);
    }
}

// The same with an outside. After the timeout the waiter stays until the outside does not count it any more.
static void shared_wait(struct gate *gate, const struct barrier_ticket *ticket, uint32_t timeout_ms) {
    uint64_t deadline = clock_monotonic_ns() + timeout_ms * NANOSECONDS_PER_MILLISECOND;
    while (!ticket->round->open) { // the round of the ticket changes at the release
        struct round_place *place = round_place_of(ticket->round, ticket->number);
        uint64_t now = clock_monotonic_ns();
        if (place->dismissed) {
            return;
        }
        if (place->reported) {
            uv_cond_wait(&gate->outside_moved, &gate->mutex);
        } else if (now >= deadline) {
            report_left(gate, place);
        } else {
            (void)uv_cond_timedwait(&gate->outside_moved, &gate->mutex, deadline - now);
        }
    }
}

// A waiter leaves a complete round.
static void round_pass(struct barrier_round *round, struct barrier_ticket *ticket, const struct round_place *place,
                       struct barrier_pass *pass) {
    pass->present = round->parties;
    uint64_t now = clock_monotonic_ns();
    if (round->past++ == 0) {
        round->first_past_ns = now;
    }
    pass->measured_skew = round->past == round->members;
    pass->skew_ns = now - round->first_past_ns;
    round_list_peers(round, place->number, pass);
    if (ticket->is_shared && !round->list_is_taken) {
        ticket->released = round->shared;
        round->list_is_taken = true;
    }
}

static void round_leave(struct gate *gate, struct barrier_round *round, struct barrier_ticket *ticket,
                        struct barrier_pass *pass) {
    struct round_place *place = round_place_of(round, ticket->number);
    pass->release = round->open ? round->release : GATE_TIMED_OUT;
    pass->present = round->present;
    if (round->complete) {
        round_pass(round, ticket, place, pass);
    } else {
        if (!round->open) {
            released_list_add(&ticket->released, &place->waiter); // it timed out, so it leaves alone
        } else if (!round->list_is_taken) {
            round_list_released(round, &ticket->released);
        }
        round->list_is_taken = round->open;
        place->gone = true;
        if (ticket->is_shared) {
            report_left(gate, place);
        }
    }
    gate->waiting--;
    round->present--;
    if (round->present == 0 && gate->round == round) {
        gate->round = NULL;
    }
}

void gate_barrier_await(struct gate *gate, struct barrier_ticket *ticket, uint32_t timeout_ms,
                        struct barrier_pass *pass) {
    CHECK(ticket->admitted);
    *pass = (struct barrier_pass){.release = GATE_RELEASED};
    uv_mutex_lock(&gate->mutex);
    if (ticket->completes) {
        round_open(ticket->round, GATE_RELEASED);
    } else if (ticket->is_shared) {
        shared_wait(gate, ticket, timeout_ms);
    } else {
        round_wait(gate, ticket->round, timeout_ms);
    }
    round_leave(gate, ticket->round, ticket, pass);
    uv_mutex_unlock(&gate->mutex);
}

void gate_barrier_end(struct gate *gate, struct barrier_ticket *ticket) {
    struct barrier_round *round = ticket->round;
    if (round == NULL) {
        return;
    }
    ticket->round = NULL;
    uv_mutex_lock(&gate->mutex);
    struct round_place *place = round_place_of(round, ticket->number);
    place->ended = true;
    if (place->gone) { // free its place now: the round may still exist for a long time
        round_forget(round, place);
    }
    bool last = --round->tickets == 0;
    uv_mutex_unlock(&gate->mutex);
    if (last) {
        round_free(round);
    }
}

uint32_t gate_barrier_rivals(struct gate *gate, const struct barrier_ticket *ticket, int backend_pids[],
                             uint32_t most) {
    const struct barrier_round *round = ticket->round;
    if (round == NULL) {
        return 0;
    }
    uint32_t rivals = 0;
    uv_mutex_lock(&gate->mutex);
    const struct round_place *own = round_place_of(round, ticket->number);
    for (uint32_t i = 0; round->complete && i < round->place_count; i++) {
        const struct round_place *place = &round->places[i];
        if (place != own && !place->gone && !place->ended && strcmp(place->waiter.account, own->waiter.account) == 0) {
            if (rivals < most) {
                backend_pids[rivals] = place->waiter.backend_pid;
            }
            rivals++;
        }
    }
    uv_mutex_unlock(&gate->mutex);
    return rivals;
}

enum gate_release gate_delay(struct gate *gate, uint64_t version, uint32_t milliseconds) {
    enum gate_release release = GATE_RELEASED;
    uint64_t deadline = clock_monotonic_ns() + milliseconds * NANOSECONDS_PER_MILLISECOND;
    uv_mutex_lock(&gate->mutex);
    for (;;) {
        if (gate->shutting_down) {
            release = GATE_SHUTDOWN;
            break;
        }
        if (version != gate->version) {
            release = GATE_SETTINGS_CHANGED;
            break;
        }
        uint64_t now = clock_monotonic_ns();
        if (now >= deadline) {
            break;
        }
        (void)uv_cond_timedwait(&gate->delay_moved, &gate->mutex, deadline - now);
    }
    uv_mutex_unlock(&gate->mutex);
    return release;
}

const char *gate_release_name(enum gate_release release) {
    switch (release) {
    case GATE_RELEASED: return "released";
    case GATE_TIMED_OUT: return "timed out";
    case GATE_SETTINGS_CHANGED: return "settings changed";
    case GATE_RESET: return "reset";
    case GATE_SHUTDOWN: return "shutdown";
    }
    CHECK(false);
}
