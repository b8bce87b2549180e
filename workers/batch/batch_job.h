// A batch: transfers that one worker books in one transaction, in the order of their arrival, each judged on its own.
//
// The pool gathers them on the loop and runs the batch on a worker; the batch fills each transfer's result. Worker
// threads, but for the *_new and *_free functions.
#ifndef WORKERS_BATCH_BATCH_JOB_H
#define WORKERS_BATCH_BATCH_JOB_H

#include "workers/jobs/jobs.h"

// More in one transaction make it longer than its share of a commit is worth.
#define BATCH_TRANSFERS_MAX 128

struct batch_account {
    const char *id;
    int64_t balance; // cents; as it stands after the transfers judged so far
    int64_t change;  // of those transfers together
    int64_t least;   // of a bet: the balance it must hold for all of them to be covered
    uint32_t writes; // how many of them moved it
    bool found;      // there is such an account
    bool is_money;   // and its balance is an amount of money, not a NaN that somebody stored
};

struct batch {
    size_t count;
    struct transfer_job *transfers[BATCH_TRANSFERS_MAX]; // in the order of their arrival
    // What a running batch works with:
    struct db_session *session;
    struct gate *gate;
    const char *thread_id;
    bool is_patient; // waits for rows as long as any transfer may, rather than BATCH_PATIENCE_MS
    size_t account_count;
    struct batch_account accounts[2 * BATCH_TRANSFERS_MAX]; // ordered by id, byte by byte
    uint64_t started_ns;
    bool in_transaction;
    enum transfer_doubt doubt; // of the transfers that it booked
    bool judged;               // each transfer has an outcome of its own, which stands if the COMMIT does
    enum db_status database;   // of the last statement that failed, else DB_OK
    bool deadlocked;           // how the last attempt lost, if it did
    bool passed_delay;
};

struct batch_writer;
struct lane;

// A batch on its way between the loop and a writer (batch_writer.h): owned by one of them at a time.
struct batch_job {
    struct batch batch;
    struct statement_log statements; // out
    // Of the pool:
    bool is_waiting; // its transfers are counted among those that wait
    struct batch_writer *writer;
    struct batch_job *next; // in a list
    size_t lane_count;      // where its transfers waited
    struct lane *lanes[BATCH_TRANSFERS_MAX];
};

MUST_CHECK struct batch_job *batch_job_new(void);
void batch_job_free(struct batch_job *job);

// Books it. False: somebody else holds a row for longer than an impatient batch waits; nothing is booked, nobody is
// answered, and it may be run again. Worker thread.
MUST_CHECK bool batch_job_run(struct batch_job *job, struct worker *worker, bool is_patient);

// --- The steps of the strategy. Each answers TRANSFER_GOES_ON, or what ends the attempt: SUCCESS when every transfer
// has an outcome of its own, else the outcome of all of them. ---

// Whether a transfer came with a debug delay, which wants to be waited for with the locks held.
MUST_CHECK bool batch_wants_delay(const struct batch *batch);
// Books all of them in one statement, if every one is covered when its turn comes: one round trip. GOES_ON: not all
// are, nothing is written.
MUST_CHECK enum transfer_outcome batch_book_if_all_covered(struct batch *batch);

// Begins, locks every account of the batch in the order of all, and reads the balances: one round trip.
MUST_CHECK enum transfer_outcome batch_lock_and_read(struct batch *batch);
// The longest debug delay that one of the transfers came with.
void batch_delay(struct batch *batch);
// Judges each transfer against what those before it left.
void batch_judge(struct batch *batch);
// Writes every balance once, every record, and commits: one round trip. SUCCESS, or what went wrong.
MUST_CHECK enum transfer_outcome batch_book_and_commit(struct batch *batch);

#endif
