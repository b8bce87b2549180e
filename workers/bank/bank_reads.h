// The bank's reads and its reset, typed: what a session answers as accounts and records.
// Worker threads. Lists are owned by the caller and freed with their own function.
#ifndef WORKERS_BANK_BANK_READS_H
#define WORKERS_BANK_BANK_READS_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"
#include "workers/database/database.h"
#include "workers/limits.h"
#include "workers/transfer/transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account {
    const char *id;
    int64_t balance; // cents
};

struct account_list {
    size_t count;
    struct account *accounts; // ordered by id
    char *ids;                // the memory of the ids
};

struct transfer_record_list {
    size_t count;
    struct transfer_record *records; // oldest first
    struct db_rows rows;             // owns the texts of the records
};

MUST_CHECK enum db_status bank_read_accounts(struct db_session *session, struct account_list *out);
// Reads the given accounts; ids that do not exist are left out.
MUST_CHECK enum db_status bank_read_accounts_of(struct db_session *session, struct sql_array *ids,
                                                struct account_list *out);
MUST_CHECK enum db_status bank_read_first_accounts(struct db_session *session, unsigned most, struct account_list *out);
// How much more money there is than there was at the start, in the major unit, with the precision of a double.
MUST_CHECK enum db_status bank_read_money_drift(struct db_session *session, double *drift);
MUST_CHECK enum db_status bank_read_transfers(struct db_session *session, unsigned limit,
                                              struct transfer_record_list *out);
// Reads the record of one transfer; the list is empty if there is none.
MUST_CHECK enum db_status bank_read_transfer(struct db_session *session, const char *id,
                                             struct transfer_record_list *out);
// Reads records with a statement whose columns begin with those of read_transfers.
MUST_CHECK enum db_status bank_read_records(struct db_session *session, enum statement statement,
                                            const char *const *values, int value_count,
                                            struct transfer_record_list *out);
// Takes the records from `list->rows`, the rows of such a statement. False: as money_column_read(); then the list is
// empty.
MUST_CHECK bool bank_take_records(struct transfer_record_list *list);

// Why it is not certain that a reset stands.
enum reset_doubt {
    RESET_CERTAIN,
    RESET_BROKE,        // the connection broke while a reset was being committed, and no later attempt succeeded
    RESET_UNREPLICATED, // committed on this server, but the wait for its synchronous standby was cancelled
};
// Sets the balances to their initial values, empties the transfers table, and reads the accounts. `doubt` must be
// RESET_CERTAIN before the first attempt; a later attempt keeps the doubt of an earlier one. `totals`: the totals of
// GET /races begin again as well.
MUST_CHECK enum db_status bank_reset(struct db_session *session, bool totals, struct account_list *out,
                                     enum reset_doubt *doubt);

// The copy has its own accounts and ids.
void account_list_copy(struct account_list *out, const struct account_list *list);
void account_list_free(struct account_list *list);
void transfer_record_list_free(struct transfer_record_list *list);

#endif
