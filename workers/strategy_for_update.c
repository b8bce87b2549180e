// One transaction that locks both rows before it reads them: whoever comes second waits, and then reads what
// the first one left.
#include "strategy.h"

static enum transfer_outcome for_update_attempt(struct transfer *transfer) {
    // Here, before any lock: a barrier inside a row lock is a deadlock PostgreSQL cannot see.
    transfer_wait_at_barrier(transfer);
    enum transfer_outcome outcome = transfer_begin(transfer);
    if (outcome != TRANSFER_GOES_ON) {
        return outcome;
    }
    outcome = transfer_lock_and_read(transfer);
    if (outcome != TRANSFER_GOES_ON) {
        return outcome;
    }
    transfer_delay(transfer); // inside the lock: the window is as wide as before, but nobody else is in it
    enum transfer_outcome verdict = TRANSFER_INSUFFICIENT_FUNDS;
    if (transfer_check(transfer)) {
        verdict = TRANSFER_SUCCESS;
        outcome = transfer_deduct(transfer);
        if (outcome != TRANSFER_GOES_ON) {
            return outcome;
        }
        outcome = transfer_credit(transfer);
        if (outcome != TRANSFER_GOES_ON) {
            return outcome;
        }
    }
    outcome = transfer_record(transfer, verdict);
    return outcome == verdict ? transfer_commit(transfer, verdict) : outcome;
}

const struct strategy strategy_for_update = {
    .name = "for_update",
    .idea = "lock both rows (SELECT ... FOR UPDATE) in one transaction: the second transfer waits, then reads afresh",
    .safe = true,
    .uses_locks = true,
    .attempt = for_update_attempt,
};
