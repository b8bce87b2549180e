// What the audit's job does on its worker.
#include "workers/jobs/audit_job.h"

#include <stdlib.h>

static enum db_status query_audit(struct job *job, struct db_session *session) {
    return bank_read_audit(session, &CONTAINER_OF(job, struct audit_job, job)->audit);
}

static void audit_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_audit);
}

struct audit_job *audit_job_new(void) {
    struct audit_job *audit = memory_allocate_zeroed(sizeof *audit);
    job_init(&audit->job, JOB_AUDIT, audit_job_run);
    return audit;
}

void audit_job_free(struct audit_job *job) {
    audit_free(&job->audit);
    free(job);
}
