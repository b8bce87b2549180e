// Account queues are found in a tree of libc's (search.h). Loop thread only.
#include "workers/pool/account_queue.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIT(state) (1U << (unsigned)(state))

// The states that may follow each state.
static const unsigned legal_moves[ACCOUNT_QUEUE_STATES] = {
    [ACCOUNT_QUEUE_IDLE] = BIT(ACCOUNT_QUEUE_RUNNABLE) | BIT(ACCOUNT_QUEUE_BATCHABLE),
    [ACCOUNT_QUEUE_RUNNABLE] = BIT(ACCOUNT_QUEUE_BUSY) | BIT(ACCOUNT_QUEUE_IDLE),
    [ACCOUNT_QUEUE_BATCHABLE] = BIT(ACCOUNT_QUEUE_BATCHABLE) | BIT(ACCOUNT_QUEUE_BUSY) | BIT(ACCOUNT_QUEUE_HELD) |
                                BIT(ACCOUNT_QUEUE_IDLE),
    [ACCOUNT_QUEUE_BUSY] = BIT(ACCOUNT_QUEUE_RUNNABLE) | BIT(ACCOUNT_QUEUE_BATCHABLE) | BIT(ACCOUNT_QUEUE_HELD) |
                           BIT(ACCOUNT_QUEUE_IDLE),
    [ACCOUNT_QUEUE_HELD] = BIT(ACCOUNT_QUEUE_ALONE) | BIT(ACCOUNT_QUEUE_IDLE),
    [ACCOUNT_QUEUE_ALONE] = BIT(ACCOUNT_QUEUE_BATCHABLE) | BIT(ACCOUNT_QUEUE_IDLE),
};

static int compare_queues(const void *left, const void *right) {
    const struct account_queue *a = left;
    const struct account_queue *b = right;
    if (a->strategy != b->strategy) {
        return a->strategy < b->strategy ? -1 : 1;
    }
    return strcmp(a->account, b->account);
}

void account_queues_init(struct account_queues *queues) {
    queues->tree = NULL;
    for (size_t state = 0; state < ACCOUNT_QUEUE_STATES; state++) {
        TAILQ_INIT(&queues->lists[state]);
    }
}

void account_queues_free_idle(struct account_queues *queues) {
    struct account_queue *queue;
    while ((queue = account_queues_first(queues, ACCOUNT_QUEUE_IDLE)) != NULL) {
        CHECK(STAILQ_EMPTY(&queue->waiting) && queue->in_flight == 0);
        CHECK(tdelete(queue, &queues->tree, compare_queues) != NULL);
        TAILQ_REMOVE(&queues->lists[ACCOUNT_QUEUE_IDLE], queue, others);
        free(queue);
    }
}

bool account_queues_are_empty(const struct account_queues *queues) {
    return queues->tree == NULL;
}

struct account_queue *account_queues_first(const struct account_queues *queues, enum account_queue_state state) {
    return TAILQ_FIRST(&queues->lists[state]);
}

struct account_queue *account_queue_of(struct account_queues *queues, const struct strategy *strategy,
                                       const char *account) {
    struct account_queue wanted = {.strategy = strategy};
    (void)snprintf(wanted.account, sizeof wanted.account, "%s", account);
    struct account_queue *const *found = tfind(&wanted, &queues->tree, compare_queues);
    if (found != NULL) {
        return *found;
    }
    struct account_queue *queue = memory_allocate_zeroed(sizeof *queue);
    *queue = wanted;
    STAILQ_INIT(&queue->waiting);
    CHECK(tsearch(queue, &queues->tree, compare_queues) != NULL);
    TAILQ_INSERT_TAIL(&queues->lists[ACCOUNT_QUEUE_IDLE], queue, others);
    return queue;
}

void account_queue_move(struct account_queues *queues, struct account_queue *queue, enum account_queue_state state) {
    CHECK((legal_moves[queue->state] & BIT(state)) != 0);
    TAILQ_REMOVE(&queues->lists[queue->state], queue, others);
    queue->state = state;
    TAILQ_INSERT_TAIL(&queues->lists[state], queue, others);
}

static enum account_queue_state state_of(const struct account_queue *queue) {
    if (STAILQ_EMPTY(&queue->waiting)) {
        return queue->in_flight > 0 ? ACCOUNT_QUEUE_BUSY : ACCOUNT_QUEUE_IDLE;
    }
    if (queue->strategy->attempt_batch != NULL) {
        return ACCOUNT_QUEUE_BATCHABLE;
    }
    return queue->in_flight < queue->strategy->max_in_flight_per_account ? ACCOUNT_QUEUE_RUNNABLE : ACCOUNT_QUEUE_BUSY;
}

void account_queue_update(struct account_queues *queues, struct account_queue *queue) {
    enum account_queue_state state = state_of(queue);
    if (state != queue->state) {
        account_queue_move(queues, queue, state);
    }
}

static bool waits_for_held_row(const struct account_queue *queue) {
    return queue->state == ACCOUNT_QUEUE_HELD || queue->state == ACCOUNT_QUEUE_ALONE;
}

void account_queue_put(struct account_queues *queues, struct account_queue *queue, struct transfer_job *transfer) {
    transfer->queue = queue;
    STAILQ_INSERT_TAIL(&queue->waiting, transfer, waiting);
    if (!waits_for_held_row(queue)) {
        account_queue_update(queues, queue);
    }
}

struct transfer_job *account_queue_take(struct account_queue *queue) {
    struct transfer_job *transfer = STAILQ_FIRST(&queue->waiting);
    CHECK(transfer != NULL);
    STAILQ_REMOVE_HEAD(&queue->waiting, waiting);
    queue->in_flight++;
    return transfer;
}

void account_queue_put_back(struct transfer_job *transfer) {
    struct account_queue *queue = transfer->queue;
    CHECK(queue->in_flight > 0);
    queue->in_flight--;
    STAILQ_INSERT_HEAD(&queue->waiting, transfer, waiting);
}

struct transfer_job *account_queue_cancel(struct account_queues *queues, struct account_queue *queue) {
    struct transfer_job *transfer = STAILQ_FIRST(&queue->waiting);
    if (transfer == NULL) {
        return NULL;
    }
    STAILQ_REMOVE_HEAD(&queue->waiting, waiting);
    transfer->queue = NULL;
    if (STAILQ_EMPTY(&queue->waiting) && queue->state != ACCOUNT_QUEUE_ALONE) {
        account_queue_update(queues, queue);
    }
    return transfer;
}

void account_queue_leave(struct account_queues *queues, struct transfer_job *transfer) {
    struct account_queue *queue = transfer->queue;
    transfer->queue = NULL;
    CHECK(queue->in_flight > 0);
    queue->in_flight--;
    account_queue_update(queues, queue);
}
