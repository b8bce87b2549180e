// Publishes the events of a running transfer. If request->event_queue is NULL, the first two functions do nothing.
// Called by the thread that has the transfer: its worker, and at its end the loop.
#ifndef WORKERS_TRANSFER_TRANSFER_EVENTS_H
#define WORKERS_TRANSFER_TRANSFER_EVENTS_H

#include "workers/transfer/transfer_request.h"

// Publishes the steps that were added since the last call. All steps of the list must have ended.
void transfer_publish_steps(const struct transfer_request *request, struct transfer_result *result);
// Publishes the arrival at the barrier.
void transfer_publish_arrival(const struct transfer_request *request, const struct barrier_ticket *ticket);
// Publishes the release of the round if the ticket has the released list, and empties the list. Uses the event queue of
// any waiter that has one.
void transfer_publish_release(const struct transfer_request *request, struct barrier_ticket *ticket,
                              enum gate_release release);

#endif
