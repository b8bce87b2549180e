// Reads the balances at the standby, and lets the UPDATE at the primary decide: its WHERE clause is the check. An old
// balance costs no money, because nothing depends on it.
#include "workers/strategies/strategies.h"

static enum transfer_outcome replica_guard_attempt(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_read_standby(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    transfer_wait_at_barrier(transfer);
    transfer_delay(transfer);
    // There is no check of the balance that was read: it may also be too low, and then the refusal would be wrong.
    transfer_lock_in_order(transfer);
    outcome = transfer_post(transfer, STATEMENT_BOOK_IF_COVERED);
    return outcome == TRANSFER_CONTINUE ? transfer_refuse(transfer) : outcome;
}

static const enum statement replica_guard_statements[] = {STATEMENT_READ_BALANCES, STATEMENT_LOCK_FIRST,
                                                          STATEMENT_BOOK_IF_COVERED, STATEMENT_REFUSE, STATEMENT_COUNT};

const struct strategy strategy_replica_guard = {
    .name = "replica_guard",
    .idea = "show the balance of the standby, but let the UPDATE at the primary decide: it deducts only WHERE balance "
            ">= amount",
    .choose_when = "a page or a form reads at the standby, and the rule fits into the WHERE clause of the write",
    .watch_for = "The balance that the person has seen may be older than the answer: a transfer that looked possible "
                 "may be refused. Nothing may be computed from the balance of the standby",
    .isolation = "read committed",
    .sketch = sketch_replica_guard,
    .statements = replica_guard_statements,
    .safe = true,
    .uses_locks = true,
    .needs_standby = true,
    .attempt = replica_guard_attempt,
};
