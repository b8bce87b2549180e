// Sends the statements of a transfer, one or several in a round trip, and maps their status to an outcome.
// Worker threads.
#include "workers/transfer/transfer_internal.h"

#include <stdio.h>
#include <string.h>

// An account was deleted since it was read. The next attempt reads again and finds out which one. If it fails in the
// same way although it has found both accounts, the cause is another one.
static enum transfer_outcome outcome_of_null(const struct transfer *transfer) {
    bool again = strcmp(transfer->conflict, db_session_sqlstate(transfer->session)) == 0;
    return again ? TRANSFER_FAILED : TRANSFER_CONFLICT;
}

// A doubt decides first, then the writes that are committed, then the status. Inside a transaction nothing is committed
// before COMMIT; outside, every write that was answered is committed.
enum transfer_outcome transfer_outcome_of(struct transfer *transfer, enum db_status status) {
    struct transfer_result *result = transfer->result;
    result->database = status;
    if (result->doubt != DOUBT_NONE) {
        return TRANSFER_OUTCOME_UNKNOWN;
    }
    if (result->standing != STANDING_NOTHING) {
        return TRANSFER_PARTIALLY_APPLIED;
    }
    switch (status) {
    case DB_OK: return TRANSFER_CONTINUE;
    case DB_CONNECTION_LOST:
    case DB_NOT_SENT:
    case DB_UNAVAILABLE:
    case DB_STALE: return TRANSFER_DATABASE_UNAVAILABLE;
    case DB_NULL_REFUSED: return outcome_of_null(transfer);
    case DB_DUPLICATE: return transfer->request->key == NULL ? TRANSFER_FAILED : TRANSFER_CONFLICT;
    case DB_CONFLICT: return TRANSFER_CONFLICT;
    case DB_TIMED_OUT: return TRANSFER_LOCK_TIMED_OUT;
    case DB_OUT_OF_RANGE: return TRANSFER_BALANCE_OUT_OF_RANGE;
    case DB_CONDITION_FAILED:
        transfer_log(transfer, LOG_LEVEL_ERROR, LOG_FACTS(.event = "write_missing"),
                     "The database did not keep all writes; check its triggers and rules");
        return TRANSFER_FAILED;
    case DB_NOT_REPRESENTABLE: // transfer_attempt() finds the account that has this name
    case DB_NOT_ASKED:
    case DB_ROLLED_BACK:
    case DB_FAILED: return TRANSFER_FAILED;
    }
    CHECK(false);
}

static void transfer_queue(struct transfer *transfer, enum statement statement, const char *value) {
    CHECK(transfer->pending_count < TRANSFER_PENDING_MAX);
    size_t place = transfer->pending_count++;
    transfer->pending_values[place][0] = value;
    transfer->pending[place] = (struct db_call){
        .statement = statement,
        .values = transfer->pending_values[place],
        .value_count = value == NULL ? 0 : 1,
    };
}

void transfer_begin(struct transfer *transfer, enum statement begin) {
    if (transfer->keeps_key) {
        return; // transfer_take_key() has begun the same
    }
    transfer_queue(transfer, begin, NULL);
    transfer->in_transaction = true;
}

enum transfer_outcome transfer_pin_backend(struct transfer *transfer) {
    bool is_needed = transfer->request->settings.barrier_enabled && !transfer->passed_barrier;
    return is_needed ? transfer_outcome_of(transfer, db_session_pin_backend(transfer->session)) : TRANSFER_CONTINUE;
}

void transfer_lock_advisory(struct transfer *transfer, const char *account) {
    transfer_queue(transfer, STATEMENT_ADVISORY_LOCK, account);
}

void transfer_lock_in_order(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    if (strcmp(request->to_account, request->from_account) < 0) {
        transfer_queue(transfer, STATEMENT_LOCK_FIRST, request->to_account);
    }
}

static enum db_status execute(struct transfer *transfer, struct db_call call, bool commit, struct db_rows *rows) {
    struct db_call calls[TRANSFER_PENDING_MAX + 2];
    size_t count = transfer->pending_count;
    memcpy(calls, transfer->pending, count * sizeof calls[0]);
    transfer->pending_count = 0;
    size_t place = count++;
    call.keep_rows = rows != NULL;
    calls[place] = call;
    if (commit) {
        calls[count++] = (struct db_call){.statement = STATEMENT_COMMIT};
    }
    enum db_status status = db_execute_all(transfer->session, calls, count);
    if (rows != NULL) {
        *rows = calls[place].rows;
    }
    return status;
}

enum db_status transfer_execute(struct transfer *transfer, enum statement statement, const char *const *values,
                                int value_count, struct db_rows *rows) {
    struct db_call call = {.statement = statement, .values = values, .value_count = value_count};
    return execute(transfer, call, false, rows);
}

enum db_status transfer_execute_and_commit(struct transfer *transfer, enum statement statement,
                                           const char *const *values, int value_count, struct db_rows *rows,
                                           enum transfer_doubt doubt) {
    struct db_call call = {.statement = statement, .values = values, .value_count = value_count};
    bool commit = transfer->in_transaction && !transfer->keeps_key;
    enum db_status status = execute(transfer, call, commit, rows);
    // COMMIT, or a write that commits by itself, was sent: without an answer it may have taken effect.
    if (status == DB_CONNECTION_LOST && !transfer->keeps_key) {
        transfer->result->doubt = doubt;
    }
    if (commit && status == DB_OK) {
        transfer->in_transaction = false;
    }
    return status;
}

void transfer_take_seq(struct transfer *transfer, const struct db_rows *rows, int column) {
    (void)snprintf(transfer->seq, sizeof transfer->seq, "%s", db_rows_value(rows, 0, column));
}
