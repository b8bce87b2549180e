// Reads the balances at the standby and writes at the primary. The standby replays what the primary has committed some
// time later, so the balance may be older than a transfer that has ended: this race needs no second client.
#include "workers/strategies/strategies.h"

static enum transfer_outcome replica_read_attempt(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_read_standby(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    // The barrier is here as in vulnerable. A standby that is behind makes the race certain without it.
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

static const enum statement replica_read_statements[] = {STATEMENT_READ_BALANCES, STATEMENT_DEDUCT, STATEMENT_CREDIT,
                                                         STATEMENT_RECORD_TRANSFER, STATEMENT_COUNT};

const struct strategy strategy_replica_read = {
    .name = "replica_read",
    .idea = "read the balance at the standby, check, then deduct at the primary: the standby shows an older balance",
    .choose_when = "never for a decision. Read the primary (for_update), or repeat the check in the write "
                   "(replica_guard)",
    .watch_for = "Reads at the standby relieve the primary, and the standby is usually milliseconds behind, so no test "
                 "notices. When it is behind, two transfers one after the other both read $1000: the account ends at "
                 "-$600 without any concurrency",
    .isolation = STRATEGY_NO_TRANSACTION,
    .sketch = sketch_replica_read,
    .statements = replica_read_statements,
    .needs_standby = true,
    .attempt = replica_read_attempt,
};
