// Resets the bank, and copies the outcome of a reset to the others that waited for one.
#include "workers/jobs/reset_job.h"

#include <stdlib.h>

static enum db_status query_reset(struct job *job, struct db_session *session) {
    struct reset_job *reset = CONTAINER_OF(job, struct reset_job, job);
    return bank_reset(session, reset->totals, &reset->accounts, &reset->doubt);
}

static void reset_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_reset);
}

static void reset_run_for(struct job *job, struct job *other) {
    struct reset_job *reset = CONTAINER_OF(job, struct reset_job, job);
    reset->totals = reset->totals || CONTAINER_OF(other, struct reset_job, job)->totals;
}

static void reset_answer_like(struct job *job, struct job *done) {
    struct reset_job *reset = CONTAINER_OF(job, struct reset_job, job);
    const struct reset_job *like = CONTAINER_OF(done, struct reset_job, job);
    account_list_copy(&reset->accounts, &like->accounts);
    reset->doubt = like->doubt;
}

struct reset_job *reset_job_new(void) {
    struct reset_job *reset = memory_allocate_zeroed(sizeof *reset);
    job_init(&reset->job, JOB_RESET, reset_job_run);
    reset->job.run_for = reset_run_for;
    reset->job.answer_like = reset_answer_like;
    return reset;
}

void reset_job_free(struct reset_job *job) {
    account_list_free(&job->accounts);
    free(job);
}
