// POST /transfer: the job that runs one transfer.
#ifndef WORKERS_JOBS_TRANSFER_JOB_H
#define WORKERS_JOBS_TRANSFER_JOB_H

#include "workers/jobs/job.h"
#include "workers/transfer/transfer.h"

struct transfer_trace;
struct events;
struct account_queue;

struct transfer_job {
    struct job job;
    STAILQ_ENTRY(transfer_job) waiting; // used by the pool: in the line for a slot or in an account queue
    struct account_queue *queue;        // used by the pool: the account queue that it came through, or NULL
    bool at_gate;                 // used by the pool: it passes the barrier only, and is posted in a batch afterwards
    bool passed_gate;             // used by the pool: it has passed the barrier
    uint64_t moved_before;        // used by the pool: the overflow's `moved` when the transfer arrived there
    unsigned retry_after_s;       // out, if the outcome is TRANSFER_QUEUE_FULL: when the queue may have room for it
    struct transfer_trace *trace; // the server's, or NULL
    struct events *events;        // the server's: its end is published there
    struct transfer_request request; // in
    struct transfer_result result;   // out
};

MUST_CHECK struct transfer_job *transfer_job_new(void);
// Lets the job pass the barrier and do nothing else.
void transfer_job_pass_gate(struct transfer_job *transfer);
void transfer_job_free(struct transfer_job *job);

#endif
