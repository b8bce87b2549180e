// Keeps the state of the database, so that GET /health answers without a query. A job asks the database every second,
// and other jobs report what they found. The job also makes the schema at the start and when the database is back.
// Loop thread.
#ifndef WORKERS_POOL_DATABASE_WATCH_H
#define WORKERS_POOL_DATABASE_WATCH_H

#include "observability/base/base.h"
#include "workers/jobs/jobs.h"

#include <stdbool.h>
#include <uv.h>

enum database_state {
    DATABASE_UNREACHABLE, // no connection, or no answer in time
    DATABASE_UNAVAILABLE, // it answers, but cannot serve: read-only, full, or without the bank's schema
    DATABASE_READY,       // and has the schema
};

struct database_watch {
    uv_timer_t timer;
    struct pool *pool;
    struct job *asking; // the job under way, or NULL
    enum database_state state;
    enum watch_question question; // the question of `asking`
    bool has_had_schema;          // the schema was found or made once
    bool must_check_schema;       // not checked since `state` was last another than DATABASE_READY
    bool contradicted;   // another job missed the database after `asking` had begun: a good answer is out of date
    uint64_t asked_ms;   // loop time
    bool was_answered;   // a first job has ended
    struct text problem; // after the last answer; see db_problem()
    void (*on_unusable)(void *owner, const char *problem);
    void *unusable_owner;
    void (*on_closed)(void *owner);
    void *owner;
};

void database_watch_init(struct database_watch *watch, uv_loop_t *loop, struct pool *pool);
// Called when the first look at the database finds that the program cannot work with it as it is configured.
void database_watch_on_unusable(struct database_watch *watch, void (*callback)(void *owner, const char *problem),
                                void *owner);
void database_watch_start(struct database_watch *watch);
// Reports the status of another job's database calls.
void database_watch_report(struct database_watch *watch, enum db_status status);
// No new questions; `on_closed` is called once the timer is closed. A job under way ends by itself. Every watch that
// was initialised must be stopped, also one that was never started.
void database_watch_stop(struct database_watch *watch, void (*on_closed)(void *owner), void *owner);
void database_watch_free(struct database_watch *watch); // when no job of it is under way

#endif
