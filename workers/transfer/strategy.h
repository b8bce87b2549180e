// A strategy is one way to run the steps of a transfer. workers/strategies has all of them. Static data; any thread.
#ifndef WORKERS_TRANSFER_STRATEGY_H
#define WORKERS_TRANSFER_STRATEGY_H

#include "sql/sketches.h"
#include "workers/transfer/transfer_steps.h"

struct batch;

struct strategy {
    const char *name;                 // in settings, records, metrics and spans
    const char *idea;                 // in one line
    const char *choose_when;          // the case that it suits: completes "choose it when"
    const char *watch_for;            // its cost, or why an unsafe one looks right, and where it fails
    const char *isolation;            // the isolation level of its transaction, or STRATEGY_NO_TRANSACTION
    const struct sketch_line *sketch; // the SQL as a programmer would write it
    const enum statement *statements; // the SQL it runs, in order; STATEMENT_COUNT ends the list
    bool safe;
    bool uses_locks;
    bool needs_standby; // it reads at the standby
    // At most this many transfers of one source account run at once; 0 means no limit. More would only lengthen
    // PostgreSQL's lock queue, where each waiter slows the others. The limit is off while the barrier is on.
    unsigned max_in_flight_per_account;
    // One attempt, on a worker thread; TRANSFER_CONFLICT asks for another one. Exactly one of the two is set: an
    // attempt for one transfer, or for a batch of transfers.
    enum transfer_outcome (*attempt)(struct transfer *transfer);
    enum transfer_outcome (*attempt_batch)(struct batch *batch);
    // Set with `attempt_batch`: a transfer with an Idempotency-Key has its own transaction and makes attempts of this
    // strategy, because a batch commits the transfers of many clients.
    const struct strategy *with_key;
};

// The strategy whose attempts the transfer makes.
MUST_CHECK static inline const struct strategy *strategy_for(const struct transfer_request *request) {
    const struct strategy *strategy = request->settings.strategy;
    return request->key != NULL && strategy->with_key != NULL ? strategy->with_key : strategy;
}

#define STRATEGY_NO_TRANSACTION "none: each statement commits on its own"

// The best number was measured (docs/benchmarks): with 2, the next transfer already waits for the row when the first
// releases it.
#define STRATEGY_MAX_IN_FLIGHT 2

#endif
