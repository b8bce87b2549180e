// Asks the database once a second whether it is there. Loop thread.
#include "workers/pool/database_watch.h"

#include "observability/log/log.h"
#include "workers/limits.h"
#include "workers/pool/pool.h"

static void watch_set(struct database_watch *watch, enum database_state state) {
    static const char *const names[] = {
        [DATABASE_UNREACHABLE] = "unreachable",
        [DATABASE_UNAVAILABLE] = "unavailable: it cannot serve transfers now",
        [DATABASE_READY] = "ready",
    };
    static const char *const words[] = {"unreachable", "unavailable", "ready"};
    watch->must_check_schema |= state != DATABASE_READY; // a database that was unavailable may come back empty
    if (state != watch->state) {
        watch->state = state;
        log_event(state == DATABASE_READY ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "database_state", words[state],
                  "Database is %s", names[state]);
    }
}

static enum database_state state_of(enum db_status status) {
    if (status == DB_OK) {
        return DATABASE_READY;
    }
    return status == DB_CONNECTION_LOST || status == DB_NOT_SENT ? DATABASE_UNREACHABLE : DATABASE_UNAVAILABLE;
}

// A problem at the first answer stops the program, whoever started it is there to read why. One that appears later, or
// behind a database that was unavailable at first, is logged.
static void watch_judge_problem(struct database_watch *watch, struct text *problem) {
    if (problem->length == 0 ||
        slice_equals(text_slice(problem), (struct slice){watch->problem.data, watch->problem.length})) {
        return;
    }
    if (!watch->was_answered && watch->on_unusable != NULL) {
        watch->on_unusable(watch->unusable_owner, text_terminated(problem));
    } else {
        log_write(LOG_LEVEL_ERROR, NULL, "Database cannot be used: %s", text_terminated(problem));
    }
}

static void watch_look_for_problem(struct database_watch *watch) {
    struct text problem = {0};
    pool_database_problem(watch->pool, &problem);
    watch_judge_problem(watch, &problem);
    text_free(&watch->problem);
    watch->problem = problem;
    watch->was_answered = true;
}

// A question that got no session has no answer of its own. PostgreSQL answers all the same if it refuses sessions for a
// limit while others work: each of those has found the lab's tables when it was opened. It proves no room on the disk.
static bool is_proven_by_others(const struct database_watch *watch, const struct job *job) {
    return job->database == DB_CONNECTION_LOST && pool_is_at_connection_limit(watch->pool) &&
           watch->question != WATCH_SCHEMA_AND_ROOM && watch->has_had_schema;
}

static void watch_finished(struct job *job) {
    struct database_watch *watch = job->owner;
    watch->asking = NULL;
    watch_look_for_problem(watch);
    enum db_status status = is_proven_by_others(watch, job) ? DB_OK : job->database;
    if (status != DB_OK || !watch->contradicted) {
        watch_set(watch, state_of(status));
    }
    if (job->database == DB_OK && watch->question != WATCH_PING && watch->state == DATABASE_READY) {
        watch->has_had_schema = true;
        watch->must_check_schema = false;
    }
    watch_job_free(job);
}

static enum watch_question next_question(const struct database_watch *watch) {
    if (watch->state == DATABASE_UNAVAILABLE) {
        return WATCH_SCHEMA_AND_ROOM;
    }
    return watch->must_check_schema ? WATCH_SCHEMA : WATCH_PING;
}

static void watch_ask(struct database_watch *watch) {
    watch->question = next_question(watch);
    watch->asking = watch_job_new(watch->question);
    watch->contradicted = false;
    watch->asking->owner = watch;
    watch->asking->finished = watch_finished;
    watch->asked_ms = uv_now(watch->timer.loop);
    pool_submit(watch->pool, watch->asking);
}

static void watch_tick(uv_timer_t *timer) {
    struct database_watch *watch = CONTAINER_OF(timer, struct database_watch, timer);
    if (watch->asking == NULL) {
        watch_ask(watch);
    } else if (uv_now(timer->loop) - watch->asked_ms > DATABASE_WATCH_TIMEOUT_MS &&
               !pool_is_at_connection_limit(watch->pool)) {
        watch_set(watch, DATABASE_UNREACHABLE); // it hangs
    }
}

void database_watch_init(struct database_watch *watch, uv_loop_t *loop, struct pool *pool) {
    *watch = (struct database_watch){.pool = pool, .must_check_schema = true};
    CHECK(uv_timer_init(loop, &watch->timer) == 0);
}

void database_watch_on_unusable(struct database_watch *watch, void (*callback)(void *owner, const char *problem),
                                void *owner) {
    watch->on_unusable = callback;
    watch->unusable_owner = owner;
}

void database_watch_start(struct database_watch *watch) {
    CHECK(uv_timer_start(&watch->timer, watch_tick, DATABASE_WATCH_INTERVAL_MS, DATABASE_WATCH_INTERVAL_MS) == 0);
    watch_ask(watch);
}

void database_watch_report(struct database_watch *watch, enum db_status status) {
    // A job may have waited in vain for one of the few sessions that there are.
    if (status == DB_CONNECTION_LOST && pool_is_at_connection_limit(watch->pool)) {
        return;
    }
    if (status == DB_CONNECTION_LOST || status == DB_NOT_SENT || status == DB_UNAVAILABLE) {
        watch->contradicted = true;
        watch_set(watch, state_of(status));
    }
}

static void watch_closed(uv_handle_t *handle) {
    struct database_watch *watch = CONTAINER_OF(handle, struct database_watch, timer);
    watch->on_unusable = NULL;
    watch->on_closed(watch->owner);
}

void database_watch_stop(struct database_watch *watch, void (*on_closed)(void *owner), void *owner) {
    watch->on_closed = on_closed;
    watch->owner = owner;
    uv_close((uv_handle_t *)&watch->timer, watch_closed);
}

void database_watch_free(struct database_watch *watch) {
    text_free(&watch->problem);
}
