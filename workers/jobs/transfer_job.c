// Runs a transfer on its worker, or only its wait at the barrier.
#include "workers/jobs/transfer_job.h"

#include <stdlib.h>

static void transfer_job_run(struct job *job, struct worker *worker) {
    struct transfer_job *transfer = CONTAINER_OF(job, struct transfer_job, job);
    transfer_run(&transfer->request, worker->session, worker->gate, worker->name, &transfer->result);
    job->database = transfer->result.database;
}

static void transfer_gate_run(struct job *job, struct worker *worker) {
    struct transfer_job *transfer = CONTAINER_OF(job, struct transfer_job, job);
    transfer_pass_barrier(&transfer->request, worker->gate, &transfer->result);
}

struct transfer_job *transfer_job_new(void) {
    struct transfer_job *transfer = memory_allocate_zeroed(sizeof *transfer);
    job_init(&transfer->job, JOB_TRANSFER, transfer_job_run);
    transfer->job.may_block_at_gate = true;
    return transfer;
}

void transfer_job_pass_gate(struct transfer_job *transfer) {
    transfer->at_gate = true;
    transfer->job.run = transfer_gate_run;
}

void transfer_job_free(struct transfer_job *job) {
    transfer_replay_free(job->result.replay);
    free(job->request.key);
    free(job);
}
