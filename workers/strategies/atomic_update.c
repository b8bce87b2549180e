// One UPDATE whose WHERE clause is the check. After a wait for the row, PostgreSQL evaluates the WHERE again on the
// newest version of the row. The transfer reads nothing before the UPDATE, so no balance can be stale.
#include "workers/strategies/strategies.h"

static enum transfer_outcome atomic_update_attempt(struct transfer *transfer) {
    transfer_wait_at_barrier(transfer); // nothing was read yet: the transfers only start together
    transfer_delay(transfer);
    transfer_lock_in_order(transfer);
    enum transfer_outcome outcome = transfer_post(transfer, STATEMENT_BOOK_IF_COVERED);
    return outcome == TRANSFER_CONTINUE ? transfer_refuse(transfer) : outcome;
}

static const enum statement atomic_update_statements[] = {STATEMENT_LOCK_FIRST, STATEMENT_BOOK_IF_COVERED,
                                                          STATEMENT_REFUSE, STATEMENT_COUNT};

const struct strategy strategy_atomic_update = {
    .name = "atomic_update",
    .idea = "one UPDATE takes the amount only WHERE balance >= amount: check and deduct are one statement",
    .choose_when = "the rule fits into the WHERE clause of one UPDATE of one row. It is the first choice then: one "
                   "statement and no retries",
    .watch_for =
        "The fastest fix for one row, in one round trip: the row is locked only while PostgreSQL itself works. "
        "The rule has to fit into a WHERE, and zero rows may also mean an unknown account",
    .isolation = "read committed",
    .sketch = sketch_atomic_update,
    .statements = atomic_update_statements,
    .safe = true,
    .uses_locks = true,
    .max_in_flight_per_account = STRATEGY_MAX_IN_FLIGHT,
    .attempt = atomic_update_attempt,
};
