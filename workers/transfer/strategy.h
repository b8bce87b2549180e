// A strategy: one way to run a transfer's steps. Each stands in a file of its own, knows no other, and reads as
// the list of its steps, so that two can be laid side by side.
#ifndef WORKERS_TRANSFER_STRATEGY_H
#define WORKERS_TRANSFER_STRATEGY_H

#include "workers/transfer/transfer.h"

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

extern const struct strategy strategy_vulnerable;
extern const struct strategy strategy_absolute_update;
extern const struct strategy strategy_subselect_predicate;
extern const struct strategy strategy_cte_snapshot;
extern const struct strategy strategy_process_mutex;
extern const struct strategy strategy_for_update;
extern const struct strategy strategy_atomic_update;
extern const struct strategy strategy_optimistic;
extern const struct strategy strategy_repeatable_read;
extern const struct strategy strategy_serializable;
extern const struct strategy strategy_advisory_lock;
extern const struct strategy strategy_batched;

// All of them, in the order people meet them; NULL behind the last. Any thread.
extern const struct strategy *const strategies[];

MUST_CHECK const struct strategy *strategy_find(struct slice name); // NULL: there is none
void strategy_append_names(struct text *out);                       // "vulnerable, for_update"

#endif
