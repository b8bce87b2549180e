// Reads and writes in one transaction with one snapshot. PostgreSQL refuses to update a row that has changed since the
// snapshot was taken: the second transfer fails with 40001, and retries the whole transaction.
#include "workers/strategies/strategies.h"

static enum transfer_outcome repeatable_read_attempt(struct transfer *transfer) {
    transfer_begin(transfer, STATEMENT_BEGIN_REPEATABLE_READ);
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

static const enum statement repeatable_read_statements[] = {STATEMENT_BEGIN_REPEATABLE_READ,
                                                            STATEMENT_READ_BALANCES,
                                                            STATEMENT_LOCK_FIRST,
                                                            STATEMENT_BOOK,
                                                            STATEMENT_COMMIT,
                                                            STATEMENT_COUNT};

const struct strategy strategy_repeatable_read = {
    .name = "repeatable_read",
    .idea = "plain SELECT and UPDATE under REPEATABLE READ: updating a row that changed since the snapshot fails "
            "(40001), retry",
    .choose_when = "all transfers write the rows that their rule reads, conflicts are rare, and the code repeats a "
                   "transaction that lost (40001). It does not stop write skew",
    .watch_for = "The retry is yours: the whole transaction again, decision included, on 40001 only. It protects rows "
                 "that are written; two transactions that each read what the other writes (write skew) get through",
    .isolation = "repeatable read",
    .sketch = sketch_repeatable_read,
    .statements = repeatable_read_statements,
    .safe = true,
    .attempt = repeatable_read_attempt,
};
