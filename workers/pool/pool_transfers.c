// Transfers and batches in the pool: how they arrive, where they wait, how they end. The scheduler
// (pool_schedule.c) decides what starts, and when. Loop thread only.
//
//   submit > pool_place > line                   > pool_start_transfer > transfer_done > the client
//                       > account queue > line   > ...
//                       > account queue > batch  > pool_start_batch    > batch_done    > the clients
//                                                                                      > account queue, HELD
#include "workers/pool/pool_internal.h"
#include "workers/transfer/transfer.h"

static void end_window(uv_idle_t *window);

void pool_transfers_init(struct pool *pool) {
    STAILQ_INIT(&pool->line);
    account_queues_init(&pool->queues);
    CHECK(uv_idle_init(pool->loop, &pool->window) == 0);
}

void pool_leave_loop(struct pool *pool) {
    uv_close((uv_handle_t *)&pool->window, NULL);
}

// --- Arrival ---

// The micro-batch window: a batch that could start at once waits to the end of this turn of the loop, so that it has
// all transfers whose requests were received in the turn. An idle handle is called at the start of the next turn, which
// does not sleep while the handle is active.
static void open_window(struct pool *pool) {
    if (pool->batch == NULL) {
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
    const struct strategy *strategy = settings->strategy;
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

// --- A batch ---

static void fill(struct pool *pool, struct batch *batch) {
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

// Another session holds a row of the batch. Each account waits for its own rows, so that it delays no other account.
static void put_back(struct pool *pool, struct batch *batch) {
    pool->transfers.running -= (unsigned)batch->count;
    pool->transfers.waiting += (unsigned)batch->count;
    for (size_t i = batch->count; i > 0; i--) {
        account_queue_put_back(batch->transfers[i - 1]);
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct account_queue *queue = batch->transfers[i]->queue;
        if (queue->state != ACCOUNT_QUEUE_HELD) {
            CHECK(queue->in_flight == 0);
            account_queue_move(&pool->queues, queue, ACCOUNT_QUEUE_HELD);
        }
    }
}

static void batch_done(uv_work_t *work, int status) {
    struct batch *batch = CONTAINER_OF(work, struct batch, job.work);
    struct pool *pool = batch->job.pool;
    CHECK(status == 0);
    pool->slots_taken--;
    pool->batch = NULL;
    bank_metrics_publish_statements(pool->metrics, &batch->job.statements);
    bool ended = batch->state == BATCH_ENDED;
    if (ended) {
        for (size_t i = 0; i < batch->count; i++) {
            account_queue_leave(&pool->queues, batch->transfers[i]);
        }
    } else {
        put_back(pool, batch);
    }
    pool_schedule(pool); // the next batch is on its way before this one is answered
    for (size_t i = 0; i < batch->count && ended; i++) {
        struct transfer_job *transfer = batch->transfers[i];
        bank_metrics_publish_transfer(pool->metrics, &transfer->request, &transfer->result);
        pool_finish(pool, &transfer->job);
    }
    batch_free(batch);
}

void pool_start_batch(struct pool *pool) {
    struct batch *batch = batch_new();
    batch->job.pool = pool;
    fill(pool, batch);
    pool->slots_taken++;
    pool->transfers.waiting -= (unsigned)batch->count;
    pool->transfers.running += (unsigned)batch->count;
    pool->batch = batch;
    batch_start(batch);
    pool->start(pool, &batch->job, batch_done);
}

// --- The shutdown ---

void pool_take_waiting(struct pool *pool, struct transfer_list *taken) {
    struct transfer_job *transfer;
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
