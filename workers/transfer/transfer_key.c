// The Idempotency-Key of a transfer: one transaction holds the key and the posting. Worker threads.
//
//   transfer_take_key() > find (commits by itself) > BEGIN, take > the attempt > transfer_keep_key() > COMMIT
//
// The primary key of transfer_keys is the guard: of two transactions with one key, the second fails at its INSERT and
// is rolled back with its posting. The advisory lock only lets the second one end at once, before it waits for rows.
#include "workers/transfer/strategy.h"
#include "workers/transfer/transfer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOUND_IS_SAME 17 // the columns of find_key behind those of the record
#define FOUND_IS_EXPIRED 18
#define FOUND_SEQ 19

#define KEY_REQUEST_VALUES 5

// The parameters $1 to $5: the key and the request that it stands for.
struct key_values {
    struct money_text amount;
    char ttl_s[16];
    const char *values[KEY_REQUEST_VALUES + 2];
};

static void key_values_take(struct key_values *out, const struct transfer_request *request) {
    out->amount = money_text_of(request->amount);
    (void)snprintf(out->ttl_s, sizeof out->ttl_s, "%u", request->key_ttl_s);
    const char *values[KEY_REQUEST_VALUES] = {
        request->key,
        request->from_account,
        request->to_account,
        out->amount.text,
        request->names_strategy ? request->settings.strategy->name : "",
    };
    memcpy(out->values, values, sizeof values);
}

static bool is_true(const struct db_rows *rows, int column) {
    return db_rows_value(rows, 0, column)[0] == 't';
}

// The key is known: keeps its record as the answer.
static enum transfer_outcome replay(struct transfer *transfer, struct db_rows *rows) {
    struct transfer_replay *replay = memory_allocate_zeroed(sizeof *replay);
    replay->rows = *rows;
    if (!transfer_record_take(&replay->rows, 0, &replay->record)) {
        transfer_replay_free(replay);
        return transfer_outcome_of(transfer, DB_FAILED);
    }
    transfer->result->replay = replay;
    transfer_log(transfer, LOG_LEVEL_INFO,
                 LOG_FACTS(.event = "key_replayed", .idempotency_key = transfer->request->key),
                 "Idempotency-Key has transfer %s already: its answer is sent again", replay->record.id);
    return TRANSFER_REPLAYED;
}

// An expired key, or one whose record was removed by hand or by an older program, is as good as new.
static enum transfer_outcome forget(struct transfer *transfer, const struct db_rows *rows) {
    const char *values[] = {transfer->request->key, db_rows_value(rows, 0, FOUND_SEQ)};
    return transfer_outcome_of(transfer, transfer_execute(transfer, STATEMENT_FORGET_KEY, values, 2, NULL));
}

static enum transfer_outcome find(struct transfer *transfer, const struct key_values *key) {
    struct db_rows rows;
    enum db_status status = transfer_execute(transfer, STATEMENT_FIND_KEY, key->values, KEY_REQUEST_VALUES, &rows);
    if (status != DB_OK) {
        return transfer_outcome_of(transfer, status);
    }
    enum transfer_outcome outcome = TRANSFER_CONTINUE;
    if (db_rows_count(&rows) > 0) {
        bool is_gone = is_true(&rows, FOUND_IS_EXPIRED) || db_rows_is_null(&rows, 0, 0);
        if (!is_gone && is_true(&rows, FOUND_IS_SAME)) {
            return replay(transfer, &rows);
        }
        outcome = is_gone ? forget(transfer, &rows) : TRANSFER_KEY_REUSED;
    }
    db_rows_free(&rows);
    return outcome;
}

// The statement with which the strategy begins its transaction; a strategy without one gets READ COMMITTED.
static enum statement begin_of(const struct strategy *strategy) {
    for (const enum statement *statement = strategy->statements; *statement != STATEMENT_COUNT; statement++) {
        if (*statement == STATEMENT_BEGIN_REPEATABLE_READ || *statement == STATEMENT_BEGIN_SERIALIZABLE) {
            return *statement;
        }
    }
    return STATEMENT_BEGIN;
}

enum transfer_outcome transfer_take_key(struct transfer *transfer) {
    struct key_values key;
    if (transfer->request->key_check_then_write && transfer->result->attempts > 1) {
        return TRANSFER_CONTINUE; // looked up before the first attempt only
    }
    key_values_take(&key, transfer->request);
    enum transfer_outcome outcome = find(transfer, &key);
    if (outcome != TRANSFER_CONTINUE || transfer->request->key_check_then_write) {
        return outcome;
    }
    transfer_begin(transfer, begin_of(strategy_for(transfer->request)));
    transfer->keeps_key = true;
    struct db_rows rows;
    enum db_status status = transfer_execute(transfer, STATEMENT_TAKE_KEY, key.values, 1, &rows);
    if (status != DB_OK) {
        return transfer_outcome_of(transfer, status);
    }
    bool is_taken = is_true(&rows, 0);
    db_rows_free(&rows);
    return is_taken ? TRANSFER_CONTINUE : TRANSFER_KEY_IN_FLIGHT;
}

// The transfer is committed, so a failure no longer changes its outcome: then the key is lost.
static void keep_afterwards(struct transfer *transfer, const struct key_values *key) {
    enum db_status status = transfer_execute(transfer, STATEMENT_KEEP_KEY_AFTERWARDS, key->values,
                                             KEY_REQUEST_VALUES + 2, NULL);
    if (status != DB_OK) {
        transfer_log(transfer, LOG_LEVEL_WARN,
                     LOG_FACTS(.event = "key_lost", .idempotency_key = transfer->request->key),
                     "The transfer is committed and its Idempotency-Key is not: a repeat will be posted again");
    }
}

enum transfer_outcome transfer_keep_key(struct transfer *transfer, enum transfer_outcome outcome) {
    bool afterwards = transfer->request->key != NULL && transfer->request->key_check_then_write;
    if ((!transfer->keeps_key && !afterwards) || !transfer_is_recorded(outcome)) {
        return outcome;
    }
    struct key_values key;
    key_values_take(&key, transfer->request);
    key.values[KEY_REQUEST_VALUES] = transfer->seq;
    key.values[KEY_REQUEST_VALUES + 1] = key.ttl_s;
    if (afterwards) {
        keep_afterwards(transfer, &key);
        return outcome;
    }
    transfer->keeps_key = false;
    enum db_status status = transfer_execute_and_commit(transfer, STATEMENT_KEEP_KEY, key.values,
                                                        KEY_REQUEST_VALUES + 2, NULL,
                                                        outcome == TRANSFER_SUCCESS ? DOUBT_WHOLE : DOUBT_REFUSAL);
    if (status != DB_OK) {
        return transfer_outcome_of(transfer, status);
    }
    transfer_note_commit(&transfer->result->steps);
    return outcome;
}
