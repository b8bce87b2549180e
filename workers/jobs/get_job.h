// The job of a GET that answers with data from the database. A table says how the data is read, so a GET needs no kind
// of job of its own. The table is a constant of the handler (struct database_get in server/api/exchange.h).
#ifndef WORKERS_JOBS_GET_JOB_H
#define WORKERS_JOBS_GET_JOB_H

#include "workers/jobs/job.h"

#include <stddef.h>

// The parameters that the GETs have. A read ignores those that it does not need.
struct read_parameters {
    unsigned limit;
    char *id; // the id of an account or a transfer, with any length; or NULL
};

struct read {
    enum job_kind kind; // the queue and the thread that the job uses
    size_t result_size;
    // On the worker: reads into a result that is all zero.
    enum db_status (*query)(struct db_session *session, const struct read_parameters *parameters, void *result);
    // Frees the memory that the result points to; also after a query that failed, or of a result that is all zero.
    void (*free_result)(void *result);
};

struct get_job {
    struct job job;
    const struct read *read;
    const void *user_data; // the server's
    struct read_parameters parameters;
    void *result; // out: `result_size` bytes
};

// `read` must outlive the job. The job copies `id`, which may be NULL.
MUST_CHECK struct get_job *get_job_new(const struct read *read, unsigned limit, const char *id);
void get_job_free(struct get_job *job);

#endif
