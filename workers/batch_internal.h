// What the files of a running batch share, and nobody else includes.
#ifndef WORKERS_BATCH_INTERNAL_H
#define WORKERS_BATCH_INTERNAL_H

#include "batch.h"
#include "sql_array.h"

// One of the accounts that the batch lists; NULL: it lists no such account.
MUST_CHECK struct batch_account *batch_account_of(struct batch *batch, const char *id);
// How long the batch waits for rows, in milliseconds: the value of PostgreSQL's lock_timeout.
MUST_CHECK const char *batch_patience(const struct batch *batch);
// What the failure of a statement means for all of the batch.
MUST_CHECK enum transfer_outcome batch_outcome_of(struct batch *batch, enum db_status status);
// The moment of booking, and the steps of all transfers as JSON: they are the same but for accounts and balances,
// which the record has, and the wait, which ends now (views.sql puts them together).
struct batch_moment {
    char now_us[24];
    char steps_booked[256];
    char steps_refused[128];
};
void batch_moment_take(struct batch_moment *moment, const struct batch *batch);

// A transfer whose balances are known: its steps and its log lines.
void batch_note_read(const struct batch *batch, struct transfer_job *transfer, uint64_t now_ns);
void batch_note_success(const struct batch *batch, struct transfer_job *transfer, uint64_t now_ns);

#endif
