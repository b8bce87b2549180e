// The bank's reads. Worker threads.
#include "workers/bank/bank_reads.h"

#include "observability/log/log.h"
#include "sql/statements.h"
#include "workers/money/money.h"
#include "workers/transfer/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Copies the texts that the ids point to.
static void own_ids(struct account_list *list) {
    size_t size = 1;
    for (size_t i = 0; i < list->count; i++) {
        size += strlen(list->accounts[i].id) + 1;
    }
    list->ids = memory_allocate(size);
    char *place = list->ids;
    for (size_t i = 0; i < list->count; i++) {
        size_t length = strlen(list->accounts[i].id) + 1;
        memcpy(place, list->accounts[i].id, length);
        list->accounts[i].id = place;
        place += length;
    }
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
        account->id = db_rows_value(&rows, (int)i, 0);
        status = money_column_read(&rows, (int)i, 1, &account->balance) ? DB_OK : DB_FAILED;
    }
    if (status == DB_OK) {
        own_ids(out);
    } else {
        account_list_free(out);
    }
    db_rows_free(&rows);
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

enum db_status bank_read_money_drift(struct db_session *session, double *drift) {
    struct db_rows rows;
    enum db_status status = db_execute(session, STATEMENT_READ_MONEY_DRIFT, NULL, 0, &rows);
    if (status == DB_OK) {
        const char *sum = db_rows_count(&rows) == 1 ? money_column_sum(&rows, 0, 0) : NULL;
        *drift = sum == NULL ? 0 : strtod(sum, NULL); // the program keeps the locale "C"
        status = sum == NULL ? DB_FAILED : DB_OK;
        db_rows_free(&rows);
    }
    return status;
}

bool bank_take_records(struct transfer_record_list *list) {
    list->count = (size_t)db_rows_count(&list->rows);
    list->records = memory_allocate_zeroed((list->count + 1) * sizeof *list->records);
    for (size_t i = 0; i < list->count; i++) {
        if (!transfer_record_take(&list->rows, (int)i, &list->records[i])) {
            transfer_record_list_free(list);
            return false;
        }
    }
    return true;
}

enum db_status bank_read_records(struct db_session *session, enum statement statement, const char *const *values,
                                 int value_count, struct transfer_record_list *out) {
    *out = (struct transfer_record_list){0};
    enum db_status status = db_execute(session, statement, values, value_count, &out->rows);
    if (status == DB_OK && !bank_take_records(out)) {
        status = DB_FAILED;
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
    out->accounts = memory_allocate_zeroed((list->count + 1) * sizeof *out->accounts);
    for (size_t i = 0; i < list->count; i++) {
        out->accounts[i] = list->accounts[i];
    }
    own_ids(out);
}

void account_list_free(struct account_list *list) {
    free(list->accounts);
    free(list->ids);
    *list = (struct account_list){0};
}

void transfer_record_list_free(struct transfer_record_list *list) {
    free(list->records);
    db_rows_free(&list->rows);
    *list = (struct transfer_record_list){0};
}
