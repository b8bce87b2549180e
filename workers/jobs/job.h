// A job: the typed baton between the loop and a worker. The loop fills its inputs and submits it; one worker runs
// it; the loop takes its outputs. Never two of them at once, so nothing in it needs a lock.
#ifndef WORKERS_JOBS_JOB_H
#define WORKERS_JOBS_JOB_H

#include "observability/metrics/metrics.h"
#include "workers/bank/bank.h"
#include "workers/database/database.h"
#include "workers/transfer/transfer.h"

#include <stddef.h>
#include <uv.h>

struct pool;
struct job;

// A worker thread's own things. Made with the pool; used by one thread.
struct worker {
    char name[THREAD_ID_LENGTH]; // "worker-3"
    struct db_session *session;  // while a job runs
    struct gate *gate;
};

// What a job does. The pool has a queue and a worker thread of its own for each kind but the last (pool_jobs.c).
enum job_kind {
    JOB_WATCH,        // is the database there?
    JOB_ACCOUNT,      // GET /accounts/{id}
    JOB_ACCOUNTS,     // GET /accounts
    JOB_TRANSACTIONS, // GET /transactions
    JOB_RACES,        // GET /races
    JOB_RACE,         // GET /races/{transfer_id}
    JOB_AUDIT,        // GET /audit
    JOB_SCRAPE,       // GET /metrics
    JOB_RESET,        // POST /reset
    JOB_TRANSFER,     // POST /transfer, and the writers of batches: they share the slots for transfers
};

#define JOB_OWN_THREADS ((unsigned)JOB_TRANSFER)

struct job {
    uv_work_t work;
    struct pool *pool;
    enum job_kind kind;
    struct job *next;      // of the pool: in a queue, or among the jobs that are answered together
    uint64_t submitted_ms; // of the pool: loop time
    void (*run)(struct job *job, struct worker *worker); // on a worker
    void (*finished)(struct job *job);                   // on the loop; frees the job
    void *owner;                                         // loop only: who waits for the answer; NULL once nobody does
    enum db_status database;                             // of its last dealings with the database
    unsigned timeout_ms;                                 // for its dealings with the database; of a transfer: for each
    bool is_long;                                        // may stand at a gate between two answers
    struct statement_log statements;
    // Of a kind that is run once for all that wait (pool_merged.c): copies the outputs of the job that was run, on the loop.
    void (*answer_like)(struct job *job, struct job *done);
    bool ran_in_another; // its outputs are such a copy
};

// For those who make kinds of jobs: sets what the job does on its worker, and its default timeout.
void job_init(struct job *job, enum job_kind kind, void (*run)(struct job *job, struct worker *worker));
// On the worker: runs a query that changes nothing, or may be done twice; on a new connection if the old one had died
// unnoticed.
void job_query(struct job *job, struct worker *worker,
               enum db_status (*query)(struct job *job, struct db_session *session));

// What the watch asks: whether the database answers and takes writes; whether it has the schema, which is made if not;
// and, of a database that has refused writes, whether there is room on its disk again.
enum watch_question { WATCH_PING, WATCH_SCHEMA, WATCH_SCHEMA_AND_ROOM };

struct transfer_trace;
struct events;
struct lane;

struct transfer_job {
    struct job job;
    struct transfer_job *next_waiting; // of the pool: in a queue or a lane
    struct lane *lane;                 // of the pool: that it came by, or NULL
    bool at_gate;                      // of the pool: passes the barrier only, to be booked in a batch afterwards
    bool passed_gate;                  // of the pool: and has done so
    struct transfer_trace *trace;      // the server's, or NULL
    struct events *events;             // the server's: who is told of its end
    struct transfer_request request;   // in
    struct transfer_result result;     // out
};

// GET /accounts, GET /accounts/{id} (with `id` set) and POST /reset.
struct accounts_job {
    struct job job;
    char id[ACCOUNT_ID_MAX + 1];
    struct account_list accounts; // out
    enum reset_doubt doubt;       // out, of a reset
    struct events *events;        // the server's, of a reset: who is told of it
};

struct transactions_job {
    struct job job;
    unsigned limit;
    struct transfer_record_list records; // out
};

// What a scrape of /metrics needs from a thread that may block.
struct scrape_job {
    struct job job;
    struct account_list accounts;  // out
    int64_t money_drift;           // out, cents
    struct process_sample process; // out
};

// Each is made with everything zero, its `run` set and its default timeout. The caller sets `finished`, `owner`
// and the inputs, submits it to the pool, and frees it in `finished`.
MUST_CHECK struct transfer_job *transfer_job_new(void);
// Makes the transfer's run a pass of the barrier, and nothing else.
void transfer_job_pass_gate(struct transfer_job *transfer);
MUST_CHECK struct accounts_job *accounts_job_new(const char *id); // NULL: all of them
MUST_CHECK struct accounts_job *reset_job_new(void);
MUST_CHECK struct transactions_job *transactions_job_new(unsigned limit);
MUST_CHECK struct scrape_job *scrape_job_new(void);
MUST_CHECK struct job *watch_job_new(enum watch_question question);

void transfer_job_free(struct transfer_job *job);
void accounts_job_free(struct accounts_job *job);
void transactions_job_free(struct transactions_job *job);
void scrape_job_free(struct scrape_job *job);
void watch_job_free(struct job *job);

#endif
