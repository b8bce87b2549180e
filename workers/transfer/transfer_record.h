// The record of a transfer: a row of the transfers table, and the answer to POST /transfer. Plain data; any thread.
#ifndef WORKERS_TRANSFER_TRANSFER_RECORD_H
#define WORKERS_TRANSFER_TRANSFER_RECORD_H

#include "observability/base/base.h"
#include "workers/transfer/transfer_request.h"

#define THREAD_ID_LENGTH 24     // with its NUL
#define STRATEGY_NAME_LENGTH 32 // with its NUL

struct transfer_record {
    char id[TRANSFER_ID_LENGTH + 1];
    char timestamp[CLOCK_TIMESTAMP_LENGTH];
    char from_account[ACCOUNT_ID_MAX + 1];
    char to_account[ACCOUNT_ID_MAX + 1];
    int64_t amount; // cents, as all balances below
    int64_t from_balance_before, from_balance_after, to_balance_before, to_balance_after;
    const char *status; // a static string
    char thread_id[THREAD_ID_LENGTH];
    uint64_t duration_us;
    char strategy[STRATEGY_NAME_LENGTH];
    bool race_detected;
    const char *anomaly;         // see transfer_anomaly(); a static string or NULL
    char trace_id[TRACE_ID_HEX]; // "": none
};

// Makes the record of a transfer that ended with TRANSFER_SUCCESS or TRANSFER_INSUFFICIENT_FUNDS.
void transfer_record_of(const struct transfer_request *request, const struct transfer_result *result,
                        struct transfer_record *out);

#endif
