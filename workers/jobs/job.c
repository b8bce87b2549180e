// What each kind of job does on its worker. The *_new and *_free functions are called on the loop.
#include "workers/jobs/job.h"

#include "observability/base/base.h"
#include "workers/bank/bank.h"
#include "workers/database/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void query_with(struct job *job, struct worker *worker,
                       enum db_status (*open)(struct db_session *session, bool *was_open),
                       enum db_status (*query)(struct job *job, struct db_session *session)) {
    bool was_open = true;
    do {
        job->database = open(worker->session, &was_open);
        if (job->database == DB_OK) {
            job->database = query(job, worker->session);
        }
    } while (db_status_wants_new_session(job->database) && was_open);
}

void job_query(struct job *job, struct worker *worker,
               enum db_status (*query)(struct job *job, struct db_session *session)) {
    query_with(job, worker, db_session_open, query);
}

void job_init(struct job *job, enum job_kind kind, void (*run)(struct job *job, struct worker *worker)) {
    job->kind = kind;
    job->run = run;
    job->timeout_ms = DATABASE_ANSWER_TIMEOUT_MS;
}

static void transfer_job_run(struct job *job, struct worker *worker) {
    struct transfer_job *transfer = CONTAINER_OF(job, struct transfer_job, job);
    transfer_run(&transfer->request, worker->session, worker->gate, worker->name, &transfer->result);
    job->database = transfer->result.database;
}

struct transfer_job *transfer_job_new(void) {
    struct transfer_job *transfer = memory_allocate_zeroed(sizeof *transfer);
    job_init(&transfer->job, JOB_TRANSFER, transfer_job_run);
    transfer->job.is_long = true;
    return transfer;
}

static void transfer_gate_run(struct job *job, struct worker *worker) {
    struct transfer_job *transfer = CONTAINER_OF(job, struct transfer_job, job);
    transfer_pass_barrier(&transfer->request, worker->gate, &transfer->result);
}

void transfer_job_pass_gate(struct transfer_job *transfer) {
    transfer->at_gate = true;
    transfer->job.run = transfer_gate_run;
}

void transfer_job_free(struct transfer_job *job) {
    free(job);
}

static enum db_status query_accounts(struct job *job, struct db_session *session) {
    return bank_read_accounts(session, &CONTAINER_OF(job, struct accounts_job, job)->accounts);
}

static void accounts_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_accounts);
}

struct accounts_job *accounts_job_new(const char *id) {
    struct accounts_job *accounts = memory_allocate_zeroed(sizeof *accounts);
    job_init(&accounts->job, id == NULL ? JOB_ACCOUNTS : JOB_ACCOUNT, accounts_job_run);
    (void)snprintf(accounts->id, sizeof accounts->id, "%s", id == NULL ? "" : id);
    return accounts;
}

static enum db_status query_reset(struct job *job, struct db_session *session) {
    struct accounts_job *reset = CONTAINER_OF(job, struct accounts_job, job);
    return bank_reset(session, &reset->accounts, &reset->doubt);
}

static void reset_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_reset);
}

static void accounts_copy(struct account_list *out, const struct account_list *accounts) {
    size_t size = accounts->count * sizeof *accounts->accounts;
    *out = (struct account_list){.count = accounts->count};
    if (size > 0) {
        out->accounts = memory_allocate_zeroed(size);
        memcpy(out->accounts, accounts->accounts, size);
    }
}

static void reset_answer_like(struct job *job, struct job *done) {
    struct accounts_job *reset = CONTAINER_OF(job, struct accounts_job, job);
    const struct accounts_job *like = CONTAINER_OF(done, struct accounts_job, job);
    accounts_copy(&reset->accounts, &like->accounts);
    reset->doubt = like->doubt;
}

struct accounts_job *reset_job_new(void) {
    struct accounts_job *reset = memory_allocate_zeroed(sizeof *reset);
    reset->job.answer_like = reset_answer_like;
    job_init(&reset->job, JOB_RESET, reset_job_run);
    return reset;
}

void accounts_job_free(struct accounts_job *job) {
    account_list_free(&job->accounts);
    free(job);
}

static enum db_status query_transactions(struct job *job, struct db_session *session) {
    struct transactions_job *transactions = CONTAINER_OF(job, struct transactions_job, job);
    return bank_read_transfers(session, transactions->limit, &transactions->records);
}

static void transactions_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_transactions);
}

struct transactions_job *transactions_job_new(unsigned limit) {
    struct transactions_job *transactions = memory_allocate_zeroed(sizeof *transactions);
    job_init(&transactions->job, JOB_TRANSACTIONS, transactions_job_run);
    transactions->limit = limit;
    return transactions;
}

void transactions_job_free(struct transactions_job *job) {
    transfer_record_list_free(&job->records);
    free(job);
}

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
    account_list_free(&scrape->accounts); // of a first try on a connection that had died
    enum db_status status = begin_with_little_time(session);
    if (status == DB_OK) {
        status = bank_read_first_accounts(session, ACCOUNT_GAUGES_MAX, &scrape->accounts);
    }
    if (status == DB_OK) {
        status = bank_read_money_drift(session, &scrape->money_drift);
    }
    if (db_execute(session, STATEMENT_ROLLBACK, NULL, 0, NULL) != DB_OK) { // it has only read: nothing to commit
        db_session_close(session);
    }
    return status;
}

static void scrape_job_run(struct job *job, struct worker *worker) {
    process_sample_take(&CONTAINER_OF(job, struct scrape_job, job)->process);
    job_query(job, worker, query_gauges);
}

static void scrape_answer_like(struct job *job, struct job *done) {
    struct scrape_job *scrape = CONTAINER_OF(job, struct scrape_job, job);
    const struct scrape_job *like = CONTAINER_OF(done, struct scrape_job, job);
    accounts_copy(&scrape->accounts, &like->accounts);
    scrape->money_drift = like->money_drift;
    scrape->process = like->process;
}

struct scrape_job *scrape_job_new(void) {
    struct scrape_job *scrape = memory_allocate_zeroed(sizeof *scrape);
    scrape->job.answer_like = scrape_answer_like;
    job_init(&scrape->job, JOB_SCRAPE, scrape_job_run);
    scrape->job.timeout_ms = SCRAPE_TIMEOUT_MS; // a page without balances beats none
    return scrape;
}

void scrape_job_free(struct scrape_job *job) {
    account_list_free(&job->accounts);
    free(job);
}

static enum db_status query_ping(struct job *job, struct db_session *session) {
    (void)job;
    struct db_rows rows;
    uint64_t sent_ns = clock_monotonic_ns();
    enum db_status status = db_execute(session, STATEMENT_PING, NULL, 0, &rows);
    if (status != DB_OK) {
        return status;
    }
    bool writable = db_rows_count(&rows) == 1 && strcmp(db_rows_value(&rows, 0, 0), "off") == 0;
    if (db_rows_count(&rows) == 1) {
        database_clock_observe(strtoll(db_rows_value(&rows, 0, 1), NULL, 10), sent_ns, clock_monotonic_ns());
    }
    db_rows_free(&rows);
    if (!writable) {
        db_session_close(session); // of several hosts another may be the primary by now
    }
    return writable ? DB_OK : DB_UNAVAILABLE;
}

static enum db_status query_schema(struct job *job, struct db_session *session) {
    enum db_status status = bank_ensure_schema(session);
    return status == DB_OK ? query_ping(job, session) : status;
}

// A sort that does not fit its memory writes to the disk of the data folder, and leaves nothing behind.
static enum db_status query_schema_and_room(struct job *job, struct db_session *session) {
    enum db_status status = query_schema(job, session);
    if (status == DB_OK) {
        struct db_call calls[] = {{.statement = STATEMENT_BEGIN},
                                  {.statement = STATEMENT_PROBE_MEMORY},
                                  {.statement = STATEMENT_PROBE_ROOM},
                                  {.statement = STATEMENT_ROLLBACK}};
        status = db_execute_all(session, calls, sizeof calls / sizeof calls[0]);
    }
    return status;
}

static void ping_job_run(struct job *job, struct worker *worker) {
    job_query(job, worker, query_ping);
}

static void schema_job_run(struct job *job, struct worker *worker) {
    query_with(job, worker, db_session_open_any_schema, query_schema);
}

static void room_job_run(struct job *job, struct worker *worker) {
    query_with(job, worker, db_session_open_any_schema, query_schema_and_room);
}

struct job *watch_job_new(enum watch_question question) {
    static void (*const runs[])(struct job * job, struct worker * worker) = {
        [WATCH_PING] = ping_job_run,
        [WATCH_SCHEMA] = schema_job_run,
        [WATCH_SCHEMA_AND_ROOM] = room_job_run,
    };
    struct job *job = memory_allocate_zeroed(sizeof *job);
    job_init(job, JOB_WATCH, runs[question]);
    job->timeout_ms = DATABASE_WATCH_TIMEOUT_MS;
    return job;
}

void watch_job_free(struct job *job) {
    free(job);
}
