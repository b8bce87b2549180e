// Posts a transfer in one statement, records a refusal, and commits. Worker threads.
#include "observability/base/base.h"
#include "workers/database/database.h"
#include "workers/transfer/recent_writes.h"
#include "workers/transfer/strategy.h"
#include "workers/transfer/transfer_events.h"
#include "workers/transfer/transfer_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Converts the time in the record (microseconds since 1970) to the monotonic clock, between `sent_ns` and
// `answered_ns`.
static uint64_t recorded_ns(const struct transfer_request *request, int64_t recorded_us, uint64_t sent_ns,
                            uint64_t answered_ns) {
    int64_t since_us = recorded_us - request->received_us;
    uint64_t moment_ns = since_us <= 0 ? sent_ns
                                       : request->received_ns + (uint64_t)since_us * NANOSECONDS_PER_MICROSECOND;
    return moment_ns < sent_ns ? sent_ns : moment_ns > answered_ns ? answered_ns : moment_ns;
}

// Reads the answer of the posting. Its columns are from_balance_before, from_balance_after, to_balance_after, anomaly,
// the time of the deduct in the record, and seq.
static enum transfer_outcome take_posting(struct transfer *transfer, const struct db_rows *rows, uint64_t started_ns) {
    const struct transfer_request *request = transfer->request;
    struct transfer_result *result = transfer->result;
    if (db_rows_count(rows) == 0) {
        return TRANSFER_CONTINUE;
    }
    if (!money_column_read(rows, 0, 0, &result->from_balance_before) ||
        !money_column_read(rows, 0, 1, &result->from_balance_after) ||
        !money_column_read(rows, 0, 2, &result->to_balance_after)) {
        // Outside a transaction the posting is committed, with balances that are unknown. Else it will be rolled back.
        result->doubt = transfer->in_transaction ? DOUBT_NONE : DOUBT_BALANCES;
        return transfer_outcome_of(transfer, DB_FAILED);
    }
    result->to_balance_before = result->to_balance_after - request->amount;
    result->race_detected = !db_rows_is_null(rows, 0, 3);
    result->lost_update = strcmp(db_rows_value(rows, 0, 3), "lost_update") == 0;
    result->double_spend = strcmp(db_rows_value(rows, 0, 3), "double_spend") == 0;
    struct step *deduct = step_add(&result->steps, STEP_DEDUCT, started_ns);
    deduct->account = request->from_account;
    deduct->value = result->from_balance_after;
    uint64_t answered_ns = clock_monotonic_ns();
    deduct->ended_ns = recorded_ns(request, db_rows_integer(rows, 0, 4), started_ns, answered_ns);
    deduct->committed_ns = transfer->in_transaction ? 0 : answered_ns;
    struct step *credit = step_add(&result->steps, STEP_CREDIT, deduct->ended_ns);
    credit->committed_ns = deduct->committed_ns;
    credit->account = request->to_account;
    credit->value = result->to_balance_after;
    transfer_take_seq(transfer, rows, 5);
    transfer_publish_steps(request, result);
    return TRANSFER_SUCCESS;
}

// Adds the steps that the statement is about to do. The statement replaces each "@" by a time. It searches for the "@"
// with its key and quotes; this text occurs nowhere else, because a quote inside a name is escaped.
static void announce_writes(struct record_values *record) {
    record->steps.length--; // remove the bracket that closes the list
    text_append_string(&record->steps, record->steps.length > 1 ? "," : "");
    text_append_string(&record->steps, "{\"step\":\"deduct\",\"at_us\":@,\"took_us\":@},"
                                       "{\"step\":\"credit\",\"at_us\":@,\"took_us\":0}]");
    record->values[RECORD_VALUES - 1] = text_terminated(&record->steps);
}

static enum transfer_outcome post(struct transfer *transfer, enum statement statement, bool commit) {
    const struct transfer_request *request = transfer->request;
    transfer_log(
        transfer, LOG_LEVEL_INFO,
        LOG_FACTS(.event = "deduct", .account = request->from_account, .amount = money_text_of(request->amount).text),
        "STEP 3: Deducting $%s from %s", money_text_of(request->amount).text, request->from_account);
    transfer_log(
        transfer, LOG_LEVEL_INFO,
        LOG_FACTS(.event = "credit", .account = request->to_account, .amount = money_text_of(request->amount).text),
        "STEP 4: Adding $%s to %s", money_text_of(request->amount).text, request->to_account);
    struct record_values record;
    record_values_take(&record, request, transfer->result);
    announce_writes(&record);
    char version[24];
    struct money_text read = money_text_of(transfer->result->from_balance_before);
    (void)snprintf(version, sizeof version, "%" PRId64, transfer->from_version);
    record_values_take_clock(&record, request);
    int count = RECORD_VALUES + RECORD_CLOCK_VALUES;
    if (statement == STATEMENT_BOOK || statement == STATEMENT_BOOK_IF_UNCHANGED) {
        record.values[count++] = read.text;
    }
    if (statement == STATEMENT_BOOK_IF_UNCHANGED) {
        record.values[count++] = version;
    }
    struct db_rows rows;
    uint64_t started_ns = clock_monotonic_ns();
    uint64_t deduct = recent_writes_begin(request->from_account, request->id);
    uint64_t credit = recent_writes_begin(request->to_account, request->id);
    // Outside a transaction the statement commits by itself, so the same doubt applies.
    enum db_status status = commit || !transfer->in_transaction
                                ? transfer_execute_and_commit(transfer, statement, record.values, count, &rows,
                                                              DOUBT_WHOLE)
                                : transfer_execute(transfer, statement, record.values, count, &rows);
    text_free(&record.steps);
    if (status != DB_OK) {
        recent_writes_end(deduct, false, 0, 0);
        recent_writes_end(credit, false, 0, 0);
        return transfer_outcome_of(transfer, status);
    }
    enum transfer_outcome outcome = take_posting(transfer, &rows, started_ns);
    db_rows_free(&rows);
    bool posted = outcome == TRANSFER_SUCCESS;
    recent_writes_end(deduct, posted, transfer->result->from_balance_after, WRITE_VERSION_UNKNOWN);
    recent_writes_end(credit, posted, transfer->result->to_balance_after, WRITE_VERSION_UNKNOWN);
    transfer_log_race(request, transfer->result, request->from_account, WRITE_VERSION_UNKNOWN);
    return outcome;
}

enum transfer_outcome transfer_post(struct transfer *transfer, enum statement statement) {
    return post(transfer, statement, false);
}

enum transfer_outcome transfer_post_and_commit(struct transfer *transfer, enum statement statement) {
    enum transfer_outcome outcome = post(transfer, statement, true);
    // The posting wrote nothing because the source account was deleted since it was read: the next attempt finds out.
    return outcome == TRANSFER_CONTINUE ? TRANSFER_CONFLICT : outcome;
}

// Finds out why the statement recorded no refusal: an account does not exist, or the balance covers the amount now.
static enum transfer_outcome why_not_refused(struct transfer *transfer) {
    enum transfer_outcome outcome = transfer_read(transfer);
    return outcome == TRANSFER_CONTINUE ? TRANSFER_CONFLICT : outcome;
}

enum transfer_outcome transfer_refuse(struct transfer *transfer) {
    struct transfer_result *result = transfer->result;
    struct record_values record;
    record_values_take(&record, transfer->request, result);
    record_values_take_clock(&record, transfer->request);
    struct db_rows rows;
    enum db_status status = transfer_execute_and_commit(transfer, STATEMENT_REFUSE, record.values,
                                                        RECORD_VALUES + RECORD_CLOCK_VALUES, &rows, DOUBT_REFUSAL);
    text_free(&record.steps);
    if (status != DB_OK) {
        return transfer_outcome_of(transfer, status);
    }
    if (db_rows_count(&rows) == 0) {
        db_rows_free(&rows);
        return why_not_refused(transfer);
    }
    bool good = money_column_read(&rows, 0, 0, &result->from_balance_before) &&
                money_column_read(&rows, 0, 1, &result->to_balance_before);
    transfer_take_seq(transfer, &rows, 2);
    db_rows_free(&rows);
    result->from_balance_after = result->from_balance_before;
    result->to_balance_after = result->to_balance_before;
    return good && !transfer_check(transfer) ? TRANSFER_INSUFFICIENT_FUNDS : TRANSFER_FAILED;
}

// Sets the commit time of the writes of this attempt. Earlier attempts were rolled back.
void transfer_note_commit(struct step_list *list) {
    uint64_t now_ns = clock_monotonic_ns();
    for (size_t i = list->count; i > 0 && list->steps[i - 1].kind != STEP_RETRY; i--) {
        struct step *step = &list->steps[i - 1];
        if (step->kind == STEP_DEDUCT || step->kind == STEP_CREDIT) {
            step->committed_ns = now_ns;
        }
    }
}

enum transfer_outcome transfer_commit(struct transfer *transfer, enum transfer_outcome outcome) {
    if (transfer->keeps_key) {
        return outcome;
    }
    enum db_status status = db_execute(transfer->session, STATEMENT_COMMIT, NULL, 0, NULL);
    transfer->in_transaction = false;
    if (status == DB_OK) {
        transfer_note_commit(&transfer->result->steps);
    }
    if (status == DB_CONNECTION_LOST) { // COMMIT was sent: without an answer it may have taken effect
        transfer->result->doubt = DOUBT_WHOLE;
    }
    return status == DB_OK ? outcome : transfer_outcome_of(transfer, status);
}
