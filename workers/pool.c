// Hands jobs to libuv's threads and takes them back. Loop thread, but for pool_work().
#include "pool.h"

#include "bank_limits.h"
#include "log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct pool {
    uv_loop_t *loop;
    struct db *db;
    struct gate *gate;
    struct bank_metrics *metrics;
    struct worker *workers;
    unsigned threads;
    _Atomic unsigned workers_named; // by the worker threads, each once
    unsigned slots;
    unsigned slots_taken;
    struct job *queue_first; // transfers waiting for a slot, in arrival order
    struct job *queue_last;
    unsigned queue_length;
    unsigned queue_limit;
    unsigned jobs; // queued or running, of all kinds
    bool closed;
    void (*on_finished)(void *owner);
    void *on_finished_owner;
};

struct pool *pool_new(const struct pool_options *options) {
    CHECK(options->threads >= WORKER_THREADS_MIN && options->threads <= WORKER_THREADS_MAX);
    char threads[16];
    (void)snprintf(threads, sizeof threads, "%u", options->threads);
    CHECK(setenv("UV_THREADPOOL_SIZE", threads, 1) == 0); // libuv reads it once, at the first job
    struct pool *pool = memory_allocate_zeroed(sizeof *pool);
    pool->loop = options->loop;
    pool->db = db_new(options->database_url, options->threads);
    pool->gate = gate_new();
    pool->metrics = options->metrics;
    pool->threads = options->threads;
    pool->slots = TRANSFER_SLOTS(options->threads);
    pool->queue_limit = options->queue_limit;
    pool->workers = memory_allocate_zeroed(options->threads * sizeof *pool->workers);
    for (unsigned i = 0; i < options->threads; i++) {
        struct worker *worker = &pool->workers[i];
        (void)snprintf(worker->name, sizeof worker->name, "worker-%u", i + 1);
        worker->session = db_session_of(pool->db, i);
        worker->gate = pool->gate;
    }
    return pool;
}

void pool_free(struct pool *pool) {
    CHECK(pool_is_idle(pool));
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

struct gate *pool_gate(struct pool *pool) {
    return pool->gate;
}

bool pool_is_idle(const struct pool *pool) {
    return pool->jobs == 0;
}

void pool_on_finished(struct pool *pool, void (*callback)(void *owner), void *owner) {
    pool->on_finished = callback;
    pool->on_finished_owner = owner;
}

// The worker that this thread is. Libuv does not number its threads, so each takes the next number at its first job.
static struct worker *worker_of_this_thread(struct pool *pool) {
    static _Thread_local struct worker *worker;
    if (worker == NULL) {
        unsigned index = atomic_fetch_add(&pool->workers_named, 1);
        CHECK(index < pool->threads);
        worker = &pool->workers[index];
        (void)pthread_setname_np(pthread_self(), worker->name);
    }
    return worker;
}

// On a worker.
static void pool_work(uv_work_t *work) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    struct worker *worker = worker_of_this_thread(job->pool);
    // A transfer may stand at a gate between two answers; every other job is one piece of work.
    unsigned job_ms = job->is_transfer ? TRANSFER_TIMEOUT_MS : job->timeout_ms;
    db_session_begin_job(worker->session, &job->statements, job->timeout_ms, job_ms);
    job->run(job, worker);
    db_session_end_job(worker->session);
}

static void pool_finish(struct pool *pool, struct job *job) {
    pool->jobs--;
    job->finished(job); // frees the job
    if (pool->on_finished != NULL) {
        pool->on_finished(pool->on_finished_owner);
    }
}

static void pool_start(struct pool *pool, struct job *job);

static void pool_release_slot(struct pool *pool) {
    pool->slots_taken--;
    struct job *next = pool->queue_first;
    if (next == NULL) {
        return;
    }
    pool->queue_first = next->next_queued;
    if (pool->queue_first == NULL) {
        pool->queue_last = NULL;
    }
    pool->queue_length--;
    pool->slots_taken++;
    pool_start(pool, next);
}

static void pool_after_work(uv_work_t *work, int status) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    struct pool *pool = job->pool;
    CHECK(status == 0); // jobs are cancelled in our queue, never in libuv's
    bank_metrics_publish_statements(pool->metrics, &job->statements);
    if (job->is_transfer) {
        struct transfer_job *transfer = CONTAINER_OF(job, struct transfer_job, job);
        bank_metrics_publish_transfer(pool->metrics, &transfer->request, &transfer->result);
        pool_release_slot(pool);
    }
    pool_finish(pool, job);
}

static void pool_start(struct pool *pool, struct job *job) {
    CHECK(uv_queue_work(pool->loop, &job->work, pool_work, pool_after_work) == 0);
}

void pool_submit(struct pool *pool, struct job *job) {
    job->pool = pool;
    pool->jobs++;
    pool_start(pool, job);
}

enum pool_admission pool_submit_transfer(struct pool *pool, struct transfer_job *transfer) {
    struct job *job = &transfer->job;
    if (pool->closed) {
        return POOL_CLOSED;
    }
    if (pool->slots_taken < pool->slots) {
        pool->slots_taken++;
        pool_submit(pool, job);
        return POOL_ADMITTED;
    }
    if (pool->queue_length == pool->queue_limit) {
        return POOL_QUEUE_FULL;
    }
    job->pool = pool;
    pool->jobs++;
    pool->queue_length++;
    if (pool->queue_last == NULL) {
        pool->queue_first = job;
    } else {
        pool->queue_last->next_queued = job;
    }
    pool->queue_last = job;
    return POOL_ADMITTED;
}

void pool_refresh_gauges(struct pool *pool) {
    struct db_counts sessions = db_count_sessions(pool->db);
    bank_metrics_set_gauges(pool->metrics, &(struct bank_gauges){
                                               .transfers_running = pool->slots_taken,
                                               .transfers_queued = pool->queue_length,
                                               .barrier_waiting = gate_barrier_waiting(pool->gate),
                                               .sessions_idle = sessions.idle,
                                               .sessions_in_use = sessions.in_use,
                                           });
}

void pool_close(struct pool *pool) {
    pool->closed = true;
    gate_open_for_shutdown(pool->gate);
    struct job *job = pool->queue_first;
    pool->queue_first = NULL;
    pool->queue_last = NULL;
    pool->queue_length = 0;
    while (job != NULL) {
        struct job *next = job->next_queued;
        job->cancelled = true;
        CONTAINER_OF(job, struct transfer_job, job)->result.outcome = TRANSFER_CANCELLED;
        pool_finish(pool, job);
        job = next;
    }
}

void pool_abort(struct pool *pool) {
    if (pool->jobs > 0) {
        log_write(LOG_LEVEL_WARN, NULL, "Giving up on %u jobs that wait for the database", pool->jobs);
    }
    db_abort(pool->db);
}
