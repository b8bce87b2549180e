// The bank's reads and its reset, typed: what a session answers as accounts and records.
// Worker threads. Lists are owned by the caller and freed with their own function.
#ifndef WORKERS_BANK_H
#define WORKERS_BANK_H

#include "bank_limits.h"
#include "clock.h"
#include "db.h"
#include "sql_array.h"
#include "trace_context.h"
#include "transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account {
    char id[ACCOUNT_ID_MAX + 1];
    int64_t balance; // cents
};

struct account_list {
    size_t count;
    struct account *accounts; // ordered by id
};

#define THREAD_ID_LENGTH 24     // with its NUL
#define STRATEGY_NAME_LENGTH 32 // with its NUL

// A transfer as it is told: the row of the table, and the answer to POST /transfer.
struct transfer_record {
    char id[TRANSFER_ID_LENGTH + 1];
    char timestamp[CLOCK_TIMESTAMP_LENGTH];
    char from_account[ACCOUNT_ID_MAX + 1];
    char to_account[ACCOUNT_ID_MAX + 1];
    int64_t amount; // cents, as all money here
    int64_t from_balance_before, from_balance_after, to_balance_before, to_balance_after;
    const char *status; // lives for ever
    char thread_id[THREAD_ID_LENGTH];
    uint64_t duration_us;
    char strategy[STRATEGY_NAME_LENGTH];
    bool race_detected;
    const char *anomaly;         // of a race: which; lives for ever; or NULL
    char trace_id[TRACE_ID_HEX]; // "": none
};

struct transfer_record_list {
    size_t count;
    struct transfer_record *records; // oldest first
};

// The columns of the statement read_transfers, and of others that begin with them. False: as bank_money_of().
MUST_CHECK bool bank_record_of(const struct db_rows *rows, int row, struct transfer_record *out);

// A numeric of an answer as cents. False, and a line in the log, for one that is no money (a NaN somebody stored).
MUST_CHECK bool bank_money_of(const struct db_rows *rows, int row, int column, int64_t *cents);
// The same for a sum over accounts or transfers.
MUST_CHECK bool bank_sum_of(const struct db_rows *rows, int row, int column, int64_t *cents);

MUST_CHECK enum db_status bank_read_accounts(struct db_session *session, struct account_list *out);
// Those of the accounts that there are.
MUST_CHECK enum db_status bank_read_accounts_of(struct db_session *session, struct sql_array *ids,
                                                struct account_list *out);
// Whether the database has this account. No account has a name that the database's encoding cannot write.
MUST_CHECK enum db_status bank_find_account(struct db_session *session, const char *id, bool *found);
// Whether every encoding that a database may have can write the id.
MUST_CHECK bool bank_id_is_ascii(const char *id);
MUST_CHECK enum db_status bank_read_first_accounts(struct db_session *session, unsigned most, struct account_list *out);
// How much more money there is than there was at the start, in cents.
MUST_CHECK enum db_status bank_read_money_drift(struct db_session *session, int64_t *cents);
MUST_CHECK enum db_status bank_read_transfers(struct db_session *session, unsigned limit,
                                              struct transfer_record_list *out);

// Why it is not certain that a reset stands.
enum reset_doubt {
    RESET_CERTAIN,
    RESET_BROKE,        // the connection broke while a reset was being committed, and no later attempt succeeded
    RESET_UNREPLICATED, // committed on this server, but the wait for its synchronous standby was cancelled
};
// Balances and the log of transfers back to the initial state; answers the accounts as they are then. `doubt` is
// RESET_CERTAIN before the first attempt, and keeps what an earlier attempt has left in doubt.
MUST_CHECK enum db_status bank_reset(struct db_session *session, struct account_list *out, enum reset_doubt *doubt);

void account_list_free(struct account_list *list);
void transfer_record_list_free(struct transfer_record_list *list);

// What is told of a transfer that ended with SUCCESS or INSUFFICIENT_FUNDS.
void transfer_record_of(const struct transfer_request *request, const struct transfer_result *result,
                        struct transfer_record *out);

#endif
