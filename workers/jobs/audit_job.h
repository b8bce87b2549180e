// GET /audit: the job that reads the audit. As the jobs of job.h.
#ifndef WORKERS_JOBS_AUDIT_JOB_H
#define WORKERS_JOBS_AUDIT_JOB_H

#include "workers/bank/bank.h"
#include "workers/jobs/job.h"

struct audit_job {
    struct job job;
    struct audit audit; // out
};

MUST_CHECK struct audit_job *audit_job_new(void);
void audit_job_free(struct audit_job *job);

#endif
