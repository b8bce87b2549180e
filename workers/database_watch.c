// Asks the database once a second whether it is there. Loop thread.
#include "database_watch.h"

#include "bank_limits.h"
#include "log.h"
#include "pool.h"

static void watch_set(struct database_watch *watch, bool reachable) {
    if (reachable == watch->reachable) {
        return;
    }
    watch->reachable = reachable;
    log_write(reachable ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, NULL, "Database is %s", reachable ? "ready" : "away");
}

static void watch_finished(struct job *job) {
    struct database_watch *watch = job->owner;
    watch->asking = NULL;
    watch_set(watch, job->database == DB_OK);
    watch_job_free(job);
}

static void watch_ask(struct database_watch *watch) {
    watch->asking = watch_job_new(!watch->reachable); // a database that was away may have come back empty
    watch->asking->owner = watch;
    watch->asking->finished = watch_finished;
    watch->asked_ms = uv_now(watch->timer.loop);
    pool_submit(watch->pool, watch->asking);
}

static void watch_tick(uv_timer_t *timer) {
    struct database_watch *watch = CONTAINER_OF(timer, struct database_watch, timer);
    if (watch->asking == NULL) {
        watch_ask(watch);
    } else if (uv_now(timer->loop) - watch->asked_ms > DATABASE_WATCH_TIMEOUT_MS) {
        watch_set(watch, false); // it hangs
    }
}

void database_watch_init(struct database_watch *watch, uv_loop_t *loop, struct pool *pool) {
    *watch = (struct database_watch){.pool = pool};
    CHECK(uv_timer_init(loop, &watch->timer) == 0);
}

void database_watch_start(struct database_watch *watch) {
    CHECK(uv_timer_start(&watch->timer, watch_tick, DATABASE_WATCH_INTERVAL_MS, DATABASE_WATCH_INTERVAL_MS) == 0);
    watch_ask(watch);
}

void database_watch_heard(struct database_watch *watch, enum db_status status) {
    if (status == DB_AWAY) {
        watch_set(watch, false);
    }
}

static void watch_closed(uv_handle_t *handle) {
    struct database_watch *watch = CONTAINER_OF(handle, struct database_watch, timer);
    watch->on_closed(watch->owner);
}

void database_watch_stop(struct database_watch *watch, void (*on_closed)(void *owner), void *owner) {
    watch->on_closed = on_closed;
    watch->owner = owner;
    uv_close((uv_handle_t *)&watch->timer, watch_closed);
}
