// Kinds of jobs that run one at a time, each run for all that wait: resets, because two would wait for each other's rows,
// and scrapes, because all of them read the same. Loop thread only.
#include "workers/pool/pool_internal.h"

static void merged_done(uv_work_t *work, int status) {
    struct job *done = CONTAINER_OF(work, struct job, work);
    struct pool *pool = done->pool;
    CHECK(status == 0);
    bank_metrics_publish_statements(pool->metrics, &done->statements);
    pool_give_thread(pool, done->kind);
    struct job *others = done->next;
    for (struct job *job = others; job != NULL; job = job->next) {
        job->ran_in_another = true;
        job->database = done->database;
        job->answer_like(job, done);
    }
    pool_finish(pool, done); // the first: it publishes the event of a reset before any client has its answer
    while (others != NULL) {
        struct job *job = others;
        others = job->next;
        pool_finish(pool, job);
    }
}

bool pool_is_merged(enum job_kind kind) {
    return kind == JOB_RESET || kind == JOB_SCRAPE;
}

void pool_start_merged(struct pool *pool, enum job_kind kind) {
    pool_start(pool, job_queue_take_all(&pool->queues[kind]), merged_done);
}
