// A transfer on its worker thread: what is asked, what came of it, and the steps the strategies are made of.
//
// transfer_run() is called by a transfer's job; the steps are called by the strategies, in the order that makes
// each strategy what it is. Everything here blocks; nothing here may run on the loop.
#ifndef WORKERS_TRANSFER_TRANSFER_H
#define WORKERS_TRANSFER_TRANSFER_H

#include "observability/trace/trace_context.h"
#include "workers/database/database.h"
#include "workers/database/statement_log.h"
#include "workers/gate/gate.h"
#include "workers/limits.h"
#include "workers/transfer/settings.h"
#include "workers/transfer/step.h"

#include <stdbool.h>
#include <stdint.h>

enum transfer_outcome {
    TRANSFER_GOES_ON, // not an outcome: the answer of a step that went well
    TRANSFER_SUCCESS,
    TRANSFER_INSUFFICIENT_FUNDS,
    TRANSFER_UNKNOWN_FROM_ACCOUNT,
    TRANSFER_UNKNOWN_TO_ACCOUNT,
    TRANSFER_BALANCE_OUT_OF_RANGE, // the sum would not fit the account
    TRANSFER_DATABASE_AWAY,        // nothing has happened
    TRANSFER_OUTCOME_UNKNOWN,      // `doubt` says of what
    TRANSFER_HALF_DONE,      // no transaction: a statement failed after others had committed; `standing` says which
    TRANSFER_LOCK_TIMED_OUT, // nothing has happened
    TRANSFER_CONFLICT,       // lost against other transactions too often; nothing has happened
    TRANSFER_QUEUE_FULL,     // too many were waiting; nothing has happened
    TRANSFER_CANCELLED,      // was still queued when the program stopped; nothing has happened
    TRANSFER_FAILED,         // the database refused in a way the lab does not know; nothing has happened
};

// How far a transfer without a transaction got: the writes that stand, whatever came after them.
enum transfer_standing {
    STANDING_NOTHING,
    STANDING_DEDUCT,
    STANDING_BOTH_BALANCES,
};

// Why the outcome of a transfer is not known.
enum transfer_doubt {
    DOUBT_NONE,
    DOUBT_WHOLE,       // the connection broke while all of it was being committed
    DOUBT_DEDUCT,      // without a transaction: while the deduct was; nothing came after it
    DOUBT_CREDIT,      // likewise the credit; the deduct stands
    DOUBT_RECORD,      // likewise the record; both balances have moved
    DOUBT_REFUSAL,     // no money moved; the connection broke while the refusal was being recorded
    DOUBT_REPLICATION, // committed on this server, but the wait for its synchronous standby was cancelled
    DOUBT_BALANCES,    // committed, and the balances that the database answered are no amounts of money
};

struct feed;

struct transfer_request {
    char id[TRANSFER_ID_LENGTH + 1];
    char from_account[ACCOUNT_ID_MAX + 1];
    char to_account[ACCOUNT_ID_MAX + 1];
    int64_t amount;             // cents, > 0
    struct settings settings;   // as they were when it was admitted
    struct trace_context trace; // of the request: its SERVER span
    struct trace_context span;  // of the transfer inside it, which its racers link to
    bool traced;                // there is an exporter: a race is kept whatever trace.sampled says
    int64_t received_us;        // since 1970
    uint64_t received_ns;       // monotonic
    struct feed *feed;          // that hears of its steps; NULL: it is not followed
};

#define SQLSTATE_RETRIED_KINDS 2

struct transfer_result {
    enum transfer_outcome outcome;
    enum transfer_standing standing;
    enum transfer_doubt doubt; // of TRANSFER_OUTCOME_UNKNOWN
    enum db_status database;   // of the last statement that failed in the last attempt, else DB_OK
    int64_t from_balance_before, from_balance_after, to_balance_before, to_balance_after; // cents
    bool race_detected; // acted on a balance that had changed since it was read
    bool double_spend;  // and left the source account negative
    bool lost_update;   // or overwrote what somebody else had written
    const char *thread_id;
    uint64_t duration_ns; // from the request's arrival to its outcome
    struct barrier_pass barrier;
    bool stood_at_barrier;
    unsigned attempts;
    unsigned retries_serialization; // 40001
    unsigned retries_deadlock;      // 40P01
    unsigned retries_stale;         // what had been read was no longer so: found out without an error
    struct step_list steps;
};

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

// Runs the request to its outcome, with the strategy and the gates of its settings.
void transfer_run(const struct transfer_request *request, struct db_session *session, struct gate *gate,
                  const char *thread_id, struct transfer_result *result);

// Only waits at the barrier, for a transfer that will be booked with others.
void transfer_pass_barrier(const struct transfer_request *request, struct gate *gate, struct transfer_result *result);

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

// "success", "failed_insufficient_funds": of a record. "success", "insufficient_funds", "error": of a metric.
MUST_CHECK const char *transfer_outcome_status(enum transfer_outcome outcome);
MUST_CHECK const char *transfer_outcome_metric(enum transfer_outcome outcome);
// "double_spend", "lost_update", "stale_read"; NULL: it did not race.
MUST_CHECK const char *transfer_anomaly(const struct transfer_result *result);

// Whether its trace goes to the exporter: it was sampled, or it raced.
MUST_CHECK bool transfer_is_kept(const struct transfer_request *request, const struct transfer_result *result);

// A new id: eight hexadecimal digits, unique among the 2^32 of one process. Any thread.
void transfer_new_id(char out[static TRANSFER_ID_LENGTH + 1]);

#endif
