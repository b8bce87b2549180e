// A pool whose jobs no thread runs: the test looks at what the scheduler has started, and ends it when it likes.
// Include it after cmocka.h, in one file of a test program.
#ifndef TESTS_UNIT_WORKERS_FAKE_WORKERS_H
#define TESTS_UNIT_WORKERS_FAKE_WORKERS_H

#include "workers/pool/pool_internal.h"
#include "workers/strategies/strategies.h"
#include "workers/transfer/transfer.h"

#include <stdio.h>
#include <stdlib.h>

#define STARTED_MAX 1024

struct started {
    struct job *job;
    uv_after_work_cb after;
};

static struct fake {
    uv_loop_t loop;
    struct metrics *metrics;
    struct bank_metrics *bank_metrics;
    struct pool *pool;
    struct settings settings;            // for the transfers to come
    struct started started[STARTED_MAX]; // in the order of their start
    size_t started_count;
    struct batch *batch;                             // the batch that the worker of the batches has taken, or NULL
    unsigned start_count;                            // jobs and batches since the beginning
    void (*on_start)(struct transfer_job *transfer); // NULL: nothing
} fake;

static bool is_batch(const struct job *job) {
    return job == &fake.pool->batch_worker;
}

static struct transfer_job *transfer_of(struct job *job) {
    return CONTAINER_OF(job, struct transfer_job, job);
}

// The worker of the batches leaves the batch that has ended (NULL at first), and takes the next one.
static void fake_take_batch(struct batch *ended) {
    fake.batch = batch_mailbox_exchange(&fake.pool->mailbox, ended);
    fake.start_count += fake.batch != NULL;
    for (size_t i = 0; fake.batch != NULL && i < fake.batch->count && fake.on_start != NULL; i++) {
        fake.on_start(fake.batch->transfers[i]);
    }
}

static void fake_start(struct pool *pool, struct job *job, uv_after_work_cb after) {
    assert_ptr_equal(job->pool, pool);
    assert_true(fake.started_count < STARTED_MAX);
    fake.started[fake.started_count++] = (struct started){job, after};
    if (is_batch(job)) {
        fake_take_batch(NULL);
        assert_ptr_not_equal(fake.batch, NULL);
        return;
    }
    fake.start_count++;
    if (job->kind == JOB_TRANSFER && fake.on_start != NULL) {
        fake.on_start(transfer_of(job));
    }
}

// WORKER_THREADS = `threads`; at most `queue_limit` transfers wait.
static void fake_open(unsigned threads, unsigned queue_limit) {
    fake = (struct fake){.settings = {.strategy = &strategy_vulnerable, .barrier_count = 2}};
    assert_int_equal(uv_loop_init(&fake.loop), 0);
    fake.metrics = metrics_new();
    fake.bank_metrics = bank_metrics_add(fake.metrics, strategies);
    fake.pool = pool_new(&(struct pool_options){
        .loop = &fake.loop, .threads = threads, .queue_limit = queue_limit, .metrics = fake.bank_metrics});
    fake.pool->start = fake_start;
}

static void fake_close(void) {
    assert_true(pool_is_idle(fake.pool));
    pool_leave_loop(fake.pool);
    assert_int_equal(uv_run(&fake.loop, UV_RUN_DEFAULT), 0);
    pool_free(fake.pool);
    bank_metrics_free(fake.bank_metrics);
    metrics_free(fake.metrics);
    assert_int_equal(uv_loop_close(&fake.loop), 0);
}

// The turn of the loop ends, and with it a micro-batch window.
static void fake_turn(void) {
    (void)uv_run(&fake.loop, UV_RUN_NOWAIT);
}

static void end_transfer_job(struct transfer_job *transfer) {
    transfer->result.outcome = TRANSFER_SUCCESS;
    transfer->result.thread_id = "worker-1";
}

// Ends the batch that the worker has taken. The worker takes the next one, and the loop collects the ended batch in its
// next turn. False: there is none, so the worker ends.
static bool fake_end_batch(bool row_held) {
    struct batch *batch = fake.batch;
    for (size_t i = 0; i < batch->count && !row_held; i++) {
        end_transfer_job(batch->transfers[i]);
    }
    batch->state = row_held ? BATCH_ROW_HELD : BATCH_ENDED;
    fake_take_batch(batch);
    return fake.batch != NULL;
}

// Ends the job that stands at this place of the started ones. If it is the worker of the batches, its batch ends, and
// `row_held` says how. False: the worker has the next batch, and its job has not ended.
static bool fake_end(size_t place, bool row_held) {
    assert_true(place < fake.started_count);
    struct started ended = fake.started[place];
    if (is_batch(ended.job) && fake_end_batch(row_held)) {
        return false;
    }
    for (size_t i = place; i + 1 < fake.started_count; i++) {
        fake.started[i] = fake.started[i + 1];
    }
    fake.started_count--;
    if (ended.job->kind == JOB_TRANSFER && !is_batch(ended.job) && !transfer_of(ended.job)->at_gate) {
        end_transfer_job(transfer_of(ended.job));
    }
    ended.after(&ended.job->work, 0);
    return true;
}

static void free_nothing(void *result) {
    (void)result;
}

// A read of this kind, of which nobody looks at the result.
static inline struct job *fake_read(enum job_kind kind) {
    static const struct read of_accounts = {.kind = JOB_ACCOUNTS, .result_size = 1, .free_result = free_nothing};
    static const struct read of_transactions = {
        .kind = JOB_TRANSACTIONS, .result_size = 1, .free_result = free_nothing};
    assert_true(kind == JOB_ACCOUNTS || kind == JOB_TRANSACTIONS);
    return &get_job_new(kind == JOB_ACCOUNTS ? &of_accounts : &of_transactions, 1, NULL)->job;
}

static inline void fake_free_job(struct job *job) {
    switch (job->kind) {
    case JOB_ACCOUNT: accounts_job_free(CONTAINER_OF(job, struct accounts_job, job)); break;
    case JOB_RESET: reset_job_free(CONTAINER_OF(job, struct reset_job, job)); break;
    case JOB_SCRAPE: scrape_job_free(CONTAINER_OF(job, struct scrape_job, job)); break;
    default: get_job_free(CONTAINER_OF(job, struct get_job, job));
    }
}

static struct transfer_job *fake_transfer(const char *from, void (*finished)(struct job *job)) {
    struct transfer_job *transfer = transfer_job_new();
    (void)snprintf(transfer->request.from_account, sizeof transfer->request.from_account, "%s", from);
    (void)snprintf(transfer->request.to_account, sizeof transfer->request.to_account, "%s", "sink");
    transfer->request.amount = 1;
    transfer->request.settings = fake.settings;
    transfer->job.finished = finished;
    transfer->job.owner = transfer; // a client waits for it
    return transfer;
}

#endif
