// The event queue: a bounded list under a mutex, and a uv_async_t that wakes the loop.
#include "workers/transfer/event_queue.h"

#include "observability/base/base.h"

#include <stdlib.h>
#include <string.h>

struct event_queue {
    uv_async_t wake;
    void (*woken)(void *owner);
    void *owner;
    uv_mutex_t mutex; // guards the fields below
    size_t count;
    struct queued_event_list events;
};

static void on_wake(uv_async_t *wake) {
    struct event_queue *queue = CONTAINER_OF(wake, struct event_queue, wake);
    queue->woken(queue->owner);
}

struct event_queue *event_queue_new(uv_loop_t *loop, void (*wake)(void *owner), void *owner) {
    struct event_queue *queue = memory_allocate_zeroed(sizeof *queue);
    queue->woken = wake;
    queue->owner = owner;
    STAILQ_INIT(&queue->events);
    CHECK(uv_mutex_init(&queue->mutex) == 0);
    CHECK(uv_async_init(loop, &queue->wake, on_wake) == 0);
    return queue;
}

void event_queue_leave_loop(struct event_queue *queue) {
    uv_close((uv_handle_t *)&queue->wake, NULL);
}

void event_queue_free(struct event_queue *queue) {
    struct queued_event_list left = STAILQ_HEAD_INITIALIZER(left);
    event_queue_take(queue, &left);
    struct queued_event *event;
    while ((event = STAILQ_FIRST(&left)) != NULL) {
        STAILQ_REMOVE_HEAD(&left, link);
        free(event);
    }
    uv_mutex_destroy(&queue->mutex);
    free(queue);
}

void event_queue_publish(struct event_queue *queue, const struct queued_event *event) {
    const char *account = event->kind == QUEUED_STEP ? event->step.account : "";
    size_t size = strlen(account) + 1;
    struct queued_event *copy = memory_allocate(sizeof *copy + size);
    *copy = *event;
    memcpy(copy->account, account, size);
    copy->step.account = copy->account;
    uv_mutex_lock(&queue->mutex);
    bool was_empty = queue->count == 0;
    bool fits = queue->count < EVENT_QUEUE_MAX;
    if (fits) {
        STAILQ_INSERT_TAIL(&queue->events, copy, link);
        queue->count++;
    }
    uv_mutex_unlock(&queue->mutex);
    if (!fits) {
        free(copy);
    } else if (was_empty) { // if not, the loop was already woken and has not yet taken the events
        CHECK(uv_async_send(&queue->wake) == 0);
    }
}

void event_queue_take(struct event_queue *queue, struct queued_event_list *out) {
    uv_mutex_lock(&queue->mutex);
    STAILQ_CONCAT(out, &queue->events);
    queue->count = 0;
    uv_mutex_unlock(&queue->mutex);
}
