// The steps of a batch: lock and read, judge, book. Worker threads.
#include "bank.h"
#include "batch.h"
#include "clock.h"
#include "strategy.h"
#include "transfer_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// PostgreSQL's text form of an array: {"a","b\"c"}.
// https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
struct array {
    struct text text;
};

static void array_add(struct array *array, const char *value) {
    text_append_string(&array->text, array->text.length == 0 ? "{\"" : ",\"");
    for (;;) {
        size_t plain = strcspn(value, "\"\\");
        text_append(&array->text, value, plain);
        value += plain;
        if (*value == '\0') {
            break;
        }
        text_append(&array->text, (const char[]){'\\', *value++}, 2);
    }
    text_append_string(&array->text, "\"");
}

static void array_add_money(struct array *array, int64_t cents) {
    array_add(array, amount_text_of(cents).text);
}

static const char *array_end(struct array *array) {
    text_append_string(&array->text, array->text.length == 0 ? "{}" : "}");
    return text_terminated(&array->text);
}

static struct batch_account *batch_account_of(struct batch *batch, const char *id) {
    size_t low = 0;
    size_t high = batch->account_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(batch->accounts[middle].id, id);
        if (order == 0) {
            return &batch->accounts[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    CHECK(false); // each was listed before
}

static enum transfer_outcome batch_outcome_of(const struct batch *batch, enum db_status status) {
    if (batch->in_doubt) {
        return TRANSFER_OUTCOME_UNKNOWN;
    }
    switch (status) {
    case DB_OK: return TRANSFER_GOES_ON;
    case DB_AWAY: return TRANSFER_DATABASE_AWAY;
    case DB_CONFLICT: return TRANSFER_CONFLICT;
    case DB_TIMED_OUT: return TRANSFER_LOCK_TIMED_OUT;
    case DB_OUT_OF_RANGE: // each was judged against the range
    case DB_ROLLED_BACK:
    case DB_FAILED: return TRANSFER_FAILED;
    }
    CHECK(false);
}

enum transfer_outcome batch_lock_and_read(struct batch *batch) {
    struct array ids = {0};
    for (size_t i = 0; i < batch->account_count; i++) {
        array_add(&ids, batch->accounts[i].id);
    }
    const char *values[] = {array_end(&ids)};
    struct db_call calls[] = {
        {.statement = STATEMENT_BEGIN},
        {.statement = STATEMENT_LOCK_MANY, .values = values, .value_count = 1, .keep_rows = true},
    };
    batch->in_transaction = true;
    enum db_status status = db_execute_all(batch->session, calls, 2);
    text_free(&ids.text);
    if (status != DB_OK) {
        return batch_outcome_of(batch, status);
    }
    const struct db_rows *rows = &calls[1].rows;
    bool good = true;
    for (int row = 0; row < db_rows_count(rows) && good; row++) {
        struct batch_account *account = batch_account_of(batch, db_rows_value(rows, row, 0));
        account->found = true;
        good = bank_money_of(rows, row, 1, &account->balance);
    }
    db_rows_free(&calls[1].rows);
    return good ? TRANSFER_GOES_ON : TRANSFER_FAILED;
}

void batch_delay(struct batch *batch) {
    const struct settings *longest = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        const struct settings *settings = &batch->transfers[i]->request.settings;
        if (settings->delay_enabled && (longest == NULL || settings->delay_ms > longest->delay_ms)) {
            longest = settings;
        }
    }
    if (longest == NULL || longest->delay_ms == 0 || batch->passed_delay) {
        return;
    }
    batch->passed_delay = true;
    uint64_t started_ns = clock_monotonic_ns();
    enum gate_release release = gate_delay(batch->gate, longest->gate_version, longest->delay_ms);
    for (size_t i = 0; i < batch->count; i++) {
        struct step *step = step_add(&batch->transfers[i]->result.steps, STEP_DELAY, started_ns);
        step->outcome = gate_release_name(release);
        step->ended_ns = clock_monotonic_ns();
    }
}

static void add_step(struct transfer_result *result, enum step_kind kind, const char *account, int64_t value,
                     uint64_t now_ns) {
    struct step *step = step_add(&result->steps, kind, now_ns);
    step->account = account;
    step->value = value;
}

static void judge_funds(struct transfer_job *transfer, struct batch_account *from, struct batch_account *to,
                        uint64_t now_ns) {
    const struct transfer_request *request = &transfer->request;
    struct transfer_result *result = &transfer->result;
    result->from_balance_before = result->from_balance_after = from->balance;
    result->to_balance_before = result->to_balance_after = to->balance;
    add_step(result, STEP_CHECK, request->from_account, from->balance, now_ns);
    request_log(request, LOG_LEVEL_INFO, "STEP 2: Check if $%s >= $%s", amount_text_of(from->balance).text,
                amount_text_of(request->amount).text);
    if (from->balance < request->amount) {
        result->outcome = TRANSFER_INSUFFICIENT_FUNDS;
        return;
    }
    if (to->balance > MONEY_MAX_CENTS - request->amount) {
        result->outcome = TRANSFER_BALANCE_OUT_OF_RANGE;
        return;
    }
    from->change -= request->amount;
    to->change += request->amount;
    result->from_balance_after = from->balance -= request->amount;
    result->to_balance_after = to->balance += request->amount;
    from->writes++;
    to->writes++;
    result->outcome = TRANSFER_SUCCESS;
    add_step(result, STEP_DEDUCT, request->from_account, from->balance, now_ns);
    add_step(result, STEP_CREDIT, request->to_account, to->balance, now_ns);
    request_log(request, LOG_LEVEL_INFO, "STEP 3: Deducting $%s from %s", amount_text_of(request->amount).text,
                request->from_account);
    request_log(request, LOG_LEVEL_INFO, "STEP 4: Adding $%s to %s", amount_text_of(request->amount).text,
                request->to_account);
}

void batch_judge(struct batch *batch) {
    uint64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; i < batch->count; i++) {
        struct transfer_job *transfer = batch->transfers[i];
        const struct transfer_request *request = &transfer->request;
        struct batch_account *from = batch_account_of(batch, request->from_account);
        struct batch_account *to = batch_account_of(batch, request->to_account);
        struct step *step = step_add(&transfer->result.steps, STEP_BATCH, request->received_ns);
        step->ended_ns = now_ns;
        step->parties = (uint32_t)batch->count;
        if (!from->found || !to->found) {
            transfer->result.outcome = from->found ? TRANSFER_UNKNOWN_TO_ACCOUNT : TRANSFER_UNKNOWN_FROM_ACCOUNT;
            continue;
        }
        step->account = request->from_account;
        step->value = from->balance;
        request_log(request, LOG_LEVEL_INFO, "STEP 1: Read balance for %s = $%s (row locked, batch of %zu)",
                    request->from_account, amount_text_of(from->balance).text, batch->count);
        judge_funds(transfer, from, to, now_ns);
    }
}

// The columns of book_many's parameters, in their order.
enum column {
    COLUMN_CHANGED_ID,
    COLUMN_CHANGE,
    COLUMN_WRITES,
    COLUMN_ID,
    COLUMN_RECEIVED,
    COLUMN_FROM,
    COLUMN_TO,
    COLUMN_AMOUNT,
    COLUMN_FROM_BEFORE,
    COLUMN_FROM_AFTER,
    COLUMN_TO_BEFORE,
    COLUMN_TO_AFTER,
    COLUMN_STATUS,
    COLUMN_DURATION,
    COLUMN_TRACE,
    COLUMN_STEPS,
    COLUMN_COUNT
};

static void add_changes(const struct batch *batch, struct array columns[static COLUMN_COUNT]) {
    for (size_t i = 0; i < batch->account_count; i++) {
        const struct batch_account *account = &batch->accounts[i];
        if (account->writes > 0) {
            char writes[16];
            (void)snprintf(writes, sizeof writes, "%" PRIu32, account->writes);
            array_add(&columns[COLUMN_CHANGED_ID], account->id);
            array_add_money(&columns[COLUMN_CHANGE], account->change);
            array_add(&columns[COLUMN_WRITES], writes);
        }
    }
}

static void add_record(const struct transfer_job *transfer, struct array columns[static COLUMN_COUNT]) {
    const struct transfer_request *request = &transfer->request;
    const struct transfer_result *result = &transfer->result;
    struct record_values record;
    record_values_take(&record, request, result);
    array_add(&columns[COLUMN_ID], request->id);
    array_add(&columns[COLUMN_RECEIVED], record.received_us);
    array_add(&columns[COLUMN_FROM], request->from_account);
    array_add(&columns[COLUMN_TO], request->to_account);
    array_add(&columns[COLUMN_AMOUNT], record.amount.text);
    array_add_money(&columns[COLUMN_FROM_BEFORE], result->from_balance_before);
    array_add_money(&columns[COLUMN_FROM_AFTER], result->from_balance_after);
    array_add_money(&columns[COLUMN_TO_BEFORE], result->to_balance_before);
    array_add_money(&columns[COLUMN_TO_AFTER], result->to_balance_after);
    array_add(&columns[COLUMN_STATUS], transfer_outcome_status(result->outcome));
    array_add(&columns[COLUMN_DURATION], record.duration_ms);
    array_add(&columns[COLUMN_TRACE], record.trace_id);
    array_add(&columns[COLUMN_STEPS], text_terminated(&record.steps));
    text_free(&record.steps);
}

enum transfer_outcome batch_book_and_commit(struct batch *batch) {
    struct array columns[COLUMN_COUNT] = {0};
    add_changes(batch, columns);
    for (size_t i = 0; i < batch->count; i++) {
        enum transfer_outcome outcome = batch->transfers[i]->result.outcome;
        if (outcome == TRANSFER_SUCCESS || outcome == TRANSFER_INSUFFICIENT_FUNDS) {
            add_record(batch->transfers[i], columns);
        }
    }
    const char *values[COLUMN_COUNT + 2];
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        values[i] = array_end(&columns[i]);
    }
    values[COLUMN_COUNT] = batch->thread_id;
    values[COLUMN_COUNT + 1] = batch->transfers[0]->request.settings.strategy->name;
    struct db_call calls[] = {
        {.statement = STATEMENT_BOOK_MANY, .values = values, .value_count = COLUMN_COUNT + 2},
        {.statement = STATEMENT_COMMIT},
    };
    enum db_status status = db_execute_all(batch->session, calls, 2);
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        text_free(&columns[i].text);
    }
    batch->in_doubt = status == DB_AWAY;
    batch->in_transaction = status != DB_OK;
    return batch_outcome_of(batch, status);
}
