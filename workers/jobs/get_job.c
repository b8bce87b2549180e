// Runs the query of a GET, whatever it reads.
#include "workers/jobs/get_job.h"

#include <stdlib.h>
#include <string.h>

static void clear(struct get_job *job) {
    job->read->free_result(job->result);
    memset(job->result, 0, job->read->result_size);
}

static enum db_status query_read(struct job *job, struct db_session *session) {
    struct get_job *get = CONTAINER_OF(job, struct get_job, job);
    clear(get); // the first attempt may have read a part before its connection died
    return get->read->query(session, &get->parameters, get->result);
}

static void get_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_read);
}

struct get_job *get_job_new(const struct read *read, unsigned limit, const char *id) {
    struct get_job *job = memory_allocate_zeroed(sizeof *job);
    job_init(&job->job, read->kind, get_job_run);
    job->read = read;
    job->parameters.limit = limit;
    if (id != NULL) {
        job->parameters.id = strdup(id);
        CHECK(job->parameters.id != NULL);
    }
    job->result = memory_allocate_zeroed(read->result_size);
    return job;
}

void get_job_free(struct get_job *job) {
    job->read->free_result(job->result);
    free(job->result);
    free(job->parameters.id);
    free(job);
}
