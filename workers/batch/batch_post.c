// Posts a batch that has been judged. Worker threads.
#include "observability/base/base.h"
#include "workers/batch/batch_internal.h"
#include "workers/transfer/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// The columns of book_many's parameters, in their order.
enum column {
    COLUMN_CHANGED_ID,
    COLUMN_CHANGE,
    COLUMN_WRITES,
    COLUMN_ID,
    COLUMN_RECEIVED,
    COLUMN_WAITED,
    COLUMN_FROM,
    COLUMN_TO,
    COLUMN_AMOUNT,
    COLUMN_FROM_BEFORE,
    COLUMN_FROM_AFTER,
    COLUMN_TO_BEFORE,
    COLUMN_TO_AFTER,
    COLUMN_STATUS,
    COLUMN_TRACE,
    COLUMN_COUNT
};

static void add_changes(const struct batch *batch, struct sql_array columns[static COLUMN_COUNT]) {
    for (size_t i = 0; i < batch->account_count; i++) {
        const struct batch_account *account = &batch->accounts[i];
        if (account->writes > 0) {
            char writes[16];
            (void)snprintf(writes, sizeof writes, "%" PRIu32, account->writes);
            sql_array_add(&columns[COLUMN_CHANGED_ID], account->id);
            sql_array_add_money(&columns[COLUMN_CHANGE], account->change);
            sql_array_add(&columns[COLUMN_WRITES], writes);
        }
    }
}

static void add_record(const struct batch_moment *moment, const struct transfer_job *transfer,
                       struct sql_array columns[static COLUMN_COUNT]) {
    const struct transfer_request *request = &transfer->request;
    const struct transfer_result *result = &transfer->result;
    char trace_id[TRACE_ID_HEX];
    trace_context_trace_id(&request->trace, trace_id);
    sql_array_add(&columns[COLUMN_ID], request->id);
    batch_add_arrival(moment, request, &columns[COLUMN_RECEIVED], &columns[COLUMN_WAITED]);
    sql_array_add(&columns[COLUMN_FROM], request->from_account);
    sql_array_add(&columns[COLUMN_TO], request->to_account);
    sql_array_add_money(&columns[COLUMN_AMOUNT], request->amount);
    sql_array_add_money(&columns[COLUMN_FROM_BEFORE], result->from_balance_before);
    sql_array_add_money(&columns[COLUMN_FROM_AFTER], result->from_balance_after);
    sql_array_add_money(&columns[COLUMN_TO_BEFORE], result->to_balance_before);
    sql_array_add_money(&columns[COLUMN_TO_AFTER], result->to_balance_after);
    sql_array_add(&columns[COLUMN_STATUS], transfer_outcome_status(result->outcome));
    sql_array_add(&columns[COLUMN_TRACE], trace_id);
}

static void note_steps(const struct batch *batch, uint64_t posted_ns) {
    for (size_t i = 0; i < batch->count; i++) {
        struct transfer_job *transfer = batch->transfers[i];
        if (transfer->result.outcome == TRANSFER_SUCCESS) {
            batch_note_success(batch, transfer, posted_ns);
        } else if (transfer->result.outcome == TRANSFER_INSUFFICIENT_FUNDS) {
            batch_note_read(batch, transfer, posted_ns);
        }
    }
}

enum transfer_outcome batch_post_and_commit(struct batch *batch) {
    struct sql_array columns[COLUMN_COUNT] = {0};
    struct batch_moment moment;
    batch_moment_take(&moment, batch);
    add_changes(batch, columns);
    for (size_t i = 0; i < batch->count; i++) {
        enum transfer_outcome outcome = batch->transfers[i]->result.outcome;
        if (outcome == TRANSFER_SUCCESS || outcome == TRANSFER_INSUFFICIENT_FUNDS) {
            add_record(&moment, batch->transfers[i], columns);
        }
    }
    const char *values[COLUMN_COUNT + 4];
    size_t count = 0;
    while (count < COLUMN_COUNT) {
        values[count] = sql_array_end(&columns[count]);
        count++;
    }
    values[count++] = moment.steps_posted;
    values[count++] = moment.steps_refused;
    values[count++] = batch->thread_id;
    values[count++] = batch->transfers[0]->request.settings.strategy->name;
    struct db_call calls[] = {
        {.statement = STATEMENT_BOOK_MANY, .values = values, .value_count = (int)count},
        {.statement = STATEMENT_COMMIT},
    };
    enum db_status status = db_execute_all(batch->session, calls, 2);
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        text_free(&columns[i].text);
    }
    batch->doubt = status == DB_CONNECTION_LOST ? DOUBT_WHOLE : DOUBT_NONE;
    batch->in_transaction = status != DB_OK;
    if (status != DB_OK) {
        return batch_outcome_of(batch, status);
    }
    note_steps(batch, moment.now_ns);
    return TRANSFER_SUCCESS;
}
