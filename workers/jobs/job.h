// A job is the unit of work that the loop gives to a worker. The loop fills its inputs and submits it; one worker runs
// it; the loop takes its outputs. The two never use it at the same time, so nothing in it needs a lock.
//
// Each kind of job has a file of its own beside this one. A *_new function returns a job with everything zero but its
// `run` and its default timeout. The caller sets `finished`, `owner` and the inputs, submits the job to the pool, and
// frees it in `finished` with the *_free function of the kind. Both functions are called on the loop.
#ifndef WORKERS_JOBS_JOB_H
#define WORKERS_JOBS_JOB_H

#include "observability/base/base.h"
#include "workers/database/database.h"
#include "workers/transfer/transfer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct gate;
struct pool;
struct job;

// The data of one worker thread. Made with the pool; only that thread uses it.
struct worker {
    char name[THREAD_ID_LENGTH]; // "worker-3"
    struct db_session *session;  // while a job runs
    struct gate *gate;
};

// The kinds of jobs. The pool has a queue and a worker thread of its own for each kind but the last (pool_jobs.c). A
// new GET may share the kind of another that reads the same tables.
enum job_kind {
    JOB_WATCH,        // asks whether the database can serve
    JOB_ACCOUNT,      // GET /accounts/{id}
    JOB_ACCOUNTS,     // GET /accounts
    JOB_TRANSACTIONS, // GET /transactions, GET /transfers/{transfer_id}
    JOB_RACES,        // GET /races
    JOB_RACE,         // GET /races/{transfer_id}
    JOB_AUDIT,        // GET /audit
    JOB_SCRAPE,       // GET /metrics
    JOB_RESET,        // POST /reset
    JOB_TRANSFER,     // POST /transfer, and the batches: they share the slots for transfers
};

#define JOB_OWN_THREADS ((unsigned)JOB_TRANSFER)

STAILQ_HEAD(job_list, job);

struct job {
    uv_work_t work;
    struct pool *pool;
    enum job_kind kind;
    STAILQ_ENTRY(job) next; // used by the pool: in a queue, or among the jobs that are answered together
    uint64_t submitted_ms;  // used by the pool: loop time
    void (*run)(struct job *job, struct worker *worker); // on a worker; NULL: the pool runs jobs of this kind together
    void (*finished)(struct job *job);                   // on the loop; frees the job
    void *owner;             // loop only: the connection that waits for the answer; NULL if none waits any more
    enum db_status database; // the status of its last database call
    unsigned timeout_ms;     // see job_init()
    bool may_block_at_gate;  // may block at a gate between two statements
    struct statement_trace statements;
    // Set for a kind that is run once for all jobs that wait (pool_jobs.c), if the jobs can differ. On the loop, before
    // the run: the job that is run takes over what another one asks for.
    void (*run_for)(struct job *job, struct job *other);
    // Set for such a kind. On the loop: copies the outputs of the job
    // that was run.
    void (*answer_like)(struct job *job, struct job *done);
    bool ran_in_another; // the outputs are such a copy
};

// For the kinds of jobs: sets what the job does on its worker, and the default of its `timeout_ms`. PostgreSQL has that
// time for each answer. It is also the limit of all database work of the job, unless the job may block at a gate: then
// TRANSFER_TIMEOUT_MS is the limit.
void job_init(struct job *job, enum job_kind kind, void (*run)(struct job *job, struct worker *worker));

// On the worker: runs a query that changes nothing, or that may run twice. It runs again on a new connection if the old
// one had died unnoticed.
void job_query(struct job *job, struct worker *worker,
               enum db_status (*query)(struct job *job, struct db_session *session));
// The same on a session that is usable before the schema exists.
void job_query_any_schema(struct job *job, struct worker *worker,
                          enum db_status (*query)(struct job *job, struct db_session *session));

#endif
