// The trace of a transfer, from the request that asked for it to its statements, on its way to the exporter.
// Loop thread; the exporter's thread writes and frees a trace that is exported.
#ifndef SERVER_API_TRANSFER_TRACE_H
#define SERVER_API_TRANSFER_TRACE_H

#include "server/api/exchange.h"
#include "workers/jobs/jobs.h"

// The parts of the request that the SERVER span needs, kept while the transfer runs. Owned by the transfer's job.
struct transfer_trace;

// At the request's arrival: decides whether the trace is sampled, and gives the transfer its place in it.
void transfer_trace_begin(const struct exchange *exchange, struct transfer_job *transfer);

// Called at the end of the transfer. `status` is the status of the answer, 0 if no answer was delivered. True: the
// trace is exported, and the exporter frees the job when it has written it. False: the job is still the caller's.
MUST_CHECK bool transfer_trace_end(struct transfer_job *transfer, int status);

#endif
