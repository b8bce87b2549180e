// A writer: one worker that books batch after batch of `batched`, without a way back over the loop in between.
//
// While it books, the loop posts what gathers meanwhile into its mailbox; when a batch is booked, the writer takes what
// is there, and ends if nothing is. The mailbox holds one batch, which the loop may take back to add to it.
#ifndef WORKERS_BATCH_BATCH_WRITER_H
#define WORKERS_BATCH_BATCH_WRITER_H

#include "workers/batch/batch_job.h"
#include "workers/jobs/jobs.h"

#include <stdatomic.h>

struct batch_writer {
    struct job job;
    struct batch_job *first; // in: what it begins with
    bool is_patient;         // in: waits for rows that somebody else holds, and takes no further batch
    // Out, on the worker: a batch is booked. The job has ended when there are no more.
    void (*booked)(struct batch_writer *writer, struct batch_job *batch);
    struct batch_job *impatient; // out, once ended: its last batch, which wants a patient writer; or NULL
    _Atomic(struct batch_job *) mailbox;
    // Of the pool, on the loop:
    struct batch_job *posted;  // what it put into the mailbox last, and has not heard of since
    struct batch_writer *next; // of those that wait for a slot
};

// Owns `first` from now on, and whatever is posted: each goes on to `booked` or `impatient`.
MUST_CHECK struct batch_writer *batch_writer_new(struct batch_job *first, bool is_patient,
                                                 void (*booked)(struct batch_writer *writer, struct batch_job *batch));
void batch_writer_free(struct batch_writer *writer);

// Loop thread. False: the writer takes no more, the batch is still the caller's. The mailbox must be empty.
MUST_CHECK bool batch_writer_post(struct batch_writer *writer, struct batch_job *batch);
// Loop thread. What was posted, if the writer has not taken it yet; or NULL.
MUST_CHECK struct batch_job *batch_writer_take_back(struct batch_writer *writer);

#endif
