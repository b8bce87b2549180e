// The steps of vulnerable behind a mutex of this process. With one server no other transfer comes in between, but a
// second server has a mutex of its own.
#include "observability/base/base.h"
#include "workers/strategies/strategies.h"

#include <pthread.h>

static pthread_mutex_t only_one = PTHREAD_MUTEX_INITIALIZER;

static enum transfer_outcome read_check_and_write(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_read(transfer);
    if (outcome != TRANSFER_CONTINUE) {
        return outcome;
    }
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

static enum transfer_outcome process_mutex_attempt(struct transfer *transfer) {
    // The barrier is before the mutex: with the mutex locked, the first waiter would wait for transfers that wait for
    // it.
    transfer_wait_at_barrier(transfer);
    struct step *step = step_add(&transfer->result->steps, STEP_MUTEX, clock_monotonic_ns());
    CHECK(pthread_mutex_lock(&only_one) == 0);
    step->ended_ns = clock_monotonic_ns();
    // The key's transaction must commit before the next transfer reads.
    enum transfer_outcome outcome = transfer_keep_key(transfer, read_check_and_write(transfer));
    CHECK(pthread_mutex_unlock(&only_one) == 0);
    return outcome;
}

static const enum statement process_mutex_statements[] = {STATEMENT_READ_BALANCES, STATEMENT_DEDUCT, STATEMENT_CREDIT,
                                                          STATEMENT_RECORD_TRANSFER, STATEMENT_COUNT};

const struct strategy strategy_process_mutex = {
    .name = "process_mutex",
    .idea = "read, check and deduct behind a mutex in the program: a second server has a mutex of its own",
    .choose_when = "never for data that a second process can write. It is right for the memory of one process",
    .watch_for = "It is right as long as one server runs, so it passes every test on a laptop, and it serializes all "
                 "accounts, not just one. The day a second replica starts, the double spend is back",
    .isolation = STRATEGY_NO_TRANSACTION,
    .sketch = sketch_process_mutex,
    .statements = process_mutex_statements,
    .attempt = process_mutex_attempt,
};
