// The audit: what the views find wrong with the bank's ledger. Worker threads; the list is owned by the caller.
#ifndef WORKERS_BANK_BANK_AUDIT_H
#define WORKERS_BANK_BANK_AUDIT_H

#include "workers/database/database.h"
#include "workers/limits.h"

#include <stddef.h>
#include <stdint.h>

struct audit_violation {
    const char *kind;      // money_drift, overdrawn, account_drift, record_arithmetic
    const char *account;   // "": the violation is not about one account
    const char *amount;    // by how much: a sum (money.h)
    const char *detail;    // in words
    const char *transfers; // the ids of the transfers that are involved: a JSON array
};

struct audit {
    const char *money_expected, *money_actual, *money_drift; // sums (money.h)
    uint64_t accounts, transfers;                            // the numbers of accounts and transfers that were checked
    uint64_t violations_total;
    size_t violation_count; // that are listed: the first AUDIT_VIOLATIONS_MAX
    struct audit_violation *violations;
    struct db_rows rows; // owns all texts
};

// Reads the whole audit in one statement, so all of it is from one moment.
MUST_CHECK enum db_status bank_read_audit(struct db_session *session, struct audit *out);
void audit_free(struct audit *audit);

#endif
