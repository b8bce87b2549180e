// event queue: threads add events and the loop takes them. No event is taken twice, and the order of each thread stays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "workers/limits.h"
#include "workers/transfer/feed.h"

#include <pthread.h>
#include <stdlib.h>

#define POSTERS 4
#define POSTS 1000 // events of each thread; all of them fit in the queue

struct listener {
    struct feed *feed;
    unsigned wakes;
    uint32_t heard[POSTERS]; // the last number of each thread
    unsigned total;
};

struct poster {
    pthread_t thread;
    struct feed *feed;
    uint32_t name;
    uint32_t posts;
};

static void *post(void *argument) {
    const struct poster *poster = argument;
    for (uint32_t number = 1; number <= poster->posts; number++) {
        struct feed_event event = {.kind = FEED_BARRIER_ARRIVAL, .waiting = poster->name, .parties = number};
        feed_post(poster->feed, &event);
    }
    return NULL;
}

static void take(struct listener *listener) {
    struct feed_list list = STAILQ_HEAD_INITIALIZER(list);
    struct feed_event *event;
    feed_take(listener->feed, &list);
    while ((event = STAILQ_FIRST(&list)) != NULL) {
        STAILQ_REMOVE_HEAD(&list, link);
        assert_int_equal(event->parties, listener->heard[event->waiting] + 1);
        listener->heard[event->waiting] = event->parties;
        listener->total++;
        free(event);
    }
}

static void on_wake(void *owner) {
    struct listener *listener = owner;
    listener->wakes++;
    take(listener);
    if (listener->total == POSTERS * POSTS) {
        feed_leave_loop(listener->feed);
    }
}

static void test_many_post(void **state) {
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct listener listener = {0};
    listener.feed = feed_new(&loop, on_wake, &listener);
    struct poster posters[POSTERS];
    for (uint32_t i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.feed = listener.feed, .name = i, .posts = POSTS};
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post, &posters[i]), 0);
    }
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    for (size_t i = 0; i < POSTERS; i++) {
        assert_int_equal(pthread_join(posters[i].thread, NULL), 0);
        assert_int_equal(listener.heard[i], POSTS);
    }
    assert_true(listener.wakes > 0);
    feed_free(listener.feed);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_it_is_bounded(void **state) {
    (void)state;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct listener listener = {0};
    listener.feed = feed_new(&loop, on_wake, &listener);
    struct poster poster = {.feed = listener.feed, .posts = FEED_EVENTS_MAX + 100};
    assert_null(post(&poster));
    take(&listener);
    assert_int_equal(listener.total, FEED_EVENTS_MAX);
    take(&listener);
    assert_int_equal(listener.total, FEED_EVENTS_MAX); // no event is left
    poster.posts = 1;
    listener.heard[0] = 0;
    assert_null(post(&poster)); // the queue has room again; feed_free() frees this event
    feed_leave_loop(listener.feed);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    feed_free(listener.feed);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_post),
        cmocka_unit_test(test_it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
