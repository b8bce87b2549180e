// The jobs: one kind for everything that a worker thread does.
#ifndef WORKERS_JOBS_JOBS_H
#define WORKERS_JOBS_JOBS_H

#include "workers/jobs/audit_job.h"
#include "workers/jobs/job.h"
#include "workers/jobs/races_job.h"

#endif
