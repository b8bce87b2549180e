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
    struct job *readers;       // accounts_jobs, in arrival order
    struct account_list found; // out, in any order
};

static struct accounts_job *request_of(struct job *job) {
    return CONTAINER_OF(job, struct accounts_job, job);
}

static enum db_status query_reads(struct job *job, struct db_session *session) {
    struct reads_job *reads = CONTAINER_OF(job, struct reads_job, job);
    account_list_free(&reads->found); // of a first try on a connection that had died
    struct sql_array ids = {0};
    for (struct job *reader = reads->readers; reader != NULL; reader = reader->next) {
        const char *id = request_of(reader)->id;
        if (reader == reads->readers || strcmp(id, request_of(reads->readers)->id) != 0) { // most ask for the same one
            sql_array_add(&ids, id);
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

static void reads_done(uv_work_t *work, int status) {
    struct reads_job *reads = CONTAINER_OF(work, struct reads_job, job.work);
    struct pool *pool = reads->job.pool;
    CHECK(status == 0);
    bank_metrics_publish_statements(pool->metrics, &reads->job.statements);
    pool_give_thread(pool, JOB_ACCOUNT); // those that wait are read while these are answered
    struct job *next;
    for (struct job *reader = reads->readers; reader != NULL; reader = next) {
        next = reader->next;
        answer(reads, request_of(reader));
        pool_finish(pool, reader);
    }
    account_list_free(&reads->found);
    free(reads);
}

bool pool_read_is_due(const struct pool *pool) {
    unsigned running = pool->queues[JOB_ACCOUNT].threads;
    bool hangs = uv_now(pool->loop) - pool->reads_started_ms > READ_HANGS_MS;
    // Nothing waits in a queue while the program stops.
    return running == 0 || ((hangs || pool->closed) && running < READS_RUNNING_MAX);
}

void pool_start_read(struct pool *pool) {
    struct reads_job *reads = memory_allocate_zeroed(sizeof *reads);
    job_init(&reads->job, JOB_ACCOUNT, reads_job_run);
    reads->job.pool = pool;
    reads->readers = job_queue_take_all(&pool->queues[JOB_ACCOUNT]);
    pool->reads_started_ms = uv_now(pool->loop);
    pool_start(pool, &reads->job, reads_done);
}
