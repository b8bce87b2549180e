// The waiters that an outside releases or dismisses. Any thread.
#include "workers/gate/gate_internal.h"

#include <string.h>

static struct round_place *find_waiting(const struct barrier_round *round, const char *name) {
    for (uint32_t i = 0; i < round->place_count; i++) {
        if (!round->places[i].gone && strcmp(round->places[i].waiter.name, name) == 0) {
            return &round->places[i];
        }
    }
    return NULL;
}

// Moves a waiter into the round of those that are released with it.
static void move(struct barrier_round *from, struct round_place *place, struct barrier_round *to) {
    struct barrier_ticket *ticket = place->ticket;
    struct barrier_waiter waiter = place->waiter;
    uint32_t position = ticket->position;
    round_forget(from, place);
    from->tickets--;
    from->present--;
    round_enter(to, &waiter, ticket);
    ticket->position = position; // as it was published at the arrival
    to->members++;
}

static struct barrier_round *take_named(struct barrier_round *from, char names[][BARRIER_NAME_MAX + 1],
                                        uint32_t count) {
    struct barrier_round *released = round_new(count);
    for (uint32_t i = 0; i < count; i++) {
        struct round_place *place = find_waiting(from, names[i]);
        struct barrier_waiter other = {.account = ""};
        (void)memcpy(other.name, names[i], sizeof other.name);
        released_list_add(&released->shared, place == NULL ? &other : &place->waiter);
        if (place != NULL) {
            move(from, place, released);
        }
    }
    return released;
}

void gate_release_together(struct gate *gate, char names[][BARRIER_NAME_MAX + 1], uint32_t count,
                           enum gate_release release) {
    uv_mutex_lock(&gate->mutex);
    struct barrier_round *from = gate->round;
    if (from != NULL) { // else all waiters have left
        struct barrier_round *released = take_named(from, names, count);
        if (from->present == 0) {
            gate->round = NULL;
        }
        if (from->tickets == 0) {
            round_free(from);
        }
        released->complete = release == GATE_RELEASED;
        round_open(released, release);
        if (released->members == 0) {
            round_free(released);
        }
        uv_cond_broadcast(&gate->outside_moved);
    }
    uv_mutex_unlock(&gate->mutex);
}

void gate_dismiss(struct gate *gate, const char *name) {
    uv_mutex_lock(&gate->mutex);
    struct round_place *place = gate->round == NULL ? NULL : find_waiting(gate->round, name);
    if (place != NULL && place->reported) {
        place->dismissed = true;
        uv_cond_broadcast(&gate->outside_moved);
    }
    uv_mutex_unlock(&gate->mutex);
}
