// A round of the barrier: the places of its waiters, in the order of their arrival. The gate's mutex is held.
#include "workers/gate/gate_internal.h"

#include <stdlib.h>
#include <string.h>

void round_open(struct barrier_round *round, enum gate_release release) {
    round->open = true;
    round->release = release;
    uv_cond_broadcast(&round->moved);
}

struct barrier_round *round_new(uint32_t parties) {
    struct barrier_round *round = memory_allocate_zeroed(sizeof *round);
    CHECK(uv_cond_init(&round->moved) == 0);
    round->parties = parties;
    return round;
}

void round_free(struct barrier_round *round) {
    uv_cond_destroy(&round->moved);
    free(round->places);
    free(round);
}

void released_list_add(struct released_list *released, const struct barrier_waiter *waiter) {
    if (released->count <= BARRIER_PEERS_MAX) {
        memcpy(released->names[released->count++], waiter->name, sizeof waiter->name);
    }
    released->user_data = waiter->user_data != NULL ? waiter->user_data : released->user_data;
}

void round_list_released(const struct barrier_round *round, struct released_list *released) {
    for (uint32_t i = 0; i < round->place_count; i++) {
        if (!round->places[i].gone) {
            released_list_add(released, &round->places[i].waiter);
        }
    }
}

struct round_place *round_place_of(const struct barrier_round *round, uint32_t number) {
    uint32_t i = 0;
    while (i < round->place_count && round->places[i].number != number) {
        i++;
    }
    CHECK(i < round->place_count);
    return &round->places[i];
}

void round_forget(struct barrier_round *round, struct round_place *place) {
    round->place_count--;
    size_t behind = (size_t)(round->places + round->place_count - place);
    memmove(place, place + 1, behind * sizeof *place);
}

void round_enter(struct barrier_round *round, const struct barrier_waiter *waiter, struct barrier_ticket *ticket) {
    round->tickets++;
    round->present++;
    ticket->round = round;
    ticket->admitted = true;
    ticket->position = round->present;
    ticket->number = round->arrivals++;
    // A waiter that left early keeps its place until it ends, so there can be more places than waiters.
    if (round->place_count == round->place_room) {
        round->place_room = round->place_room == 0 ? round->parties : 2 * round->place_room;
        round->places = memory_resize(round->places, round->place_room * sizeof *round->places);
    }
    round->places[round->place_count++] = (struct round_place){
        .waiter = *waiter,
        .number = ticket->number,
        .ticket = ticket,
    };
}

void round_complete(struct barrier_round *round, struct barrier_ticket *ticket) {
    round->complete = true;
    round->members = round->parties;
    ticket->completes = true;
    round_list_released(round, &ticket->released);
}

void round_list_peers(const struct barrier_round *round, uint32_t own_number, struct barrier_pass *pass) {
    for (uint32_t i = 0; i < round->place_count && pass->peer_count < BARRIER_PEERS_MAX; i++) {
        const struct round_place *place = &round->places[i];
        if (place->number != own_number && !place->gone) {
            pass->peers[pass->peer_count++] = place->waiter.span;
        }
    }
}
