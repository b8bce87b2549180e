// Who waits for a worker, and who is next. Loop thread only.
#include "pool_internal.h"
#include "strategy.h"

// A free writer takes what has gathered, but first looks at the sockets again while they bring more: what lies there
// already is no reason to wait, only to read on. So often, at most.
#define GATHER_TURNS_MAX 3

static void pool_gather(uv_check_t *gather);

static void pool_stay_awake(uv_idle_t *idle) {
    (void)idle; // that it is active is what counts: the loop polls, and does not sleep
}

void pool_queue_init(struct pool *pool) {
    pool->lanes = lanes_new();
    CHECK(uv_check_init(pool->loop, &pool->gather) == 0);
    CHECK(uv_idle_init(pool->loop, &pool->gather_idle) == 0);
}

void pool_leave_loop(struct pool *pool) {
    uv_close((uv_handle_t *)&pool->gather, NULL);
    uv_close((uv_handle_t *)&pool->gather_idle, NULL);
}

static void start_transfer(struct pool *pool, struct transfer_job *transfer) {
    pool->transfers_running++;
    pool_start_in_slot(pool, &transfer->job, pool_transfer_done);
}

// --- The queue: for a slot ---

static void enqueue(struct pool *pool, struct transfer_job *transfer) {
    if (pool->slots_taken < pool->slots && pool->queue_first == NULL) {
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

// --- The lanes: of one account, a few at a time or together ---

static void wait_in_lane(struct pool *pool, struct lane *lane, struct transfer_job *transfer) {
    pool->waiting++;
    lane_put(lane, transfer);
}

static struct transfer_job *take_from_lane(struct pool *pool, struct lane *lane) {
    struct transfer_job *transfer = lane_take(lane);
    pool->waiting -= transfer != NULL;
    return transfer;
}

static void line_up(struct pool *pool, struct lane *lane) {
    if (lane->is_ready || lane->running > 0) {
        return;
    }
    lane->is_ready = true;
    lane->next_ready = NULL;
    if (pool->ready_last == NULL) {
        pool->ready_first = lane;
    } else {
        pool->ready_last->next_ready = lane;
    }
    pool->ready_last = lane;
}

static struct lane *next_ready_lane(struct pool *pool) {
    struct lane *lane = pool->ready_first;
    if (lane != NULL) {
        lane->is_ready = false;
        pool->ready_first = lane->next_ready;
        if (pool->ready_first == NULL) {
            pool->ready_last = NULL;
        }
    }
    return lane;
}

static bool batch_can_start(const struct pool *pool) {
    return pool->ready_first != NULL && pool->batches_running < BATCH_WRITERS_MAX && pool->slots_taken < pool->slots;
}

// Whole lanes, in the order they lined up, until the batch is full. A lane with more goes to the end of the line when
// its batch is done, so that none is starved by another.
static void start_batch(struct pool *pool) {
    struct batch_job *job = batch_job_new();
    struct batch *batch = &job->batch;
    while (batch->count < BATCH_TRANSFERS_MAX && pool->ready_first != NULL) {
        struct lane *lane = next_ready_lane(pool);
        lane->running = 1;
        job->lanes[job->lane_count++] = lane;
        while (batch->count < BATCH_TRANSFERS_MAX && lane->first != NULL) {
            batch->transfers[batch->count++] = take_from_lane(pool, lane);
        }
    }
    pool->batches_running++;
    pool->transfers_running += (unsigned)batch->count;
    pool_start_in_slot(pool, &job->job, pool_batch_done);
}

static void stop_gathering(struct pool *pool) {
    CHECK(uv_check_stop(&pool->gather) == 0);
    CHECK(uv_idle_stop(&pool->gather_idle) == 0);
}

static void gather_on(struct pool *pool) {
    pool->gathered_more = true;
    if (!batch_can_start(pool) || uv_is_active((uv_handle_t *)&pool->gather)) {
        return;
    }
    pool->gather_turns = 0;
    CHECK(uv_check_start(&pool->gather, pool_gather) == 0);
    CHECK(uv_idle_start(&pool->gather_idle, pool_stay_awake) == 0);
}

static void pool_gather(uv_check_t *gather) {
    struct pool *pool = CONTAINER_OF(gather, struct pool, gather);
    bool more = pool->gathered_more;
    pool->gathered_more = false;
    if (more && ++pool->gather_turns < GATHER_TURNS_MAX && pool->waiting < BATCH_TRANSFERS_MAX) {
        return;
    }
    stop_gathering(pool);
    pool_fill_slots(pool);
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
        wait_in_lane(pool, lane, transfer);
        line_up(pool, lane);
        gather_on(pool);
    } else if (lane->running < strategy->few_at_a_time) {
        lane->running++;
        enqueue(pool, transfer);
    } else {
        wait_in_lane(pool, lane, transfer);
    }
}

void pool_leave_lane(struct pool *pool, struct lane *lane) {
    lane->running--;
    if (lane->strategy->attempt_batch != NULL) {
        if (lane->first != NULL) {
            line_up(pool, lane);
        }
    } else if (lane->first != NULL) {
        lane->running++;
        enqueue(pool, take_from_lane(pool, lane));
    }
    lanes_settle(pool->lanes, lane);
}

void pool_fill_slots(struct pool *pool) {
    while (pool->slots_taken < pool->slots) {
        bool batch = batch_can_start(pool);
        if (batch && (pool->batch_is_next || pool->queue_first == NULL)) {
            pool->batch_is_next = false;
            start_batch(pool);
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
        return transfer;
    }
    while (next_ready_lane(pool) != NULL) {}
    for (struct lane *lane = lanes_first(pool->lanes); lane != NULL; lane = lane->next) {
        transfer = take_from_lane(pool, lane);
        if (transfer != NULL) {
            lanes_settle(pool->lanes, lane);
            return transfer;
        }
    }
    return NULL;
}
