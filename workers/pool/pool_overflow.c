// The overflow: transfers that found the queue full. Each waits for room in the queue, at most OVERFLOW_WAIT_MS, and is
// then refused with 503 and a Retry-After. Loop thread only.
//
//   pool_submit_transfer > pool_overflow_put > pool_schedule > pool_overflow_admit > the queue
//                                            > on_deadline > the client, 503
//
// A refusal that is sent immediately brings the next request of a client in a closed loop immediately: reading, parsing
// and refusing then take the processor from PostgreSQL and the workers. The wait limits each connection to one refusal
// in that time, and most transfers find room meanwhile. The connection keeps its keep-alive and reads no next request.
#include "workers/limits.h"
#include "workers/pool/pool_internal.h"

static void on_deadline(uv_timer_t *timer);

void pool_overflow_init(struct pool *pool) {
    STAILQ_INIT(&pool->overflow.transfers);
    CHECK(uv_timer_init(pool->loop, &pool->overflow.timer) == 0);
}

bool pool_queue_has_room(const struct pool *pool) {
    return pool->transfers.waiting < pool->queue_limit + (pool->slots - pool->slots_taken);
}

// --- Retry-After ---

unsigned pool_overflow_retry_after_s(uint64_t ahead, uint64_t moved, uint64_t waited_ms, uint64_t turn) {
    const unsigned most = OVERFLOW_RETRY_AFTER_S_MAX;
    uint64_t seconds = moved == 0 ? most : ahead * waited_ms / moved / 1000 + 1;
    if (seconds < most) {
        return (unsigned)seconds;
    }
    return most / 2 + (unsigned)(turn % (most - most / 2 + 1));
}

// `ahead` clients are in the overflow, or are refused now and come back before this one.
static void set_retry_after(struct pool *pool, struct transfer_job *transfer, const struct transfer_job *waited,
                            uint64_t ahead) {
    struct overflow *overflow = &pool->overflow;
    uint64_t waited_ms = uv_now(pool->loop) - waited->job.submitted_ms + 1;
    uint64_t moved = overflow->moved - waited->moved_before;
    transfer->retry_after_s = pool_overflow_retry_after_s(ahead, moved, waited_ms, overflow->refused++);
}

// --- In ---

static void start_timer(struct pool *pool) {
    const struct transfer_job *first = STAILQ_FIRST(&pool->overflow.transfers);
    uint64_t waited_ms = uv_now(pool->loop) - first->job.submitted_ms;
    uint64_t left_ms = waited_ms < OVERFLOW_WAIT_MS ? OVERFLOW_WAIT_MS - waited_ms : 0;
    CHECK(uv_timer_start(&pool->overflow.timer, on_deadline, left_ms, 0) == 0);
}

bool pool_overflow_put(struct pool *pool, struct transfer_job *transfer) {
    struct overflow *overflow = &pool->overflow;
    if (overflow->count == OVERFLOW_MAX) {
        set_retry_after(pool, transfer, STAILQ_FIRST(&overflow->transfers), overflow->count);
        bank_metrics_publish_overflow(pool->metrics, OVERFLOW_REFUSED);
        return false;
    }
    transfer->job.submitted_ms = uv_now(pool->loop);
    transfer->moved_before = overflow->moved;
    STAILQ_INSERT_TAIL(&overflow->transfers, transfer, waiting);
    pool->transfers.admitted++;
    if (overflow->count++ == 0) {
        start_timer(pool);
    }
    return true;
}

// --- Out ---

static struct transfer_job *take_first(struct overflow *overflow) {
    struct transfer_job *transfer = STAILQ_FIRST(&overflow->transfers);
    STAILQ_REMOVE_HEAD(&overflow->transfers, waiting);
    if (--overflow->count == 0) {
        CHECK(uv_timer_stop(&overflow->timer) == 0);
    }
    return transfer;
}

// The transfer is not run. It counts as running until its client is answered.
static void take_first_to(struct pool *pool, struct transfer_list *list) {
    struct transfer_job *transfer = take_first(&pool->overflow);
    pool->transfers.running++;
    STAILQ_INSERT_TAIL(list, transfer, waiting);
}

void pool_overflow_admit(struct pool *pool, struct transfer_list *abandoned) {
    struct overflow *overflow = &pool->overflow;
    while (overflow->count > 0 && pool_queue_has_room(pool)) {
        if (STAILQ_FIRST(&overflow->transfers)->job.owner == NULL) {
            take_first_to(pool, abandoned);
            continue;
        }
        overflow->moved++;
        pool_place(pool, take_first(overflow));
        bank_metrics_publish_overflow(pool->metrics, OVERFLOW_MOVED);
    }
}

void pool_overflow_take_all(struct pool *pool, struct transfer_list *taken) {
    while (pool->overflow.count > 0) {
        take_first_to(pool, taken);
    }
}

void pool_overflow_finish(struct pool *pool, struct transfer_list *refused, enum overflow_end end) {
    struct transfer_job *transfer;
    while ((transfer = STAILQ_FIRST(refused)) != NULL) {
        STAILQ_REMOVE_HEAD(refused, waiting);
        transfer->result.outcome = TRANSFER_QUEUE_FULL;
        bank_metrics_publish_overflow(pool->metrics, end);
        pool_finish(pool, &transfer->job);
    }
}

static bool has_waited_enough(const struct pool *pool, const struct transfer_job *transfer) {
    return uv_now(pool->loop) - transfer->job.submitted_ms >= OVERFLOW_WAIT_MS;
}

static void on_deadline(uv_timer_t *timer) {
    struct pool *pool = CONTAINER_OF(timer, struct pool, overflow.timer);
    struct overflow *overflow = &pool->overflow;
    struct transfer_list refused = STAILQ_HEAD_INITIALIZER(refused);
    pool_count_taken(pool);
    pool_schedule(pool); // a batch that was taken a moment ago has made room
    while (overflow->count > 0 && has_waited_enough(pool, STAILQ_FIRST(&overflow->transfers))) {
        take_first_to(pool, &refused);
    }
    if (overflow->count > 0) {
        start_timer(pool);
    }
    // Transfers that are refused together come back one after the other, behind the transfers that still wait.
    uint64_t ahead = overflow->count;
    struct transfer_job *transfer;
    STAILQ_FOREACH(transfer, &refused, waiting) {
        set_retry_after(pool, transfer, transfer, ahead++);
    }
    pool_overflow_finish(pool, &refused, OVERFLOW_REFUSED);
}
