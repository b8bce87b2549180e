// The mailbox between the loop and the worker that posts batches, so that the worker needs no hop over the loop between
// two batches.
//
// While the worker posts a batch, the loop puts the transfers that arrive into the next one, which lies here. The
// worker leaves the batch that it has posted, takes the next one, and ends when there is none. Without the mailbox the
// loop, busy with requests, would have to start each batch: docs/benchmarks has the figures. There is one such worker.
//
// The mutex guards everything in the mailbox. Loop thread, but for batch_mailbox_exchange().
#ifndef WORKERS_POOL_BATCH_MAILBOX_H
#define WORKERS_POOL_BATCH_MAILBOX_H

#include "workers/batch/batch.h"

#include <sys/queue.h>
#include <uv.h>

enum batch_mailbox_state {
    BATCH_MAILBOX_CLOSED, // No worker will look here. The loop may start one.
    BATCH_MAILBOX_EMPTY,  // A worker posts a batch and will look here afterwards.
    BATCH_MAILBOX_FULL,   // The next batch lies here. The loop may add to it or take it back.
    BATCH_MAILBOX_STATES
};

struct batch_mailbox {
    uv_mutex_t mutex;
    uv_async_t returned_some; // wakes the loop when a batch was left and the worker goes on
    enum batch_mailbox_state state;
    struct batch *next;         // FULL: the next batch; else NULL
    struct batch_list returned; // batches that the worker has left, in their order
    size_t taken;               // transfers that the worker has taken since the loop last counted them
};

void batch_mailbox_init(struct batch_mailbox *mailbox, uv_loop_t *loop, uv_async_cb on_returned);
// Closes the handle. Before batch_mailbox_free().
void batch_mailbox_leave_loop(struct batch_mailbox *mailbox);
void batch_mailbox_free(struct batch_mailbox *mailbox); // CLOSED

// Opens a CLOSED mailbox with the first batch of a worker that the caller is about to start.
void batch_mailbox_open(struct batch_mailbox *mailbox, struct batch *first);
// Calls `fill` on the next batch, a new one if there is none, while the worker cannot take it. `fill` must leave a
// transfer in it. Does nothing if the mailbox is CLOSED.
void batch_mailbox_add(struct batch_mailbox *mailbox, void (*fill)(void *owner, struct batch *batch), void *owner);
// The next batch, which belongs to the caller from now on; NULL: there is none.
MUST_CHECK struct batch *batch_mailbox_take_back(struct batch_mailbox *mailbox);
// Moves all batches that the worker has left to the end of the list. After one that is BATCH_ROW_HELD there is at most
// one more, which is BATCH_FILLING: the worker did not begin with it.
void batch_mailbox_collect(struct batch_mailbox *mailbox, struct batch_list *returned);
// The number of transfers that the worker has taken since the last call.
MUST_CHECK size_t batch_mailbox_count_taken(struct batch_mailbox *mailbox);

// On the worker: leaves the batch that has ended (NULL at first), and takes the next one. NULL: there is none, or the
// batch that has ended met a held row, so the loop must put its transfers back before later ones run. The mailbox is
// then CLOSED, and the worker must end.
MUST_CHECK struct batch *batch_mailbox_exchange(struct batch_mailbox *mailbox, struct batch *ended);

#endif
