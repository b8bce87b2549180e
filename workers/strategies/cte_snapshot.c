// Reads and writes in one statement, but the read is a CTE. The new balance is computed from the snapshot of the
// statement, even if the row has changed while the UPDATE waited for it.
#include "workers/strategies/strategies.h"

static enum transfer_outcome cte_snapshot_attempt(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_pin_backend(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    transfer_wait_at_barrier(transfer);
    transfer_delay(transfer);
    transfer_begin(transfer, STATEMENT_BEGIN);
    outcome = transfer_post(transfer, STATEMENT_BOOK_FROM_SNAPSHOT);
    if (outcome == TRANSFER_CONTINUE) {
        return transfer_refuse(transfer);
    }
    if (outcome != TRANSFER_SUCCESS) {
        return outcome;
    }
    // The race is inside the statement, so the rivals must have begun their statements before the commit.
    transfer_hold_row(transfer);
    return transfer_commit(transfer, TRANSFER_SUCCESS);
}

static const enum statement cte_snapshot_statements[] = {STATEMENT_BEGIN, STATEMENT_BOOK_FROM_SNAPSHOT,
                                                         STATEMENT_COMMIT, STATEMENT_REFUSE, STATEMENT_COUNT};

const struct strategy strategy_cte_snapshot = {
    .name = "cte_snapshot",
    .idea =
        "a CTE reads the balance and the UPDATE computes from it: one statement, but from the snapshot it began with",
    .choose_when =
        "never. Move the check into the WHERE clause of the UPDATE (atomic_update), or lock the row first (for_update)",
    .watch_for = "One statement looks atomic, and no balance goes negative. Both transfers succeed and the second "
                 "overwrites the first: a lost update. FOR UPDATE inside the CTE fixes it",
    .isolation = "read committed",
    .sketch = sketch_cte_snapshot,
    .statements = cte_snapshot_statements,
    .attempt = cte_snapshot_attempt,
};
