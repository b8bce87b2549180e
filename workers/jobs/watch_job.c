// Asks the database whether it can serve transfers, and makes the schema if it is missing.
#include "workers/jobs/watch_job.h"

#include "workers/bank/bank.h"
#include "workers/limits.h"

#include <stdlib.h>
#include <string.h>

static enum db_status query_ping(struct job *job, struct db_session *session) {
    (void)job;
    struct db_rows rows;
    uint64_t sent_ns = clock_monotonic_ns();
    enum db_status status = db_execute(session, STATEMENT_PING, NULL, 0, &rows);
    if (status != DB_OK) {
        return status;
    }
    bool writable = db_rows_count(&rows) == 1 && strcmp(db_rows_value(&rows, 0, 0), "off") == 0;
    if (db_rows_count(&rows) == 1) {
        database_clock_observe(db_rows_integer(&rows, 0, 1), sent_ns, clock_monotonic_ns());
    }
    db_rows_free(&rows);
    if (!writable) {
        db_session_close(session); // if the URL names several hosts, another one may be the primary by now
    }
    return writable ? DB_OK : DB_UNAVAILABLE;
}

// Waits less than the watch does, so that a locked table is no outage. Nothing depends on the removal: the next
// question tries again, and an expired key counts as new before it is removed.
static enum db_status forget_expired_keys(struct db_session *session) {
    static const char *const limits[] = {"1000", "100"};
    struct db_call calls[] = {{.statement = STATEMENT_BEGIN},
                              {.statement = STATEMENT_LIMIT_TIME, .values = limits, .value_count = 2},
                              {.statement = STATEMENT_FORGET_EXPIRED_KEYS},
                              {.statement = STATEMENT_COMMIT}};
    enum db_status status = db_execute_all(session, calls, sizeof calls / sizeof calls[0]);
    if (status != DB_OK && !db_status_wants_new_session(status)) {
        db_roll_back(session);
    }
    return db_status_wants_new_session(status) ? status : DB_OK;
}

static enum db_status query_ping_and_forget(struct job *job, struct db_session *session) {
    enum db_status status = query_ping(job, session);
    return status == DB_OK ? forget_expired_keys(session) : status;
}

static enum db_status query_schema(struct job *job, struct db_session *session) {
    enum db_status status = bank_ensure_schema(session);
    status = status == DB_OK ? query_ping(job, session) : status;
    if (status == DB_OK) {
        db_check_standby(session);
    }
    return status;
}

// A sort that does not fit its memory writes to the disk of the data folder, and leaves nothing behind there.
static enum db_status query_schema_and_room(struct job *job, struct db_session *session) {
    enum db_status status = query_schema(job, session);
    if (status == DB_OK) {
        struct db_call calls[] = {{.statement = STATEMENT_BEGIN},
                                  {.statement = STATEMENT_PROBE_MEMORY},
                                  {.statement = STATEMENT_PROBE_ROOM},
                                  {.statement = STATEMENT_ROLLBACK}};
        status = db_execute_all(session, calls, sizeof calls / sizeof calls[0]);
    }
    return status;
}

static void ping_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_ping_and_forget);
}

// After an outage each of the open sessions may hang with the same server. So the question takes none of them.
static void schema_job_run(struct job *job, struct worker *worker) {
    db_session_doubt_leader(worker->session);
    job_query_any_schema(job, worker, query_schema);
}

static void room_job_run(struct job *job, struct worker *worker) {
    job_query_any_schema(job, worker, query_schema_and_room);
}

struct job *watch_job_new(enum watch_question question) {
    static void (*const runs[])(struct job * job, struct worker * worker) = {
        [WATCH_PING] = ping_job_run,
        [WATCH_SCHEMA] = schema_job_run,
        [WATCH_SCHEMA_AND_ROOM] = room_job_run,
    };
    struct job *job = memory_allocate_zeroed(sizeof *job);
    job_init(job, JOB_WATCH, runs[question]);
    job->timeout_ms = DATABASE_WATCH_TIMEOUT_MS;
    return job;
}

void watch_job_free(struct job *job) {
    free(job);
}
