// Reads the audit. Worker threads.
#include "workers/bank/bank_audit.h"

#include "workers/bank/bank_reads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The statement answers at least one row: every row has the totals, and the columns from KIND on are SQL's NULL in
// the one row of an audit without violations.
enum audit_column {
    AUDIT_EXPECTED,
    AUDIT_ACTUAL,
    AUDIT_ACCOUNTS,
    AUDIT_TRANSFERS,
    AUDIT_TOTAL,
    AUDIT_KIND,
    AUDIT_ACCOUNT,
    AUDIT_AMOUNT,
    AUDIT_DETAIL,
    AUDIT_INVOLVED
};

static uint64_t count_of(const struct db_rows *rows, enum audit_column column) {
    return strtoull(db_rows_value(rows, 0, (int)column), NULL, 10);
}

// "9f3c1a2b 0f0e0d0c": ids are hexadecimal, so a space parts them.
static void take_involved(const char *ids, struct audit_violation *out) {
    size_t most = strlen(ids) / TRANSFER_ID_LENGTH + 1;
    out->transfers = memory_allocate_zeroed(most * sizeof *out->transfers);
    while (*ids != '\0') {
        size_t length = strcspn(ids, " ");
        if (length > 0) {
            (void)snprintf(out->transfers[out->transfer_count++], TRANSFER_ID_LENGTH + 1, "%.*s", (int)length, ids);
        }
        ids += length + (ids[length] == ' ');
    }
}

static bool take_violation(const struct db_rows *rows, int row, struct audit_violation *out) {
    (void)snprintf(out->kind, sizeof out->kind, "%s", db_rows_value(rows, row, AUDIT_KIND));
    (void)snprintf(out->account, sizeof out->account, "%s", db_rows_value(rows, row, AUDIT_ACCOUNT));
    out->detail = strdup(db_rows_value(rows, row, AUDIT_DETAIL));
    CHECK(out->detail != NULL);
    take_involved(db_rows_value(rows, row, AUDIT_INVOLVED), out);
    return money_column_read_sum(rows, row, AUDIT_AMOUNT, &out->amount);
}

enum db_status bank_read_audit(struct db_session *session, struct audit *out) {
    *out = (struct audit){0};
    char limit[16];
    (void)snprintf(limit, sizeof limit, "%d", AUDIT_VIOLATIONS_MAX);
    const char *values[] = {limit};
    struct db_rows rows;
    enum db_status status = db_execute(session, STATEMENT_READ_AUDIT, values, 1, &rows);
    if (status != DB_OK) {
        return status;
    }
    bool good = db_rows_count(&rows) > 0 && money_column_read_sum(&rows, 0, AUDIT_EXPECTED, &out->money_expected) &&
                money_column_read_sum(&rows, 0, AUDIT_ACTUAL, &out->money_actual);
    if (good) {
        out->accounts = count_of(&rows, AUDIT_ACCOUNTS);
        out->transfers = count_of(&rows, AUDIT_TRANSFERS);
        out->violations_total = count_of(&rows, AUDIT_TOTAL);
    }
    size_t rows_listed = good && !db_rows_is_null(&rows, 0, AUDIT_KIND) ? (size_t)db_rows_count(&rows) : 0;
    out->violations = memory_allocate_zeroed((rows_listed + 1) * sizeof *out->violations);
    while (good && out->violation_count < rows_listed) {
        size_t row = out->violation_count++;
        good = take_violation(&rows, (int)row, &out->violations[row]);
    }
    db_rows_free(&rows);
    if (!good) {
        audit_free(out);
    }
    return good ? DB_OK : DB_FAILED;
}

void audit_free(struct audit *audit) {
    for (size_t i = 0; i < audit->violation_count; i++) {
        free(audit->violations[i].detail);
        free(audit->violations[i].transfers);
    }
    free(audit->violations);
    *audit = (struct audit){0};
}
