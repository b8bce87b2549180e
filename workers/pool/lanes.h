// Lanes: the transfers that wait before the pool, one lane a source account and strategy, each in arrival order.
// Loop thread only. Allocates a lane when it is first asked for; lanes_settle() frees one that nobody uses.
#ifndef WORKERS_POOL_LANES_H
#define WORKERS_POOL_LANES_H

#include "workers/jobs/jobs.h"

struct batch_job;
struct batch_writer;
struct lanes;

struct lane {
    const struct strategy *strategy;
    char account[ACCOUNT_ID_MAX + 1];
    struct transfer_job *first; // waiting
    struct transfer_job *last;
    unsigned running;        // let out of it, to the queue or a worker; of a batched one: batches that have some of it
    struct batch_job *batch; // the last of them, or NULL
    struct batch_writer *writer; // that has them, or NULL
    bool is_ready;               // in the line of lanes that want a batch
    struct lane *next_ready;     // that line
    struct lane *next;           // all lanes
    struct lane *previous;
};

MUST_CHECK struct lanes *lanes_new(void);
void lanes_free(struct lanes *lanes); // empty

MUST_CHECK struct lane *lanes_of(struct lanes *lanes, const struct strategy *strategy, const char *account);
void lanes_settle(struct lanes *lanes, struct lane *lane);
MUST_CHECK struct lane *lanes_first(struct lanes *lanes); // any of them; NULL: there is none

void lane_put(struct lane *lane, struct transfer_job *transfer);
void lane_put_back(struct lane *lane, struct transfer_job *transfer); // before all that wait
MUST_CHECK struct transfer_job *lane_take(struct lane *lane);         // the one that came first; NULL: nobody waits

#endif
