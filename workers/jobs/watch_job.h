// The watch's job: it asks whether the database can serve transfers.
#ifndef WORKERS_JOBS_WATCH_JOB_H
#define WORKERS_JOBS_WATCH_JOB_H

#include "workers/jobs/job.h"

enum watch_question {
    WATCH_PING,            // does the database answer, and does it take writes?
    WATCH_SCHEMA,          // the same, and does it have the schema? The job makes it if not.
    WATCH_SCHEMA_AND_ROOM, // the same, and has its disk room again? For a database that has refused writes.
};

MUST_CHECK struct job *watch_job_new(enum watch_question question);
void watch_job_free(struct job *job);

#endif
