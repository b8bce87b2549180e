// The jobs: everything that a worker thread does is one of these.
#ifndef WORKERS_JOBS_JOBS_H
#define WORKERS_JOBS_JOBS_H

#include "workers/jobs/accounts_job.h"
#include "workers/jobs/get_job.h"
#include "workers/jobs/job.h"
#include "workers/jobs/reset_job.h"
#include "workers/jobs/scrape_job.h"
#include "workers/jobs/transfer_job.h"
#include "workers/jobs/watch_job.h"

#endif
