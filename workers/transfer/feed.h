// The feed: what running transfers do, on its way from the workers to the loop, which tells whoever listens.
//
// A transfer that is not followed has no feed, and costs nothing here. Those that are followed are few (the loop admits
// them, and counts), so a post may cost a small allocation and a mutex. Bounded: what the loop does not take in time is
// lost here, and told at the transfer's end, with all its steps.
#ifndef WORKERS_TRANSFER_FEED_H
#define WORKERS_TRANSFER_FEED_H

#include "observability/base/base.h"
#include "workers/gate/gate.h"
#include "workers/transfer/told_step.h"

#include <sys/queue.h>
#include <uv.h>

enum feed_kind {
    FEED_STEP,            // a transfer has ended a step
    FEED_BARRIER_ARRIVAL, // a transfer stands at the barrier
    FEED_BARRIER_RELEASE, // a round of them was let go
};

struct feed_event {
    enum feed_kind kind;
    char id[TRANSFER_ID_LENGTH + 1]; // of the transfer that tells it
    int64_t at_us;                   // since 1970; of a step: see there
    uint32_t waiting;                // arrival: parties at the barrier, this one included
    uint32_t parties;                // arrival, release: that the round waits for
    const char *outcome;             // release: how; lives for ever
    struct barrier_roll roll;        // release: who
    struct told_step step;           // step
    STAILQ_ENTRY(feed_event) link;
};

STAILQ_HEAD(feed_list, feed_event);

struct feed;

// `wake` is called on the loop when there is something to take.
MUST_CHECK struct feed *feed_new(uv_loop_t *loop, void (*wake)(void *owner), void *owner);
void feed_leave_loop(struct feed *feed); // once, when no worker is at work any more
void feed_free(struct feed *feed);       // after the loop has ended

// Copies the event. Any thread.
void feed_post(struct feed *feed, const struct feed_event *event);
// Appends everything that was published, oldest first, to `out`; each event is freed with free(). Loop thread.
void feed_take(struct feed *feed, struct feed_list *out);

#endif
