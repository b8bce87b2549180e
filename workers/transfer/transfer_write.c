// The steps that write with one statement each, and the record of a transfer. Worker threads.
//
// transfer_deduct(), transfer_credit() > change_balance(). transfer_set_from_balance(), transfer_set_to_balance() >
// set_balance() > change_balance(). transfer_record() > record_values_take(), which all statements that record use.
#include "observability/base/base.h"
#include "workers/database/database.h"
#include "workers/transfer/recent_writes.h"
#include "workers/transfer/strategy.h"
#include "workers/transfer/transfer_events.h"
#include "workers/transfer/transfer_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHANGE_IS_RELATIVE INT64_C(-1)

// A change of one balance: by an amount (relative), or to a new balance.
struct change {
    enum statement statement;
    enum step_kind kind;
    const char *account;
    int64_t value;        // cents: $2 of the statement
    int64_t *after;       // out: the new balance as the UPDATE returned it
    int64_t version_read; // the version that `value` was computed from, or CHANGE_IS_RELATIVE
    bool overwrote;       // out: the version had changed since it was read
    int64_t version;      // out: the version that the write left
};

// Outside a transaction a write is committed at once. A write without an answer may be committed, too.
static void note_standing(struct transfer *transfer, enum step_kind kind, enum db_status status, bool found) {
    bool is_deduct = kind == STEP_DEDUCT;
    if (transfer->in_transaction) {
        return;
    }
    if (status == DB_CONNECTION_LOST) {
        transfer->result->doubt = is_deduct ? DOUBT_DEDUCT : DOUBT_CREDIT;
    } else if (status == DB_OK && found) {
        transfer->result->standing = is_deduct ? STANDING_DEDUCT : STANDING_BOTH_BALANCES;
    }
}

static enum transfer_outcome change_balance(struct transfer *transfer, struct change *change) {
    struct money_text value = money_text_of(change->value);
    const char *values[] = {change->account, value.text};
    struct step *step = step_add(&transfer->result->steps, change->kind, clock_monotonic_ns());
    struct db_rows rows;
    uint64_t number = recent_writes_begin(change->account, transfer->request->id);
    enum db_status status = transfer_execute(transfer, change->statement, values, 2, &rows);
    step->ended_ns = clock_monotonic_ns();
    bool found = status == DB_OK && db_rows_count(&rows) == 1; // false: the account was deleted since it was read
    note_standing(transfer, change->kind, status, found);
    if (status != DB_OK) {
        recent_writes_end(number, false, 0, 0);
        return transfer_outcome_of(transfer, status);
    }
    bool good = found && money_column_read(&rows, 0, 0, change->after);
    if (found) {
        // Each write increments the version. A larger difference means that this write overwrote another one.
        change->version = db_rows_integer(&rows, 0, 1);
        change->overwrote = change->version_read != CHANGE_IS_RELATIVE && change->version != change->version_read + 1;
        step->outcome = change->overwrote ? "overwrote" : NULL;
        step->committed_ns = transfer->in_transaction ? 0 : step->ended_ns;
        // Use the database's time, because the answers to two writes may arrive in another order than the writes. The
        // step begins behind the snapshot of its statement: before that it waits for no other transaction.
        uint64_t began_ns = transfer_moment_ns(transfer, db_rows_integer(&rows, 0, 3), step);
        step->ended_ns = transfer_moment_ns(transfer, db_rows_integer(&rows, 0, 2), step);
        step->started_ns = MIN(began_ns, step->ended_ns);
    }
    db_rows_free(&rows);
    recent_writes_end(number, good, *change->after, change->version);
    if (!good) {
        return transfer_outcome_of(transfer, DB_FAILED);
    }
    step->account = change->account;
    step->value = *change->after;
    transfer_publish_steps(transfer->request, transfer->result);
    return TRANSFER_CONTINUE;
}

void transfer_log_race(const struct transfer_request *request, const struct transfer_result *result,
                       const char *account, int64_t version_found) {
    if (!result->race_detected) {
        return;
    }
    bool overwrote = result->lost_update;
    char racer[TRANSFER_ID_LENGTH + 1];
    int64_t found = result->from_balance_after + request->amount;
    // A write that overwrote another one does not know the balance it found: only the version identifies the racer.
    bool is_known = (!overwrote || version_found != WRITE_VERSION_UNKNOWN) &&
                    recent_writes_find(request, account, overwrote ? INT64_MIN : found, version_found, racer);
    bool is_source = strcmp(account, request->from_account) == 0;
    struct money_text read = money_text_of(is_source ? result->from_balance_before : result->to_balance_before);
    struct money_text after = money_text_of(is_source ? result->from_balance_after : result->to_balance_after);
    struct log_fields facts = {.event = "race_detected",
                               .account = account,
                               .balance = after.text,
                               .balance_read = read.text,
                               .outcome = transfer_anomaly(result)};
    struct money_text amount = money_text_of(request->amount);
    facts.amount = amount.text;
    facts.racer = is_known ? racer : NULL;
    if (overwrote) {
        request_log(request, LOG_LEVEL_WARN, &facts,
                    "RACE CONDITION DETECTED: lost update, somebody else's write to %s or %s "
                    "was overwritten",
                    request->from_account, request->to_account);
    } else if (result->double_spend) {
        request_log(request, LOG_LEVEL_WARN, &facts, "RACE CONDITION DETECTED: %s is negative: $%s",
                    request->from_account, after.text);
    } else {
        request_log(request, LOG_LEVEL_WARN, &facts, "RACE CONDITION DETECTED: %s was $%s when read, $%s when changed",
                    request->from_account, read.text, money_text_of(found).text);
    }
}

enum transfer_outcome transfer_deduct(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    struct transfer_result *result = transfer->result;
    transfer_log(
        transfer, LOG_LEVEL_INFO,
        LOG_FACTS(.event = "deduct", .account = request->from_account, .amount = money_text_of(request->amount).text),
        "STEP 3: Deducting $%s from %s", money_text_of(request->amount).text, request->from_account);
    struct change change = {.statement = STATEMENT_DEDUCT,
                            .kind = STEP_DEDUCT,
                            .account = request->from_account,
                            .value = request->amount,
                            .after = &result->from_balance_after,
                            .version_read = CHANGE_IS_RELATIVE};
    enum transfer_outcome outcome = change_balance(transfer, &change);
    if (outcome == TRANSFER_CONTINUE) {
        // This is exact: the UPDATE returned the balance that it changed.
        result->race_detected = result->from_balance_after + request->amount != result->from_balance_before;
        result->double_spend = result->race_detected && result->from_balance_after < 0;
        transfer_log_race(request, result, change.account, change.version - 1);
    }
    return outcome;
}

enum transfer_outcome transfer_credit(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    transfer_log(
        transfer, LOG_LEVEL_INFO,
        LOG_FACTS(.event = "credit", .account = request->to_account, .amount = money_text_of(request->amount).text),
        "STEP 4: Adding $%s to %s", money_text_of(request->amount).text, request->to_account);
    struct change change = {.statement = STATEMENT_CREDIT,
                            .kind = STEP_CREDIT,
                            .account = request->to_account,
                            .value = request->amount,
                            .after = &transfer->result->to_balance_after,
                            .version_read = CHANGE_IS_RELATIVE};
    return change_balance(transfer, &change);
}

static enum transfer_outcome set_balance(struct transfer *transfer, struct change *change) {
    struct transfer_result *result = transfer->result;
    enum transfer_outcome outcome = change_balance(transfer, change);
    if (outcome == TRANSFER_CONTINUE && change->overwrote && !result->lost_update) {
        result->race_detected = true;
        result->lost_update = true;
        transfer_log_race(transfer->request, result, change->account, change->version - 1);
    }
    return outcome;
}

enum transfer_outcome transfer_set_from_balance(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    struct transfer_result *result = transfer->result;
    int64_t balance = result->from_balance_before - request->amount;
    transfer_log(transfer, LOG_LEVEL_INFO,
                 LOG_FACTS(.event = "deduct", .account = request->from_account,
                           .amount = money_text_of(request->amount).text, .balance = money_text_of(balance).text),
                 "STEP 3: Setting %s to $%s", request->from_account, money_text_of(balance).text);
    struct change change = {.statement = STATEMENT_SET_BALANCE,
                            .kind = STEP_DEDUCT,
                            .account = request->from_account,
                            .value = balance,
                            .after = &result->from_balance_after,
                            .version_read = transfer->from_version};
    return set_balance(transfer, &change);
}

enum transfer_outcome transfer_set_to_balance(struct transfer *transfer) {
    const struct transfer_request *request = transfer->request;
    struct transfer_result *result = transfer->result;
    int64_t balance = result->to_balance_before + request->amount;
    transfer_log(transfer, LOG_LEVEL_INFO,
                 LOG_FACTS(.event = "credit", .account = request->to_account,
                           .amount = money_text_of(request->amount).text, .balance = money_text_of(balance).text),
                 "STEP 4: Setting %s to $%s", request->to_account, money_text_of(balance).text);
    struct change change = {.statement = STATEMENT_SET_BALANCE,
                            .kind = STEP_CREDIT,
                            .account = request->to_account,
                            .value = balance,
                            .after = &result->to_balance_after,
                            .version_read = transfer->to_version};
    return set_balance(transfer, &change);
}

void record_values_take(struct record_values *record, const struct transfer_request *request,
                        struct transfer_result *result) {
    *record = (struct record_values){.amount = money_text_of(request->amount)};
    uint64_t duration_us = (clock_monotonic_ns() - request->received_ns) / NANOSECONDS_PER_MICROSECOND;
    result->recorded_us = duration_us;
    (void)snprintf(record->received_us, sizeof record->received_us, "%" PRId64, request->received_us);
    (void)snprintf(record->duration_ms, sizeof record->duration_ms, "%" PRIu64 ".%03" PRIu64, duration_us / 1000,
                   duration_us % 1000);
    trace_context_trace_id(&request->trace, record->trace_id);
    step_list_append_json(&result->steps, request->received_us, request->received_ns, &record->steps);
    const char *values[RECORD_VALUES] = {
        request->id,           record->received_us,
        request->from_account, request->to_account,
        record->amount.text,   result->thread_id,
        record->duration_ms,   request->settings.strategy->name,
        record->trace_id,      text_terminated(&record->steps),
    };
    memcpy(record->values, values, sizeof values);
}

void record_values_take_clock(struct record_values *record, const struct transfer_request *request) {
    int64_t since_us = (int64_t)((clock_monotonic_ns() - request->received_ns) / NANOSECONDS_PER_MICROSECOND);
    (void)snprintf(record->sent_us, sizeof record->sent_us, "%" PRId64, request->received_us + since_us);
    (void)snprintf(record->ahead_us, sizeof record->ahead_us, "%" PRId64,
                   database_clock_most_ahead_us(transfer_anchor(request)));
    record->values[RECORD_VALUES] = record->sent_us;
    record->values[RECORD_VALUES + 1] = record->ahead_us;
}

enum transfer_outcome transfer_record(struct transfer *transfer, enum transfer_outcome outcome) {
    struct transfer_result *result = transfer->result;
    struct record_values record;
    record_values_take(&record, transfer->request, result);
    struct money_text from_before = money_text_of(result->from_balance_before);
    struct money_text from_after = money_text_of(result->from_balance_after);
    struct money_text to_before = money_text_of(result->to_balance_before);
    struct money_text to_after = money_text_of(result->to_balance_after);
    const char *verdict[] = {
        from_before.text,
        from_after.text,
        to_before.text,
        to_after.text,
        transfer_outcome_status(outcome),
        result->race_detected ? "true" : "false",
        transfer_anomaly(result),
    };
    memcpy(record.values + RECORD_VALUES, verdict, sizeof verdict);
    int count = RECORD_VALUES + (int)(sizeof verdict / sizeof verdict[0]);
    enum transfer_doubt doubt = outcome != TRANSFER_SUCCESS ? DOUBT_REFUSAL
                                : transfer->in_transaction  ? DOUBT_WHOLE
                                                            : DOUBT_RECORD;
    struct db_rows rows;
    enum db_status status = transfer_execute_and_commit(transfer, STATEMENT_RECORD_TRANSFER, record.values, count,
                                                        &rows, doubt);
    text_free(&record.steps);
    if (status != DB_OK) {
        return transfer_outcome_of(transfer, status);
    }
    transfer_take_seq(transfer, &rows, 1);
    db_rows_free(&rows);
    return outcome;
}
