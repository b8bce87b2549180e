// The event queue: carries steps and barrier events of running transfers from the workers to the loop, which publishes
// them to the subscribers.
//
// Only sampled transfers have an event queue. The loop limits their rate, so an event may cost a small allocation and a
// mutex. The queue is bounded: an event that finds it full is dropped. Steps are not lost with it, because the event at
// the end of a transfer has all its steps.
#ifndef WORKERS_TRANSFER_EVENT_QUEUE_H
#define WORKERS_TRANSFER_EVENT_QUEUE_H

#include "observability/base/base.h"
#include "workers/gate/gate.h"
#include "workers/limits.h"
#include "workers/transfer/step_view.h"

#include <sys/queue.h>
#include <uv.h>

enum queued_event_kind {
    QUEUED_STEP,            // a transfer has finished a step
    QUEUED_BARRIER_ARRIVAL, // a transfer has arrived at the barrier
    QUEUED_BARRIER_RELEASE, // the transfers of a round were released
};

struct queued_event {
    enum queued_event_kind kind;
    char id[TRANSFER_ID_LENGTH + 1]; // the transfer that publishes the event
    int64_t at_us;                   // since 1970; when it was published (`step` has the time of a step)
    uint32_t waiting;                // arrival: waiters at the barrier, this one included
    uint32_t parties;                // arrival, release: waiters that complete the round
    const char *outcome;             // release: why, a static string
    struct released_list released;   // release: the transfers
    struct step_view step;           // step: the step
    STAILQ_ENTRY(queued_event) link;
    char account[]; // the copy of the step's account that event_queue_publish() makes: the transfer may end before
};

STAILQ_HEAD(queued_event_list, queued_event);

struct event_queue;

// The loop calls `wake` when there are events to take. Loop thread, as the two functions below.
MUST_CHECK struct event_queue *event_queue_new(uv_loop_t *loop, void (*wake)(void *owner), void *owner);
void event_queue_leave_loop(struct event_queue *queue); // call it once, after the last worker has finished
void event_queue_free(struct event_queue *queue);       // call it after the loop has ended

// Adds a copy of the event, or drops it if the queue is full. Any thread.
void event_queue_publish(struct event_queue *queue, const struct queued_event *event);
// Moves all events, oldest first, to the end of `out`. The caller frees each event with free(). Loop thread.
void event_queue_take(struct event_queue *queue, struct queued_event_list *out);

#endif
