// Makes the record of a transfer that has ended. Any thread.
#include "workers/transfer/transfer_record.h"

#include "workers/transfer/strategy.h"

#include <stdio.h>

static void copy_text(char *out, size_t size, const char *text) {
    (void)snprintf(out, size, "%s", text);
}

void transfer_record_of(const struct transfer_request *request, const struct transfer_result *result,
                        struct transfer_record *out) {
    *out = (struct transfer_record){
        .amount = request->amount,
        .from_balance_before = result->from_balance_before,
        .from_balance_after = result->from_balance_after,
        .to_balance_before = result->to_balance_before,
        .to_balance_after = result->to_balance_after,
        .status = transfer_outcome_status(result->outcome),
        .duration_us = result->duration_ns / NANOSECONDS_PER_MICROSECOND,
        .race_detected = result->race_detected,
        .anomaly = transfer_anomaly(result),
    };
    copy_text(out->id, sizeof out->id, request->id);
    clock_format_timestamp(request->received_us, out->timestamp);
    copy_text(out->from_account, sizeof out->from_account, request->from_account);
    copy_text(out->to_account, sizeof out->to_account, request->to_account);
    copy_text(out->thread_id, sizeof out->thread_id, result->thread_id);
    copy_text(out->strategy, sizeof out->strategy, request->settings.strategy->name);
    trace_context_trace_id(&request->trace, out->trace_id);
}
