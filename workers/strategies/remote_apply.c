// Commits with synchronous_commit = remote_apply: the answer comes when the standby shows the transfer. A later read at
// the standby then has it. It does not end the race of two transfers that run at once.
#include "workers/strategies/strategies.h"

static enum transfer_outcome remote_apply_attempt(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_read_standby(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    transfer_wait_at_barrier(transfer); // as in vulnerable: all have read before any of them writes
    transfer_delay(transfer);
    if (!transfer_check(transfer)) {
        return transfer_record(transfer, TRANSFER_INSUFFICIENT_FUNDS);
    }
    transfer_begin(transfer, STATEMENT_BEGIN);
    outcome = transfer_apply_remotely(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    transfer_lock_in_order(transfer);
    return transfer_post_and_commit(transfer, STATEMENT_BOOK);
}

static const enum statement remote_apply_statements[] = {
    STATEMENT_READ_BALANCES, STATEMENT_BEGIN,  STATEMENT_APPLY_REMOTELY, STATEMENT_LOCK_FIRST,
    STATEMENT_BOOK,          STATEMENT_COMMIT, STATEMENT_COUNT};

const struct strategy strategy_remote_apply = {
    .name = "remote_apply",
    .idea = "read at the standby, deduct at the primary, and let COMMIT wait until the standby has applied it: two at "
            "once still race",
    .choose_when = "never for a decision. It is right for a client that reads its own write at the standby",
    .watch_for =
        "It ends the staleness only if every writer commits like this. Two transfers at once still both read "
        "$1000. COMMIT waits for the standby, and hangs while it is unavailable; without synchronous_standby_names "
        "it waits for none",
    .isolation = "read committed",
    .sketch = sketch_remote_apply,
    .statements = remote_apply_statements,
    .needs_standby = true,
    .attempt = remote_apply_attempt,
};
