// The private header of this folder: the gate and its rounds.
#ifndef WORKERS_GATE_GATE_INTERNAL_H
#define WORKERS_GATE_GATE_INTERNAL_H

#include "observability/base/base.h"
#include "workers/gate/gate.h"

#include <uv.h>

struct round_place {
    struct barrier_waiter waiter;
    uint32_t number; // the number of its ticket
    bool gone;       // left before the round was complete
    bool ended;      // gate_barrier_end() was called
    // Only with an outside:
    struct barrier_ticket *ticket; // while it waits: its round changes at the release
    bool reported;                 // the outside has heard that it left
    bool dismissed;                // the outside does not count it any more
};

struct barrier_round {
    uv_cond_t moved; // signalled with gate->mutex held or just released
    uint32_t parties;
    uint32_t tickets; // arrived and not ended; the round is freed at 0
    uint32_t present; // at the barrier now
    uint32_t past;    // waiters of a complete round that have left it
    uint32_t members; // waiters of a complete round, without those of other programs
    bool complete;    // all waiters have arrived: none times out any more
    bool open;        // the waiters may leave; `release` says why
    enum gate_release release;
    bool list_is_taken;          // after an opening: one waiter already has the released list
    struct released_list shared; // if an outside released it: all its waiters
    uint64_t first_past_ns;
    uint32_t arrivals; // all, also of waiters that left early; the next ticket's number
    uint32_t place_count;
    uint32_t place_room;
    struct round_place *places; // in order of arrival; waiters that left early and ended are removed
};

struct gate {
    uv_mutex_t mutex;                   // guards the fields below and every round
    uv_cond_t delay_moved;              // the settings changed or the shutdown began
    uv_cond_t outside_moved;            // with an outside: a waiter was released or dismissed, or the gates were opened
    const struct gate_outside *outside; // or NULL
    struct barrier_round *round;        // the round that new waiters join, or NULL
    uint64_t version;
    uint32_t waiting;
    bool shutting_down;
};

// --- gate_round.c; the mutex is held ---
MUST_CHECK struct barrier_round *round_new(uint32_t parties);
void round_free(struct barrier_round *round);
void round_open(struct barrier_round *round, enum gate_release release);
// Takes a waiter in as the last of the round.
void round_enter(struct barrier_round *round, const struct barrier_waiter *waiter, struct barrier_ticket *ticket);
// The last waiter of the round has entered it.
void round_complete(struct barrier_round *round, struct barrier_ticket *ticket);
// The place of the ticket with this number, which must be in the round.
MUST_CHECK struct round_place *round_place_of(const struct barrier_round *round, uint32_t number);
void round_forget(struct barrier_round *round, struct round_place *place);
void released_list_add(struct released_list *released, const struct barrier_waiter *waiter);
// Lists the waiters that are at the barrier now, at most BARRIER_PEERS_MAX + 1.
void round_list_released(const struct barrier_round *round, struct released_list *released);
void round_list_peers(const struct barrier_round *round, uint32_t own_number, struct barrier_pass *pass);

#endif
