// The event queue: a bounded list under a mutex, and a uv_async_t that wakes the loop.
#include "workers/transfer/feed.h"

#include "observability/base/base.h"

#include <stdlib.h>

struct feed {
    uv_async_t wake;
    void (*woken)(void *owner);
    void *owner;
    uv_mutex_t mutex; // guards the fields below
    size_t count;
    struct feed_list events;
};

static void on_wake(uv_async_t *wake) {
    struct feed *feed = CONTAINER_OF(wake, struct feed, wake);
    feed->woken(feed->owner);
}

struct feed *feed_new(uv_loop_t *loop, void (*wake)(void *owner), void *owner) {
    struct feed *feed = memory_allocate_zeroed(sizeof *feed);
    feed->woken = wake;
    feed->owner = owner;
    STAILQ_INIT(&feed->events);
    CHECK(uv_mutex_init(&feed->mutex) == 0);
    CHECK(uv_async_init(loop, &feed->wake, on_wake) == 0);
    return feed;
}

void feed_leave_loop(struct feed *feed) {
    uv_close((uv_handle_t *)&feed->wake, NULL);
}

void feed_free(struct feed *feed) {
    struct feed_list left = STAILQ_HEAD_INITIALIZER(left);
    feed_take(feed, &left);
    struct feed_event *event;
    while ((event = STAILQ_FIRST(&left)) != NULL) {
        STAILQ_REMOVE_HEAD(&left, link);
        free(event);
    }
    uv_mutex_destroy(&feed->mutex);
    free(feed);
}

void feed_post(struct feed *feed, const struct feed_event *event) {
    struct feed_event *copy = memory_allocate(sizeof *copy);
    *copy = *event;
    uv_mutex_lock(&feed->mutex);
    bool was_empty = feed->count == 0;
    bool fits = feed->count < FEED_EVENTS_MAX;
    if (fits) {
        STAILQ_INSERT_TAIL(&feed->events, copy, link);
        feed->count++;
    }
    uv_mutex_unlock(&feed->mutex);
    if (!fits) {
        free(copy);
    } else if (was_empty) { // if not, the loop was already woken and has not yet taken the events
        CHECK(uv_async_send(&feed->wake) == 0);
    }
}

void feed_take(struct feed *feed, struct feed_list *out) {
    uv_mutex_lock(&feed->mutex);
    STAILQ_CONCAT(out, &feed->events);
    feed->count = 0;
    uv_mutex_unlock(&feed->mutex);
}
