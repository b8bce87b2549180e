// The gates make the race visible: transfers wait for each other at the barrier, and the debug delay lets them sleep.
//
// A transfer at a gate blocks its worker thread. It continues when the last waiter arrives (barrier), when its time is
// over, when the settings change, or at the shutdown. All functions are thread-safe; none uses the database.
//
// An outside (struct gate_outside) can decide instead of the gate which waiters are released together: then the waiters
// of several programs meet at one barrier.
#ifndef WORKERS_GATE_GATE_H
#define WORKERS_GATE_GATE_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"
#include "workers/limits.h"

#include <stdbool.h>
#include <stdint.h>

enum gate_release {
    GATE_RELEASED,         // all waiters of a round arrived at the barrier, or the delay took its full time
    GATE_TIMED_OUT,        // the other waiters of the round did not arrive within the timeout
    GATE_SETTINGS_CHANGED, // the delay or the barrier was changed or disabled
    GATE_RESET,            // an outside: the bank was reset
    GATE_SHUTDOWN,         // the program is stopping
};

// Each waiter gets the spans of at most this many others (for trace links).
#define BARRIER_PEERS_MAX 15

// One waiter: its span, its account, the PID of its PostgreSQL backend, and its name (the transfer's id). Waiters with
// the same account are rivals.
#define BARRIER_NAME_MAX 8
struct barrier_waiter {
    struct trace_context span;
    char account[ACCOUNT_ID_MAX + 1]; // the source account of its transfer
    int backend_pid;                  // 0 if it has no open session
    char name[BARRIER_NAME_MAX + 1];
    void *user_data; // opaque, or NULL; the gate copies it into the released list
};

// The released list: the first waiters that are released together. One waiter of a round gets it, and publishes it.
struct released_list {
    uint32_t count; // 0: another waiter has the list
    char names[BARRIER_PEERS_MAX + 1][BARRIER_NAME_MAX + 1];
    void *user_data; // the user data of one waiter that has some, or NULL
};

struct gate;
struct barrier_round; // the waiters that are released together

// The place of a waiter in a round. The waiter owns the ticket.
struct barrier_ticket {
    struct barrier_round *round;   // guarded by the gate until await() returns; NULL: not let in, or ended
    bool admitted;                 // the barrier let it in: it must be awaited
    bool completes;                // it completes the round, so it does not wait
    bool is_shared;                // an outside releases it; `position` counts the waiters of this program only
    uint32_t position;             // waiters in the round at its arrival, this one included
    uint32_t number;               // arrivals in this round before it, also of waiters that left early
    uint32_t parties;              // waiters that complete the round
    struct released_list released; // set when it arrives as the last one, leaves early, or leaves a shared round first
};

struct barrier_pass {
    enum gate_release release;
    uint32_t present;    // waiters at the barrier when this one left it; in a complete round, all of its waiters
    bool measured_skew;  // true for one waiter of a released round: the last to leave
    uint64_t skew_ns;    // the time from the first waiter that left the round to this one
    uint32_t peer_count; // only in a released round: the spans of the others
    struct trace_context peers[BARRIER_PEERS_MAX];
};

// It counts the waiters of several programs. The gate reports its own waiters to it. Both functions are called with
// the gate's mutex held, so they must neither block nor call the gate.
struct gate_outside {
    void *user;
    // This waiter has arrived: gate_release_together() will release it.
    void (*arrived)(void *user, const char *name, uint64_t version);
    // Its time is over, or the gates were opened. After a timeout it still waits for gate_release_together() or
    // gate_dismiss(), because it may have been counted meanwhile.
    void (*left)(void *user, const char *name);
};

MUST_CHECK struct gate *gate_new(void);
void gate_free(struct gate *gate); // no waiter may be left

// From now on the outside releases the waiters. It is borrowed. Before the first waiter.
void gate_use_outside(struct gate *gate, const struct gate_outside *outside);
// Releases the waiters with these names together: as a complete round (GATE_RELEASED), or early. A name that is not
// found belongs to a waiter of another program.
void gate_release_together(struct gate *gate, char names[][BARRIER_NAME_MAX + 1], uint32_t count,
                           enum gate_release release);
// The outside does not count this waiter any more: if its time is over, it leaves.
void gate_dismiss(struct gate *gate, const char *name);

// Releases all waiters and sleepers if the version is new. From now on the gates do not stop callers that have another
// version. Loop thread.
void gate_change_settings(struct gate *gate, uint64_t version);
// Releases all waiters and sleepers, and stops no caller any more. Loop thread.
void gate_open_for_shutdown(struct gate *gate);
// The waiters at the barrier now.
MUST_CHECK uint32_t gate_barrier_waiting(struct gate *gate);

// A waiter calls three functions. After arrive() it can publish its position before await() blocks; until end() its
// rivals can find it. A ticket that was admitted must be awaited, and ended when the work that rivals look for is done.
// The waiter that completes the round does not wait: its gate_barrier_await() releases the round.
void gate_barrier_arrive(struct gate *gate, uint64_t version, uint32_t parties, const struct barrier_waiter *waiter,
                         struct barrier_ticket *ticket);
void gate_barrier_await(struct gate *gate, struct barrier_ticket *ticket, uint32_t timeout_ms,
                        struct barrier_pass *pass);
void gate_barrier_end(struct gate *gate, struct barrier_ticket *ticket);

// Counts the rivals in this program that were released with this waiter and have not ended, and writes the backend
// PIDs of the first `most` of them. Call it between await and end.
MUST_CHECK uint32_t gate_barrier_rivals(struct gate *gate, const struct barrier_ticket *ticket, int backend_pids[],
                                        uint32_t most);

// Sleeps this long, or until the settings change or the shutdown begins.
enum gate_release gate_delay(struct gate *gate, uint64_t version, uint32_t milliseconds);

MUST_CHECK const char *gate_release_name(enum gate_release release); // "released", "timed out", ...

#endif
