// One transaction for all transfers that wait for the same accounts: the row lock, the round trips and the flush to
// disk are paid once a batch. Who arrives while a batch is being booked is in the next one; nobody waits for a batch
// to fill. Correct with several servers: the row lock still protects, the queue in the program only spares it.
#include "workers/batch/batch.h"
#include "workers/strategies/strategies.h"

static enum transfer_outcome batched_attempt(struct batch *batch) {
    if (!batch->is_patient && !batch_wants_delay(batch)) { // a bet tells its time before it waits
        enum transfer_outcome outcome = batch_book_if_all_covered(batch);
        if (outcome != TRANSFER_GOES_ON) {
            return outcome;
        }
    }
    // Somebody is not covered: judge each on its own.
    enum transfer_outcome outcome = batch_lock_and_read(batch);
    if (outcome != TRANSFER_GOES_ON) {
        return outcome;
    }
    batch_delay(batch); // inside the locks
    batch_judge(batch);
    return batch_book_and_commit(batch);
}

static const enum statement batched_statements[] = {STATEMENT_BOOK_MANY_IF_COVERED,
                                                    STATEMENT_BEGIN,
                                                    STATEMENT_LOCK_MANY,
                                                    STATEMENT_BOOK_MANY,
                                                    STATEMENT_COMMIT,
                                                    STATEMENT_COUNT};

const struct strategy strategy_batched = {
    .name = "batched",
    .idea = "transfers of a hot account queue in the program; one writer books many of them in one locked transaction",
    .watch_for =
        "The fastest on a hot row: lock, round trips and flush are paid once for many. The order of arrival is the "
        "order of booking, a batch that fails fails for all in it, and the queue is lost with the process: "
        "an answer is given only after the commit",
    .isolation = "read committed",
    .statements = batched_statements,
    .safe = true,
    .uses_locks = true,
    .few_at_a_time = 1,
    .attempt_batch = batched_attempt,
};
