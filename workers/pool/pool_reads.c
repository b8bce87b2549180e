// Reads of single accounts: requests that arrive while a read runs wait for the next read, which is for all that wait.
// Each still sees the database as it was after the request arrived; with no read running a request waits for nothing.
// One read for each request was much slower (docs/benchmarks, "What was tried and left").
// Loop thread, but for the run on a worker.
#include "workers/pool/pool_internal.h"

#include <stdlib.h>
#include <string.h>

// One read at a time is the fastest, because it is the largest. While it hangs, a request that arrives starts another
// read, for all that wait.
#define READS_RUNNING_MAX 4
#define READ_HANGS_MS 20

struct reads_job {
    struct job job;
    struct job_list readers; // accounts_jobs, in arrival order; each gets its account and its status on the worker
    size_t count;
};

static struct accounts_job *request_of(struct job *job) {
    return CONTAINER_OF(job, struct accounts_job, job);
}

static int compare_accounts(const void *left, const void *right) {
    return strcmp(((const struct account *)left)->id, ((const struct account *)right)->id);
}

static int compare_id(const void *id, const void *account) {
    return strcmp(id, ((const struct account *)account)->id);
}

// `found` is in the order of the ids.
static void answer(struct job *reader, enum db_status status, const struct account_list *found) {
    struct accounts_job *request = request_of(reader);
    reader->database = status;
    account_list_free(&request->accounts); // left by a first attempt, whose connection had died
    const struct account *account = found->count == 0 ? NULL
                                                      : bsearch(request->id, found->accounts, found->count,
                                                                sizeof *found->accounts, compare_id);
    if (account != NULL) {
        request->accounts.accounts = memory_allocate_zeroed(sizeof *request->accounts.accounts);
        request->accounts.accounts[0] = (struct account){.id = request->id, .balance = account->balance};
        request->accounts.count = 1;
    }
}

// The id of the first reader is in the statement once: most readers ask for the same account.
static enum db_status read_all(struct db_session *session, struct job *first, size_t count,
                               struct account_list *found) {
    struct sql_array ids = {0};
    struct job *reader = first;
    for (size_t i = 0; i < count; i++, reader = STAILQ_NEXT(reader, next)) {
        if (i == 0 || strcmp(request_of(reader)->id, request_of(first)->id) != 0) {
            sql_array_add(&ids, request_of(reader)->id);
        }
    }
    enum db_status status = bank_read_accounts_of(session, &ids, found);
    text_free(&ids.text);
    if (found->count > 1) {
        qsort(found->accounts, found->count, sizeof *found->accounts, compare_accounts);
    }
    return status;
}

// Reads for `count` requests. An id that the database's encoding cannot write, or a balance that is no money, fails the
// statement for all of them: then each half is read on its own, until only the one reader has no answer.
static enum db_status read_for(struct db_session *session, struct job *first, size_t count) {
    struct account_list found;
    enum db_status status = read_all(session, first, count, &found);
    if (count > 1 && (status == DB_NOT_REPRESENTABLE || status == DB_FAILED)) {
        size_t half = count / 2;
        struct job *second = first;
        for (size_t i = 0; i < half; i++) {
            second = STAILQ_NEXT(second, next);
        }
        status = read_for(session, first, half);
        return status == DB_OK ? read_for(session, second, count - half) : status;
    }
    bool is_of_one = count == 1 && (status == DB_NOT_REPRESENTABLE || status == DB_FAILED);
    enum db_status of_each = status == DB_NOT_REPRESENTABLE ? DB_OK : status; // there is no such account
    struct job *reader = first;
    for (size_t i = 0; i < count; i++, reader = STAILQ_NEXT(reader, next)) {
        answer(reader, of_each, &found);
    }
    account_list_free(&found);
    return is_of_one ? DB_OK : status;
}

static enum db_status query_reads(struct job *job, struct db_session *session) {
    struct reads_job *reads = CONTAINER_OF(job, struct reads_job, job);
    return read_for(session, STAILQ_FIRST(&reads->readers), reads->count);
}

static void reads_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_reads);
}

static void reads_done(uv_work_t *work, int status) {
    struct reads_job *reads = CONTAINER_OF(work, struct reads_job, job.work);
    struct pool *pool = reads->job.pool;
    CHECK(status == 0);
    bank_metrics_publish_statements(pool->metrics, &reads->job.statements);
    pool_give_back_thread(pool, JOB_ACCOUNT);
    pool_schedule(pool); // the readers that wait are read for while these are answered
    struct job *reader;
    while ((reader = STAILQ_FIRST(&reads->readers)) != NULL) {
        STAILQ_REMOVE_HEAD(&reads->readers, next);
        if (reads->job.database != DB_OK) { // for all: the database is unreachable or too slow
            reader->database = reads->job.database;
        }
        pool_finish(pool, reader);
    }
    free(reads);
}

bool pool_read_is_due(const struct pool *pool) {
    unsigned running = pool->kinds[JOB_ACCOUNT].threads;
    bool hangs = uv_now(pool->loop) - pool->reads_started_ms > READ_HANGS_MS;
    // While the program stops no request waits in a queue.
    return running == 0 || ((hangs || pool->closed) && running < READS_RUNNING_MAX);
}

void pool_start_read(struct pool *pool) {
    struct reads_job *reads = memory_allocate_zeroed(sizeof *reads);
    struct job_queue *queue = &pool->kinds[JOB_ACCOUNT];
    job_init(&reads->job, JOB_ACCOUNT, reads_job_run);
    reads->job.pool = pool;
    reads->count = queue->counts.waiting;
    STAILQ_INIT(&reads->readers);
    job_queue_take_all(queue, &reads->readers);
    pool->reads_started_ms = uv_now(pool->loop);
    pool->start(pool, &reads->job, reads_done);
}
