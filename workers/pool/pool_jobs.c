// The jobs that are no transfers: a queue and a thread for each kind, and the reserve that all kinds share.
//
// A kind whose jobs wait for a locked table can take its own thread and the reserve, but never the last thread of
// another kind: reads of other tables, and the watch, still find one. Loop thread only.
#include "workers/limits.h"
#include "workers/pool/pool_internal.h"

static void finish_unasked(struct pool *pool, struct job *job) {
    job->database = DB_NOT_ASKED;
    pool_finish(pool, job);
}

// --- The queue ---

static void put(struct job_queue *queue, struct job *job) {
    job->next = NULL;
    if (queue->last == NULL) {
        queue->first = job;
    } else {
        queue->last->next = job;
    }
    queue->last = job;
    queue->waiting++;
}

static struct job *take(struct job_queue *queue) {
    struct job *job = queue->first;
    queue->first = job->next;
    if (queue->first == NULL) {
        queue->last = NULL;
    }
    queue->waiting--;
    queue->running++;
    return job;
}

struct job *job_queue_take_all(struct job_queue *queue) {
    struct job *first = queue->first;
    queue->first = NULL;
    queue->last = NULL;
    queue->running += queue->waiting;
    queue->waiting = 0;
    return first;
}

void pool_count_finished(struct pool *pool, enum job_kind kind) {
    struct job_queue *queue = &pool->queues[kind];
    queue->running--;
    queue->finished++;
    CHECK(queue->admitted - queue->finished == (uint64_t)queue->waiting + queue->running);
}

bool pool_queues_are_idle(const struct pool *pool) {
    for (size_t kind = 0; kind < JOB_OWN_THREADS; kind++) {
        const struct job_queue *queue = &pool->queues[kind];
        if (queue->waiting > 0 || queue->running > 0 || queue->threads > 0 || queue->admitted != queue->finished) {
            return false;
        }
    }
    return pool->reserve_taken == 0;
}

// --- Threads ---

static bool can_start(const struct pool *pool, enum job_kind kind) {
    const struct job_queue *queue = &pool->queues[kind];
    if (queue->threads > 0 && pool->reserve_taken == pool->reserve) {
        return false;
    }
    if (kind == JOB_ACCOUNT) {
        return pool_read_is_due(pool);
    }
    return !pool_is_merged(kind) || queue->threads == 0;
}

static void take_thread(struct pool *pool, struct job_queue *queue) {
    pool->reserve_taken += queue->threads > 0;
    queue->threads++;
}

static void job_done(uv_work_t *work, int status) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    struct pool *pool = job->pool;
    CHECK(status == 0); // jobs are cancelled in our queue, never in libuv's
    bank_metrics_publish_statements(pool->metrics, &job->statements);
    pool_give_thread(pool, job->kind);
    pool_finish(pool, job);
}

// A job that has waited longer than it may run is of no use to its client any more.
static void start_first(struct pool *pool, struct job_queue *queue) {
    struct job *job = take(queue);
    if (uv_now(pool->loop) - job->submitted_ms > job->timeout_ms) {
        finish_unasked(pool, job);
        return;
    }
    take_thread(pool, queue);
    pool_start(pool, job, job_done);
}

static void start(struct pool *pool, enum job_kind kind) {
    struct job_queue *queue = &pool->queues[kind];
    if (kind == JOB_ACCOUNT) {
        take_thread(pool, queue);
        pool_start_read(pool);
    } else if (pool_is_merged(kind)) {
        take_thread(pool, queue);
        pool_start_merged(pool, kind);
    } else {
        start_first(pool, queue);
    }
}

static void start_waiting(struct pool *pool, enum job_kind kind) {
    while (pool->queues[kind].first != NULL && can_start(pool, kind)) {
        start(pool, kind);
    }
}

void pool_give_thread(struct pool *pool, enum job_kind kind) {
    struct job_queue *queue = &pool->queues[kind];
    queue->threads--;
    pool->reserve_taken -= queue->threads > 0;
    for (unsigned i = 1; i <= JOB_OWN_THREADS; i++) { // the other kinds first: the reserve goes round
        start_waiting(pool, (enum job_kind)(((unsigned)kind + i) % JOB_OWN_THREADS));
    }
}

// --- In and out ---

void pool_submit(struct pool *pool, struct job *job) {
    CHECK(job->kind != JOB_TRANSFER);
    struct job_queue *queue = &pool->queues[job->kind];
    job->pool = pool;
    job->submitted_ms = uv_now(pool->loop);
    pool->jobs++;
    queue->admitted++;
    if (!can_start(pool, job->kind) && queue->waiting >= (pool->closed ? 0 : JOB_QUEUE_LIMIT)) {
        queue->running++;
        finish_unasked(pool, job);
        return;
    }
    put(queue, job);
    start_waiting(pool, job->kind);
}

void pool_cancel_jobs(struct pool *pool) {
    for (size_t kind = 0; kind < JOB_OWN_THREADS; kind++) {
        struct job_queue *queue = &pool->queues[kind];
        start_waiting(pool, (enum job_kind)kind);
        while (queue->first != NULL) {
            finish_unasked(pool, take(queue));
        }
    }
}
