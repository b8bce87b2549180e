// What the jobs of the races do on their worker.
#include "workers/jobs/races_job.h"

#include <stdio.h>
#include <stdlib.h>

static enum db_status query_races(struct job *job, struct db_session *session) {
    struct races_job *races = CONTAINER_OF(job, struct races_job, job);
    return bank_read_races(session, races->limit, &races->races);
}

static void races_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_races);
}

struct races_job *races_job_new(unsigned limit) {
    struct races_job *races = memory_allocate_zeroed(sizeof *races);
    job_init(&races->job, JOB_RACES, races_job_run);
    races->limit = limit;
    return races;
}

void races_job_free(struct races_job *job) {
    race_list_free(&job->races);
    free(job);
}

static enum db_status query_race(struct job *job, struct db_session *session) {
    struct race_job *race = CONTAINER_OF(job, struct race_job, job);
    enum db_status status = bank_read_race(session, race->transfer_id, &race->detail);
    return status == DB_NOT_REPRESENTABLE ? DB_OK : status; // no transfer has such an id: none was found
}

static void race_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_race);
}

struct race_job *race_job_new(const char *transfer_id) {
    struct race_job *race = memory_allocate_zeroed(sizeof *race);
    job_init(&race->job, JOB_RACE, race_job_run);
    (void)snprintf(race->transfer_id, sizeof race->transfer_id, "%s", transfer_id);
    return race;
}

void race_job_free(struct race_job *job) {
    race_detail_free(&job->detail);
    free(job);
}
