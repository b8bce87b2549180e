// Batches: transfers that one worker posts in one transaction, and the writer that runs batch after batch.
#ifndef WORKERS_BATCH_BATCH_H
#define WORKERS_BATCH_BATCH_H

#include "workers/batch/batch_job.h"
#include "workers/batch/batch_writer.h"

#endif
