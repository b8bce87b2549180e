// The steps of a transfer. Each strategy calls them in its own order. The steps block: worker threads only.
#ifndef WORKERS_TRANSFER_TRANSFER_STEPS_H
#define WORKERS_TRANSFER_TRANSFER_STEPS_H

#include "workers/transfer/transfer_request.h"

#define TRANSFER_PENDING_MAX 3
#define TRANSFER_PENDING_VALUES_MAX 1

// A running transfer. It is on the worker's stack during transfer_run(), and borrows all that its pointers name.
struct transfer {
    const struct transfer_request *request;
    struct transfer_result *result;
    struct db_session *session;
    struct gate *gate;
    struct barrier_ticket barrier;
    int64_t from_version, to_version; // versions of the two rows when they were read
    bool session_was_open;            // before this attempt: its connection may be broken without our knowledge
    bool passed_barrier;              // a transfer waits at each gate only in its first attempt
    bool passed_delay;
    bool in_transaction;
    bool keeps_key;                 // the transaction was begun for the key, and only transfer_keep_key() commits it
    char seq[24];                   // the number of the record in the table of transfers
    char conflict[SQLSTATE_LENGTH]; // SQLSTATE that the last ended attempt left; "" if no statement failed
    size_t pending_count;           // statements that are sent together with the next one
    struct db_call pending[TRANSFER_PENDING_MAX];
    const char *pending_values[TRANSFER_PENDING_MAX][TRANSFER_PENDING_VALUES_MAX];
};

// --- The steps. Each returns TRANSFER_CONTINUE, or the outcome that ends this attempt. ---

// Begin a transaction with one of the STATEMENT_BEGINs, and take an advisory lock on an account until the transaction
// ends. Both only queue their statement: it is sent with the next one whose answer is needed, in one round trip.
void transfer_begin(struct transfer *transfer, enum statement begin);
void transfer_lock_advisory(struct transfer *transfer, const char *account);
// A barrier is ahead, and the strategy will count the rivals that wait for its row: behind a pooler the transaction
// begins now, so that the barrier knows the backend of each.
MUST_CHECK enum transfer_outcome transfer_pin_backend(struct transfer *transfer);
// Prevents a deadlock of two transfers in opposite directions. The posting locks its rows in the order from, to. If
// `to` has the smaller id, this locks its row first. The statement is sent together with the posting.
void transfer_lock_in_order(struct transfer *transfer);

// Reads the balances of both accounts without a lock.
MUST_CHECK enum transfer_outcome transfer_read(struct transfer *transfer);
// Reads the balances of both accounts and locks their rows until the transaction ends.
MUST_CHECK enum transfer_outcome transfer_lock_and_read(struct transfer *transfer);

// Reads the balances of both accounts at the standby, and those of an account that the standby does not have at the
// primary.
MUST_CHECK enum transfer_outcome transfer_read_standby(struct transfer *transfer);
// Waits until the standby has replayed everything that the primary had flushed when this was called.
MUST_CHECK enum transfer_outcome transfer_await_standby(struct transfer *transfer);
// In a transaction: its COMMIT waits until the synchronous standby has applied it.
MUST_CHECK enum transfer_outcome transfer_apply_remotely(struct transfer *transfer);

// The gates, which do nothing when the settings have disabled them. Do not wait at the barrier with a lock held: the
// waiters would wait for each other in a circle that PostgreSQL cannot detect.
void transfer_wait_at_barrier(struct transfer *transfer);
void transfer_delay(struct transfer *transfer);
// The barrier for a race inside one statement. A transfer that has deducted and not committed keeps the row locked
// until all rivals of its barrier round wait for the row; their statements then have old snapshots.
void transfer_hold_row(struct transfer *transfer);

// True if the balance that was read covers the amount.
MUST_CHECK bool transfer_check(struct transfer *transfer);

// Deduct from and credit to an account, each in a statement of its own.
MUST_CHECK enum transfer_outcome transfer_deduct(struct transfer *transfer);
MUST_CHECK enum transfer_outcome transfer_credit(struct transfer *transfer);
// The same, but they write new balances computed from those that were read. Writes in between are lost.
MUST_CHECK enum transfer_outcome transfer_set_from_balance(struct transfer *transfer);
MUST_CHECK enum transfer_outcome transfer_set_to_balance(struct transfer *transfer);
// Writes the record, commits if in a transaction, and returns `outcome`, which is TRANSFER_SUCCESS or
// TRANSFER_INSUFFICIENT_FUNDS.
MUST_CHECK enum transfer_outcome transfer_record(struct transfer *transfer, enum transfer_outcome outcome);

// Deducts, credits and records in one statement, one of the STATEMENT_BOOK_*. Returns TRANSFER_SUCCESS, or
// TRANSFER_CONTINUE if the statement wrote nothing because its condition did not hold.
MUST_CHECK enum transfer_outcome transfer_post(struct transfer *transfer, enum statement statement);
// The same, and commits in the same round trip.
MUST_CHECK enum transfer_outcome transfer_post_and_commit(struct transfer *transfer, enum statement statement);
// For a transfer that has not read the balances: records the refusal if the account does not cover the amount now, and
// commits if in a transaction. TRANSFER_CONFLICT: the account covers the amount now, so another attempt may succeed.
MUST_CHECK enum transfer_outcome transfer_refuse(struct transfer *transfer);

// Commits, and returns `outcome` if the commit succeeded.
MUST_CHECK enum transfer_outcome transfer_commit(struct transfer *transfer, enum transfer_outcome outcome);

// --- The Idempotency-Key ---

// Before an attempt of a transfer with a key: looks the key up, begins the transaction that will hold the key and the
// posting, and takes the key. A strategy without a transaction gets one as well. In it the steps do not commit.
MUST_CHECK enum transfer_outcome transfer_take_key(struct transfer *transfer);
// After the attempt: writes the key and commits. Does nothing without a key, or if it has been called.
MUST_CHECK enum transfer_outcome transfer_keep_key(struct transfer *transfer, enum transfer_outcome outcome);

#endif
