// The queue of one kind of job, and the threads that the kind has. Loop thread only.
#include "workers/pool/pool_internal.h"

struct job *job_queue_take(struct job_queue *queue) {
    struct job *job = STAILQ_FIRST(&queue->jobs);
    STAILQ_REMOVE_HEAD(&queue->jobs, next);
    queue->counts.waiting--;
    queue->counts.running++;
    return job;
}

void job_queue_take_all(struct job_queue *queue, struct job_list *taken) {
    STAILQ_CONCAT(taken, &queue->jobs);
    queue->counts.running += queue->counts.waiting;
    queue->counts.waiting = 0;
}

void pool_take_thread(struct pool *pool, struct job_queue *queue) {
    pool->reserve_taken += queue->threads > 0;
    queue->threads++;
}

void pool_give_back_thread(struct pool *pool, enum job_kind kind) {
    struct job_queue *queue = &pool->kinds[kind];
    queue->threads--;
    pool->reserve_taken -= queue->threads > 0;
    pool->last_kind = kind;
}
