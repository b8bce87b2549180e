// Runs the query of a read, whatever it reads.
#include "workers/jobs/read_job.h"

#include <stdlib.h>
#include <string.h>

static void clear(struct read_job *job) {
    job->read->free_result(job->result);
    memset(job->result, 0, job->read->result_size);
}

static enum db_status query_read(struct job *job, struct db_session *session) {
    struct read_job *read = CONTAINER_OF(job, struct read_job, job);
    clear(read); // the first attempt may have read a part before its connection died
    return read->read->query(session, &read->parameters, read->result);
}

static void read_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_read);
}

struct read_job *read_job_new(const struct read *read, unsigned limit, const char *id) {
    struct read_job *job = memory_allocate_zeroed(sizeof *job);
    job_init(&job->job, read->kind, read_job_run);
    job->read = read;
    job->parameters.limit = limit;
    if (id != NULL) {
        job->parameters.id = strdup(id);
        CHECK(job->parameters.id != NULL);
    }
    job->result = memory_allocate_zeroed(read->result_size);
    return job;
}

void read_job_free(struct read_job *job) {
    job->read->free_result(job->result);
    free(job->result);
    free(job->parameters.id);
    free(job);
}
