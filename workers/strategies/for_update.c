// Locks both rows in one transaction before it reads them. The second transfer waits, and then reads the balances that
// the first one wrote.
#include "workers/strategies/strategies.h"

static enum transfer_outcome for_update_attempt(struct transfer *transfer) {
    // The barrier is here, before any lock: with a row locked, it would be a deadlock that PostgreSQL cannot detect.
    transfer_wait_at_barrier(transfer);
    transfer_begin(transfer, STATEMENT_BEGIN);
    enum transfer_outcome outcome = transfer_lock_and_read(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    // The delay is as long as in vulnerable, but the rows are locked: a second transfer waits before it reads.
    transfer_delay(transfer);
    if (!transfer_check(transfer)) {
        return transfer_record(transfer, TRANSFER_INSUFFICIENT_FUNDS);
    }
    return transfer_post_and_commit(transfer, STATEMENT_BOOK);
}

static const enum statement for_update_statements[] = {STATEMENT_BEGIN, STATEMENT_LOCK_BALANCES, STATEMENT_BOOK,
                                                       STATEMENT_COMMIT, STATEMENT_COUNT};

const struct strategy strategy_for_update = {
    .name = "for_update",
    .idea = "lock both rows (SELECT ... FOR UPDATE) in one transaction: the second transfer waits, then reads the new "
            "balance",
    .choose_when = "the program has to decide between the read and the write, and transfers often meet on one account. "
                   "Every code path must lock rows in the same order",
    .watch_for =
        "The lock is held for every round trip between the read and the COMMIT: a hot row serializes them all. "
        "Lock several rows in one order everywhere, or two transfers in opposite directions deadlock",
    .isolation = "read committed",
    .sketch = sketch_for_update,
    .statements = for_update_statements,
    .safe = true,
    .uses_locks = true,
    .max_in_flight_per_account = STRATEGY_MAX_IN_FLIGHT,
    .attempt = for_update_attempt,
};
