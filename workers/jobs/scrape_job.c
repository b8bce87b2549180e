// Reads the gauges and the process's numbers, and copies them to the other jobs that waited.
#include "workers/jobs/scrape_job.h"

#include "workers/limits.h"

#include <stdio.h>
#include <stdlib.h>

static enum db_status begin_with_little_time(struct db_session *session) {
    char milliseconds[16];
    (void)snprintf(milliseconds, sizeof milliseconds, "%d", SCRAPE_STATEMENT_TIMEOUT_MS);
    const char *values[] = {milliseconds, milliseconds};
    struct db_call calls[] = {
        {.statement = STATEMENT_BEGIN_READING},
        {.statement = STATEMENT_LIMIT_TIME, .values = values, .value_count = 2},
    };
    return db_execute_all(session, calls, 2);
}

static enum db_status query_gauges(struct job *job, struct db_session *session) {
    struct scrape_job *scrape = CONTAINER_OF(job, struct scrape_job, job);
    account_list_free(&scrape->accounts); // left by a first attempt, whose connection had died
    enum db_status status = begin_with_little_time(session);
    if (status == DB_OK) {
        status = bank_read_first_accounts(session, ACCOUNT_GAUGES_MAX, &scrape->accounts);
    }
    if (status == DB_OK) {
        status = bank_read_money_drift(session, &scrape->money_drift);
    }
    db_roll_back(session); // nothing was written
    return status;
}

static void scrape_job_run(struct job *job, struct worker *worker) {
    process_sample_take(&CONTAINER_OF(job, struct scrape_job, job)->process);
    job_query(job, worker, query_gauges);
}

static void scrape_answer_like(struct job *job, struct job *done) {
    struct scrape_job *scrape = CONTAINER_OF(job, struct scrape_job, job);
    const struct scrape_job *like = CONTAINER_OF(done, struct scrape_job, job);
    account_list_copy(&scrape->accounts, &like->accounts);
    scrape->money_drift = like->money_drift;
    scrape->process = like->process;
}

struct scrape_job *scrape_job_new(void) {
    struct scrape_job *scrape = memory_allocate_zeroed(sizeof *scrape);
    job_init(&scrape->job, JOB_SCRAPE, scrape_job_run);
    scrape->job.answer_like = scrape_answer_like;
    scrape->job.timeout_ms = SCRAPE_TIMEOUT_MS; // a page without balances is better than none
    return scrape;
}

void scrape_job_free(struct scrape_job *job) {
    account_list_free(&job->accounts);
    free(job);
}
