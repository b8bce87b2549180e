// Transfers and batches in the pool: how they arrive, where they wait, how they end. The scheduler
// (pool_schedule.c) decides what starts, and when. Loop thread only.
//
//   submit > overflow, if the queue is full > pool_place
//   submit > pool_place > line                   > pool_start_transfer > transfer_done > the client
//                       > account queue > line   > ...
//                       > account queue > mailbox > the worker of the batches > batches_returned > the clients
//                                                                                                > account queue, HELD
#include "workers/pool/pool_internal.h"
#include "workers/transfer/transfer.h"

static void end_window(uv_idle_t *window);
static void batches_returned(uv_async_t *returned_some);

void pool_transfers_init(struct pool *pool) {
    STAILQ_INIT(&pool->line);
    account_queues_init(&pool->queues);
    CHECK(uv_idle_init(pool->loop, &pool->window) == 0);
    pool->batch_worker.pool = pool;
    job_init(&pool->batch_worker, JOB_TRANSFER, NULL);
    batch_mailbox_init(&pool->mailbox, pool->loop, batches_returned);
}

void pool_leave_loop(struct pool *pool) {
    uv_close((uv_handle_t *)&pool->window, NULL);
    uv_close((uv_handle_t *)&pool->overflow.timer, NULL);
    batch_mailbox_leave_loop(&pool->mailbox);
}

// --- Arrival ---

// The micro-batch window: a batch that could start at once waits to the end of this turn of the loop, so that it has
// all transfers whose requests were received in the turn. An idle handle is called at the start of the next turn, which
// does not sleep while the handle is active.
static void open_window(struct pool *pool) {
    if (!pool->batch_worker_runs) {
        CHECK(uv_idle_start(&pool->window, end_window) == 0);
    }
}

bool pool_window_is_open(const struct pool *pool) {
    return uv_is_active((const uv_handle_t *)&pool->window) != 0;
}

static void end_window(uv_idle_t *window) {
    struct pool *pool = CONTAINER_OF(window, struct pool, window);
    CHECK(uv_idle_stop(window) == 0);
    pool_schedule(pool);
}

void pool_place(struct pool *pool, struct transfer_job *transfer) {
    const struct settings *settings = &transfer->request.settings;
    const struct strategy *strategy = strategy_for(&transfer->request);
    bool to_barrier = settings->barrier_enabled && !transfer->passed_gate;
    pool->transfers.waiting++;
    // The barrier wants all its transfers on workers, so no limit holds for them. A transfer of a batch passes the
    // barrier on its own first: a batch that waited there would hold up the transfers that it waits for.
    if (strategy->attempt_batch != NULL && to_barrier) {
        transfer_job_pass_gate(transfer);
    }
    if (strategy->max_in_flight_per_account == 0 || to_barrier) {
        STAILQ_INSERT_TAIL(&pool->line, transfer, waiting);
        return;
    }
    account_queue_put(&pool->queues, account_queue_of(&pool->queues, strategy, transfer->request.from_account),
                      transfer);
    if (strategy->attempt_batch != NULL) {
        open_window(pool);
    }
}

// --- A transfer of its own ---

static void transfer_done(uv_work_t *work, int status) {
    struct transfer_job *transfer = CONTAINER_OF(work, struct transfer_job, job.work);
    struct pool *pool = transfer->job.pool;
    CHECK(status == 0); // jobs are cancelled in our queues, never in libuv's
    pool->slots_taken--;
    bool ended = !transfer->at_gate;
    if (ended) {
        bank_metrics_publish_statements(pool->metrics, &transfer->job.statements);
        bank_metrics_publish_transfer(pool->metrics, &transfer->request, &transfer->result);
        if (transfer->queue != NULL) {
            pool->alone_running -= transfer->queue->state == ACCOUNT_QUEUE_ALONE;
            account_queue_leave(&pool->queues, transfer);
        }
    } else {
        transfer->at_gate = false;
        transfer->passed_gate = true;
        pool->transfers.running--;
        pool_place(pool, transfer);
    }
    pool_schedule(pool);
    if (ended) {
        pool_finish(pool, &transfer->job);
    }
}

void pool_start_transfer(struct pool *pool, struct transfer_job *transfer) {
    pool->slots_taken++;
    pool->transfers.waiting--;
    pool->transfers.running++;
    pool->start(pool, &transfer->job, transfer_done);
}

// --- Batches ---

static void fill(void *owner, struct batch *batch) {
    struct pool *pool = owner;
    batch->job.pool = pool;
    struct account_queue *queue;
    while (batch->count < BATCH_TRANSFERS_MAX &&
           (queue = account_queues_first(&pool->queues, ACCOUNT_QUEUE_BATCHABLE)) != NULL) {
        while (batch->count < BATCH_TRANSFERS_MAX && !STAILQ_EMPTY(&queue->waiting)) {
            batch->transfers[batch->count++] = account_queue_take(queue);
        }
        // A queue with more goes to the end of the list, so that it does not starve the others.
        account_queue_move(&pool->queues, queue,
                           STAILQ_EMPTY(&queue->waiting) ? ACCOUNT_QUEUE_BUSY : ACCOUNT_QUEUE_BATCHABLE);
    }
}

// The transfers of a batch that was not posted wait again, before all others of their accounts.
static void put_back(struct pool *pool, struct batch *batch) {
    for (size_t i = batch->count; i > 0; i--) {
        struct transfer_job *transfer = batch->transfers[i - 1];
        account_queue_put_back(transfer);
        account_queue_update(&pool->queues, transfer->queue);
    }
}

// Another session holds a row of the batch. Each account waits for its own rows, so that it delays no other account.
static void hold(struct pool *pool, struct batch *batch) {
    put_back(pool, batch);
    pool->transfers.running -= (unsigned)batch->count;
    pool->transfers.waiting += (unsigned)batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        struct account_queue *queue = batch->transfers[i]->queue;
        if (queue->state != ACCOUNT_QUEUE_HELD) {
            CHECK(queue->in_flight == 0);
            account_queue_move(&pool->queues, queue, ACCOUNT_QUEUE_HELD);
        }
    }
}

// The batches that the worker has returned change their queues; the clients get their answers later.
static void collect_batches(struct pool *pool, struct batch_list *returned) {
    struct batch *batch;
    batch_mailbox_collect(&pool->mailbox, returned);
    pool_count_taken(pool);
    STAILQ_FOREACH(batch, returned, next) {
        struct batch *not_begun = STAILQ_NEXT(batch, next);
        switch (batch->state) {
        case BATCH_ENDED:
            for (size_t i = 0; i < batch->count; i++) {
                account_queue_leave(&pool->queues, batch->transfers[i]);
            }
            break;
        case BATCH_ROW_HELD: // the later transfers of its accounts first, so that the earlier ones stand before them
            if (not_begun != NULL) {
                put_back(pool, not_begun);
            }
            hold(pool, batch);
            break;
        default: CHECK(batch->state == BATCH_FILLING); // put back with the one before it
        }
    }
}

static void answer_batches(struct pool *pool, struct batch_list *returned) {
    struct batch *batch;
    while ((batch = STAILQ_FIRST(returned)) != NULL) {
        STAILQ_REMOVE_HEAD(returned, next);
        bank_metrics_publish_statements(pool->metrics, &batch->job.statements);
        for (size_t i = 0; i < batch->count && batch->state == BATCH_ENDED; i++) {
            struct transfer_job *transfer = batch->transfers[i];
            bank_metrics_publish_transfer(pool->metrics, &transfer->request, &transfer->result);
            pool_finish(pool, &transfer->job);
        }
        batch_free(batch);
    }
}

// The worker has returned batches and goes on with another one.
static void batches_returned(uv_async_t *returned_some) {
    struct pool *pool = CONTAINER_OF(returned_some, struct pool, mailbox.returned_some);
    struct batch_list returned = STAILQ_HEAD_INITIALIZER(returned);
    collect_batches(pool, &returned);
    pool_schedule(pool);
    answer_batches(pool, &returned);
}

// The worker has returned its last batch and ended.
static void batches_done(uv_work_t *work, int status) {
    struct pool *pool = CONTAINER_OF(work, struct job, work)->pool;
    struct batch_list returned = STAILQ_HEAD_INITIALIZER(returned);
    CHECK(status == 0);
    pool->slots_taken--;
    pool->batch_worker_runs = false;
    collect_batches(pool, &returned);
    pool_schedule(pool); // the next batch is on its way before these are answered
    answer_batches(pool, &returned);
    pool_report_finished(pool); // all batches may have been answered before, while the worker still ran
}

void pool_start_batches(struct pool *pool) {
    struct batch *batch = batch_new();
    fill(pool, batch);
    batch_mailbox_open(&pool->mailbox, batch);
    pool->slots_taken++;
    pool->batch_worker_runs = true;
    pool->start(pool, &pool->batch_worker, batches_done);
}

void pool_add_to_next_batch(struct pool *pool) {
    batch_mailbox_add(&pool->mailbox, fill, pool);
}

void pool_count_taken(struct pool *pool) {
    unsigned taken = (unsigned)batch_mailbox_count_taken(&pool->mailbox);
    CHECK(taken <= pool->transfers.waiting);
    pool->transfers.waiting -= taken;
    pool->transfers.running += taken;
}

// --- The shutdown ---

void pool_take_waiting(struct pool *pool, struct transfer_list *taken) {
    struct transfer_job *transfer;
    struct batch *not_begun = batch_mailbox_take_back(&pool->mailbox);
    pool_count_taken(pool);
    if (not_begun != NULL) {
        put_back(pool, not_begun);
        batch_free(not_begun);
    }
    while ((transfer = STAILQ_FIRST(&pool->line)) != NULL) {
        STAILQ_REMOVE_HEAD(&pool->line, waiting);
        if (transfer->queue != NULL) {
            account_queue_leave(&pool->queues, transfer);
        }
        STAILQ_INSERT_TAIL(taken, transfer, waiting);
    }
    for (unsigned state = 0; state < ACCOUNT_QUEUE_STATES; state++) {
        struct account_queue *next;
        for (struct account_queue *queue = account_queues_first(&pool->queues, (enum account_queue_state)state);
             queue != NULL; queue = next) {
            next = TAILQ_NEXT(queue, others);
            while ((transfer = account_queue_cancel(&pool->queues, queue)) != NULL) {
                STAILQ_INSERT_TAIL(taken, transfer, waiting);
            }
        }
    }
    STAILQ_FOREACH(transfer, taken, waiting) {
        pool->transfers.waiting--;
        pool->transfers.running++;
    }
}
