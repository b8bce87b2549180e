// A strategy: one way to run a transfer's steps. workers/strategies has all of them.
#ifndef WORKERS_TRANSFER_STRATEGY_H
#define WORKERS_TRANSFER_STRATEGY_H

#include "workers/transfer/transfer_steps.h"

struct batch;

struct strategy {
    const char *name;                 // in settings, records, metrics and spans
    const char *idea;                 // in one line
    const char *watch_for;            // what it costs; of a wrong one: why people believe in it, and where it breaks
    const char *isolation;            // of its transaction, or STRATEGY_NO_TRANSACTION
    const enum statement *statements; // the SQL it runs, in order; STATEMENT_COUNT behind the last
    bool safe;
    bool uses_locks;
    // Of one source account, let onto workers at once while no barrier wants more of them; 0: all that come. Those
    // beyond would only queue up in PostgreSQL, where each waiter costs the others time.
    unsigned few_at_a_time;
    // One attempt, on a worker thread. TRANSFER_CONFLICT asks for another. Exactly one of the two is set: an attempt
    // for one transfer, or for all that one worker books together.
    enum transfer_outcome (*attempt)(struct transfer *transfer);
    enum transfer_outcome (*attempt_batch)(struct batch *batch);
};

#define STRATEGY_NO_TRANSACTION "none: each statement commits on its own"

// How many is best was measured: with 2 the next one is at the row when the first leaves it (docs/benchmarks).
#define STRATEGY_FEW_AT_A_TIME 2

#endif
