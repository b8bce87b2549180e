// The writer's mailbox, and its run on a worker.
#include "workers/batch/batch_writer.h"

#include <stdlib.h>

// In the mailbox of a writer that takes no more.
static struct batch_job closed;

bool batch_writer_post(struct batch_writer *writer, struct batch_job *batch) {
    struct batch_job *found = NULL;
    bool posted = atomic_compare_exchange_strong(&writer->mailbox, &found, batch);
    CHECK(posted || found == &closed);
    return posted;
}

struct batch_job *batch_writer_take_back(struct batch_writer *writer) {
    struct batch_job *found = atomic_load(&writer->mailbox);
    if (found == NULL || found == &closed || !atomic_compare_exchange_strong(&writer->mailbox, &found, NULL)) {
        return NULL; // nothing was there, or the writer was faster
    }
    return found;
}

// On the worker: the next batch; with none there, nothing may be posted any more.
static struct batch_job *take_or_close(struct batch_writer *writer) {
    struct batch_job *found = NULL;
    if (atomic_compare_exchange_strong(&writer->mailbox, &found, &closed) || found == &closed) {
        return NULL;
    }
    return atomic_compare_exchange_strong(&writer->mailbox, &found, NULL) ? found : take_or_close(writer);
}

static void writer_run(struct job *job, struct worker *worker) {
    struct batch_writer *writer = CONTAINER_OF(job, struct batch_writer, job);
    struct db_session *session = worker->session;
    for (struct batch_job *batch = writer->first; batch != NULL;) {
        db_session_begin_job(session, &batch->statements, job->timeout_ms, TRANSFER_TIMEOUT_MS);
        bool booked = batch_job_run(batch, worker, writer->is_patient);
        db_session_end_job(session);
        if (!booked) { // what is in the mailbox comes after it: nobody books that before
            writer->impatient = batch;
            break;
        }
        writer->booked(writer, batch); // which may be freed by now
        batch = take_or_close(writer);
    }
    db_session_begin_job(session, &job->statements, job->timeout_ms, TRANSFER_TIMEOUT_MS);
}

struct batch_writer *batch_writer_new(struct batch_job *first, bool is_patient,
                                      void (*booked)(struct batch_writer *writer, struct batch_job *batch)) {
    struct batch_writer *writer = memory_allocate_zeroed(sizeof *writer);
    job_init(&writer->job, JOB_TRANSFER, writer_run);
    writer->job.is_long = true;
    writer->first = first;
    writer->is_patient = is_patient;
    writer->booked = booked;
    atomic_init(&writer->mailbox, is_patient ? &closed : NULL);
    return writer;
}

void batch_writer_free(struct batch_writer *writer) {
    free(writer);
}
