// event queue: threads add events and the loop takes them. No event is taken twice, and the order of each thread stays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/limits.h"
#include "workers/transfer/event_queue.h"

#include <pthread.h>
#include <stdlib.h>

#define PUBLISHERS 4
#define EVENTS 1000 // events of each thread; all of them fit in the queue

struct subscriber {
    struct event_queue *queue;
    unsigned wakes;
    uint32_t received[PUBLISHERS]; // the last number of each thread
    unsigned total;
};

struct publisher {
    pthread_t thread;
    struct event_queue *queue;
    uint32_t name;
    uint32_t events;
};

static void *publish(void *argument) {
    const struct publisher *publisher = argument;
    for (uint32_t number = 1; number <= publisher->events; number++) {
        struct queued_event event = {.kind = QUEUED_BARRIER_ARRIVAL, .waiting = publisher->name, .parties = number};
        event_queue_publish(publisher->queue, &event);
    }
    return NULL;
}

static void take(struct subscriber *subscriber) {
    struct queued_event_list list = STAILQ_HEAD_INITIALIZER(list);
    struct queued_event *event;
    event_queue_take(subscriber->queue, &list);
    while ((event = STAILQ_FIRST(&list)) != NULL) {
        STAILQ_REMOVE_HEAD(&list, link);
        assert_int_equal(event->parties, subscriber->received[event->waiting] + 1);
        subscriber->received[event->waiting] = event->parties;
        subscriber->total++;
        free(event);
    }
}

static void on_wake(void *owner) {
    struct subscriber *subscriber = owner;
    subscriber->wakes++;
    take(subscriber);
    if (subscriber->total == PUBLISHERS * EVENTS) {
        event_queue_leave_loop(subscriber->queue);
    }
}

static void test_many_publish(void **state) {
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct subscriber subscriber = {0};
    subscriber.queue = event_queue_new(&loop, on_wake, &subscriber);
    struct publisher publishers[PUBLISHERS];
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        publishers[i] = (struct publisher){.queue = subscriber.queue, .name = i, .events = EVENTS};
        assert_int_equal(pthread_create(&publishers[i].thread, NULL, publish, &publishers[i]), 0);
    }
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    for (size_t i = 0; i < PUBLISHERS; i++) {
        assert_int_equal(pthread_join(publishers[i].thread, NULL), 0);
        assert_int_equal(subscriber.received[i], EVENTS);
    }
    assert_true(subscriber.wakes > 0);
    event_queue_free(subscriber.queue);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_it_is_bounded(void **state) {
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct subscriber subscriber = {0};
    subscriber.queue = event_queue_new(&loop, on_wake, &subscriber);
    struct publisher publisher = {.queue = subscriber.queue, .events = EVENT_QUEUE_MAX + 100};
    assert_null(publish(&publisher));
    take(&subscriber);
    assert_int_equal(subscriber.total, EVENT_QUEUE_MAX);
    take(&subscriber);
    assert_int_equal(subscriber.total, EVENT_QUEUE_MAX); // no event is left
    publisher.events = 1;
    subscriber.received[0] = 0;
    assert_null(publish(&publisher)); // the queue has room again; event_queue_free() frees this event
    event_queue_leave_loop(subscriber.queue);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    event_queue_free(subscriber.queue);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_publish),
        cmocka_unit_test(test_it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
