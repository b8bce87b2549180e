// The steps that the strategies are made of, in the order that makes each strategy what it is. Everything here blocks: worker
// threads only.
#ifndef WORKERS_TRANSFER_TRANSFER_STEPS_H
#define WORKERS_TRANSFER_TRANSFER_STEPS_H

#include "workers/transfer/transfer_request.h"

#define TRANSFER_PENDING_MAX 3
#define TRANSFER_PENDING_VALUES_MAX 1

// What a running transfer works with. Lives on the worker's stack for one transfer_run().
struct transfer {
    const struct transfer_request *request;
    struct transfer_result *result;
    struct db_session *session;
    struct gate *gate;
    struct barrier_ticket barrier;
    int64_t from_version, to_version; // of the rows, as they were read
    bool session_was_open;            // before this transfer: its connection may have died unnoticed
    bool passed_barrier;              // the gates are passed once, however often it is tried
    bool passed_delay;
    bool in_transaction;
    char conflict[SQLSTATE_LENGTH]; // how the attempt lost, if it did; "" if no statement failed
    size_t pending_count;           // statements that travel with the next one
    struct db_call pending[TRANSFER_PENDING_MAX];
    const char *pending_values[TRANSFER_PENDING_MAX][TRANSFER_PENDING_VALUES_MAX];
};

// --- The steps. Each answers TRANSFER_GOES_ON or the outcome that ends this attempt. ---

// Begins a transaction with one of the STATEMENT_BEGINs; takes an advisory lock on an account, kept until the
// transaction ends. These travel with the next statement whose answer is needed: one round trip.
void transfer_begin(struct transfer *transfer, enum statement begin);
void transfer_lock_advisory(struct transfer *transfer, const char *account);
// For a booking whose rows are not locked yet: it takes them in the order from, to. Two in opposite directions must not
// deadlock, so the row that comes first in the order of all is locked first; travels with the booking.
void transfer_lock_in_order(struct transfer *transfer);

// The balances of both accounts, without a lock.
MUST_CHECK enum transfer_outcome transfer_read(struct transfer *transfer);
// The balances of both accounts, their rows locked until the transaction ends.
MUST_CHECK enum transfer_outcome transfer_lock_and_read(struct transfer *transfer);

// The gates: no-ops when the settings have them off. The barrier must not be called with a lock held: the parties
// would wait for each other in a circle that PostgreSQL cannot see.
void transfer_wait_at_barrier(struct transfer *transfer);
void transfer_delay(struct transfer *transfer);
// The barrier for a race inside one statement: whoever has the row keeps it until its rivals, released with it,
// stand behind it with the snapshots they took. With the deduct done and not committed.
void transfer_hold_row(struct transfer *transfer);

// Whether the balance that was read covers the amount.
MUST_CHECK bool transfer_check(struct transfer *transfer);

// Writes that are each a statement of their own.
MUST_CHECK enum transfer_outcome transfer_deduct(struct transfer *transfer);
MUST_CHECK enum transfer_outcome transfer_credit(struct transfer *transfer);
// The same as new balances computed from those that were read: what somebody wrote in between is gone.
MUST_CHECK enum transfer_outcome transfer_set_from_balance(struct transfer *transfer);
MUST_CHECK enum transfer_outcome transfer_set_to_balance(struct transfer *transfer);
// Writes the record and answers `outcome` itself: SUCCESS or INSUFFICIENT_FUNDS. Commits, if in a transaction.
MUST_CHECK enum transfer_outcome transfer_record(struct transfer *transfer, enum transfer_outcome outcome);

// Deducts, credits and records in one statement, one of the STATEMENT_BOOKs. Answers SUCCESS, or GOES_ON if its
// condition did not hold: then it has written nothing.
MUST_CHECK enum transfer_outcome transfer_book(struct transfer *transfer, enum statement book);
// And commits in the same round trip.
MUST_CHECK enum transfer_outcome transfer_book_and_commit(struct transfer *transfer, enum statement book);
// For a transfer that has read nothing: records the refusal if the account does not cover the amount now. Commits, if
// in a transaction. CONFLICT: it does cover it, so the booking is worth another attempt.
MUST_CHECK enum transfer_outcome transfer_refuse(struct transfer *transfer);

// Commits and answers `outcome` itself, if the commit is certain.
MUST_CHECK enum transfer_outcome transfer_commit(struct transfer *transfer, enum transfer_outcome outcome);

#endif
