// Adds the events of a transfer to its event queue. Worker threads, and the loop at the end of a transfer.
#include "workers/transfer/transfer_tell.h"

#include "observability/base/base.h"
#include "workers/transfer/feed.h"

#include <stdio.h>

static struct feed_event event_of(const struct transfer_request *request, enum feed_kind kind) {
    // The monotonic clock, as for the steps: if the system clock is set meanwhile, all times still agree.
    int64_t since_us = (int64_t)((clock_monotonic_ns() - request->received_ns) / NANOSECONDS_PER_MICROSECOND);
    struct feed_event event = {.kind = kind, .at_us = request->received_us + since_us};
    (void)snprintf(event.id, sizeof event.id, "%s", request->id);
    return event;
}

void transfer_tell_steps(const struct transfer_request *request, struct transfer_result *result) {
    struct step_list *list = &result->steps;
    if (request->feed == NULL || list->told >= list->count) {
        return;
    }
    struct feed_event event = event_of(request, FEED_STEP);
    while (list->told < list->count) {
        step_tell(&list->steps[list->told++], request->received_us, request->received_ns, &event.step);
        feed_post(request->feed, &event);
    }
}

void transfer_tell_arrival(const struct transfer_request *request, const struct barrier_ticket *ticket) {
    if (request->feed != NULL) {
        struct feed_event event = event_of(request, FEED_BARRIER_ARRIVAL);
        event.waiting = ticket->position;
        event.parties = ticket->parties;
        feed_post(request->feed, &event);
    }
}

void transfer_tell_release(const struct transfer_request *request, struct barrier_ticket *ticket,
                           enum gate_release release) {
    struct feed *feed = ticket->roll.watcher;
    if (feed != NULL && ticket->roll.count > 0) {
        struct feed_event event = event_of(request, FEED_BARRIER_RELEASE);
        event.outcome = gate_release_name(release);
        event.parties = ticket->parties;
        event.roll = ticket->roll;
        feed_post(feed, &event);
    }
    ticket->roll.count = 0;
}
