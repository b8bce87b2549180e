// What the pool's files share, and nobody else includes.
#ifndef WORKERS_POOL_POOL_INTERNAL_H
#define WORKERS_POOL_POOL_INTERNAL_H

#include "workers/batch/batch.h"
#include "workers/pool/lanes.h"
#include "workers/pool/pool.h"

#include <stdatomic.h>

// The jobs of one kind. Between two calls: admitted - finished == waiting + running.
struct job_queue {
    struct job *first, *last; // waiting, in arrival order
    unsigned waiting;
    unsigned running; // taken out of the queue by a thread and not finished
    unsigned threads; // that work on them: the first is the kind's own, the others are of the reserve
    uint64_t admitted, finished;
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
    unsigned slots;
    unsigned slots_taken;
    unsigned transfers_running; // a batch takes one slot for many
    unsigned jobs;              // that somebody waits for, and the writers; queued or running
    bool closed;
    void (*on_finished)(void *owner);
    void *on_finished_owner;

    // Who waits (pool_queue.c):
    unsigned waiting; // transfers in the queue and the lanes
    unsigned queue_limit;
    struct transfer_job *queue_first; // for a slot, in arrival order
    struct transfer_job *queue_last;
    struct lanes *lanes;
    bool batch_is_next; // whose turn a free slot is, if both a queued transfer and a batch want it

    // Who wants to be booked in a batch (pool_batches.c):
    struct lane *ready_first; // lanes that want a batch, in the order they came to
    struct lane *ready_last;
    struct batch_writer *writer; // NULL: none runs
    unsigned patient_running;
    struct batch_writer *patient_first; // patient writers that wait for a slot
    struct batch_writer *patient_last;
    uv_check_t gather;     // runs while lanes are ready and no writer runs: at the end of a turn of the loop
    uv_idle_t gather_idle; // and keeps the loop from sleeping meanwhile
    unsigned gather_turns; // how long it has
    bool gathered_more;    // in this turn of the loop
    uv_async_t booked;     // a writer has put something into the list below
    uv_mutex_t booked_mutex;
    struct batch_job *booked_first; // in the order of booking
    struct batch_job *booked_last;

    // Jobs that are no transfers (pool_jobs.c):
    struct job_queue queues[JOB_OWN_THREADS];
    unsigned reserve; // threads that all kinds share, beyond the one that each has
    unsigned reserve_taken;
    uint64_t reads_started_ms; // loop time of the last read for many (pool_reads.c)
};

// --- pool.c ---
// Takes a slot and starts the job.
void pool_start_in_slot(struct pool *pool, struct job *job, uv_after_work_cb after);
void pool_transfer_done(uv_work_t *work, int status);
// The end of a transfer: its owner is told, and frees it.
void pool_finish_transfer(struct pool *pool, struct transfer_job *transfer);

// The end of any job.
void pool_finish(struct pool *pool, struct job *job);
// Hands it to libuv.
void pool_start(struct pool *pool, struct job *job, uv_after_work_cb after);

// Something that callers may wait for is over.
void pool_job_ended(struct pool *pool);

// --- pool_jobs.c ---
// A thread of this kind is free again: starts the jobs that waited for it.
void pool_give_thread(struct pool *pool, enum job_kind kind);
// Takes all jobs out of a queue, for one thread: the first of a list.
MUST_CHECK struct job *job_queue_take_all(struct job_queue *queue);
// Before a job's `finished` is called.
void pool_count_finished(struct pool *pool, enum job_kind kind);
// The program stops: what cannot be started now is finished as not asked.
void pool_cancel_jobs(struct pool *pool);
// No job is in a queue or on a thread.
MUST_CHECK bool pool_queues_are_idle(const struct pool *pool);

// --- pool_merged.c ---
// Whether one run of this kind of job is for all that wait.
MUST_CHECK bool pool_is_merged(enum job_kind kind);
// One thread for all that wait in the queue, which is not empty.
void pool_start_merged(struct pool *pool, enum job_kind kind);

// --- pool_reads.c ---
// Whether another read for many may begin beside those that run.
MUST_CHECK bool pool_read_is_due(const struct pool *pool);
// One thread for all that wait in the queue, which is not empty.
void pool_start_read(struct pool *pool);

// --- pool_batches.c ---
void pool_batches_init(struct pool *pool);
// Into its lane, and on to a writer.
void pool_place_in_batch(struct pool *pool, struct lane *lane, struct transfer_job *transfer);
// Whether somebody wants a batch, and there is a slot and a writer for it; starts that writer.
MUST_CHECK bool pool_batch_can_start(const struct pool *pool);
void pool_start_batch(struct pool *pool);
// What no writer has begun with goes back to its lanes.
void pool_put_back_batches(struct pool *pool);
// The lane that is first in the line for a batch, out of it; NULL: none is.
struct lane *pool_next_ready_lane(struct pool *pool);

// --- pool_queue.c ---
// Lets it onto a worker, into the queue or into its lane.
void pool_place(struct pool *pool, struct transfer_job *transfer);
// A transfer of this lane left its worker.
void pool_leave_lane(struct pool *pool, struct lane *lane);
// Gives the free slots away.
void pool_fill_slots(struct pool *pool);
// The next of those that wait, whatever it waits for; NULL: nobody does.
MUST_CHECK struct transfer_job *pool_take_any(struct pool *pool);

#endif
