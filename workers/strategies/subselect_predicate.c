// The check is in the WHERE clause, but as a sub-select. After a wait for the row, PostgreSQL evaluates the WHERE again
// on the newest version of the row, but the sub-select still reads the snapshot of the statement.
#include "workers/strategies/strategies.h"

static enum transfer_outcome subselect_predicate_attempt(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_pin_backend(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    transfer_wait_at_barrier(transfer);
    transfer_delay(transfer);
    transfer_begin(transfer, STATEMENT_BEGIN);
    outcome = transfer_post(transfer, STATEMENT_BOOK_IF_SUBSELECT);
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

static const enum statement subselect_predicate_statements[] = {STATEMENT_BEGIN, STATEMENT_BOOK_IF_SUBSELECT,
                                                                STATEMENT_COMMIT, STATEMENT_REFUSE, STATEMENT_COUNT};

const struct strategy strategy_subselect_predicate = {
    .name = "subselect_predicate",
    .idea = "the check in the WHERE, but as a sub-select: it keeps the snapshot that the statement began with",
    .choose_when = "never. Put the check on the row that the UPDATE changes (atomic_update)",
    .watch_for = "It looks like atomic_update, and it is one statement, so it must be atomic. It is, but not isolated: "
                 "READ COMMITTED looks again only at the row it updates, never at what a sub-select has read",
    .isolation = "read committed",
    .sketch = sketch_subselect_predicate,
    .statements = subselect_predicate_statements,
    .attempt = subselect_predicate_attempt,
};
