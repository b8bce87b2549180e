// The session that asks for pg_blocking_pids(): on_tick() > ask() > on_answer(), until no session is held.
#include "server/proxy/lock_watch.h"

#include "observability/log/log.h"
#include "sql/proxy.h"
#include "workers/database/database.h"

#include <stdlib.h>

struct lock_watch {
    uv_loop_t *loop;
    uv_timer_t timer;
    const char *conninfo;
    const struct lock_watch_callbacks *callbacks;
    void *owner;
    struct db_async *session; // NULL: not connected
    bool wants_connection;
    bool has_warned;
    uint64_t next_connect_ms; // loop time
};

struct lock_watch *lock_watch_new(uv_loop_t *loop, const char *conninfo, const struct lock_watch_callbacks *callbacks,
                                  void *owner) {
    struct lock_watch *watch = memory_allocate_zeroed(sizeof *watch);
    watch->loop = loop;
    watch->conninfo = conninfo;
    watch->callbacks = callbacks;
    watch->owner = owner;
    CHECK(uv_timer_init(loop, &watch->timer) == 0);
    return watch;
}

static void want_connection(struct lock_watch *watch) {
    if (uv_now(watch->loop) >= watch->next_connect_ms) {
        watch->wants_connection = true;
        uv_stop(watch->loop);
    }
}

static void drop_session(struct lock_watch *watch) {
    db_async_close(watch->session);
    watch->session = NULL;
}

static void on_answer(void *user) {
    struct lock_watch *watch = user;
    const struct db_async_answer *answer = db_async_last_answer(watch->session);
    if (db_async_error(watch->session) != NULL || answer == NULL || !db_async_has_rows(answer)) {
        return; // on_tick() connects again if the session is broken
    }
    for (int row = 0; row < db_async_rows(answer); row++) {
        watch->callbacks->waits(watch->owner, (uint32_t)strtoul(db_async_value(answer, row, 0), NULL, 10),
                                (uint32_t)strtoul(db_async_value(answer, row, 1), NULL, 10));
    }
}

static void ask(struct lock_watch *watch, struct text *pids) {
    if (watch->session == NULL) {
        want_connection(watch);
    } else if (db_async_is_busy(watch->session)) {
        return;
    } else if (db_async_transaction(watch->session) == DB_ASYNC_BROKEN) {
        drop_session(watch);
        want_connection(watch);
    } else {
        const char *values[] = {text_terminated(pids)};
        db_async_execute_with(watch->session, sql_proxy[PROXY_WAITS], values, 1, on_answer, watch);
    }
}

static void on_tick(uv_timer_t *timer) {
    struct lock_watch *watch = CONTAINER_OF(timer, struct lock_watch, timer);
    struct text pids = {0};
    if (watch->callbacks->held(watch->owner, &pids)) {
        ask(watch, &pids);
    } else {
        (void)uv_timer_stop(timer);
    }
    text_free(&pids);
}

void lock_watch_begin(struct lock_watch *watch) {
    if (!uv_is_active((uv_handle_t *)&watch->timer)) {
        CHECK(uv_timer_start(&watch->timer, on_tick, 1, LOCK_WATCH_MS) == 0);
    }
}

bool lock_watch_is_connected(const struct lock_watch *watch) {
    return watch->session != NULL;
}

bool lock_watch_wants_connection(const struct lock_watch *watch) {
    return watch->wants_connection;
}

void lock_watch_connect(struct lock_watch *watch, const bool *is_stopped) {
    struct text problem = {0};
    watch->wants_connection = false;
    watch->next_connect_ms = UINT64_MAX; // on_tick() also runs during the wait
    watch->session = db_async_open(watch->loop, watch->conninfo, is_stopped, &problem);
    if (*is_stopped) { // lock_watch_close() may have run during the wait
        drop_session(watch);
    } else if (watch->session == NULL && !watch->has_warned) {
        watch->has_warned = true;
        log_write(
            LOG_LEVEL_WARN, NULL,
            "Cannot ask PostgreSQL for locks, so a held session that others wait for is let go only at the limit; "
            "give --upstream a user and a password: %s",
            text_terminated(&problem));
    }
    watch->next_connect_ms = uv_now(watch->loop) + LOCK_WATCH_RECONNECT_MS;
    text_free(&problem);
}

void lock_watch_close(struct lock_watch *watch) {
    drop_session(watch);
    uv_close((uv_handle_t *)&watch->timer, NULL);
}

void lock_watch_free(struct lock_watch *watch) {
    free(watch);
}
