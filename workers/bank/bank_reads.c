// The bank's reads. Worker threads.
#include "workers/bank/bank_reads.h"

#include "observability/log/log.h"
#include "sql/statements.h"
#include "workers/money/money.h"
#include "workers/transfer/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy_text(char *out, size_t size, const char *text) {
    (void)snprintf(out, size, "%s", text);
}

static enum db_status read_account_list(struct db_session *session, enum statement statement, const char *const *values,
                                        int value_count, struct account_list *out) {
    *out = (struct account_list){0};
    struct db_rows rows;
    enum db_status status = db_execute(session, statement, values, value_count, &rows);
    if (status != DB_OK) {
        return status;
    }
    out->count = (size_t)db_rows_count(&rows);
    out->accounts = memory_allocate_zeroed((out->count + 1) * sizeof *out->accounts);
    for (size_t i = 0; i < out->count && status == DB_OK; i++) {
        struct account *account = &out->accounts[i];
        copy_text(account->id, sizeof account->id, db_rows_value(&rows, (int)i, 0));
        status = money_column_read(&rows, (int)i, 1, &account->balance) ? DB_OK : DB_FAILED;
    }
    db_rows_free(&rows);
    if (status != DB_OK) {
        account_list_free(out);
    }
    return status;
}

enum db_status bank_read_accounts(struct db_session *session, struct account_list *out) {
    return read_account_list(session, STATEMENT_READ_ACCOUNTS, NULL, 0, out);
}

enum db_status bank_read_accounts_of(struct db_session *session, struct sql_array *ids, struct account_list *out) {
    const char *values[] = {sql_array_end(ids)};
    return read_account_list(session, STATEMENT_READ_ACCOUNTS_OF, values, 1, out);
}

enum db_status bank_read_first_accounts(struct db_session *session, unsigned most, struct account_list *out) {
    char limit[16];
    (void)snprintf(limit, sizeof limit, "%u", most);
    const char *values[] = {limit};
    return read_account_list(session, STATEMENT_READ_GAUGES, values, 1, out);
}

enum db_status bank_read_money_drift(struct db_session *session, int64_t *cents) {
    struct db_rows rows;
    enum db_status status = db_execute(session, STATEMENT_READ_MONEY_DRIFT, NULL, 0, &rows);
    if (status == DB_OK) {
        bool good = db_rows_count(&rows) == 1 && money_column_read_sum(&rows, 0, 0, cents);
        db_rows_free(&rows);
        status = good ? DB_OK : DB_FAILED;
    }
    return status;
}

// "12.345" milliseconds, as numeric(12,3) is printed, to microseconds. A record of an older version, made while a clock
// was set back, may hold a negative number: that is no duration, so it reads as 0.
static uint64_t microseconds_of(const char *milliseconds) {
    if (milliseconds[0] == '-') {
        return 0;
    }
    char *point = NULL;
    uint64_t whole = strtoull(milliseconds, &point, 10);
    uint64_t fraction = *point == '.' ? strtoull(point + 1, NULL, 10) : 0;
    return whole * 1000 + fraction;
}

static const char *status_of(const char *text) {
    enum transfer_outcome outcome = strcmp(text, transfer_outcome_status(TRANSFER_SUCCESS)) == 0
                                        ? TRANSFER_SUCCESS
                                        : TRANSFER_INSUFFICIENT_FUNDS;
    return transfer_outcome_status(outcome);
}

static const char *anomaly_of(const char *text) {
    static const char *const anomalies[] = {"double_spend", "lost_update", "stale_read"};
    for (size_t i = 0; i < sizeof anomalies / sizeof anomalies[0]; i++) {
        if (strcmp(text, anomalies[i]) == 0) {
            return anomalies[i];
        }
    }
    return NULL;
}

static bool take_record(const struct db_rows *rows, int row, struct transfer_record *out) {
    copy_text(out->id, sizeof out->id, db_rows_value(rows, row, 0));
    copy_text(out->timestamp, sizeof out->timestamp, db_rows_value(rows, row, 1));
    copy_text(out->from_account, sizeof out->from_account, db_rows_value(rows, row, 2));
    copy_text(out->to_account, sizeof out->to_account, db_rows_value(rows, row, 3));
    out->status = status_of(db_rows_value(rows, row, 9));
    copy_text(out->thread_id, sizeof out->thread_id, db_rows_value(rows, row, 10));
    out->duration_us = microseconds_of(db_rows_value(rows, row, 11));
    copy_text(out->strategy, sizeof out->strategy, db_rows_value(rows, row, 12));
    out->race_detected = db_rows_value(rows, row, 13)[0] == 't';
    out->anomaly = anomaly_of(db_rows_value(rows, row, 14)); // SQL's NULL reads as ""
    copy_text(out->trace_id, sizeof out->trace_id, db_rows_value(rows, row, 15));
    return money_column_read(rows, row, 4, &out->amount) &&
           money_column_read(rows, row, 5, &out->from_balance_before) &&
           money_column_read(rows, row, 6, &out->from_balance_after) &&
           money_column_read(rows, row, 7, &out->to_balance_before) &&
           money_column_read(rows, row, 8, &out->to_balance_after);
}

bool bank_take_records(const struct db_rows *rows, struct transfer_record_list *out) {
    *out = (struct transfer_record_list){.count = (size_t)db_rows_count(rows)};
    out->records = memory_allocate_zeroed((out->count + 1) * sizeof *out->records);
    for (size_t i = 0; i < out->count; i++) {
        if (!take_record(rows, (int)i, &out->records[i])) {
            transfer_record_list_free(out);
            return false;
        }
    }
    return true;
}

enum db_status bank_read_records(struct db_session *session, enum statement statement, const char *const *values,
                                 int value_count, struct transfer_record_list *out) {
    *out = (struct transfer_record_list){0};
    struct db_rows rows;
    enum db_status status = db_execute(session, statement, values, value_count, &rows);
    if (status == DB_OK) {
        status = bank_take_records(&rows, out) ? DB_OK : DB_FAILED;
        db_rows_free(&rows);
    }
    return status;
}

enum db_status bank_read_transfers(struct db_session *session, unsigned limit, struct transfer_record_list *out) {
    char limit_text[16];
    (void)snprintf(limit_text, sizeof limit_text, "%u", limit);
    const char *values[] = {limit_text};
    return bank_read_records(session, STATEMENT_READ_TRANSFERS, values, 1, out);
}

enum db_status bank_read_transfer(struct db_session *session, const char *id, struct transfer_record_list *out) {
    const char *values[] = {id};
    return bank_read_records(session, STATEMENT_READ_TRANSFER, values, 1, out);
}

void account_list_copy(struct account_list *out, const struct account_list *list) {
    *out = (struct account_list){.count = list->count};
    if (list->count > 0) {
        size_t size = list->count * sizeof *list->accounts;
        out->accounts = memory_allocate(size);
        memcpy(out->accounts, list->accounts, size);
    }
}

void account_list_free(struct account_list *list) {
    free(list->accounts);
    *list = (struct account_list){0};
}

void transfer_record_list_free(struct transfer_record_list *list) {
    free(list->records);
    *list = (struct transfer_record_list){0};
}
