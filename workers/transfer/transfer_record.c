// Makes the record of a transfer that has ended. Any thread.
#include "workers/transfer/transfer_record.h"

#include "workers/transfer/strategy.h"

void transfer_record_of(const struct transfer_request *request, const struct transfer_result *result,
                        struct transfer_record *out) {
    *out = (struct transfer_record){
        .id = request->id,
        .from_account = request->from_account,
        .to_account = request->to_account,
        .amount = request->amount,
        .from_balance_before = result->from_balance_before,
        .from_balance_after = result->from_balance_after,
        .to_balance_before = result->to_balance_before,
        .to_balance_after = result->to_balance_after,
        .status = transfer_outcome_status(result->outcome),
        .thread_id = result->thread_id,
        .duration_us = result->duration_ns / NANOSECONDS_PER_MICROSECOND,
        .strategy = request->settings.strategy->name,
        .race_detected = result->race_detected,
        .anomaly = transfer_anomaly(result),
    };
    clock_format_timestamp(request->received_us, out->timestamp);
    trace_context_trace_id(&request->trace, out->trace_id);
}
