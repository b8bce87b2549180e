// GET /metrics: the job that reads what a page of metrics needs from a thread that may block. One job runs for all that
// wait.
#ifndef WORKERS_JOBS_SCRAPE_JOB_H
#define WORKERS_JOBS_SCRAPE_JOB_H

#include "observability/metrics/metrics.h"
#include "workers/bank/bank.h"
#include "workers/jobs/job.h"

struct scrape_job {
    struct job job;
    struct account_list accounts;  // out
    double money_drift;            // out, in the major unit
    struct process_sample process; // out
};

MUST_CHECK struct scrape_job *scrape_job_new(void);
void scrape_job_free(struct scrape_job *job);

#endif
