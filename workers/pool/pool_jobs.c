// Jobs other than transfers: reads, resets, scrapes, and the watch of the database. Each kind has a queue and one
// thread of its own, and all kinds share the reserve. So a kind that waits for a locked table holds its own thread and
// at most the reserve, but never the thread of another kind. Loop thread only.
//
// Resets and scrapes run one at a time, and one run answers all jobs that wait: two resets would wait for each other's
// rows, and all scrapes read the same values. Reads of single accounts are made together too (pool_reads.c).
#include "workers/limits.h"
#include "workers/pool/pool_internal.h"

void pool_jobs_init(struct pool *pool) {
    for (size_t kind = 0; kind < JOB_OWN_THREADS; kind++) {
        STAILQ_INIT(&pool->kinds[kind].jobs);
    }
}

static bool is_merged(enum job_kind kind) {
    return kind == JOB_RESET || kind == JOB_SCRAPE;
}

// --- Threads ---

bool pool_kind_has_thread(const struct pool *pool, enum job_kind kind) {
    const struct job_queue *queue = &pool->kinds[kind];
    if (queue->threads > 0 && pool->reserve_taken == pool->reserve) {
        return false;
    }
    if (kind == JOB_ACCOUNT) {
        return pool_read_is_due(pool);
    }
    return !is_merged(kind) || queue->threads == 0;
}

static void job_done(uv_work_t *work, int status) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    struct pool *pool = job->pool;
    CHECK(status == 0); // jobs are cancelled in our queues, never in libuv's
    bank_metrics_publish_statements(pool->metrics, &job->statements);
    pool_give_back_thread(pool, job->kind);
    pool_schedule(pool);
    pool_finish(pool, job);
}

// The jobs behind the one that was run are answered like it.
static void merged_done(uv_work_t *work, int status) {
    struct job *done = CONTAINER_OF(work, struct job, work);
    struct pool *pool = done->pool;
    CHECK(status == 0);
    bank_metrics_publish_statements(pool->metrics, &done->statements);
    pool_give_back_thread(pool, done->kind);
    struct job_list others = STAILQ_HEAD_INITIALIZER(others);
    struct job *job;
    while ((job = STAILQ_NEXT(done, next)) != NULL) {
        STAILQ_NEXT(done, next) = STAILQ_NEXT(job, next);
        job->ran_in_another = true;
        job->database = done->database;
        job->answer_like(job, done);
        STAILQ_INSERT_TAIL(&others, job, next);
    }
    pool_schedule(pool);
    pool_finish(pool, done); // the first: it publishes the event of a reset before any client has its answer
    while ((job = STAILQ_FIRST(&others)) != NULL) {
        STAILQ_REMOVE_HEAD(&others, next);
        pool_finish(pool, job);
    }
}

void pool_start_kind(struct pool *pool, enum job_kind kind, struct job_list *expired) {
    struct job_queue *queue = &pool->kinds[kind];
    if (kind == JOB_ACCOUNT) {
        pool_take_thread(pool, queue);
        pool_start_read(pool);
        return;
    }
    if (is_merged(kind)) {
        struct job_list all = STAILQ_HEAD_INITIALIZER(all);
        job_queue_take_all(queue, &all);
        pool_take_thread(pool, queue);
        struct job *first = STAILQ_FIRST(&all);
        for (struct job *other = STAILQ_NEXT(first, next); other != NULL && first->run_for != NULL;
             other = STAILQ_NEXT(other, next)) {
            first->run_for(first, other);
        }
        pool->start(pool, first, merged_done);
        return;
    }
    struct job *job = job_queue_take(queue);
    if (uv_now(pool->loop) - job->submitted_ms > job->timeout_ms) { // its client has given up by now
        STAILQ_INSERT_TAIL(expired, job, next);
        return;
    }
    pool_take_thread(pool, queue);
    pool->start(pool, job, job_done);
}

// --- Arrival ---

void pool_submit(struct pool *pool, struct job *job) {
    CHECK(job->kind != JOB_TRANSFER);
    struct job_queue *queue = &pool->kinds[job->kind];
    struct job_list refused = STAILQ_HEAD_INITIALIZER(refused);
    job->pool = pool;
    job->submitted_ms = uv_now(pool->loop);
    queue->counts.admitted++;
    if (queue->counts.waiting >= JOB_QUEUE_LIMIT && !pool_kind_has_thread(pool, job->kind)) {
        queue->counts.running++;
        STAILQ_INSERT_TAIL(&refused, job, next);
    } else {
        queue->counts.waiting++;
        STAILQ_INSERT_TAIL(&queue->jobs, job, next);
        pool_schedule(pool);
    }
    if (pool->closed) { // nothing waits while the program stops
        job_queue_take_all(queue, &refused);
    }
    pool_refuse(pool, &refused);
}
