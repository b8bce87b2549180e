// The timer of a cell, in microseconds.
#include "workers/explore/explore_internal.h"

#include <sys/timerfd.h>
#include <unistd.h>

static void set(struct cell_timer *timer) {
    const uint64_t second = 1000000000;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(timer->due_ns / second), .tv_nsec = (long)(timer->due_ns % second)}};
    CHECK(timerfd_settime(timer->descriptor, TFD_TIMER_ABSTIME, &when, NULL) == 0);
    timer->rings_ns = timer->due_ns;
}

static void on_ring(uv_poll_t *poll, int status, int events) {
    struct cell *cell = CONTAINER_OF(poll, struct cell, timer.poll);
    struct cell_timer *timer = &cell->timer;
    (void)status;
    (void)events;
    uint64_t expirations;
    (void)!read(timer->descriptor, &expirations, sizeof expirations);
    timer->rings_ns = 0;
    if (timer->due_ns > clock_monotonic_ns()) {
        set(timer);
    } else if (timer->due_ns != 0) {
        timer->due_ns = 0;
        timer->ring(cell);
    }
}

void timer_open(struct cell *cell) {
    struct cell_timer *timer = &cell->timer;
    timer->descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    CHECK(timer->descriptor >= 0 && uv_poll_init(cell->loop, &timer->poll, timer->descriptor) == 0);
    CHECK(uv_poll_start(&timer->poll, UV_READABLE, on_ring) == 0);
    cell->has_timer = true;
}

void timer_arm(struct cell *cell, unsigned microseconds, cell_done *ring) {
    struct cell_timer *timer = &cell->timer;
    timer->ring = ring;
    timer->due_ns = clock_monotonic_ns() + (uint64_t)microseconds * 1000;
    if (timer->rings_ns == 0 || timer->rings_ns > timer->due_ns) {
        set(timer);
    }
}

void timer_disarm(struct cell *cell) {
    cell->timer.due_ns = 0;
}

static void on_closed(uv_handle_t *handle) {
    struct cell *cell = CONTAINER_OF((uv_poll_t *)handle, struct cell, timer.poll);
    (void)close(cell->timer.descriptor);
    cell->timer.closed(cell);
}

void timer_close(struct cell *cell, cell_done *closed) {
    cell->timer.closed = closed;
    uv_close((uv_handle_t *)&cell->timer.poll, on_closed);
}
