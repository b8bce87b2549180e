// Who waits for a worker, and who is next. Loop thread only.
#include "workers/pool/pool_internal.h"
#include "workers/transfer/transfer.h"

static void start_transfer(struct pool *pool, struct transfer_job *transfer) {
    pool->transfers_running++;
    pool_start_in_slot(pool, &transfer->job, pool_transfer_done);
}

// --- The queue: for a slot ---

// A batch that waits for a slot too has its turn (pool_fill_slots).
static void enqueue(struct pool *pool, struct transfer_job *transfer) {
    if (pool->slots_taken < pool->slots && pool->queue_first == NULL && !pool_batch_can_start(pool)) {
        start_transfer(pool, transfer);
        return;
    }
    pool->waiting++;
    transfer->next_waiting = NULL;
    if (pool->queue_last == NULL) {
        pool->queue_first = transfer;
    } else {
        pool->queue_last->next_waiting = transfer;
    }
    pool->queue_last = transfer;
}

static struct transfer_job *dequeue(struct pool *pool) {
    struct transfer_job *transfer = pool->queue_first;
    if (transfer != NULL) {
        pool->waiting--;
        pool->queue_first = transfer->next_waiting;
        if (pool->queue_first == NULL) {
            pool->queue_last = NULL;
        }
    }
    return transfer;
}

// --- The lanes: of one account, a few at a time (together: pool_batches.c) ---

static struct transfer_job *take_from_lane(struct pool *pool, struct lane *lane) {
    struct transfer_job *transfer = lane_take(lane);
    pool->waiting -= transfer != NULL;
    return transfer;
}

void pool_place(struct pool *pool, struct transfer_job *transfer) {
    const struct settings *settings = &transfer->request.settings;
    const struct strategy *strategy = settings->strategy;
    bool to_barrier = settings->barrier_enabled && !transfer->passed_gate;
    if (strategy->attempt_batch != NULL && to_barrier) {
        transfer_job_pass_gate(transfer);
        enqueue(pool, transfer);
        return;
    }
    if (strategy->few_at_a_time == 0 || to_barrier) { // a barrier wants all its parties on workers
        enqueue(pool, transfer);
        return;
    }
    struct lane *lane = lanes_of(pool->lanes, strategy, transfer->request.from_account);
    transfer->lane = lane;
    if (strategy->attempt_batch != NULL) {
        pool_place_in_batch(pool, lane, transfer);
    } else if (lane->running < strategy->few_at_a_time) {
        lane->running++;
        enqueue(pool, transfer);
    } else {
        pool->waiting++;
        lane_put(lane, transfer);
    }
}

void pool_leave_lane(struct pool *pool, struct lane *lane) {
    lane->running--;
    if (lane->first != NULL) {
        lane->running++;
        enqueue(pool, take_from_lane(pool, lane));
    }
    lanes_settle(pool->lanes, lane);
}

void pool_fill_slots(struct pool *pool) {
    while (pool->slots_taken < pool->slots) {
        bool batch = pool_batch_can_start(pool);
        if (batch && (pool->batch_is_next || pool->queue_first == NULL)) {
            pool->batch_is_next = false;
            pool_start_batch(pool);
        } else if (pool->queue_first != NULL) {
            pool->batch_is_next = true;
            start_transfer(pool, dequeue(pool));
        } else {
            return;
        }
    }
}

struct transfer_job *pool_take_any(struct pool *pool) {
    struct transfer_job *transfer = dequeue(pool);
    if (transfer != NULL) {
        if (transfer->lane != NULL) {
            transfer->lane->running--;
            lanes_settle(pool->lanes, transfer->lane);
        }
        return transfer;
    }
    pool_put_back_batches(pool);
    while (pool_next_ready_lane(pool) != NULL) {}
    for (struct lane *lane = lanes_first(pool->lanes); lane != NULL; lane = lane->next) {
        transfer = take_from_lane(pool, lane);
        if (transfer != NULL) {
            lanes_settle(pool->lanes, lane);
            return transfer;
        }
    }
    return NULL;
}
