// The request for one account.
#include "workers/jobs/accounts_job.h"

#include <stdio.h>
#include <stdlib.h>

struct accounts_job *accounts_job_new(const char *id) {
    struct accounts_job *accounts = memory_allocate_zeroed(sizeof *accounts);
    job_init(&accounts->job, JOB_ACCOUNT, NULL);
    (void)snprintf(accounts->id, sizeof accounts->id, "%s", id);
    return accounts;
}

void accounts_job_free(struct accounts_job *job) {
    account_list_free(&job->accounts);
    free(job);
}
