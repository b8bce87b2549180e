// The record of a transfer: a row of the transfers table, and the answer to POST /transfer. Plain data; any thread.
#ifndef WORKERS_TRANSFER_TRANSFER_RECORD_H
#define WORKERS_TRANSFER_TRANSFER_RECORD_H

#include "observability/base/base.h"
#include "workers/transfer/transfer_request.h"

#define THREAD_ID_LENGTH 24                                  // the name of a worker, with its NUL
#define STRATEGY_NAME_LENGTH 32                              // the name of a strategy, with its NUL
#define RECORD_TIMESTAMP_LENGTH (CLOCK_TIMESTAMP_LENGTH + 2) // a timestamptz has years of up to six digits

// The table may hold texts of any length, so a record does not copy them. The rows of the database's answer own them,
// or the request and the worker.
struct transfer_record {
    const char *id;
    char timestamp[RECORD_TIMESTAMP_LENGTH];
    const char *from_account;
    const char *to_account;
    int64_t amount; // cents, as all balances below
    int64_t from_balance_before, from_balance_after, to_balance_before, to_balance_after;
    const char *status;
    const char *thread_id;
    uint64_t duration_us;
    const char *strategy;
    bool race_detected;
    const char *anomaly;         // see transfer_anomaly(); NULL: none
    char trace_id[TRACE_ID_HEX]; // "": none
    const char *replica;         // the program that ran it; NULL: it had no name
};

// The record of an earlier transfer with the same key, and the rows that own its texts.
struct transfer_replay {
    struct transfer_record record;
    struct db_rows rows;
};
void transfer_replay_free(struct transfer_replay *replay); // may be NULL

// Takes the record from a row whose columns begin with those of read_transfers. The rows own its texts. False: as
// money_column_read().
MUST_CHECK bool transfer_record_take(const struct db_rows *rows, int row, struct transfer_record *out);

// Makes the record of a transfer that ended with TRANSFER_SUCCESS or TRANSFER_INSUFFICIENT_FUNDS.
void transfer_record_of(const struct transfer_request *request, const struct transfer_result *result,
                        struct transfer_record *out);

#endif
