// The optimistic batch: posts a batch in one statement, on the condition that every transfer in it is covered. Worker
// threads.
//
// The program knows without a read what each account must hold for that: the amounts before each transfer, in the order
// of arrival, say how far the balances will have moved when its turn comes. PostgreSQL locks the rows, compares the
// balances, and writes all or nothing. When the condition fails it has cost one round trip.
#include "observability/base/base.h"
#include "workers/bank/bank.h"
#include "workers/batch/batch_internal.h"
#include "workers/money/money.h"
#include "workers/transfer/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// The columns of the statement's array parameters, in their order.
enum optimistic_column {
    OPTIMISTIC_ACCOUNT,
    OPTIMISTIC_CHANGE,
    OPTIMISTIC_WRITES,
    OPTIMISTIC_LEAST,
    OPTIMISTIC_ID,
    OPTIMISTIC_RECEIVED,
    OPTIMISTIC_WAITED,
    OPTIMISTIC_FROM,
    OPTIMISTIC_TO,
    OPTIMISTIC_AMOUNT,
    OPTIMISTIC_FROM_OFFSET,
    OPTIMISTIC_TO_OFFSET,
    OPTIMISTIC_TRACE,
    OPTIMISTIC_COLUMN_COUNT
};

static void add_transfer(struct batch *batch, const struct batch_moment *moment, const struct transfer_request *request,
                         struct sql_array columns[static OPTIMISTIC_COLUMN_COUNT]) {
    struct batch_account *from = batch_account_of(batch, request->from_account);
    struct batch_account *to = batch_account_of(batch, request->to_account);
    CHECK(from != NULL && to != NULL); // each was listed before
    char trace_id[TRACE_ID_HEX];
    trace_context_trace_id(&request->trace, trace_id);
    sql_array_add(&columns[OPTIMISTIC_ID], request->id);
    batch_add_arrival(moment, request, &columns[OPTIMISTIC_RECEIVED], &columns[OPTIMISTIC_WAITED]);
    sql_array_add(&columns[OPTIMISTIC_FROM], request->from_account);
    sql_array_add(&columns[OPTIMISTIC_TO], request->to_account);
    sql_array_add_money(&columns[OPTIMISTIC_AMOUNT], request->amount);
    sql_array_add_money(&columns[OPTIMISTIC_FROM_OFFSET], from->change);
    sql_array_add_money(&columns[OPTIMISTIC_TO_OFFSET], to->change);
    sql_array_add(&columns[OPTIMISTIC_TRACE], trace_id);
    if (request->amount - from->change > from->least) {
        from->least = request->amount - from->change;
    }
    from->change -= request->amount;
    to->change += request->amount;
    from->writes++;
    to->writes++;
}

static void add_accounts(const struct batch *batch, struct sql_array columns[static OPTIMISTIC_COLUMN_COUNT]) {
    for (size_t i = 0; i < batch->account_count; i++) {
        const struct batch_account *account = &batch->accounts[i];
        char writes[16];
        (void)snprintf(writes, sizeof writes, "%" PRIu32, account->writes);
        sql_array_add(&columns[OPTIMISTIC_ACCOUNT], account->id);
        sql_array_add_money(&columns[OPTIMISTIC_CHANGE], account->change);
        sql_array_add(&columns[OPTIMISTIC_WRITES], writes);
        sql_array_add_money(&columns[OPTIMISTIC_LEAST], account->least);
    }
}

// The rows are the balances that each transfer found: from's, to's. All of them are committed. False: the answer cannot
// be read, so the balances are unknown.
static bool take_postings(struct batch *batch, const struct db_rows *rows) {
    uint64_t now_ns = clock_monotonic_ns();
    if ((size_t)db_rows_count(rows) != batch->count) {
        log_write(LOG_LEVEL_ERROR, NULL, "Database answers %d postings for a batch of %zu", db_rows_count(rows),
                  batch->count);
        return false;
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct transfer_request *request = &batch->transfers[i]->request;
        struct transfer_result *result = &batch->transfers[i]->result;
        if (!money_column_read(rows, (int)i, 0, &result->from_balance_before) ||
            !money_column_read(rows, (int)i, 1, &result->to_balance_before)) {
            result->outcome = TRANSFER_OUTCOME_UNKNOWN;
            result->doubt = DOUBT_BALANCES;
            continue;
        }
        result->outcome = TRANSFER_SUCCESS;
        result->from_balance_after = result->from_balance_before - request->amount;
        result->to_balance_after = result->to_balance_before + request->amount;
        batch_note_success(batch, batch->transfers[i], now_ns);
    }
    return true;
}

static void forget_offsets(struct batch *batch) {
    for (size_t i = 0; i < batch->account_count; i++) {
        batch->accounts[i] = (struct batch_account){.id = batch->accounts[i].id, .least = -MONEY_MAX_CENTS};
    }
}

enum transfer_outcome batch_post_if_all_covered(struct batch *batch) {
    struct sql_array columns[OPTIMISTIC_COLUMN_COUNT] = {0};
    struct batch_moment moment;
    batch_moment_take(&moment, batch);
    forget_offsets(batch);
    for (size_t i = 0; i < batch->count; i++) {
        add_transfer(batch, &moment, &batch->transfers[i]->request, columns);
    }
    add_accounts(batch, columns);
    const char *values[OPTIMISTIC_COLUMN_COUNT + 4];
    size_t count = 0;
    while (count < OPTIMISTIC_COLUMN_COUNT) {
        values[count] = sql_array_end(&columns[count]);
        count++;
    }
    values[count++] = moment.steps_posted;
    values[count++] = batch->thread_id;
    values[count++] = batch->transfers[0]->request.settings.strategy->name;
    values[count++] = batch_lock_timeout(batch);
    struct db_rows rows;
    enum db_status status = db_execute(batch->session, STATEMENT_BOOK_MANY_IF_COVERED, values, (int)count, &rows);
    for (size_t i = 0; i < OPTIMISTIC_COLUMN_COUNT; i++) {
        text_free(&columns[i].text);
    }
    forget_offsets(batch);
    batch->doubt = status == DB_CONNECTION_LOST ? DOUBT_WHOLE : DOUBT_NONE; // it commits by itself
    if (status == DB_CONDITION_FAILED || status == DB_OUT_OF_RANGE) {
        return TRANSFER_CONTINUE;
    }
    if (status != DB_OK) {
        return batch_outcome_of(batch, status);
    }
    bool good = take_postings(batch, &rows);
    db_rows_free(&rows);
    batch->doubt = good ? DOUBT_NONE : DOUBT_BALANCES;
    return good ? TRANSFER_SUCCESS : batch_outcome_of(batch, DB_FAILED);
}
