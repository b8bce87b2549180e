// Account queues: the transfers of one source account and strategy that wait before the pool, in the order of arrival.
//
// An account queue exists while a transfer of it waits or is in flight. Every queue is on the list of its state.
// Loop thread only.
#ifndef WORKERS_POOL_ACCOUNT_QUEUE_H
#define WORKERS_POOL_ACCOUNT_QUEUE_H

#include "workers/jobs/jobs.h"

#include <sys/queue.h>

enum account_queue_state {
    // No transfer of the account waits or is in flight. A queue is made in this state, and enters it when its last
    // transfer has ended. The scheduler frees the queues of this list.
    ACCOUNT_QUEUE_IDLE,

    // Transfers wait, and the strategy allows the account one more in flight. A queue enters when a transfer arrives
    // or another one ends. The scheduler moves its transfers to the line for a slot, and the queue to BUSY.
    ACCOUNT_QUEUE_RUNNABLE,

    // Transfers wait for a batch. A queue enters when a transfer of a batched strategy arrives, and at the end of the
    // list when a batch was full before the queue was empty. The scheduler takes queues out from the front when it
    // fills a batch.
    ACCOUNT_QUEUE_BATCHABLE,

    // Transfers are in flight: in the line for a slot, in a batch, or on a worker. Nobody waits, or as many are in
    // flight as the strategy allows. A queue leaves when one of them ends or another one arrives.
    ACCOUNT_QUEUE_BUSY,

    // Another session held a row of the account's last batch for longer than a batch waits, so the transfers of the
    // account were put back. The scheduler runs the first one alone when a slot is free.
    ACCOUNT_QUEUE_HELD,

    // The first transfer runs alone and waits for its rows; the others wait for its end. Then the queue is BATCHABLE
    // again, or IDLE.
    ACCOUNT_QUEUE_ALONE,

    ACCOUNT_QUEUE_STATES
};

struct account_queue {
    const struct strategy *strategy;
    char account[ACCOUNT_ID_MAX + 1];
    enum account_queue_state state;
    STAILQ_HEAD(, transfer_job) waiting;
    unsigned in_flight;                // transfers that were taken out and have not left yet
    TAILQ_ENTRY(account_queue) others; // the list of queues in the same state
};

TAILQ_HEAD(account_queue_list, account_queue);

struct account_queues {
    void *tree; // libc's (search.h): all of them, by strategy and account
    struct account_queue_list lists[ACCOUNT_QUEUE_STATES];
};

void account_queues_init(struct account_queues *queues);
// Frees the queues that are IDLE.
void account_queues_free_idle(struct account_queues *queues);
MUST_CHECK bool account_queues_are_empty(const struct account_queues *queues);
// The first queue in this state, or NULL.
MUST_CHECK struct account_queue *account_queues_first(const struct account_queues *queues,
                                                      enum account_queue_state state);
// The queue of this account; a new one if there is none.
MUST_CHECK struct account_queue *account_queue_of(struct account_queues *queues, const struct strategy *strategy,
                                                  const char *account);

// Changes the state: nothing else does. The queue goes to the end of the new state's list.
void account_queue_move(struct account_queues *queues, struct account_queue *queue, enum account_queue_state state);
// Moves a queue that is neither HELD nor ALONE to the state that its transfers call for.
void account_queue_update(struct account_queues *queues, struct account_queue *queue);

// A transfer arrives.
void account_queue_put(struct account_queues *queues, struct account_queue *queue, struct transfer_job *transfer);
// Takes the transfer that arrived first, which is in flight from now on. Some transfer must wait. Changes no state.
MUST_CHECK struct transfer_job *account_queue_take(struct account_queue *queue);
// A transfer that was taken out waits again, before all others. Changes no state.
void account_queue_put_back(struct transfer_job *transfer);
// Takes the transfer that arrived first for good; NULL: nobody waits.
MUST_CHECK struct transfer_job *account_queue_cancel(struct account_queues *queues, struct account_queue *queue);
// A transfer that was taken out has ended.
void account_queue_leave(struct account_queues *queues, struct transfer_job *transfer);

#endif
