// One transaction for many transfers: the row lock, the round trips and the flush to disk are paid once a batch.
//
// A transfer waits in the queue of its source account. One batch runs at a time; the transfers that arrive meanwhile
// are in the next one, which starts when the running one ends. No transfer waits for a batch to fill. When another
// session holds a row of the batch for longer than BATCH_LOCK_TIMEOUT_MS, nothing is posted: the transfers go back to
// their queues, and the first one of each account runs alone, on a worker of its own, so that no account waits behind
// another's row. Correct with several servers: the row lock protects the balance, the queues only keep the waiters out
// of PostgreSQL.
#include "workers/batch/batch.h"
#include "workers/strategies/strategies.h"

static enum transfer_outcome batched_attempt(struct batch *batch) {
    // The one statement records its time before it waits for rows, so it is not for a transfer that waits long.
    if (!batch->alone && !batch_wants_delay(batch)) {
        enum transfer_outcome outcome = batch_post_if_all_covered(batch);
        if (outcome != TRANSFER_CONTINUE) {
            return outcome;
        }
    }
    // Some transfer is not covered, so each is judged on its own.
    enum transfer_outcome outcome = batch_lock_and_read(batch);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    batch_delay(batch); // inside the locks
    batch_judge(batch);
    return batch_post_and_commit(batch);
}

static const enum statement batched_statements[] = {STATEMENT_BOOK_MANY_IF_COVERED,
                                                    STATEMENT_BEGIN,
                                                    STATEMENT_LOCK_MANY,
                                                    STATEMENT_BOOK_MANY,
                                                    STATEMENT_COMMIT,
                                                    STATEMENT_COUNT};

const struct strategy strategy_batched = {
    .name = "batched",
    .idea = "transfers of a hot account queue in the program; a worker posts many of them in one locked transaction",
    .choose_when = "one account is very hot, all of its transfers go through one server, and a transfer may fail "
                   "together with its batch",
    .watch_for =
        "The fastest on a hot row: lock, round trips and flush are paid once for many. The order of arrival is the "
        "order of posting, a batch that fails fails for all in it, and the queue is lost with the process: "
        "an answer is given only after the commit",
    .isolation = "read committed",
    .sketch = sketch_batched,
    .statements = batched_statements,
    .safe = true,
    .uses_locks = true,
    .max_in_flight_per_account = 1,
    .attempt_batch = batched_attempt,
    .with_key = &strategy_for_update,
};
