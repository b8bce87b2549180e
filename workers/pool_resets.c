// Resets, one at a time: those that stand before a row somebody holds would take every worker. One that comes while
// another is at work waits for the next, which is for all that wait. Loop thread only.
#include "pool_internal.h"

#include <stdlib.h>
#include <string.h>

static void start_reset(struct pool *pool);

// Of a reset that was for many: each has its own copy.
static void answer_like(struct accounts_job *reset, const struct accounts_job *done) {
    size_t size = done->accounts.count * sizeof *done->accounts.accounts;
    reset->job.database = done->job.database;
    if (size > 0) {
        reset->accounts.accounts = memory_allocate_zeroed(size);
        memcpy(reset->accounts.accounts, done->accounts.accounts, size);
        reset->accounts.count = done->accounts.count;
    }
}

static void reset_done(uv_work_t *work, int status) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    struct accounts_job *done = CONTAINER_OF(job, struct accounts_job, job);
    struct pool *pool = job->pool;
    CHECK(status == 0);
    bank_metrics_publish_statements(pool->metrics, &job->statements);
    pool->reset_runs = false;
    start_reset(pool);
    while (done->next != NULL) {
        struct accounts_job *reset = done->next;
        done->next = reset->next;
        answer_like(reset, done);
        pool_finish(pool, &reset->job);
    }
    pool_finish(pool, job);
}

// The first of those that wait does it for all of them.
static void start_reset(struct pool *pool) {
    struct accounts_job *first = pool->resets_first;
    if (first == NULL || pool->reset_runs) {
        return;
    }
    pool->resets_first = NULL;
    pool->reset_runs = true;
    pool_start(pool, &first->job, reset_done);
}

void pool_submit_reset(struct pool *pool, struct accounts_job *reset) {
    reset->job.pool = pool;
    pool->jobs++;
    reset->next = pool->resets_first; // they are answered alike, so their order does not matter
    pool->resets_first = reset;
    start_reset(pool);
}
