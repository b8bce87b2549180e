// A transfer as plain data: the request, its outcome and its result. The loop fills the request; the worker fills the
// result; the loop reads it when the job has finished. The functions run on any thread.
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
    TRANSFER_CONTINUE, // not an outcome: a step succeeded, and the attempt continues
    TRANSFER_SUCCESS,
    TRANSFER_INSUFFICIENT_FUNDS,
    TRANSFER_UNKNOWN_FROM_ACCOUNT,
    TRANSFER_UNKNOWN_TO_ACCOUNT,
    TRANSFER_BALANCE_OUT_OF_RANGE, // a new balance would not fit its column; nothing has happened
    TRANSFER_DATABASE_UNAVAILABLE, // nothing has happened
    TRANSFER_OUTCOME_UNKNOWN,      // `doubt` says why
    // partially applied: without a transaction, a statement failed after others; see `standing`
    TRANSFER_PARTIALLY_APPLIED,
    TRANSFER_STANDBY_UNAVAILABLE, // `standby_problem` says why; nothing has happened
    TRANSFER_LOCK_TIMED_OUT,      // nothing has happened
    TRANSFER_CONFLICT,            // lost against other transactions in the last attempt, too; nothing has happened
    TRANSFER_QUEUE_FULL,          // too many transfers were waiting; nothing has happened
    TRANSFER_CANCELLED,           // it was still queued when the program stopped; nothing has happened
    TRANSFER_FAILED,              // any other error of the database; nothing has happened
    TRANSFER_REPLAYED,            // its key has a transfer already, and `replay` has that transfer's record
    TRANSFER_KEY_REUSED,          // its key belongs to another request; nothing has happened
    TRANSFER_KEY_IN_FLIGHT,       // another transfer with its key has not ended; nothing has happened
};

// The writes of a transfer without a transaction that have been committed, even if a later statement failed.
enum transfer_standing {
    STANDING_NOTHING,
    STANDING_DEDUCT,
    STANDING_BOTH_BALANCES,
};

// Why the outcome of a transfer is unknown.
enum transfer_doubt {
    DOUBT_NONE,
    DOUBT_WHOLE,       // the connection broke during the commit of the whole transfer
    DOUBT_DEDUCT,      // no transaction: the connection broke during the deduct; no later statement was sent
    DOUBT_CREDIT,      // no transaction: the connection broke during the credit; the deduct is committed
    DOUBT_RECORD,      // no transaction: the connection broke during the record; both balances have changed
    DOUBT_REFUSAL,     // no money moved; the connection broke while the refusal was being recorded
    DOUBT_REPLICATION, // committed on this server, but the wait for the synchronous standby was cancelled
    DOUBT_BALANCES,    // committed, but the balances in the answer could not be read
};

struct event_queue;
struct transfer_replay;

struct transfer_request {
    char id[TRANSFER_ID_LENGTH + 1];
    char from_account[ACCOUNT_ID_MAX + 1];
    char to_account[ACCOUNT_ID_MAX + 1];
    int64_t amount;                  // cents, > 0
    struct settings settings;        // a copy from the time of its admission
    struct trace_context trace;      // the SERVER span of the HTTP request
    struct trace_context span;       // the span of the transfer, a child of `trace`; others link to it
    bool traced;                     // there is an exporter: races are exported even if trace.sampled is false
    int64_t received_us;             // the arrival of the request, since 1970
    uint64_t received_ns;            // the same moment, monotonic
    char *key;                       // the Idempotency-Key, or NULL; the job frees it
    unsigned key_ttl_s;              // how long the key is kept
    bool key_check_then_write;       // wrong: the key is looked up before the transfer and written after its commit
    bool names_strategy;             // the request chose the strategy, which is a part of what its key stands for
    struct event_queue *event_queue; // the event queue for its steps; NULL: they are not published
};

#define SQLSTATE_RETRIED_KINDS 2

struct transfer_result {
    enum transfer_outcome outcome;
    enum transfer_standing standing;
    enum transfer_doubt doubt;   // set with TRANSFER_OUTCOME_UNKNOWN
    const char *standby_problem; // static; set with TRANSFER_STANDBY_UNAVAILABLE
    enum db_status database;     // status of the last failed statement of the last attempt, else DB_OK
    int64_t from_balance_before, from_balance_after, to_balance_before, to_balance_after; // cents
    bool race_detected;    // it used a balance that had changed after it was read
    bool double_spend;     // a race that left the source account negative
    bool lost_update;      // a race that overwrote another write
    const char *thread_id; // the worker's name, borrowed
    uint64_t duration_ns;  // from the arrival to the outcome
    uint64_t recorded_us;  // the duration in the record
    struct barrier_pass barrier;
    bool stood_at_barrier;
    unsigned attempts;
    unsigned retries_serialization; // 40001
    unsigned retries_deadlock;      // 40P01
    unsigned retries_stale;         // repeated because the data had changed since the read (neither 40001 nor 40P01)
    struct step_list steps;
    struct transfer_replay *replay; // with TRANSFER_REPLAYED, or NULL; the job frees it
};

// The outcome in a record ("success", "failed_insufficient_funds") and as a label of a metric ("success",
// "insufficient_funds", "replayed", "error").
MUST_CHECK const char *transfer_outcome_status(enum transfer_outcome outcome);
MUST_CHECK const char *transfer_outcome_metric(enum transfer_outcome outcome);
// Returns "double_spend", "lost_update" or "stale_read"; NULL if the transfer did not race.
MUST_CHECK const char *transfer_anomaly(const struct transfer_result *result);

// True if the transfer ended with a record of its own.
MUST_CHECK bool transfer_is_recorded(enum transfer_outcome outcome);

// True if the trace of the transfer is exported, because it was sampled or the transfer raced.
MUST_CHECK bool transfer_is_kept(const struct transfer_request *request, const struct transfer_result *result);

// Makes a new id of eight hexadecimal digits. A process repeats no id before it has made 2^32 of them.
void transfer_new_id(char out[static TRANSFER_ID_LENGTH + 1]);

#endif
