// The thread of the link. Its loop wakes when a worker or the program's loop has something to send, when PostgreSQL
// answers or notifies, and once a second. send_next() decides what is sent: one thing at a time.
//
//   link_run > link_open, then serve > send_next ... on_answer; when the session breaks, pause, and again
#include "observability/log/log.h"
#include "workers/replicas/replicas_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BEAT_MS = 1000,
    ANSWER_MS = 8000,     // longer than the statement_timeout of the session: then the server is gone
    SCHEMA_PAUSE_MS = 20, // until the program has made its tables
    PAUSE_FIRST_MS = 100, // between two attempts to connect
    PAUSE_LONGEST_MS = 2000,
    LEAVE_MS = 500, // for the last statement of a shutdown
};

static void take_change(struct replicas *replicas, struct replicas_change *change) {
    const struct db_async_answer *answer = db_async_last_answer(replicas->link.session);
    if (change->releases_waiters) {
        link_report_answer(replicas, change, REPLICAS_CHANGED);
        return;
    }
    if (db_async_rows(answer) == 0) { // somebody has emptied the table: the next session writes the row
        replicas->link.is_broken = true;
        link_report_answer(replicas, change, REPLICAS_UNREACHABLE);
        return;
    }
    link_report_settings(replicas, strtoull(db_async_value(answer, 0, 0), NULL, 10),
                         strtoull(db_async_value(answer, 0, 1), NULL, 10), db_async_value(answer, 0, 2));
    link_report_answer(replicas, change, REPLICAS_CHANGED);
}

// An error of the server undoes the statements. When the connection ends, also by a FATAL error, their outcome is lost.
static enum replicas_result result_of_failure(const struct link *link) {
    const struct db_async_answer *error = db_async_error(link->session);
    bool is_undone = error != NULL && db_async_is_from_server(error) && strcmp(db_async_severity(error), "ERROR") == 0;
    return is_undone ? REPLICAS_UNREACHABLE : REPLICAS_UNKNOWN;
}

static void on_answer(void *user) {
    struct replicas *replicas = user;
    struct link *link = &replicas->link;
    enum link_errand errand = link->errand;
    struct replicas_change *change = link->change;
    link->errand = ERRAND_NONE;
    link->change = NULL;
    bool succeeded = link_succeeded(replicas);
    if (errand == ERRAND_CHANGE && succeeded) {
        take_change(replicas, change);
    } else if (errand == ERRAND_CHANGE) {
        link_report_answer(replicas, change, result_of_failure(link));
    } else if (errand == ERRAND_WITHDRAWAL && succeeded) {
        barrier_take_withdrawals(replicas);
    }
}

// --- The next statements ---

static struct replicas_change *take_next_change(struct replicas *replicas) {
    uv_mutex_lock(&replicas->mutex);
    struct replicas_change *change = STAILQ_FIRST(&replicas->changes);
    if (change != NULL) {
        STAILQ_REMOVE_HEAD(&replicas->changes, next);
    }
    uv_mutex_unlock(&replicas->mutex);
    return change;
}

static bool send_change(struct replicas *replicas) {
    struct replicas_change *change = take_next_change(replicas);
    if (change == NULL) {
        return false;
    }
    replicas->link.change = change;
    if (change->releases_waiters) {
        link_send(replicas, ERRAND_CHANGE, &(struct db_async_call){sql_replicas[REPLICAS_RELEASE_ALL], NULL, 0}, 1);
    } else {
        const char *values[] = {text_terminated(&change->json), replicas->options.name};
        link_send(replicas, ERRAND_CHANGE, &(struct db_async_call){sql_replicas[REPLICAS_CHANGE_SETTINGS], values, 2},
                  1);
    }
    return true;
}

static bool send_beat(struct replicas *replicas) {
    if (!replicas->link.beat_is_due) {
        return false;
    }
    replicas->link.beat_is_due = false;
    struct sql_array waiting = {0};
    barrier_list_waiters(replicas, &waiting);
    char version[24];
    (void)snprintf(version, sizeof version, "%" PRIu64, atomic_load(&replicas->version));
    const char *seen[] = {replicas->options.name, version};
    const char *kept[] = {replicas->options.name, sql_array_end(&waiting)};
    link_send(replicas, ERRAND_BEAT,
              (const struct db_async_call[]){{sql_replicas[REPLICAS_BEAT], seen, 2},
                                             {sql_replicas[REPLICAS_CLEAN], kept, 2},
                                             {sql_replicas[REPLICAS_FORGET_REPLICAS], NULL, 0}},
              3);
    text_free(&waiting.text);
    return true;
}

static void send_next(struct replicas *replicas) {
    barrier_dismiss_leaving(replicas);
    bool sent = send_change(replicas) || barrier_send_withdrawals(replicas) || barrier_send_arrivals(replicas) ||
                send_beat(replicas);
    (void)sent;
}

// --- The thread ---

static void answer_waiting_changes(struct replicas *replicas) {
    struct replicas_change *change;
    while ((change = take_next_change(replicas)) != NULL) {
        link_report_answer(replicas, change, REPLICAS_UNREACHABLE);
    }
}

static void on_wake(uv_async_t *wake) {
    struct replicas *replicas = CONTAINER_OF(wake, struct replicas, wake);
    uv_mutex_lock(&replicas->mutex);
    replicas->link.is_stopped = replicas->must_stop;
    uv_mutex_unlock(&replicas->mutex);
    if (!replicas->link.is_registered) {
        answer_waiting_changes(replicas);
        barrier_dismiss_leaving(replicas);
    }
}

static void on_beat(uv_timer_t *timer) {
    struct link *link = CONTAINER_OF(timer, struct link, timer);
    link->beat_is_due = true;
    if (link->errand != ERRAND_NONE && clock_monotonic_ns() - link->sent_ns > ANSWER_MS * NANOSECONDS_PER_MILLISECOND) {
        link->is_broken = true;
    }
}

static void serve(struct replicas *replicas) {
    struct link *link = &replicas->link;
    link->beat_is_due = true;
    while (!link->is_stopped && !link->is_broken) {
        if (link->errand == ERRAND_NONE) {
            send_next(replicas);
        }
        (void)uv_run(&link->loop, UV_RUN_ONCE);
        link->is_broken |= db_async_transaction(link->session) == DB_ASYNC_BROKEN;
    }
    if (link->errand == ERRAND_CHANGE) {
        link_report_answer(replicas, link->change, REPLICAS_UNKNOWN);
        link->change = NULL;
    }
}

static void ignore_done(void *user) {
    (void)user;
}

// Says goodbye. If PostgreSQL does not answer soon, the end of the session says it.
static void leave(struct replicas *replicas) {
    struct link *link = &replicas->link;
    const char *name[] = {replicas->options.name};
    if (link->is_broken || db_async_is_busy(link->session)) {
        return;
    }
    db_async_ignore_stop(link->session);
    db_async_execute_with(link->session, sql_replicas[REPLICAS_LEAVE], name, 1, ignore_done, NULL);
    uint64_t deadline_ns = clock_monotonic_ns() + LEAVE_MS * NANOSECONDS_PER_MILLISECOND;
    while (db_async_is_busy(link->session) && clock_monotonic_ns() < deadline_ns) {
        db_async_run_loop(&link->loop, -1, 0, 10);
    }
}

static void pause_for(struct link *link, unsigned milliseconds) {
    uint64_t deadline_ns = clock_monotonic_ns() + milliseconds * NANOSECONDS_PER_MILLISECOND;
    uint64_t now_ns;
    while (!link->is_stopped && (now_ns = clock_monotonic_ns()) < deadline_ns) {
        db_async_run_loop(&link->loop, -1, 0, (int)((deadline_ns - now_ns) / NANOSECONDS_PER_MILLISECOND) + 1);
    }
}

static void live(struct replicas *replicas) {
    struct link *link = &replicas->link;
    unsigned pause_ms = PAUSE_FIRST_MS;
    while (!link->is_stopped) {
        if (link->is_refused) {
            pause_for(link, PAUSE_LONGEST_MS);
        } else if (!db_lab_schema(replicas->options.db, link->schema)) {
            pause_for(link, SCHEMA_PAUSE_MS);
        } else if (link_open(replicas)) {
            pause_ms = PAUSE_FIRST_MS;
            serve(replicas);
            leave(replicas);
            link_close(replicas);
            link->errand = ERRAND_NONE;
            answer_waiting_changes(replicas);
            barrier_dismiss_leaving(replicas);
        } else {
            pause_for(link, pause_ms);
            pause_ms = MIN(2 * pause_ms, (unsigned)PAUSE_LONGEST_MS);
        }
    }
}

void link_run(void *user) {
    struct replicas *replicas = user;
    struct link *link = &replicas->link;
    CHECK(uv_timer_init(&link->loop, &link->timer) == 0);
    CHECK(uv_timer_start(&link->timer, on_beat, BEAT_MS, BEAT_MS) == 0);
    link->answered = on_answer;
    live(replicas);
    uv_mutex_lock(&replicas->mutex);
    replicas->has_wake = false;
    uv_mutex_unlock(&replicas->mutex);
    answer_waiting_changes(replicas);
    uv_close((uv_handle_t *)&link->timer, NULL);
    uv_close((uv_handle_t *)&replicas->wake, NULL);
    (void)uv_run(&link->loop, UV_RUN_DEFAULT);
    text_free(&link->schema_id);
    CHECK(uv_loop_close(&link->loop) == 0);
}

void link_init(struct replicas *replicas) {
    CHECK(uv_loop_init(&replicas->link.loop) == 0);
    CHECK(uv_async_init(&replicas->link.loop, &replicas->wake, on_wake) == 0);
}
