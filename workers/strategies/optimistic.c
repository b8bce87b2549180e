// Reads the balance with its version, and deducts only if the version is still the same. The second transfer finds no
// row with the old version, and reads again.
#include "workers/strategies/strategies.h"

static enum transfer_outcome optimistic_attempt(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_read(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    // No lock is held here, so all waiters have read before any of them writes: one succeeds, the others must retry.
    transfer_wait_at_barrier(transfer);
    transfer_delay(transfer);
    if (!transfer_check(transfer)) {
        return transfer_record(transfer, TRANSFER_INSUFFICIENT_FUNDS);
    }
    transfer_lock_in_order(transfer);
    outcome = transfer_post(transfer, STATEMENT_BOOK_IF_UNCHANGED);
    return outcome == TRANSFER_CONTINUE ? TRANSFER_CONFLICT : outcome;
}

static const enum statement optimistic_statements[] = {STATEMENT_READ_BALANCES, STATEMENT_LOCK_FIRST,
                                                       STATEMENT_BOOK_IF_UNCHANGED, STATEMENT_RECORD_TRANSFER,
                                                       STATEMENT_COUNT};

const struct strategy strategy_optimistic = {
    .name = "optimistic",
    .idea =
        "read with a version column, write only WHERE version is unchanged, else read again: no row is locked between "
        "the read and the write",
    .choose_when = "conflicts are rare, or a person thinks between the read and the write. On a hot account most of "
                   "the work is retries",
    .watch_for =
        "Nothing is locked while the program (or a person) thinks. On a hot row most attempts lose, every loss is "
        "wasted work, and some transfers run out of attempts: bound the retries, with jitter",
    .isolation = "read committed (write only)",
    .sketch = sketch_optimistic,
    .statements = optimistic_statements,
    .safe = true,
    .attempt = optimistic_attempt,
};
