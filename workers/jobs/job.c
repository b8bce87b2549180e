// The functions that all kinds of jobs use.
#include "workers/jobs/job.h"

#include "workers/limits.h"

void job_init(struct job *job, enum job_kind kind, void (*run)(struct job *job, struct worker *worker)) {
    job->kind = kind;
    job->run = run;
    job->timeout_ms = DATABASE_ANSWER_TIMEOUT_MS;
}

static void query_with(struct job *job, struct worker *worker,
                       enum db_status (*open)(struct db_session *session, bool *was_open),
                       enum db_status (*query)(struct job *job, struct db_session *session)) {
    bool was_open = true;
    do {
        job->database = open(worker->session, &was_open);
        if (job->database == DB_OK) {
            job->database = query(job, worker->session);
        }
    } while (db_status_wants_new_session(job->database) && was_open);
}

void job_query(struct job *job, struct worker *worker,
               enum db_status (*query)(struct job *job, struct db_session *session)) {
    query_with(job, worker, db_session_open, query);
}

void job_query_any_schema(struct job *job, struct worker *worker,
                          enum db_status (*query)(struct job *job, struct db_session *session)) {
    query_with(job, worker, db_session_open_any_schema, query);
}
