// A transfer as plain data: the request, its outcome and its result. Any thread.
#ifndef WORKERS_TRANSFER_TRANSFER_REQUEST_H
#define WORKERS_TRANSFER_TRANSFER_REQUEST_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"
#include "workers/database/database.h"
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
