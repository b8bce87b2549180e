// What the files of a running batch share, and nobody else includes.
#ifndef WORKERS_BATCH_BATCH_INTERNAL_H
#define WORKERS_BATCH_BATCH_INTERNAL_H

#include "workers/batch/batch_job.h"
#include "workers/database/database.h"

// One of the accounts that the batch lists; NULL: it lists no such account.
MUST_CHECK struct batch_account *batch_account_of(struct batch *batch, const char *id);
// How long the batch waits for rows, in milliseconds: the value of PostgreSQL's lock_timeout.
MUST_CHECK const char *batch_patience(const struct batch *batch);
// What the failure of a statement means for all of the batch.
MUST_CHECK enum transfer_outcome batch_outcome_of(struct batch *batch, enum db_status status);
// The steps of all transfers as JSON, with a @ for the moment of booking: they are the same but for that, and for accounts
// and balances, which the record has (views.sql puts them together).
struct batch_moment {
    uint64_t now_ns;
    char steps_booked[256];
    char steps_refused[128];
};
void batch_moment_take(struct batch_moment *moment, const struct batch *batch);
// When the transfer arrived, by the clock, and how long ago that was: a clock may be set while it waits.
void batch_add_arrival(const struct batch_moment *moment, const struct transfer_request *request,
                       struct sql_array *received, struct sql_array *waited);

// A transfer whose balances are known: its steps and its log lines.
void batch_note_read(const struct batch *batch, struct transfer_job *transfer, uint64_t now_ns);
void batch_note_success(const struct batch *batch, struct transfer_job *transfer, uint64_t now_ns);

#endif
