// Adds the events of a transfer to its event queue. Worker threads, and the loop at the end of a transfer.
#include "workers/transfer/transfer_events.h"

#include "observability/base/base.h"
#include "workers/transfer/event_queue.h"

#include <stdio.h>

static struct queued_event event_of(const struct transfer_request *request, enum queued_event_kind kind) {
    // The monotonic clock, as for the steps: if the system clock is set meanwhile, all times still agree.
    int64_t since_us = (int64_t)((clock_monotonic_ns() - request->received_ns) / NANOSECONDS_PER_MICROSECOND);
    struct queued_event event = {.kind = kind, .at_us = request->received_us + since_us};
    (void)snprintf(event.id, sizeof event.id, "%s", request->id);
    return event;
}

void transfer_publish_steps(const struct transfer_request *request, struct transfer_result *result) {
    struct step_list *list = &result->steps;
    if (request->event_queue == NULL || list->published >= list->count) {
        return;
    }
    struct queued_event event = event_of(request, QUEUED_STEP);
    while (list->published < list->count) {
        step_view_fill(&list->steps[list->published++], request->received_us, request->received_ns, &event.step);
        event_queue_publish(request->event_queue, &event);
    }
}

void transfer_publish_arrival(const struct transfer_request *request, const struct barrier_ticket *ticket) {
    if (request->event_queue != NULL) {
        struct queued_event event = event_of(request, QUEUED_BARRIER_ARRIVAL);
        event.waiting = ticket->position;
        event.parties = ticket->parties;
        event_queue_publish(request->event_queue, &event);
    }
}

void transfer_publish_release(const struct transfer_request *request, struct barrier_ticket *ticket,
                              enum gate_release release) {
    struct event_queue *event_queue = ticket->released.user_data;
    if (event_queue != NULL && ticket->released.count > 0) {
        struct queued_event event = event_of(request, QUEUED_BARRIER_RELEASE);
        event.outcome = gate_release_name(release);
        event.parties = ticket->parties;
        event.released = ticket->released;
        event_queue_publish(event_queue, &event);
    }
    ticket->released.count = 0;
}
