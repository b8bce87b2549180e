// A transfer as spans: "transfer" and, inside it, a span a statement, "barrier.wait" and "debug.delay".
// Written on the exporter's thread from what the job recorded; nothing else touches the job any more.
#ifndef WORKERS_TRANSFER_TRANSFER_SPANS_H
#define WORKERS_TRANSFER_TRANSFER_SPANS_H

#include "observability/otlp/otlp.h"
#include "workers/transfer/transfer_request.h"

// What the spans are made from; borrowed.
struct traced_transfer {
    const struct transfer_request *request;
    const struct transfer_result *result;
    const struct statement_log *statements;
};

// How many spans transfer_spans_write() will write.
MUST_CHECK unsigned transfer_spans_count(const struct traced_transfer *transfer);
void transfer_spans_write(const struct traced_transfer *transfer, struct otlp_writer *writer);

// A moment of the monotonic clock as nanoseconds since 1970, by the clocks' meeting at the request's arrival.
MUST_CHECK uint64_t transfer_unix_ns(const struct transfer_request *request, uint64_t monotonic_ns);

#endif
