// Reads of single accounts: one that comes while others are being read waits for the next read, which is for all that
// wait. Each still sees the database as it was after it came; with nobody before it, it waits for nothing.
// Loop thread, but for the run on a worker.
#include "pool_internal.h"

#include <stdlib.h>
#include <string.h>

// One read at a time is the fastest, for it is the largest. But who comes while it hangs has another begun, for all that
// wait; if nobody comes, they wait until it ends.
#define READS_RUNNING_MAX 4
#define READ_HANGS_MS 20

struct reads_job {
    struct job job;
    struct accounts_job *readers; // in arrival order
    struct account_list found;    // out, ordered by id as PostgreSQL orders
};

static enum db_status query_reads(struct job *job, struct db_session *session) {
    struct reads_job *reads = CONTAINER_OF(job, struct reads_job, job);
    account_list_free(&reads->found); // of a first try on a connection that had died
    struct sql_array ids = {0};
    for (const struct accounts_job *reader = reads->readers; reader != NULL; reader = reader->next) {
        if (reader == reads->readers || strcmp(reader->id, reads->readers->id) != 0) { // most ask for one and the same
            sql_array_add(&ids, reader->id);
        }
    }
    enum db_status status = bank_read_accounts_of(session, &ids, &reads->found);
    text_free(&ids.text);
    return status;
}

static void reads_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_reads);
}

static void answer(struct reads_job *reads, struct accounts_job *reader) {
    reader->job.database = reads->job.database;
    for (size_t i = 0; i < reads->found.count; i++) {
        if (strcmp(reads->found.accounts[i].id, reader->id) == 0) {
            reader->accounts.accounts = memory_allocate_zeroed(sizeof *reader->accounts.accounts);
            reader->accounts.accounts[0] = reads->found.accounts[i];
            reader->accounts.count = 1;
            return;
        }
    }
}

static void start_reads(struct pool *pool);

static void reads_done(uv_work_t *work, int status) {
    struct reads_job *reads = CONTAINER_OF(work, struct reads_job, job.work);
    struct pool *pool = reads->job.pool;
    CHECK(status == 0);
    bank_metrics_publish_statements(pool->metrics, &reads->job.statements);
    pool->reads_running--;
    start_reads(pool); // they are read while these are answered
    struct accounts_job *next;
    for (struct accounts_job *reader = reads->readers; reader != NULL; reader = next) {
        next = reader->next;
        answer(reads, reader);
        pool_finish(pool, &reader->job);
    }
    account_list_free(&reads->found);
    free(reads);
}

static void start_reads(struct pool *pool) {
    uint64_t now_ms = uv_now(pool->loop);
    bool hangs = now_ms - pool->reads_started_ms > READ_HANGS_MS && pool->reads_running < READS_RUNNING_MAX;
    if (pool->reads_first == NULL || (pool->reads_running > 0 && !hangs)) {
        return;
    }
    pool->reads_started_ms = now_ms;
    struct reads_job *reads = memory_allocate_zeroed(sizeof *reads);
    job_init(&reads->job, reads_job_run);
    reads->readers = pool->reads_first;
    pool->reads_first = NULL;
    pool->reads_last = NULL;
    pool->reads_running++;
    pool_start(pool, &reads->job, reads_done);
}

void pool_submit_read(struct pool *pool, struct accounts_job *read) {
    read->job.pool = pool;
    read->next = NULL;
    pool->jobs++;
    if (pool->reads_last == NULL) {
        pool->reads_first = read;
    } else {
        pool->reads_last->next = read;
    }
    pool->reads_last = read;
    start_reads(pool);
}
