// Functions that the files of a running batch share (batch_record.c). Private to this folder.
#ifndef WORKERS_BATCH_BATCH_INTERNAL_H
#define WORKERS_BATCH_BATCH_INTERNAL_H

#include "workers/batch/batch.h"
#include "workers/database/database.h"

// The account with this id in the batch's list, or NULL.
MUST_CHECK struct batch_account *batch_account_of(struct batch *batch, const char *id);
// How long the batch waits for a row, in milliseconds: the value of PostgreSQL's lock_timeout.
MUST_CHECK const char *batch_lock_timeout(const struct batch *batch);
// The outcome of all transfers of the batch after a statement failed.
MUST_CHECK enum transfer_outcome batch_outcome_of(struct batch *batch, enum db_status status);
// The steps of all transfers as JSON, with a @ for the moment of posting. They differ only in that moment, and in
// accounts and balances, which are in the record (views.sql puts them together).
struct batch_moment {
    uint64_t now_ns;
    int64_t now_us; // the same moment since 1970
    char steps_posted[256];
    char steps_refused[128];
};
void batch_moment_take(struct batch_moment *moment, const struct batch *batch);
// When the transfer arrived, by the clock, and how long ago that was: the clock may be set meanwhile.
void batch_add_arrival(const struct batch_moment *moment, const struct transfer_request *request,
                       struct sql_array *received, struct sql_array *waited);

// A transfer whose balances are known: its steps and its log lines.
void batch_note_read(const struct batch *batch, struct transfer_job *transfer, uint64_t now_ns);
void batch_note_success(const struct batch *batch, struct transfer_job *transfer, uint64_t now_ns);

#endif
