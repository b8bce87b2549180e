// Hands jobs to libuv's threads and takes them back. Loop thread, but for the functions that say so.
#include "observability/log/log.h"
#include "workers/limits.h"
#include "workers/pool/pool_internal.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static_assert(WORKER_THREADS_MAX + JOB_OWN_THREADS <= 1024, "libuv clamps its pool to 1024 threads");

// The worker that this thread is. Libuv does not number its threads, so each takes the next number at its first job.
static struct worker *worker_of_this_thread(struct pool *pool) {
    static _Thread_local struct worker *worker;
    if (worker == NULL) {
        unsigned index = atomic_fetch_add(&pool->workers_named, 1);
        CHECK(index < pool->all_threads);
        worker = &pool->workers[index];
        (void)pthread_setname_np(pthread_self(), worker->name);
    }
    return worker;
}

static void run_with_session(struct job *job, struct worker *worker) {
    unsigned job_ms = job->may_block_at_gate ? TRANSFER_TIMEOUT_MS : job->timeout_ms;
    worker->session = db_session_take(job->pool->db);
    db_session_begin_job(worker->session, &job->statements, job->timeout_ms, job_ms);
    job->run(job, worker);
    db_session_end_job(worker->session);
    db_session_give(worker->session);
}

// On a worker.
static void work_job(uv_work_t *work) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    run_with_session(job, worker_of_this_thread(job->pool));
}

// On a worker. Each batch is a job of its own, so that jobs that wait for a session get theirs between two batches.
static void work_batches(uv_work_t *work) {
    struct pool *pool = CONTAINER_OF(work, struct job, work)->pool;
    struct worker *worker = worker_of_this_thread(pool);
    struct batch *batch = NULL;
    while ((batch = batch_mailbox_exchange(&pool->mailbox, batch)) != NULL) {
        run_with_session(&batch->job, worker);
    }
}

static void start_on_thread(struct pool *pool, struct job *job, uv_after_work_cb after) {
    uv_work_cb work = job == &pool->batch_worker ? work_batches : work_job;
    CHECK(uv_queue_work(pool->loop, &job->work, work, after) == 0);
}

struct pool *pool_new(const struct pool_options *options) {
    CHECK(options->threads >= WORKER_THREADS_MIN && options->threads <= WORKER_THREADS_MAX);
    unsigned all_threads = options->threads + JOB_OWN_THREADS;
    char threads[16];
    (void)snprintf(threads, sizeof threads, "%u", all_threads);
    CHECK(setenv("UV_THREADPOOL_SIZE", threads, 1) == 0); // libuv reads it once, at the first job
    struct pool *pool = memory_allocate_zeroed(sizeof *pool);
    pool->loop = options->loop;
    pool->db = db_new(options->database_url, all_threads);
    db_use_schema(pool->db, options->schema);
    if (options->standby_url != NULL) {
        db_use_standby(pool->db, options->standby_url);
    }
    pool->gate = gate_new();
    pool->metrics = options->metrics;
    pool->threads = options->threads;
    pool->all_threads = all_threads;
    pool->slots = TRANSFER_SLOTS(options->threads);
    pool->reserve = WORKER_RESERVE(options->threads);
    pool->queue_limit = options->queue_limit;
    pool->start = start_on_thread;
    pool_transfers_init(pool);
    pool_overflow_init(pool);
    pool_jobs_init(pool);
    pool->workers = memory_allocate_zeroed(all_threads * sizeof *pool->workers);
    for (unsigned i = 0; i < all_threads; i++) {
        struct worker *worker = &pool->workers[i];
        (void)snprintf(worker->name, sizeof worker->name, "worker-%u", i + 1);
        worker->gate = pool->gate;
    }
    return pool;
}

void pool_free(struct pool *pool) {
    CHECK(pool_is_idle(pool) && pool->slots_taken == 0 && pool->reserve_taken == 0);
    CHECK(account_queues_are_empty(&pool->queues));
    batch_mailbox_free(&pool->mailbox);
    gate_free(pool->gate);
    db_free(pool->db);
    free(pool->workers);
    free(pool);
}

unsigned pool_transfer_slots(const struct pool *pool) {
    return pool->slots;
}

unsigned pool_threads(const struct pool *pool) {
    return pool->threads;
}

unsigned pool_sessions(const struct pool *pool) {
    return pool->all_threads * (db_has_standby(pool->db) ? 2 : 1);
}

struct gate *pool_gate(struct pool *pool) {
    return pool->gate;
}

struct db *pool_database(struct pool *pool) {
    return pool->db;
}

void pool_database_problem(struct pool *pool, struct text *out) {
    db_problem(pool->db, out);
}

bool pool_is_at_connection_limit(struct pool *pool) {
    return db_is_at_connection_limit(pool->db);
}

enum pool_admission pool_submit_transfer(struct pool *pool, struct transfer_job *transfer) {
    if (pool->closed) {
        return POOL_CLOSED;
    }
    pool_count_taken(pool);
    transfer->job.pool = pool;
    if (pool->overflow.count == 0 && pool_queue_has_room(pool)) {
        pool->transfers.admitted++;
        pool_place(pool, transfer);
    } else if (!pool_overflow_put(pool, transfer)) {
        return POOL_QUEUE_FULL;
    }
    pool_schedule(pool);
    return POOL_ADMITTED;
}

void pool_refresh_gauges(struct pool *pool) {
    pool_count_taken(pool);
    struct db_counts sessions = db_count_sessions(pool->db);
    bank_metrics_set_gauges(pool->metrics, &(struct bank_gauges){
                                               .transfers_running = pool->transfers.running,
                                               .transfers_queued = pool->transfers.waiting,
                                               .transfers_overflowed = pool->overflow.count,
                                               .barrier_waiting = gate_barrier_waiting(pool->gate),
                                               .sessions_idle = sessions.idle,
                                               .sessions_in_use = sessions.in_use,
                                               .sessions_refused = pool_is_at_connection_limit(pool),
                                           });
}

void pool_close(struct pool *pool) {
    pool->closed = true;
    gate_open_for_shutdown(pool->gate);
    struct transfer_list cancelled = STAILQ_HEAD_INITIALIZER(cancelled);
    struct job_list refused = STAILQ_HEAD_INITIALIZER(refused);
    pool_take_waiting(pool, &cancelled);
    pool_overflow_take_all(pool, &cancelled);
    pool_schedule(pool); // the reads of single accounts that wait may have one more thread now
    for (size_t kind = 0; kind < JOB_OWN_THREADS; kind++) {
        job_queue_take_all(&pool->kinds[kind], &refused);
    }
    struct transfer_job *transfer;
    while ((transfer = STAILQ_FIRST(&cancelled)) != NULL) {
        STAILQ_REMOVE_HEAD(&cancelled, waiting);
        transfer->result.outcome = TRANSFER_CANCELLED;
        pool_finish(pool, &transfer->job);
    }
    pool_refuse(pool, &refused);
}

void pool_abort(struct pool *pool) {
    uint64_t unfinished = pool_unfinished(pool);
    if (unfinished > 0) {
        log_write(LOG_LEVEL_WARN, NULL, "Giving up on %" PRIu64 " jobs that wait for the database", unfinished);
    }
    db_abort(pool->db);
}
