// Waits until the standby has replayed what the primary had flushed, then reads there. That ends the staleness: every
// transfer that had ended is in the balance. It does not end the race of two transfers that run at once.
#include "workers/strategies/strategies.h"

static enum transfer_outcome replica_wait_attempt(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_await_standby(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    outcome = transfer_read_standby(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    transfer_wait_at_barrier(transfer); // as in vulnerable: all have read before any of them writes
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

static const enum statement replica_wait_statements[] = {
    STATEMENT_FLUSHED_LSN, STATEMENT_HAS_REPLAYED,    STATEMENT_READ_BALANCES, STATEMENT_DEDUCT,
    STATEMENT_CREDIT,      STATEMENT_RECORD_TRANSFER, STATEMENT_COUNT};

const struct strategy strategy_replica_wait = {
    .name = "replica_wait",
    .idea =
        "wait until the standby has replayed the primary's position, then read there, check and deduct: two at once "
        "still race",
    .choose_when = "never for a decision. It is right for showing a balance that has every transfer that ended before",
    .watch_for = "It ends the staleness, so two transfers one after the other are right, and it passes the test that "
                 "convicts replica_read. Two at once still both read $1000. And each waits as long as the standby is "
                 "behind",
    .isolation = STRATEGY_NO_TRANSACTION,
    .sketch = sketch_replica_wait,
    .statements = replica_wait_statements,
    .needs_standby = true,
    .attempt = replica_wait_attempt,
};
