// The barrier and the delay: a mutex and condition variables, because uv_barrier_wait() has no time limit.
//
// A worker calls gate_barrier_arrive() > round_enter(), then gate_barrier_await() > round_wait() > round_leave(), then
// gate_barrier_end(). The loop calls gate_change_settings() or gate_open_for_shutdown(): both wake all waiters.
// A round lives until each of its tickets has been ended.
#include "workers/gate/gate.h"

#include "observability/base/base.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct round_place {
    struct barrier_waiter waiter;
    uint32_t number; // the number of its ticket
    bool gone;       // left before the round was complete
    bool ended;      // gate_barrier_end() was called
};

struct barrier_round {
    uv_cond_t moved; // signalled with gate->mutex held or just released
    uint32_t parties;
    uint32_t tickets; // arrived and not ended; the round is freed at 0
    uint32_t present; // at the barrier now
    uint32_t past;    // waiters of a complete round that have left it
    bool complete;    // all waiters have arrived: none times out any more
    bool open;        // the waiters may leave; `release` says why
    enum gate_release release;
    bool list_is_taken; // after an early opening: one waiter already has the released list
    uint64_t first_past_ns;
    uint32_t arrivals; // all, also of waiters that left early; the next ticket's number
    uint32_t place_count;
    uint32_t place_room;
    struct round_place *places; // in order of arrival; waiters that left early and ended are removed
};

struct gate {
    uv_mutex_t mutex;            // guards the fields below and every round
    uv_cond_t delay_moved;       // the settings changed or the shutdown began
    struct barrier_round *round; // the round that new waiters join, or NULL
    uint64_t version;
    uint32_t waiting;
    bool shutting_down;
};

struct gate *gate_new(void) {
    struct gate *gate = memory_allocate_zeroed(sizeof *gate);
    gate->version = 1;
    CHECK(uv_mutex_init(&gate->mutex) == 0);
    CHECK(uv_cond_init(&gate->delay_moved) == 0);
    return gate;
}

void gate_free(struct gate *gate) {
    CHECK(gate->round == NULL && gate->waiting == 0);
    uv_cond_destroy(&gate->delay_moved);
    uv_mutex_destroy(&gate->mutex);
    free(gate);
}

static void round_open(struct barrier_round *round, enum gate_release release) {
    round->open = true;
    round->release = release;
    uv_cond_broadcast(&round->moved);
}

static void gate_free_everyone(struct gate *gate, enum gate_release release) {
    if (gate->round != NULL) {
        round_open(gate->round, release);
        gate->round = NULL; // the next waiter begins a new round
    }
    uv_cond_broadcast(&gate->delay_moved);
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

static struct barrier_round *round_new(uint32_t parties) {
    struct barrier_round *round = memory_allocate_zeroed(sizeof *round);
    CHECK(uv_cond_init(&round->moved) == 0);
    round->parties = parties;
    return round;
}

static void round_free(struct barrier_round *round) {
    uv_cond_destroy(&round->moved);
    free(round->places);
    free(round);
}

static void released_list_add(struct released_list *released, const struct barrier_waiter *waiter) {
    if (released->count <= BARRIER_PEERS_MAX) {
        memcpy(released->names[released->count++], waiter->name, sizeof waiter->name);
    }
    released->user_data = waiter->user_data != NULL ? waiter->user_data : released->user_data;
}

// Lists the waiters that are at the barrier now, at most BARRIER_PEERS_MAX + 1.
static void round_list_released(const struct barrier_round *round, struct released_list *released) {
    for (uint32_t i = 0; i < round->place_count; i++) {
        if (!round->places[i].gone) {
            released_list_add(released, &round->places[i].waiter);
        }
    }
}

static struct round_place *round_place_of(const struct barrier_round *round, uint32_t number) {
    uint32_t i = 0;
    while (i < round->place_count && round->places[i].number != number) {
        i++;
    }
    CHECK(i < round->place_count);
    return &round->places[i];
}

static void round_forget(struct barrier_round *round, struct round_place *place) {
    round->place_count--;
    size_t behind = (size_t)(round->places + round->place_count - place);
    memmove(place, place + 1, behind * sizeof *place);
}

static void round_enter(struct barrier_round *round, const struct barrier_waiter *waiter,
                        struct barrier_ticket *ticket) {
    round->tickets++;
    round->present++;
    ticket->round = round;
    ticket->position = round->present;
    ticket->number = round->arrivals++;
    // A waiter that left early keeps its place until it ends, so there can be more places than waiters.
    if (round->place_count == round->place_room) {
        round->place_room = round->place_room == 0 ? round->parties : 2 * round->place_room;
        round->places = memory_resize(round->places, round->place_room * sizeof *round->places);
    }
    round->places[round->place_count++] = (struct round_place){.waiter = *waiter, .number = ticket->number};
    round->complete = round->present == round->parties;
    if (round->complete) {
        round_list_released(round, &ticket->released);
    }
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
        if (ticket->round->complete) {
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

static void round_list_peers(const struct barrier_round *round, uint32_t own_number, struct barrier_pass *pass) {
    for (uint32_t i = 0; i < round->place_count && pass->peer_count < BARRIER_PEERS_MAX; i++) {
        const struct round_place *place = &round->places[i];
        if (place->number != own_number && !place->gone) {
            pass->peers[pass->peer_count++] = place->waiter.span;
        }
    }
}

static void round_leave(struct gate *gate, struct barrier_round *round, struct barrier_ticket *ticket,
                        struct barrier_pass *pass) {
    struct round_place *place = round_place_of(round, ticket->number);
    pass->release = round->open ? round->release : GATE_TIMED_OUT;
    pass->present = round->present;
    if (round->complete) {
        pass->present = round->parties;
        uint64_t now = clock_monotonic_ns();
        if (round->past++ == 0) {
            round->first_past_ns = now;
        }
        pass->measured_skew = round->past == round->parties;
        pass->skew_ns = now - round->first_past_ns;
        round_list_peers(round, place->number, pass);
    } else {
        if (!round->open) {
            released_list_add(&ticket->released, &place->waiter); // it timed out, so it leaves alone
        } else if (!round->list_is_taken) {
            round_list_released(round, &ticket->released);
        }
        round->list_is_taken = round->open;
        place->gone = true;
    }
    gate->waiting--;
    round->present--;
    if (round->present == 0 && gate->round == round) {
        gate->round = NULL;
    }
}

void gate_barrier_await(struct gate *gate, struct barrier_ticket *ticket, uint32_t timeout_ms,
                        struct barrier_pass *pass) {
    struct barrier_round *round = ticket->round;
    CHECK(round != NULL);
    *pass = (struct barrier_pass){.release = GATE_RELEASED};
    uv_mutex_lock(&gate->mutex);
    if (round->complete && ticket->position == round->parties) {
        round_open(round, GATE_RELEASED);
    } else {
        round_wait(gate, round, timeout_ms);
    }
    round_leave(gate, round, ticket, pass);
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
    case GATE_SHUTDOWN: return "shutdown";
    }
    CHECK(false);
}
