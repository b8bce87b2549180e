// Waits for the answers of a .spec's steps, and decides whether a step waits for another session.
//
// isolationtester looks at a step for the first time when 10 ms have passed without an answer, and then every 10 ms.
// A wait for a session that stands still does not end before the next step, so it is reported here as soon as it is
// seen. That is safe, because a statement's locks are free before it is answered. Every other wait, such as a
// deadlock's, may end by itself: it counts only when isolationtester would see it.
#include "workers/explore/explore_tester.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    FIRST_LOOK_US = 600, // most statements are answered before that
    NEXT_LOOK_US = 100,  // at a step that waited; the pause doubles
    LAST_LOOK_US = 2000, // up to this
    QUIET_US = 10000,    // isolationtester's pause
};

// --- The timer ---

static void on_timer(uv_poll_t *timer, int status, int events) {
    struct tester *tester = CONTAINER_OF(timer, struct tester, timer);
    (void)status;
    (void)events;
    uint64_t expirations;
    (void)!read(tester->timer_fd, &expirations, sizeof expirations);
    tester->timer_has_fired = true;
}

void tester_timer_open(struct tester *tester) {
    tester->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    CHECK(tester->timer_fd >= 0 && uv_poll_init(tester->loop, &tester->timer, tester->timer_fd) == 0);
    CHECK(uv_poll_start(&tester->timer, UV_READABLE, on_timer) == 0);
}

static void free_tester(uv_handle_t *handle) {
    struct tester *tester = CONTAINER_OF((uv_poll_t *)handle, struct tester, timer);
    (void)close(tester->timer_fd);
    free(tester);
}

void tester_timer_close(struct tester *tester) {
    uv_close((uv_handle_t *)&tester->timer, free_tester);
}

// Runs the loop until the session's statement is answered, at most so long.
static void pause_for(struct tester_session *session, long microseconds) {
    struct tester *tester = session->tester;
    struct itimerspec when = {.it_value = {.tv_nsec = microseconds * 1000}};
    CHECK(timerfd_settime(tester->timer_fd, 0, &when, NULL) == 0);
    tester->timer_has_fired = false;
    while (!tester->timer_has_fired && db_async_is_busy(session->connection) &&
           !db_async_is_stopped(session->connection)) {
        (void)uv_run(tester->loop, UV_RUN_ONCE);
    }
    CHECK(timerfd_settime(tester->timer_fd, 0, &(struct itimerspec){0}, NULL) == 0);
}

void tester_await(struct tester *tester, struct db_async *connection) {
    db_async_await(tester->loop, connection);
    tester->has_failed |= db_async_is_stopped(connection);
}

// --- Words ---

void tester_fail(struct tester *tester, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    text_append_format_list(tester->out, format, arguments);
    va_end(arguments);
    tester->has_failed = true;
}

const char *tester_step_name(const struct tester_session *session) {
    const struct case_order_step *step = session->active;
    return session->tester->explored->sessions[step->session].instructions[step->instruction].name;
}

void tester_print_notices(struct tester_session *session, size_t place) {
    struct tester_notice *notice;
    while ((notice = STAILQ_FIRST(&session->notices)) != NULL && notice->place <= place) {
        STAILQ_REMOVE_HEAD(&session->notices, next);
        text_append_format(session->tester->out, "%s: %s", session->name, notice->text);
        session->notice_count++;
        session->tester->has_new_notice = true;
        free(notice);
    }
}

// --- Looks ---

static void ignore_answer(void *user) {
    (void)user;
}

// The answer to a query of the control connection, or NULL.
static const struct db_async_answer *ask(struct tester *tester, enum explore_sql sql, const char *const *values,
                                         size_t count) {
    db_async_execute_with(tester->control, sql_explore[sql], values, count, ignore_answer, NULL);
    tester_await(tester, tester->control);
    const struct db_async_answer *error = db_async_error(tester->control);
    const struct db_async_answer *answer = db_async_last_answer(tester->control);
    if (error != NULL || answer == NULL) {
        tester_fail(tester, "lock wait query failed: %s",
                    error == NULL ? "the connection was lost\n" : db_async_error_text(error));
        return NULL;
    }
    return answer;
}

enum look { NO_WAIT, INDIRECT_WAIT, DIRECT_WAIT };

// Whether the session waits for one that stands still, directly or through others.
static enum look look_at_waits(struct tester_session *session) {
    struct tester *tester = session->tester;
    const char *backends = text_terminated(&tester->backends);
    const struct db_async_answer *answer = ask(tester, EXPLORE_TESTER_WAITS, &backends, 1);
    if (answer == NULL) {
        return NO_WAIT;
    }
    uint32_t blocked_by[CASE_SESSIONS_MAX] = {0};
    uint16_t running = 0;
    for (size_t i = 0; i < tester->session_count; i++) {
        const struct db_async *connection = tester->sessions[i].connection;
        // The backend of a lost connection may be about to free its locks.
        bool is_running = db_async_is_busy(connection) || db_async_transaction(connection) == DB_ASYNC_BROKEN;
        blocked_by[i] = (uint32_t)strtoul(db_async_value(answer, (int)i, 0), NULL, 10);
        running |= (uint16_t)((is_running ? 1U : 0U) << i);
    }
    uint16_t stable;
    uint16_t circle;
    (void)!settle(running, blocked_by, &stable, &circle);
    size_t index = (size_t)(session - tester->sessions);
    if (!(stable >> index & 1)) {
        return NO_WAIT;
    }
    bool is_direct = (blocked_by[index] & ~((uint32_t)running | OUTSIDE)) != 0;
    return is_direct ? DIRECT_WAIT : INDIRECT_WAIT;
}

// isolationtester's own look.
static bool is_blocked(struct tester_session *session) {
    struct tester *tester = session->tester;
    char backend[16];
    (void)snprintf(backend, sizeof backend, "%d", db_async_backend(session->connection));
    const char *values[] = {backend, text_terminated(&tester->backends)};
    const struct db_async_answer *answer = ask(tester, EXPLORE_TESTER_IS_BLOCKED, values, 2);
    return answer != NULL && db_async_value(answer, 0, 0)[0] == 't';
}

// A step that takes too long is cancelled, and the file ends if that does not help.
static void keep_limit(struct tester_session *session, uint64_t began_ns, bool *was_cancelled) {
    struct tester *tester = session->tester;
    uint64_t passed_ns = clock_monotonic_ns() - began_ns;
    int seconds = (int)(passed_ns / 1000000000);
    if (passed_ns > tester->step_limit_ns && !*was_cancelled) {
        db_async_cancel(session->connection);
        text_append_format(tester->out, "isolationtester: canceling step %s after %d seconds\n",
                           tester_step_name(session), seconds);
        *was_cancelled = true;
    }
    if (passed_ns > 2 * tester->step_limit_ns) {
        tester_fail(tester, "step %s timed out after %d seconds\n", tester_step_name(session), seconds);
    }
}

bool tester_await_step(struct tester_session *session, bool may_wait, bool is_first) {
    struct tester *tester = session->tester;
    uint64_t began_ns = clock_monotonic_ns();
    uint64_t looked_ns = began_ns; // as isolationtester would
    session->heard_ns = began_ns;
    bool was_cancelled = false;
    enum look before = NO_WAIT;
    long pause_us = !may_wait ? QUIET_US : is_first ? FIRST_LOOK_US : NEXT_LOOK_US;
    for (; !tester->has_failed; pause_us = may_wait ? MIN(pause_us * 2, (long)LAST_LOOK_US) : QUIET_US) {
        pause_for(session, pause_us);
        if (db_async_is_stopped(session->connection)) {
            tester->has_failed = true;
            return false;
        }
        bool waits = false;
        if (may_wait && db_async_is_busy(session->connection)) {
            enum look look = look_at_waits(session);
            // A look reads one session after the other, so a chain of waits counts only when it is seen twice.
            waits = look == DIRECT_WAIT || (look == INDIRECT_WAIT && before == INDIRECT_WAIT);
            before = look;
            uint64_t now_ns = clock_monotonic_ns();
            if (!waits && now_ns - MAX(session->heard_ns, looked_ns) >= (uint64_t)QUIET_US * 1000) {
                looked_ns = now_ns;
                waits = is_blocked(session);
            }
        }
        tester_print_notices(session, 0);
        if (!db_async_is_busy(session->connection)) {
            return true;
        }
        if (waits) {
            return false;
        }
        keep_limit(session, began_ns, &was_cancelled);
    }
    return false;
}
