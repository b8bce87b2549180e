// The steps of a batch that judge each transfer on its own: lock and read, delay, judge. Worker threads.
#include "observability/base/base.h"
#include "workers/bank/bank.h"
#include "workers/batch/batch_internal.h"
#include "workers/money/money.h"
#include "workers/transfer/transfer.h"

#include <inttypes.h>

enum transfer_outcome batch_lock_and_read(struct batch *batch) {
    struct sql_array ids = {0};
    for (size_t i = 0; i < batch->account_count; i++) {
        sql_array_add(&ids, batch->accounts[i].id);
    }
    const char *values[] = {sql_array_end(&ids), batch_lock_timeout(batch)};
    struct db_call calls[] = {
        {.statement = STATEMENT_BEGIN},
        {.statement = STATEMENT_LOCK_MANY, .values = values, .value_count = 2, .keep_rows = true},
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
        good = account != NULL;
        if (good) {
            account->found = true;
            account->is_money = money_column_read(rows, row, 1, &account->balance);
        }
    }
    db_rows_free(&calls[1].rows);
    return good ? TRANSFER_CONTINUE : TRANSFER_FAILED;
}

// The settings with the longest delay, or NULL.
static const struct settings *longest_delay(const struct batch *batch) {
    const struct settings *longest = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        const struct settings *settings = &batch->transfers[i]->request.settings;
        if (settings->delay_enabled && settings->delay_ms > (longest == NULL ? 0 : longest->delay_ms)) {
            longest = settings;
        }
    }
    return longest;
}

bool batch_wants_delay(const struct batch *batch) {
    return longest_delay(batch) != NULL && !batch->passed_delay;
}

void batch_delay(struct batch *batch) {
    const struct settings *longest = longest_delay(batch);
    if (longest == NULL || batch->passed_delay) {
        return;
    }
    batch->passed_delay = true;
    for (size_t i = 0; i < batch->count; i++) {
        request_log(&batch->transfers[i]->request, LOG_LEVEL_INFO,
                    LOG_FACTS(.event = "delay", .duration_ms = longest->delay_ms), "Debug delay: %" PRIu32 " ms",
                    longest->delay_ms);
    }
    uint64_t started_ns = clock_monotonic_ns();
    enum gate_release release = gate_delay(batch->gate, longest->gate_version, longest->delay_ms);
    for (size_t i = 0; i < batch->count; i++) {
        struct step *step = step_add(&batch->transfers[i]->result.steps, STEP_DELAY, started_ns);
        step->outcome = gate_release_name(release);
        step->ended_ns = clock_monotonic_ns();
    }
}

static enum transfer_outcome judge(const struct transfer_request *request, const struct batch_account *from,
                                   const struct batch_account *to) {
    if (!from->found) {
        return TRANSFER_UNKNOWN_FROM_ACCOUNT;
    }
    if (!to->found) {
        return TRANSFER_UNKNOWN_TO_ACCOUNT;
    }
    if (!from->is_money || !to->is_money) {
        return TRANSFER_FAILED;
    }
    if (from->balance < request->amount) {
        return TRANSFER_INSUFFICIENT_FUNDS;
    }
    return to->balance > MONEY_MAX_CENTS - request->amount ? TRANSFER_BALANCE_OUT_OF_RANGE : TRANSFER_SUCCESS;
}

void batch_judge(struct batch *batch) {
    batch->judged = true;
    for (size_t i = 0; i < batch->count; i++) {
        struct transfer_job *transfer = batch->transfers[i];
        const struct transfer_request *request = &transfer->request;
        struct transfer_result *result = &transfer->result;
        struct batch_account *from = batch_account_of(batch, request->from_account);
        struct batch_account *to = batch_account_of(batch, request->to_account);
        CHECK(from != NULL && to != NULL); // each was listed before
        result->outcome = judge(request, from, to);
        result->from_balance_before = result->from_balance_after = from->balance;
        result->to_balance_before = result->to_balance_after = to->balance;
        if (result->outcome == TRANSFER_SUCCESS) {
            result->from_balance_after = from->balance -= request->amount;
            result->to_balance_after = to->balance += request->amount;
            from->change -= request->amount;
            to->change += request->amount;
            from->writes++;
            to->writes++;
        }
    }
}
