// Read, check, deduct, in separate statements that each commit on their own: the race this lab is about.
// Between the read and the deduct, anybody else may read the same balance.
#include "strategy.h"

static enum transfer_outcome vulnerable_attempt(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_read(transfer);
    if (outcome != TRANSFER_GOES_ON) {
        return outcome;
    }
    // Here, so that every party has read before any of them writes: the double spend is certain, not likely.
    transfer_wait_at_barrier(transfer);
    transfer_delay(transfer);
    if (!transfer_check(transfer)) {
        return transfer_record(transfer, TRANSFER_INSUFFICIENT_FUNDS);
    }
    outcome = transfer_deduct(transfer);
    if (outcome != TRANSFER_GOES_ON) {
        return outcome;
    }
    outcome = transfer_credit(transfer);
    if (outcome != TRANSFER_GOES_ON) {
        return outcome;
    }
    return transfer_record(transfer, TRANSFER_SUCCESS);
}

const struct strategy strategy_vulnerable = {
    .name = "vulnerable",
    .idea = "read, check, then deduct in separate statements: another transfer can read the same balance in between",
    .safe = false,
    .uses_locks = false,
    .attempt = vulnerable_attempt,
};
