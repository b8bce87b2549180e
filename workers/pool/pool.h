// The pool: worker threads, the database sessions and gates they use, and the queue of transfers before it.
//
// Loop thread only. Transfers run on at most pool_transfer_slots() threads at once; the others wait, bounded in number.
// A transfer that finds the queue full waits a bounded time for room in it (pool_overflow.c).
// A strategy may limit how many transfers of one source account run at once, or post those that wait together in a
// batch. Every other kind of job (job.h) has a bounded queue and one thread of its own, and shares the reserve with the
// other kinds. pool_schedule.c has the rules.
#ifndef WORKERS_POOL_POOL_H
#define WORKERS_POOL_POOL_H

#include "workers/bank/bank.h"
#include "workers/gate/gate.h"
#include "workers/jobs/jobs.h"
#include "workers/pool/database_watch.h"

#include <uv.h>

struct pool_options {
    uv_loop_t *loop;
    const char *database_url; // or NULL: libpq's PG* variables
    const char *standby_url;  // or NULL: see db_use_standby()
    const char *schema;       // or NULL: see db_use_schema()
    unsigned threads;         // WORKER_THREADS_MIN .. WORKER_THREADS_MAX
    unsigned queue_limit;     // transfers that may wait for a slot
    struct bank_metrics *metrics;
};

enum pool_admission {
    POOL_ADMITTED,   // running, in the queue, or waiting for room in it; `finished` will be called
    POOL_QUEUE_FULL, // not taken: too many wait for room in the queue. The job still belongs to the caller
    POOL_CLOSED,     // not taken: the program is stopping
};

// Before any other use of libuv's thread pool in this process.
MUST_CHECK struct pool *pool_new(const struct pool_options *options);
void pool_free(struct pool *pool); // idle

MUST_CHECK unsigned pool_transfer_slots(const struct pool *pool);
MUST_CHECK unsigned pool_threads(const struct pool *pool); // as in the options
// Database sessions at most: one for each thread, those included that the pool adds for each other kind of job, and
// as many at the standby if there is one.
MUST_CHECK unsigned pool_sessions(const struct pool *pool);
MUST_CHECK struct gate *pool_gate(struct pool *pool);
MUST_CHECK struct db *pool_database(struct pool *pool);

// The same as db_problem() and db_is_at_connection_limit() of workers/database.
void pool_database_problem(struct pool *pool, struct text *out);
MUST_CHECK bool pool_is_at_connection_limit(struct pool *pool);

// Submits any job but a transfer. `finished` is called exactly once: immediately with DB_NOT_ASKED if the job's queue
// is full or the program is stopping. Reads of single accounts that arrive while another one runs are made together,
// and so are resets and scrapes.
void pool_submit(struct pool *pool, struct job *job);
// If no room is found in time, the job ends with TRANSFER_QUEUE_FULL, and `retry_after_s` says when to try again.
MUST_CHECK enum pool_admission pool_submit_transfer(struct pool *pool, struct transfer_job *job);

// Sets the gauges that are read, not counted: queue, transfers in progress, barrier, sessions.
void pool_refresh_gauges(struct pool *pool);

// Accepts no more transfers, finishes the queued ones as cancelled, and opens the gates. Other jobs are still accepted
// if a thread is free for them immediately, but none waits in a queue.
void pool_close(struct pool *pool);
// Aborts all waits for the database: running jobs end with an error.
void pool_abort(struct pool *pool);
// True if no job is queued or running.
MUST_CHECK bool pool_is_idle(const struct pool *pool);
// Closes the pool's handles on the loop. Once, when it is closed and idle, before the loop can end.
void pool_leave_loop(struct pool *pool);
// Called on the loop whenever a job has finished; NULL for none. For the shutdown.
void pool_on_finished(struct pool *pool, void (*callback)(void *owner), void *owner);

#endif
