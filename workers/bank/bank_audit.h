// The audit: what the views find wrong with the bank's ledger. Worker threads; the list is owned by the caller.
#ifndef WORKERS_BANK_BANK_AUDIT_H
#define WORKERS_BANK_BANK_AUDIT_H

#include "workers/database/database.h"
#include "workers/limits.h"

#include <stddef.h>
#include <stdint.h>

struct audit_violation {
    char kind[24];                    // money_drift, overdrawn, account_drift, record_arithmetic
    char account[ACCOUNT_ID_MAX + 1]; // "": it is about no single one
    int64_t amount;                   // cents: by how much
    char *detail;                     // in words
    size_t transfer_count;            // the transfers that are involved
    char (*transfers)[TRANSFER_ID_LENGTH + 1];
};

struct audit {
    int64_t money_expected, money_actual; // cents
    uint64_t accounts, transfers;         // that were looked at
    uint64_t violations_total;
    size_t violation_count; // that are listed: the first AUDIT_VIOLATIONS_MAX
    struct audit_violation *violations;
};

// All of it from one moment: one statement.
MUST_CHECK enum db_status bank_read_audit(struct db_session *session, struct audit *out);
void audit_free(struct audit *audit);

#endif
