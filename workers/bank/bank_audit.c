// Reads the audit. Worker threads.
#include "workers/bank/bank_audit.h"

#include "workers/bank/bank_reads.h"

#include <stdio.h>
#include <stdlib.h>

// The statement answers at least one row: every row has the totals, and the columns from KIND on are SQL's NULL in
// the one row of an audit without violations.
enum audit_column {
    AUDIT_EXPECTED,
    AUDIT_ACTUAL,
    AUDIT_DRIFT,
    AUDIT_ACCOUNTS,
    AUDIT_TRANSFERS,
    AUDIT_TOTAL,
    AUDIT_KIND,
    AUDIT_ACCOUNT,
    AUDIT_AMOUNT,
    AUDIT_DETAIL,
    AUDIT_INVOLVED
};

static bool take_totals(const struct db_rows *rows, struct audit *out) {
    out->money_expected = money_column_sum(rows, 0, AUDIT_EXPECTED);
    out->money_actual = money_column_sum(rows, 0, AUDIT_ACTUAL);
    out->money_drift = money_column_sum(rows, 0, AUDIT_DRIFT);
    out->accounts = (uint64_t)db_rows_integer(rows, 0, AUDIT_ACCOUNTS);
    out->transfers = (uint64_t)db_rows_integer(rows, 0, AUDIT_TRANSFERS);
    out->violations_total = (uint64_t)db_rows_integer(rows, 0, AUDIT_TOTAL);
    return out->money_expected != NULL && out->money_actual != NULL && out->money_drift != NULL;
}

static bool take_violation(const struct db_rows *rows, int row, struct audit_violation *out) {
    *out = (struct audit_violation){
        .kind = db_rows_value(rows, row, AUDIT_KIND),
        .account = db_rows_value(rows, row, AUDIT_ACCOUNT),
        .amount = money_column_sum(rows, row, AUDIT_AMOUNT),
        .detail = db_rows_value(rows, row, AUDIT_DETAIL),
        .transfers = db_rows_value(rows, row, AUDIT_INVOLVED),
    };
    return out->amount != NULL;
}

enum db_status bank_read_audit(struct db_session *session, struct audit *out) {
    *out = (struct audit){0};
    char limit[16];
    (void)snprintf(limit, sizeof limit, "%d", AUDIT_VIOLATIONS_MAX);
    const char *values[] = {limit};
    enum db_status status = db_execute(session, STATEMENT_READ_AUDIT, values, 1, &out->rows);
    if (status != DB_OK) {
        return status;
    }
    const struct db_rows *rows = &out->rows;
    bool good = db_rows_count(rows) > 0 && take_totals(rows, out);
    if (good && !db_rows_is_null(rows, 0, AUDIT_KIND)) {
        out->violation_count = (size_t)db_rows_count(rows);
    }
    out->violations = memory_allocate_zeroed((out->violation_count + 1) * sizeof *out->violations);
    for (size_t i = 0; i < out->violation_count && good; i++) {
        good = take_violation(rows, (int)i, &out->violations[i]);
    }
    if (!good) {
        audit_free(out);
    }
    return good ? DB_OK : DB_FAILED;
}

void audit_free(struct audit *audit) {
    free(audit->violations);
    db_rows_free(&audit->rows);
    *audit = (struct audit){0};
}
