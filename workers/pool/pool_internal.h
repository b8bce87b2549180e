// The pool's state, and the functions that its files share. Private to this folder.
//
// pool.c           the threads: hands a job to a thread; submit, close, abort
// pool_schedule.c  the scheduler: decides which work gets a thread
// pool_transfers.c transfers and batches: arrive, are put into queues, start, end
// pool_jobs.c      jobs of the other kinds: likewise
// pool_reads.c     one read of single accounts for all clients that wait
// pool_finish.c    the end of jobs
// account_queue.c  the queue of one source account and strategy
// batch_mailbox.c  batches on their way to the worker that posts them, and back
// job_queue.c      the queue of one kind of job
//
// A callback of the loop changes the state of queues, batches and counters, then calls pool_schedule(), then answers
// clients. Only the scheduler starts work, or leaves it for the worker of the batches.
#ifndef WORKERS_POOL_POOL_INTERNAL_H
#define WORKERS_POOL_POOL_INTERNAL_H

#include "workers/pool/account_queue.h"
#include "workers/pool/batch_mailbox.h"
#include "workers/pool/pool.h"

#include <stdatomic.h>
#include <sys/queue.h>

// At the end of the scheduler: admitted - finished == waiting + running.
struct job_counts {
    uint64_t admitted, finished;
    unsigned waiting;
    unsigned running; // on a worker, or back from it and not answered yet
};

// The jobs of one kind.
struct job_queue {
    struct job_list jobs; // that wait, in the order of arrival
    struct job_counts counts;
    unsigned threads; // that work on the kind: the first is its own, the others are of the reserve
};

// The users of a slot. The scheduler asks the three in turn, so that none of them waits for ever.
enum slot_user { SLOT_FOR_LINE, SLOT_FOR_BATCH, SLOT_FOR_ALONE, SLOT_USERS };

STAILQ_HEAD(transfer_list, transfer_job);

// The transfers that found the queue full (pool_overflow.c).
struct overflow {
    struct transfer_list transfers; // in the order of arrival
    unsigned count;
    uint64_t moved;   // transfers that went from here to the queue, since the start
    uint64_t refused; // transfers that were refused, since the start
    uv_timer_t timer; // active while a transfer waits; at the latest, it is called when the first has waited enough
};

struct pool {
    uv_loop_t *loop;
    struct db *db;
    struct gate *gate;
    struct bank_metrics *metrics;
    struct worker *workers;
    unsigned threads;               // WORKER_THREADS: those of the slots and of the reserve
    unsigned all_threads;           // and one for each kind of job that has its own
    _Atomic unsigned workers_named; // by the worker threads, each once
    bool closed;
    void (*on_finished)(void *owner);
    void *on_finished_owner;
    // Runs the job on a thread and calls `after` on the loop. The tests of the scheduler put their own here.
    void (*start)(struct pool *pool, struct job *job, uv_after_work_cb after);

    // Transfers. Each waits in the line, in an account queue, or in a queue first and in the line afterwards.
    unsigned slots; // threads for transfers
    unsigned slots_taken;
    unsigned queue_limit;
    struct job_counts transfers; // `admitted` has those in the overflow as well
    struct overflow overflow;
    struct transfer_list line; // for a slot, in the order of arrival
    struct account_queues queues;
    enum slot_user turn;     // the slot user that is asked first
    struct job batch_worker; // posts batches, one after the other, in one slot
    bool batch_worker_runs;  // until its after-work callback
    struct batch_mailbox mailbox;
    unsigned alone_running; // transfers that wait alone for a row that another session holds
    uv_idle_t window;       // the micro-batch window; it is active while the window is open

    // Jobs of the other kinds.
    struct job_queue kinds[JOB_OWN_THREADS];
    unsigned reserve; // threads that all kinds share, beyond the one that each has
    unsigned reserve_taken;
    enum job_kind last_kind;   // the kind that gave a thread back last
    uint64_t reads_started_ms; // loop time of the last read for many
};

// --- pool_schedule.c ---
// Gives free threads to the work that waits. At the end of every callback of the loop that has changed the state of a
// queue or freed a thread, and before clients are answered: an answer can bring the next request.
void pool_schedule(struct pool *pool);

// --- pool_finish.c ---
// The end of any job but a batch. Its owner gets the answer and frees it.
void pool_finish(struct pool *pool, struct job *job);
// Finishes jobs that were not run, with DB_NOT_ASKED.
void pool_refuse(struct pool *pool, struct job_list *jobs);
MUST_CHECK uint64_t pool_unfinished(const struct pool *pool);
// Calls the callback of pool_on_finished().
void pool_report_finished(struct pool *pool);

// --- pool_transfers.c ---
void pool_transfers_init(struct pool *pool);
// A transfer arrives, from a client or from the gate.
void pool_place(struct pool *pool, struct transfer_job *transfer);
// Starts the transfer in a slot.
void pool_start_transfer(struct pool *pool, struct transfer_job *transfer);
// Fills a batch from the queues that are BATCHABLE, and starts the worker that posts it in a slot.
void pool_start_batches(struct pool *pool);
// Adds transfers of the queues that are BATCHABLE to the next batch of that worker, while it still takes one.
void pool_add_to_next_batch(struct pool *pool);
// Counts the transfers that the worker has taken as running.
void pool_count_taken(struct pool *pool);
// Takes every waiting transfer out, for the shutdown.
void pool_take_waiting(struct pool *pool, struct transfer_list *taken);
MUST_CHECK bool pool_window_is_open(const struct pool *pool);

// --- pool_overflow.c ---
void pool_overflow_init(struct pool *pool);
// Whether one more transfer may wait for a slot.
MUST_CHECK bool pool_queue_has_room(const struct pool *pool);
// A transfer arrives and finds the queue full, or others that wait for room. False: too many do; it is not taken, and
// its `retry_after_s` is set.
MUST_CHECK bool pool_overflow_put(struct pool *pool, struct transfer_job *transfer);
// Moves transfers to the queue while it has room. A transfer whose client has left goes to
// `abandoned` instead.
void pool_overflow_admit(struct pool *pool, struct transfer_list *abandoned);
// Takes all out, for the shutdown.
void pool_overflow_take_all(struct pool *pool, struct transfer_list *taken);
// Finishes transfers that were taken out without being run: nothing was transferred.
void pool_overflow_finish(struct pool *pool, struct transfer_list *refused, enum overflow_end end);
// The Retry-After of a transfer in seconds: `moved` transfers went to the queue in `waited_ms`, and `ahead` clients
// would stand before this one if it came back now. `turn` spreads those for whom nothing is known.
MUST_CHECK unsigned pool_overflow_retry_after_s(uint64_t ahead, uint64_t moved, uint64_t waited_ms, uint64_t turn);

// --- pool_jobs.c ---
void pool_jobs_init(struct pool *pool);
// Whether a thread may start on this kind of job now.
MUST_CHECK bool pool_kind_has_thread(const struct pool *pool, enum job_kind kind);
// Gives a thread to the kind, whose queue is not empty. Jobs that have waited too long go to `expired` instead.
void pool_start_kind(struct pool *pool, enum job_kind kind, struct job_list *expired);

// --- job_queue.c ---
MUST_CHECK struct job *job_queue_take(struct job_queue *queue); // the first, which must be there
// Takes all waiting jobs out, for one thread or for the shutdown.
void job_queue_take_all(struct job_queue *queue, struct job_list *taken);
void pool_take_thread(struct pool *pool, struct job_queue *queue);
void pool_give_back_thread(struct pool *pool, enum job_kind kind);

// --- pool_reads.c ---
// Whether another read for many may begin beside those that run.
MUST_CHECK bool pool_read_is_due(const struct pool *pool);
// Starts one read for all readers in the queue, which is not empty.
void pool_start_read(struct pool *pool);

#endif
