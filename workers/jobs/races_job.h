// GET /races and GET /races/{transfer_id}: the jobs that read the races. As the jobs of job.h.
#ifndef WORKERS_JOBS_RACES_JOB_H
#define WORKERS_JOBS_RACES_JOB_H

#include "workers/bank/bank.h"
#include "workers/jobs/job.h"

struct races_job {
    struct job job;
    unsigned limit;
    struct race_list races; // out
};

struct race_job {
    struct job job;
    char transfer_id[TRANSFER_ID_LENGTH + 1];
    struct race_detail detail; // out
};

MUST_CHECK struct races_job *races_job_new(unsigned limit);
void races_job_free(struct races_job *job);
MUST_CHECK struct race_job *race_job_new(const char *transfer_id);
void race_job_free(struct race_job *job);

#endif
