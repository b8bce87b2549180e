// GET /accounts/{id}: the request for one account. The pool reads the accounts of all such jobs that wait in one
// statement (pool_reads.c), so the job runs nothing itself.
#ifndef WORKERS_JOBS_ACCOUNTS_JOB_H
#define WORKERS_JOBS_ACCOUNTS_JOB_H

#include "workers/bank/bank.h"
#include "workers/jobs/job.h"

struct accounts_job {
    struct job job;
    char id[ACCOUNT_ID_MAX + 1];
    struct account_list accounts; // out: the account, or none
};

MUST_CHECK struct accounts_job *accounts_job_new(const char *id);
void accounts_job_free(struct accounts_job *job);

#endif
