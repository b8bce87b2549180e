// The scheduler: the one place that decides which waiting work gets a thread. Loop thread only.
//
// The rules:
// - When the queue has room, the transfers of the overflow come into it before any other, in the order of arrival.
// - A transfer needs a slot. Transfers of one source account get it in the order of arrival.
// - A strategy may limit how many transfers of one account are in the line or on a worker.
// - One batch runs at a time. It takes whole account queues, in the order in which they became BATCHABLE.
// - While a batch runs, its worker gets the next one in its slot, unless the line or a transfer alone wants a slot.
// - Transfers that wait alone for a held row take at most BATCH_ALONE_MAX of the slots, one for each account.
// - When the line, a batch and a transfer alone want a slot, they get one in turn.
// - Every other kind of job has one thread of its own. Beyond that the kinds share the reserve, in turn.
#include "workers/limits.h"
#include "workers/pool/pool_internal.h"

// Account queues with room in flight send their transfers to the line.
static void release_runnable(struct pool *pool) {
    struct account_queue *queue;
    while ((queue = account_queues_first(&pool->queues, ACCOUNT_QUEUE_RUNNABLE)) != NULL) {
        struct transfer_job *transfer = account_queue_take(queue);
        STAILQ_INSERT_TAIL(&pool->line, transfer, waiting);
        account_queue_update(&pool->queues, queue);
    }
}

static bool start_from_line(struct pool *pool) {
    struct transfer_job *transfer = STAILQ_FIRST(&pool->line);
    if (transfer == NULL) {
        return false;
    }
    STAILQ_REMOVE_HEAD(&pool->line, waiting);
    pool_start_transfer(pool, transfer);
    return true;
}

static bool start_batch(struct pool *pool) {
    if (pool->batch_worker_runs || pool_window_is_open(pool) ||
        account_queues_first(&pool->queues, ACCOUNT_QUEUE_BATCHABLE) == NULL) {
        return false;
    }
    pool_start_batches(pool);
    return true;
}

static bool alone_may_start(const struct pool *pool) {
    return account_queues_first(&pool->queues, ACCOUNT_QUEUE_HELD) != NULL &&
           pool->alone_running < BATCH_ALONE_MAX(pool->slots);
}

static bool start_alone(struct pool *pool) {
    if (!alone_may_start(pool)) {
        return false;
    }
    struct account_queue *queue = account_queues_first(&pool->queues, ACCOUNT_QUEUE_HELD);
    struct transfer_job *transfer = account_queue_take(queue);
    account_queue_move(&pool->queues, queue, ACCOUNT_QUEUE_ALONE);
    transfer->job.run = batch_run_alone;
    pool->alone_running++;
    pool_start_transfer(pool, transfer);
    return true;
}

// Gives one slot away. False: nobody can use it.
static bool give_slot(struct pool *pool) {
    static bool (*const starts[SLOT_USERS])(struct pool * pool) = {
        [SLOT_FOR_LINE] = start_from_line,
        [SLOT_FOR_BATCH] = start_batch,
        [SLOT_FOR_ALONE] = start_alone,
    };
    for (unsigned i = 0; i < SLOT_USERS; i++) {
        enum slot_user user = pool->turn;
        pool->turn = (enum slot_user)((user + 1U) % SLOT_USERS);
        if (starts[user](pool)) {
            return true;
        }
    }
    return false;
}

// Runs after the free slots were given away. If the line or a transfer alone still waits for a slot, the worker of the
// batches gets no next one, so it ends and its slot is given away in turn.
static void keep_batches_running(struct pool *pool) {
    bool others_wait = !STAILQ_EMPTY(&pool->line) || alone_may_start(pool);
    if (pool->batch_worker_runs && !others_wait &&
        account_queues_first(&pool->queues, ACCOUNT_QUEUE_BATCHABLE) != NULL) {
        pool_add_to_next_batch(pool);
    }
}

// The kinds behind the one that gave a thread back last come first, so that the reserve goes round.
static void give_threads(struct pool *pool, struct job_list *expired) {
    for (unsigned i = 1; i <= JOB_OWN_THREADS; i++) {
        enum job_kind kind = (enum job_kind)(((unsigned)pool->last_kind + i) % JOB_OWN_THREADS);
        while (!STAILQ_EMPTY(&pool->kinds[kind].jobs) && pool_kind_has_thread(pool, kind)) {
            pool_start_kind(pool, kind, expired);
        }
    }
}

static void check_counts(const struct job_counts *counts, unsigned in_overflow) {
    CHECK(counts->admitted - counts->finished == (uint64_t)counts->waiting + counts->running + in_overflow);
}

static void check_state(const struct pool *pool) {
    CHECK(pool->slots_taken <= pool->slots);
    CHECK(pool->alone_running <= BATCH_ALONE_MAX(pool->slots));
    CHECK(pool->alone_running + pool->batch_worker_runs <= pool->slots_taken);
    CHECK(account_queues_first(&pool->queues, ACCOUNT_QUEUE_RUNNABLE) == NULL);
    CHECK(pool->slots_taken == pool->slots || STAILQ_EMPTY(&pool->line));
    check_counts(&pool->transfers, pool->overflow.count);
    unsigned reserve_taken = 0;
    for (unsigned kind = 0; kind < JOB_OWN_THREADS; kind++) {
        check_counts(&pool->kinds[kind].counts, 0);
        reserve_taken += pool->kinds[kind].threads > 0 ? pool->kinds[kind].threads - 1 : 0;
    }
    CHECK(reserve_taken == pool->reserve_taken && reserve_taken <= pool->reserve);
}

void pool_schedule(struct pool *pool) {
    struct transfer_list abandoned = STAILQ_HEAD_INITIALIZER(abandoned);
    pool_overflow_admit(pool, &abandoned);
    release_runnable(pool);
    while (pool->slots_taken < pool->slots && give_slot(pool)) {}
    keep_batches_running(pool);
    pool_count_taken(pool);
    struct job_list expired = STAILQ_HEAD_INITIALIZER(expired);
    give_threads(pool, &expired);
    account_queues_free_idle(&pool->queues);
    check_state(pool);
    pool_overflow_finish(pool, &abandoned, OVERFLOW_ABANDONED);
    pool_refuse(pool, &expired); // last: an answer may bring the next request, and with it the next schedule
}
