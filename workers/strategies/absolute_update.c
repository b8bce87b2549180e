// Reads the balances, computes the new ones in the program, and writes them back, as an ORM's save() does.
// A write by another transfer in between is overwritten: a lost update.
#include "workers/strategies/strategies.h"

static enum transfer_outcome absolute_update_attempt(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_read(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    // The barrier is here so that all waiters have read before any of them writes, as in vulnerable.
    transfer_wait_at_barrier(transfer);
    transfer_delay(transfer);
    if (!transfer_check(transfer)) {
        return transfer_record(transfer, TRANSFER_INSUFFICIENT_FUNDS);
    }
    outcome = transfer_set_from_balance(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    outcome = transfer_set_to_balance(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    return transfer_record(transfer, TRANSFER_SUCCESS);
}

static const enum statement absolute_update_statements[] = {
    STATEMENT_READ_BALANCES, STATEMENT_SET_BALANCE, STATEMENT_SET_BALANCE, STATEMENT_RECORD_TRANSFER, STATEMENT_COUNT};

const struct strategy strategy_absolute_update = {
    .name = "absolute_update",
    .idea = "read, compute the new balances in the program, write them back: what was written in between is lost",
    .choose_when = "never for money. It is right only if no two writers can have the row at once",
    .watch_for = "It is what an ORM's save() does, and no balance ever goes negative, so CHECK (balance >= 0) stays "
                 "silent. Two transfers of $800 out of $1000 both succeed and both write $200: money is made",
    .isolation = STRATEGY_NO_TRANSACTION,
    .sketch = sketch_absolute_update,
    .statements = absolute_update_statements,
    .attempt = absolute_update_attempt,
};
