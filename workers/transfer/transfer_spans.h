// Writes a transfer as spans: "transfer", and inside it one span for each statement, "barrier.wait" and "debug.delay".
// Call these functions when the job has finished. The loop counts the spans; the exporter's thread writes them.
#ifndef WORKERS_TRANSFER_TRANSFER_SPANS_H
#define WORKERS_TRANSFER_TRANSFER_SPANS_H

#include "observability/otlp/otlp.h"
#include "workers/transfer/transfer_request.h"

// The input of the spans; the pointers are borrowed.
struct traced_transfer {
    const struct transfer_request *request;
    const struct transfer_result *result;
    const struct statement_trace *statements;
};

// Returns the number of spans that transfer_spans_write() writes.
MUST_CHECK unsigned transfer_spans_count(const struct traced_transfer *transfer);
void transfer_spans_write(const struct traced_transfer *transfer, struct otlp_writer *writer);

// Converts a moment of the monotonic clock to nanoseconds since 1970. The request's arrival is known on both clocks.
MUST_CHECK uint64_t transfer_unix_ns(const struct transfer_request *request, uint64_t monotonic_ns);

#endif
