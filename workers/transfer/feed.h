// The event queue: carries steps and barrier events of running transfers from the workers to the loop, which publishes
// them to the subscribers.
//
// Only sampled transfers have an event queue. The loop limits their rate, so an event may cost a small allocation and a
// mutex. The queue is bounded: an event that finds it full is dropped. Steps are not lost with it, because the event at
// the end of a transfer has all its steps.
#ifndef WORKERS_TRANSFER_FEED_H
#define WORKERS_TRANSFER_FEED_H

#include "observability/base/base.h"
#include "workers/gate/gate.h"
#include "workers/transfer/told_step.h"

#include <sys/queue.h>
#include <uv.h>

enum feed_kind {
    FEED_STEP,            // a transfer has finished a step
    FEED_BARRIER_ARRIVAL, // a transfer has arrived at the barrier
    FEED_BARRIER_RELEASE, // the transfers of a round were released
};

struct feed_event {
    enum feed_kind kind;
    char id[TRANSFER_ID_LENGTH + 1]; // the transfer that publishes the event
    int64_t at_us;                   // since 1970; when it was published (`step` has the time of a step)
    uint32_t waiting;                // arrival: waiters at the barrier, this one included
    uint32_t parties;                // arrival, release: waiters that complete the round
    const char *outcome;             // release: why, a static string
    struct barrier_roll roll;        // release: the transfers
    struct told_step step;           // step: the step
    STAILQ_ENTRY(feed_event) link;
};

STAILQ_HEAD(feed_list, feed_event);

struct feed;

// The loop calls `wake` when there are events to take. Loop thread, as the two functions below.
MUST_CHECK struct feed *feed_new(uv_loop_t *loop, void (*wake)(void *owner), void *owner);
void feed_leave_loop(struct feed *feed); // call it once, after the last worker has finished
void feed_free(struct feed *feed);       // call it after the loop has ended

// Adds a copy of the event, or drops it if the queue is full. Any thread.
void feed_post(struct feed *feed, const struct feed_event *event);
// Moves all events, oldest first, to the end of `out`. The caller frees each event with free(). Loop thread.
void feed_take(struct feed *feed, struct feed_list *out);

#endif
