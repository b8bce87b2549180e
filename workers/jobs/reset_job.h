// POST /reset: the job that puts everything back to the initial state. One reset is made for all that wait.
#ifndef WORKERS_JOBS_RESET_JOB_H
#define WORKERS_JOBS_RESET_JOB_H

#include "workers/bank/bank.h"
#include "workers/jobs/job.h"

struct events;
struct replicas;

struct reset_job {
    struct job job;
    bool totals;                  // in: the totals begin again as well
    struct account_list accounts; // out
    enum reset_doubt doubt;       // out
    struct replicas *replicas;    // the server's, or NULL: their waiters are released afterwards
    struct events *events;        // the server's: the reset is published there
};

MUST_CHECK struct reset_job *reset_job_new(void);
void reset_job_free(struct reset_job *job);

#endif
