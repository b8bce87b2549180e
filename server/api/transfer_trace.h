// The trace of a transfer, from the request that asked for it to its statements, on its way to the exporter.
// Loop thread; what it hands over is written and freed by the exporter's thread.
#ifndef SERVER_API_TRANSFER_TRACE_H
#define SERVER_API_TRANSFER_TRACE_H

#include "server/api/exchange.h"
#include "workers/jobs/jobs.h"

// What the SERVER span says of the request, kept while the transfer runs. Owned by the transfer's job.
struct transfer_trace;

// At the request's arrival: decides whether the trace is sampled, and gives the transfer its place in it.
void transfer_trace_begin(const struct exchange *exchange, struct transfer_job *transfer);

// When all is over: offers the trace, with the job, to the exporter if it is to be kept, and frees the job otherwise.
// `status` is what was answered, 0 if no answer was delivered.
void transfer_trace_end(struct transfer_job *transfer, int status);

#endif
