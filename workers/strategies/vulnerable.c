// Reads, checks and deducts in separate statements that each commit on their own: this is the race of this lab.
// Between the read and the deduct, another transfer may read the same balance.
#include "workers/strategies/strategies.h"

static enum transfer_outcome vulnerable_attempt(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_read(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    // The barrier is here so that all waiters have read before any of them writes. This makes the double spend certain.
    transfer_wait_at_barrier(transfer);
    transfer_delay(transfer);
    if (!transfer_check(transfer)) {
        return transfer_record(transfer, TRANSFER_INSUFFICIENT_FUNDS);
    }
    outcome = transfer_deduct(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    outcome = transfer_credit(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    return transfer_record(transfer, TRANSFER_SUCCESS);
}

static const enum statement vulnerable_statements[] = {STATEMENT_READ_BALANCES, STATEMENT_DEDUCT, STATEMENT_CREDIT,
                                                       STATEMENT_RECORD_TRANSFER, STATEMENT_COUNT};

const struct strategy strategy_vulnerable = {
    .name = "vulnerable",
    .idea = "read, check, then deduct in separate statements: another transfer can read the same balance in between",
    .choose_when = "never, except to show the race",
    .watch_for = "It reads like the requirement, and every test with one client passes. Two clients at once both read "
                 "$1000, both find it enough for $800, and both take it: the account ends at -$600",
    .isolation = STRATEGY_NO_TRANSACTION,
    .sketch = sketch_vulnerable,
    .statements = vulnerable_statements,
    .attempt = vulnerable_attempt,
};
