// The end of jobs, and how many have not ended. Loop thread only.
#include "workers/pool/pool_internal.h"

void pool_finish(struct pool *pool, struct job *job) {
    struct job_counts *counts = job->kind == JOB_TRANSFER ? &pool->transfers : &pool->kinds[job->kind].counts;
    job->finished(job); // frees the job
    counts->running--;
    counts->finished++;
    pool_report_finished(pool);
}

void pool_report_finished(struct pool *pool) {
    if (pool->on_finished != NULL) {
        pool->on_finished(pool->on_finished_owner);
    }
}

void pool_refuse(struct pool *pool, struct job_list *jobs) {
    struct job *job;
    while ((job = STAILQ_FIRST(jobs)) != NULL) {
        STAILQ_REMOVE_HEAD(jobs, next);
        job->database = DB_NOT_ASKED;
        pool_finish(pool, job);
    }
}

uint64_t pool_unfinished(const struct pool *pool) {
    uint64_t unfinished = pool->transfers.admitted - pool->transfers.finished;
    for (size_t kind = 0; kind < JOB_OWN_THREADS; kind++) {
        unfinished += pool->kinds[kind].counts.admitted - pool->kinds[kind].counts.finished;
    }
    return unfinished;
}

bool pool_is_idle(const struct pool *pool) {
    return pool_unfinished(pool) == 0 && !pool->batch_worker_runs;
}

void pool_on_finished(struct pool *pool, void (*callback)(void *owner), void *owner) {
    pool->on_finished = callback;
    pool->on_finished_owner = owner;
}
