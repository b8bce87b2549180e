// The meaning of outcomes and results, and the ids of transfers. Any thread.
#include "workers/transfer/transfer_request.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

// "lowbias32" by Chris Wellons (https://nullprogram.com/blog/2018/07/31/, public domain). It is a bijection of 32 bits:
// numbers that follow each other become unrelated ids, and no two become the same id.
static uint32_t scramble(uint32_t x) {
    x ^= x >> 16;
    x *= UINT32_C(0x7feb352d);
    x ^= x >> 15;
    x *= UINT32_C(0x846ca68b);
    x ^= x >> 16;
    return x;
}

void transfer_new_id(char out[static TRANSFER_ID_LENGTH + 1]) {
    static _Atomic uint32_t count;
    static _Atomic uint32_t start; // random in each process; 0: not yet set
    uint32_t unset = 0;
    if (atomic_load(&start) == 0) {
        (void)atomic_compare_exchange_strong(&start, &unset, (uint32_t)random_bits() | 1);
    }
    uint32_t number = atomic_load(&start) + atomic_fetch_add(&count, 1);
    (void)snprintf(out, TRANSFER_ID_LENGTH + 1, "%08" PRIx32, scramble(number));
}

const char *transfer_outcome_status(enum transfer_outcome outcome) {
    return outcome == TRANSFER_SUCCESS ? "success" : "failed_insufficient_funds";
}

const char *transfer_outcome_metric(enum transfer_outcome outcome) {
    if (outcome == TRANSFER_SUCCESS) {
        return "success";
    }
    if (outcome == TRANSFER_REPLAYED) {
        return "replayed";
    }
    return outcome == TRANSFER_INSUFFICIENT_FUNDS ? "insufficient_funds" : "error";
}

bool transfer_is_recorded(enum transfer_outcome outcome) {
    return outcome == TRANSFER_SUCCESS || outcome == TRANSFER_INSUFFICIENT_FUNDS;
}

const char *transfer_anomaly(const struct transfer_result *result) {
    if (!result->race_detected) {
        return NULL;
    }
    return result->double_spend ? "double_spend" : result->lost_update ? "lost_update" : "stale_read";
}

bool transfer_is_kept(const struct transfer_request *request, const struct transfer_result *result) {
    return request->traced && (request->trace.sampled || result->race_detected);
}
