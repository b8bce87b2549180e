// A batch: transfers that one worker posts in one transaction, in the order of their arrival, each judged on its own.
//
// The pool fills a batch on the loop and leaves it for the worker that posts batches one at a time. The run gives every
// transfer its outcome, or gives up on a row that another session holds. Worker threads, but for batch_new() and
// batch_free().
#ifndef WORKERS_BATCH_BATCH_H
#define WORKERS_BATCH_BATCH_H

#include "workers/jobs/jobs.h"

#include <sys/queue.h>

// Bounds the size of struct batch. With 32 clients a batch has about 16 transfers (docs/benchmarks).
#define BATCH_TRANSFERS_MAX 128

enum batch_state {
    BATCH_FILLING,  // The scheduler puts transfers in. A new batch.
    BATCH_RUNNING,  // The worker has taken it. The loop waits until the worker returns it.
    BATCH_ENDED,    // Every transfer has an outcome. The loop answers the clients and frees the batch.
    BATCH_ROW_HELD, // Another session holds a row of it: nothing was written, nobody has an outcome. The loop puts the
                    // transfers back into their account queues and frees the batch.
    BATCH_STATES
};

struct batch_account {
    const char *id;
    int64_t balance; // cents; as it stands after the transfers judged so far
    int64_t change;  // the sum of the changes by those transfers
    int64_t least;   // in an optimistic batch: the balance it must hold for all of them to be covered
    uint32_t writes; // how many of them moved it
    bool found;      // there is such an account
    bool is_money;   // and its balance is an amount of money, not a NaN that somebody stored
};

struct batch {
    struct job job;
    STAILQ_ENTRY(batch) next; // used by the pool: among the batches that the worker has returned
    enum batch_state state;
    size_t count;
    struct transfer_job *transfers[BATCH_TRANSFERS_MAX]; // in the order of their arrival
    // The run's own:
    struct db_session *session;
    struct gate *gate;
    const char *thread_id;
    bool alone; // one transfer, which waits for rows as long as a transfer of another strategy does
    size_t account_count;
    struct batch_account accounts[2 * BATCH_TRANSFERS_MAX]; // ordered by id, byte by byte
    uint64_t started_ns;
    bool in_transaction;
    enum transfer_doubt doubt; // about the transfers that were posted
    bool judged;               // each transfer has an outcome of its own, which stands if the COMMIT does
    enum db_status database;   // the status of the last statement that failed, else DB_OK
    bool deadlocked;           // how the last attempt lost, if it did
    bool passed_delay;
};

STAILQ_HEAD(batch_list, batch);

MUST_CHECK struct batch *batch_new(void); // FILLING
void batch_start(struct batch *batch);    // RUNNING: its worker has taken it
void batch_free(struct batch *batch);

// The run of a transfer's job (job.h) when another session holds a row of the transfer's batch: posts a batch of this
// transfer alone.
void batch_run_alone(struct job *job, struct worker *worker);

// --- The steps of the strategy. Each answers TRANSFER_CONTINUE, or what ends the attempt: SUCCESS when every transfer
// has an outcome of its own, else the outcome of all of them. ---

// True if a transfer of the batch has a debug delay. The batch then sleeps with the locks held.
MUST_CHECK bool batch_wants_delay(const struct batch *batch);
// Posts all transfers in one statement, on the condition that every one is covered when its turn comes: one round trip.
// CONTINUE: the condition failed, nothing is written.
MUST_CHECK enum transfer_outcome batch_post_if_all_covered(struct batch *batch);

// Begins, locks every account of the batch in the order of their ids, and reads the balances: one round trip.
MUST_CHECK enum transfer_outcome batch_lock_and_read(struct batch *batch);
// Sleeps for the longest debug delay of its transfers.
void batch_delay(struct batch *batch);
// Decides each transfer by the balances that the transfers before it have left.
void batch_judge(struct batch *batch);
// Writes every balance once, every record, and commits: one round trip. SUCCESS, or what went wrong.
MUST_CHECK enum transfer_outcome batch_post_and_commit(struct batch *batch);

#endif
