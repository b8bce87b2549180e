// What a followed transfer tells while it runs. For one that is not followed each of these is a comparison.
// The thread that has the transfer: a worker, and the loop at its end.
#ifndef WORKERS_TRANSFER_TRANSFER_TELL_H
#define WORKERS_TRANSFER_TRANSFER_TELL_H

#include "workers/transfer/transfer_request.h"

// The steps that have ended since this was called last: all that are listed, so nothing may be under way.
void transfer_tell_steps(const struct transfer_request *request, struct transfer_result *result);
// It stands at the barrier.
void transfer_tell_arrival(const struct transfer_request *request, const struct barrier_ticket *ticket);
// Its round was let go, if it is the one to tell of it.
void transfer_tell_release(const struct transfer_request *request, struct barrier_ticket *ticket,
                           enum gate_release release);

#endif
