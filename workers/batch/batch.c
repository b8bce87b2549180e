// Runs a batch: its accounts, the attempts, and every transfer's end. Worker threads.
#include "workers/batch/batch.h"

#include "observability/base/base.h"
#include "workers/batch/batch_internal.h"
#include "workers/transfer/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_accounts(const void *left, const void *right) {
    return strcmp(((const struct batch_account *)left)->id, ((const struct batch_account *)right)->id);
}

static void batch_list_accounts(struct batch *batch) {
    size_t named = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct transfer_request *request = &batch->transfers[i]->request;
        batch->accounts[named++] = (struct batch_account){.id = request->from_account};
        batch->accounts[named++] = (struct batch_account){.id = request->to_account};
    }
    qsort(batch->accounts, named, sizeof batch->accounts[0], compare_accounts);
    batch->account_count = 0;
    for (size_t i = 0; i < named; i++) {
        if (i == 0 || compare_accounts(&batch->accounts[batch->account_count - 1], &batch->accounts[i]) != 0) {
            batch->accounts[batch->account_count++] = batch->accounts[i];
        }
    }
}

// An attempt that will be repeated leaves only its retry in the record.
static void batch_begin_attempt(struct batch *batch) {
    batch->in_transaction = false;
    batch->doubt = DOUBT_NONE;
    batch->judged = false;
    for (size_t i = 0; i < batch->account_count; i++) {
        struct batch_account *account = &batch->accounts[i];
        *account = (struct batch_account){.id = account->id};
    }
    for (size_t i = 0; i < batch->count; i++) {
        batch->transfers[i]->result.attempts++;
    }
}

static void batch_roll_back(struct batch *batch) {
    if (batch->in_transaction) {
        batch->in_transaction = false;
        db_roll_back(batch->session);
    }
}

static enum transfer_outcome batch_attempt(struct batch *batch, bool *was_open) {
    batch_begin_attempt(batch);
    batch->database = db_session_open(batch->session, was_open);
    if (batch->database != DB_OK) {
        return TRANSFER_DATABASE_UNAVAILABLE;
    }
    enum transfer_outcome outcome = batch->transfers[0]->request.settings.strategy->attempt_batch(batch);
    batch->deadlocked = strcmp(db_session_sqlstate(batch->session), "40P01") == 0;
    batch_roll_back(batch);
    return outcome;
}

// An attempt that lost and will be made again.
static void batch_note_retry(struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        struct transfer_result *result = &batch->transfers[i]->result;
        struct step *step = step_add(&result->steps, STEP_RETRY, clock_monotonic_ns());
        step->outcome = batch->deadlocked ? "40P01" : "40001";
        result->retries_deadlock += batch->deadlocked;
        result->retries_serialization += !batch->deadlocked;
    }
}

static enum transfer_outcome batch_try_until_decided(struct batch *batch) {
    bool was_open = false;
    for (unsigned attempts = 1;; attempts++) {
        enum transfer_outcome outcome = batch_attempt(batch, &was_open);
        if (outcome == TRANSFER_DATABASE_UNAVAILABLE && was_open) {
            continue; // as in transfer.c: a session that has aged costs a new one
        }
        if (outcome != TRANSFER_CONFLICT || attempts >= TRANSFER_ATTEMPTS_MAX) {
            return outcome;
        }
        batch_note_retry(batch);
        transfer_back_off(attempts);
    }
}

// Whether a name of other than ASCII characters is that of an account. The others are judged in the batch.
static enum db_status find_if_not_ascii(struct batch *batch, const char *id, bool *found) {
    *found = true;
    return string_is_ascii(id) ? DB_OK : transfer_account_exists(batch->session, id, found);
}

// The database's encoding cannot write an id of the batch, so the statement failed for all of its transfers. The
// transfers that name an unknown account go to the end of the list and leave the batch. The others keep their order.
static enum db_status set_aside_unknown(struct batch *batch) {
    struct transfer_job *aside[BATCH_TRANSFERS_MAX];
    size_t aside_count = 0;
    size_t kept = 0;
    enum db_status status = DB_OK;
    for (size_t i = 0; i < batch->count; i++) {
        struct transfer_job *transfer = batch->transfers[i];
        bool found_from = true;
        bool found_to = true;
        if (status == DB_OK) {
            status = find_if_not_ascii(batch, transfer->request.from_account, &found_from);
        }
        if (status == DB_OK) {
            status = find_if_not_ascii(batch, transfer->request.to_account, &found_to);
        }
        if (status == DB_OK && !(found_from && found_to)) {
            transfer->result.outcome = found_from ? TRANSFER_UNKNOWN_TO_ACCOUNT : TRANSFER_UNKNOWN_FROM_ACCOUNT;
            aside[aside_count++] = transfer;
        } else {
            batch->transfers[kept++] = transfer;
        }
    }
    for (size_t i = 0; i < aside_count; i++) {
        batch->transfers[kept + i] = aside[i];
    }
    batch->count = kept;
    return status;
}

static enum transfer_outcome run_without_unknown(struct batch *batch) {
    enum db_status status = set_aside_unknown(batch);
    if (status != DB_OK) {
        return batch_outcome_of(batch, status);
    }
    if (batch->count == 0) {
        batch->database = DB_OK;
        return TRANSFER_SUCCESS;
    }
    batch_list_accounts(batch);
    return batch_try_until_decided(batch);
}

// How one transfer ended. A COMMIT whose outcome is unknown leaves only what it was to commit in doubt.
static void set_outcome(const struct batch *batch, struct transfer_result *result, enum transfer_outcome of_batch) {
    bool posted = !batch->judged || result->outcome == TRANSFER_SUCCESS;
    bool recorded = posted || result->outcome == TRANSFER_INSUFFICIENT_FUNDS;
    result->database = batch->database;
    if (of_batch == TRANSFER_OUTCOME_UNKNOWN && recorded) {
        result->outcome = TRANSFER_OUTCOME_UNKNOWN;
        result->doubt = posted ? batch->doubt : DOUBT_REFUSAL;
    } else if (of_batch != TRANSFER_SUCCESS && of_batch != TRANSFER_OUTCOME_UNKNOWN) {
        result->outcome = of_batch;
    } else if (posted && db_session_is_unreplicated(batch->session)) {
        result->outcome = TRANSFER_OUTCOME_UNKNOWN;
        result->doubt = DOUBT_REPLICATION;
    }
}

// The first `count` of the batch were posted together; those behind them, up to `all`, have an outcome of their own.
static void end_transfers(const struct batch *batch, size_t all, enum transfer_outcome outcome) {
    for (size_t i = 0; i < all; i++) {
        struct transfer_job *transfer = batch->transfers[i];
        struct transfer_result *result = &transfer->result;
        result->thread_id = batch->thread_id;
        if (i < batch->count) {
            set_outcome(batch, result, outcome);
        } else {
            result->database = DB_OK;
        }
        transfer->job.database = result->database;
        transfer_end(&transfer->request, result);
    }
}

static void statement_log_append(struct statement_trace *log, const struct statement_trace *more) {
    memcpy(log->database, more->database, sizeof log->database);
    for (size_t i = 0; i < more->count; i++) {
        if (log->count < JOB_STATEMENTS_MAX) {
            log->runs[log->count++] = more->runs[i];
        } else {
            log->dropped++;
        }
    }
    log->dropped += more->dropped;
    log->published = log->count; // the metrics have them from the batch
}

// The traces of the transfers show the statements of their batch, also those of one that gave up on a row.
static void share_statements(const struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->transfers[i]->request.traced) {
            statement_log_append(&batch->transfers[i]->job.statements, &batch->job.statements);
        }
    }
}

static void batch_move(struct batch *batch, enum batch_state state) {
    static const unsigned legal_moves[BATCH_STATES] = {
        [BATCH_FILLING] = 1U << BATCH_RUNNING,
        [BATCH_RUNNING] = 1U << BATCH_ENDED | 1U << BATCH_ROW_HELD,
    };
    CHECK((legal_moves[batch->state] & 1U << state) != 0);
    batch->state = state;
}

static void batch_post(struct batch *batch, struct worker *worker) {
    struct transfer_job *arrived[BATCH_TRANSFERS_MAX];
    size_t all = batch->count;
    memcpy(arrived, batch->transfers, all * sizeof(struct transfer_job *));
    batch->session = worker->session;
    batch->gate = worker->gate;
    batch->thread_id = worker->name;
    batch->started_ns = clock_monotonic_ns();
    batch_list_accounts(batch);
    enum transfer_outcome outcome = batch_try_until_decided(batch);
    if (outcome == TRANSFER_FAILED && batch->database == DB_NOT_REPRESENTABLE) {
        outcome = run_without_unknown(batch);
    }
    bool row_held = outcome == TRANSFER_LOCK_TIMED_OUT && !batch->alone;
    if (!row_held) {
        end_transfers(batch, all, outcome);
    }
    memcpy(batch->transfers, arrived, all * sizeof(struct transfer_job *));
    batch->count = all;
    batch_move(batch, row_held ? BATCH_ROW_HELD : BATCH_ENDED);
}

static void batch_run(struct job *job, struct worker *worker) {
    struct batch *batch = CONTAINER_OF(job, struct batch, job);
    batch_post(batch, worker);
    share_statements(batch);
}

// The session writes its statements into the log of the transfer's own job.
void batch_run_alone(struct job *job, struct worker *worker) {
    struct batch *batch = batch_new();
    batch->transfers[batch->count++] = CONTAINER_OF(job, struct transfer_job, job);
    batch->alone = true;
    batch_move(batch, BATCH_RUNNING);
    batch_post(batch, worker);
    batch_free(batch);
}

struct batch *batch_new(void) {
    struct batch *batch = memory_allocate_zeroed(sizeof *batch);
    job_init(&batch->job, JOB_TRANSFER, batch_run);
    batch->job.may_block_at_gate = true;
    return batch;
}

void batch_start(struct batch *batch) {
    batch_move(batch, BATCH_RUNNING);
}

void batch_free(struct batch *batch) {
    free(batch);
}
