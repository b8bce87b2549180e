// The gates that make the race visible: the barrier, where transfers wait for each other, and the debug delay.
//
// Whoever stands at a gate blocks its worker thread and is freed by the last party (barrier), the end of the
// time, a change of the settings, or the shutdown. Knows no database. Thread-safe throughout.
#ifndef WORKERS_GATE_GATE_H
#define WORKERS_GATE_GATE_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"

#include <stdbool.h>
#include <stdint.h>

enum gate_release {
    GATE_RELEASED,         // the barrier had all its parties; the delay its full time
    GATE_TIMED_OUT,        // a lone party waited long enough
    GATE_SETTINGS_CHANGED, // somebody changed or disabled the gate
    GATE_SHUTDOWN,         // the program is stopping
};

// Of how many of its peers a party learns who they are: enough for any story told on purpose.
#define BARRIER_PEERS_MAX 15

// What a party says of itself: its span, what it is after, and a mark of its own that others can look for. Two that
// are after the same are rivals.
#define BARRIER_SUBJECT_MAX 64
#define BARRIER_NAME_MAX 8
struct barrier_party {
    struct trace_context span;
    char subject[BARRIER_SUBJECT_MAX + 1];
    int mark;
    char name[BARRIER_NAME_MAX + 1];
    void *watcher; // who wants to hear when it is let go; NULL: nobody. The gate only hands it on
};

// Who is let go together: the first of them. One party of a round gets it, to tell of the release.
struct barrier_roll {
    uint32_t count; // 0: somebody else tells
    char names[BARRIER_PEERS_MAX + 1][BARRIER_NAME_MAX + 1];
    void *watcher; // of one of them that has one
};

struct gate;
struct barrier_round; // the parties that will be released together

// A party's place in a round.
struct barrier_ticket {
    struct barrier_round *round; // NULL: there is nothing to wait for, or it is over
    uint32_t position;           // 1 for the first to arrive
    uint32_t number;             // of its arrival in this round, from 0; those who gave up count too
    uint32_t parties;            // how many the round waits for
    struct barrier_roll roll;    // from the arrival of the last party on, or from its own early leave
};

struct barrier_pass {
    enum gate_release release;
    uint32_t present;    // parties at the barrier when this one left it
    bool measured_skew;  // set for one party of a released round: the last one past
    uint64_t skew_ns;    // from the first party past to the last
    uint32_t peer_count; // of a released round: the others in it, as they introduced themselves
    struct trace_context peers[BARRIER_PEERS_MAX];
};

MUST_CHECK struct gate *gate_new(void);
void gate_free(struct gate *gate); // nobody may stand at it

// Frees everyone who came under another version of the settings, and lets no more of them in. Loop thread.
void gate_change_settings(struct gate *gate, uint64_t version);
// Frees everyone, for good. Loop thread.
void gate_open_for_shutdown(struct gate *gate);
// How many stand at the barrier now.
MUST_CHECK uint32_t gate_barrier_waiting(struct gate *gate);

// In three moves, so that a party can say where it stands before it blocks, and be known to its rivals afterwards.
// Every ticket with a round must be awaited, and ended when the party has done what it came for. The party with
// position == parties does not wait: its barrier_await() releases the round.
void gate_barrier_arrive(struct gate *gate, uint64_t version, uint32_t parties, const struct barrier_party *party,
                         struct barrier_ticket *ticket);
void gate_barrier_await(struct gate *gate, struct barrier_ticket *ticket, uint32_t timeout_ms,
                        struct barrier_pass *pass);
void gate_barrier_end(struct gate *gate, struct barrier_ticket *ticket);

// How many of the party's rivals were released with it and have not ended, and the marks of the first `most` of them.
// Between await and end.
MUST_CHECK uint32_t gate_barrier_rivals(struct gate *gate, const struct barrier_ticket *ticket, int marks[],
                                        uint32_t most);

// Sleeps, unless freed early.
enum gate_release gate_delay(struct gate *gate, uint64_t version, uint32_t milliseconds);

MUST_CHECK const char *gate_release_name(enum gate_release release); // "released", "timed out", ...

#endif
