// Locks a number made from the account's id before the read, and keeps the lock until COMMIT. The rows are not locked
// before the posting, so this protects only against transactions that take the same advisory lock.
#include "workers/strategies/strategies.h"

#include <string.h>

static enum transfer_outcome advisory_lock_attempt(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    bool ascending = strcmp(request->from_account, request->to_account) < 0;
    transfer_wait_at_barrier(transfer); // before any lock: see transfer_steps.h
    transfer_begin(transfer, STATEMENT_BEGIN);
    transfer_lock_advisory(transfer, ascending ? request->from_account : request->to_account);
    transfer_lock_advisory(transfer, ascending ? request->to_account : request->from_account);
    enum transfer_outcome outcome = transfer_read(transfer); // a new statement, so its snapshot is newer than the locks
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
    transfer_delay(transfer);
    if (!transfer_check(transfer)) {
        return transfer_record(transfer, TRANSFER_INSUFFICIENT_FUNDS);
    }
    transfer_lock_in_order(transfer); // against transactions without the advisory lock
    return transfer_post_and_commit(transfer, STATEMENT_BOOK);
}

static const enum statement advisory_lock_statements[] = {
    STATEMENT_BEGIN,      STATEMENT_ADVISORY_LOCK, STATEMENT_ADVISORY_LOCK, STATEMENT_READ_BALANCES,
    STATEMENT_LOCK_FIRST, STATEMENT_BOOK,          STATEMENT_COMMIT,        STATEMENT_COUNT};

const struct strategy strategy_advisory_lock = {
    .name = "advisory_lock",
    .idea = "pg_advisory_xact_lock on both account ids, in order, before the read: an agreement, not a lock on the row",
    .choose_when =
        "there is no row to lock yet, or the lock stands for something that is not a row, and all code paths take it",
    .watch_for =
        "It also protects a row that does not exist yet. It stops only those who take it. Read in a statement after "
        "the lock, under READ COMMITTED: in the same statement, or under REPEATABLE READ, the read is stale",
    .isolation = "read committed",
    .sketch = sketch_advisory_lock,
    .statements = advisory_lock_statements,
    .safe = true,
    .uses_locks = true,
    .max_in_flight_per_account = STRATEGY_MAX_IN_FLIGHT,
    .attempt = advisory_lock_attempt,
};
