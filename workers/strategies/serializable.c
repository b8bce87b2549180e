// Reads and writes in one transaction under the strictest isolation. PostgreSQL tracks the reads of each transaction.
// If the result could fit no serial order, one of the transactions fails with 40001, sometimes only at COMMIT.
#include "workers/strategies/strategies.h"

static enum transfer_outcome serializable_attempt(struct transfer *transfer) {
    transfer_begin(transfer, STATEMENT_BEGIN_SERIALIZABLE);
    enum transfer_outcome outcome = transfer_read(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    // The snapshot was taken and no row is locked, so all waiters have read before any of them writes.
    transfer_wait_at_barrier(transfer);
    transfer_delay(transfer);
    if (!transfer_check(transfer)) {
        return transfer_record(transfer, TRANSFER_INSUFFICIENT_FUNDS);
    }
    transfer_lock_in_order(transfer);
    return transfer_post_and_commit(transfer, STATEMENT_BOOK);
}

static const enum statement serializable_statements[] = {STATEMENT_BEGIN_SERIALIZABLE,
                                                         STATEMENT_READ_BALANCES,
                                                         STATEMENT_LOCK_FIRST,
                                                         STATEMENT_BOOK,
                                                         STATEMENT_COMMIT,
                                                         STATEMENT_COUNT};

const struct strategy strategy_serializable = {
    .name = "serializable",
    .idea = "plain SELECT and UPDATE under SERIALIZABLE: whatever would not fit some serial order fails (40001), retry",
    .choose_when = "the rule spans rows that the transaction reads and does not write (write skew), conflicts are "
                   "rare, and the code repeats a transaction that lost (40001)",
    .watch_for =
        "Covers every rule, not only this one, and every transaction must take part. 40001 may come at COMMIT, and is "
        "no proof of a conflict on the account: over a small table a sequential scan conflicts with everybody",
    .isolation = "serializable",
    .sketch = sketch_serializable,
    .statements = serializable_statements,
    .safe = true,
    .attempt = serializable_attempt,
};
