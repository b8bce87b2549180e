// Who waits for a batch, and which writer gets it. Loop thread, but for booked_on_worker().
//
// A transfer that is to be booked with others waits in the lane of its source account. Lanes line up for the writer; while
// it is busy, what gathers is posted to it.
#include "workers/pool/pool_internal.h"
#include "workers/transfer/transfer.h"

#include <stdlib.h>

// A free writer takes what has gathered, but first looks at the sockets again while they bring more: what lies there
// already is no reason to wait, only to read on. So often, at most.
#define GATHER_TURNS_MAX 3

static void pool_gather(uv_check_t *gather);
static void on_booked(uv_async_t *booked);

static void pool_stay_awake(uv_idle_t *idle) {
    (void)idle; // that it is active is what counts: the loop polls, and does not sleep
}

void pool_batches_init(struct pool *pool) {
    CHECK(uv_mutex_init(&pool->booked_mutex) == 0);
    CHECK(uv_check_init(pool->loop, &pool->gather) == 0);
    CHECK(uv_idle_init(pool->loop, &pool->gather_idle) == 0);
    CHECK(uv_async_init(pool->loop, &pool->booked, on_booked) == 0);
}

void pool_leave_loop(struct pool *pool) {
    uv_close((uv_handle_t *)&pool->gather, NULL);
    uv_close((uv_handle_t *)&pool->gather_idle, NULL);
    uv_close((uv_handle_t *)&pool->booked, NULL);
}

// --- The line of lanes that want a batch and are in none ---

static void line_up(struct pool *pool, struct lane *lane) {
    if (lane->is_ready || lane->running > 0) {
        return;
    }
    lane->is_ready = true;
    lane->next_ready = NULL;
    if (pool->ready_last == NULL) {
        pool->ready_first = lane;
    } else {
        pool->ready_last->next_ready = lane;
    }
    pool->ready_last = lane;
}

struct lane *pool_next_ready_lane(struct pool *pool) {
    struct lane *lane = pool->ready_first;
    if (lane != NULL) {
        lane->is_ready = false;
        pool->ready_first = lane->next_ready;
        if (pool->ready_first == NULL) {
            pool->ready_last = NULL;
        }
    }
    return lane;
}

// --- Batches, made and unmade ---

// The lane's transfers, in the order of their arrival, as many as fit. They count as waiting until a writer has them.
static void fill(struct batch_job *job, struct lane *lane) {
    struct batch *batch = &job->batch;
    if (batch->count == BATCH_TRANSFERS_MAX || lane->first == NULL) {
        return;
    }
    if (lane->batch != job) {
        lane->batch = job;
        lane->running++;
        job->lanes[job->lane_count++] = lane;
    }
    lane->writer = job->writer;
    while (batch->count < BATCH_TRANSFERS_MAX && lane->first != NULL) {
        batch->transfers[batch->count++] = lane_take(lane);
    }
}

// Whole lanes, in the order they lined up, until the batch is full. A lane with more goes to the end of the line when
// its batch is done, so that none is starved by another.
static void fill_from_line(struct pool *pool, struct batch_job *job) {
    while (job->batch.count < BATCH_TRANSFERS_MAX && pool->ready_first != NULL) {
        fill(job, pool_next_ready_lane(pool));
    }
}

static struct batch_job *new_batch(struct batch_writer *writer) {
    struct batch_job *job = batch_job_new();
    job->is_waiting = true;
    job->writer = writer;
    return job;
}

static void note_taken(struct pool *pool, struct batch_job *job) {
    if (job->is_waiting) {
        job->is_waiting = false;
        pool->waiting -= (unsigned)job->batch.count;
        pool->transfers_running += (unsigned)job->batch.count;
    }
}

static void leave_lane(struct pool *pool, struct batch_job *job, struct lane *lane) {
    lane->running--;
    if (lane->batch == job) {
        lane->batch = NULL;
    }
    if (lane->running == 0) {
        lane->writer = NULL;
        if (lane->first != NULL) {
            line_up(pool, lane);
        }
    }
}

// A batch that nobody will book: its transfers wait again, before those that came later.
static void put_back(struct pool *pool, struct batch_job *job) {
    CHECK(job->is_waiting);
    for (size_t i = job->batch.count; i > 0; i--) {
        lane_put_back(job->batch.transfers[i - 1]->lane, job->batch.transfers[i - 1]);
    }
    for (size_t i = 0; i < job->lane_count; i++) {
        leave_lane(pool, job, job->lanes[i]);
    }
    batch_job_free(job);
}

// --- To a busy writer ---

// Adds what waits in the lane (NULL: in the lanes that lined up) to what the writer books next.
static void post(struct pool *pool, struct batch_writer *writer, struct lane *lane) {
    if (writer->is_patient) {
        return;
    }
    struct batch_job *job = batch_writer_take_back(writer);
    if (job == NULL) {
        if (writer->posted != NULL) {
            note_taken(pool, writer->posted);
        }
        job = new_batch(writer);
        fill_from_line(pool, job);
    }
    if (lane == NULL) {
        fill_from_line(pool, job);
    } else {
        fill(job, lane);
    }
    writer->posted = job;
    if (!batch_writer_post(writer, job)) { // it has just ended
        writer->posted = NULL;
        put_back(pool, job);
    }
}

static void post_line(struct pool *pool) {
    if (pool->writer != NULL && pool->ready_first != NULL) {
        post(pool, pool->writer, NULL);
    }
}

// --- What a writer has booked ---

// On the writer's worker.
static void booked_on_worker(struct batch_writer *writer, struct batch_job *job) {
    struct pool *pool = writer->job.pool;
    job->next = NULL;
    uv_mutex_lock(&pool->booked_mutex);
    if (pool->booked_last == NULL) {
        pool->booked_first = job;
    } else {
        pool->booked_last->next = job;
    }
    pool->booked_last = job;
    uv_mutex_unlock(&pool->booked_mutex);
    CHECK(uv_async_send(&pool->booked) == 0);
}

static void end_batch(struct pool *pool, struct batch_job *job) {
    note_taken(pool, job);
    if (job->writer->posted == job) {
        job->writer->posted = NULL;
    }
    bank_metrics_publish_statements(pool->metrics, &job->statements);
    pool->transfers_running -= (unsigned)job->batch.count;
    for (size_t i = 0; i < job->lane_count; i++) {
        struct lane *lane = job->lanes[i];
        leave_lane(pool, job, lane);
        if (lane->running > 0 && lane->first != NULL) {
            post(pool, lane->writer, lane);
        }
        lanes_settle(pool->lanes, lane);
    }
    pool_fill_slots(pool);
    post_line(pool); // the next are on their way before these are answered
    for (size_t i = 0; i < job->batch.count; i++) {
        struct transfer_job *transfer = job->batch.transfers[i];
        bank_metrics_publish_transfer(pool->metrics, &transfer->request, &transfer->result);
        pool_finish_transfer(pool, transfer);
    }
    batch_job_free(job);
}

static void end_booked(struct pool *pool) {
    uv_mutex_lock(&pool->booked_mutex);
    struct batch_job *job = pool->booked_first;
    pool->booked_first = NULL;
    pool->booked_last = NULL;
    uv_mutex_unlock(&pool->booked_mutex);
    while (job != NULL) {
        struct batch_job *next = job->next;
        end_batch(pool, job);
        job = next;
    }
}

static void on_booked(uv_async_t *booked) {
    end_booked(CONTAINER_OF(booked, struct pool, booked));
}

// --- Writers ---

// Somebody else holds a row of this batch. Each of its accounts is waited for on its own, so that none waits for
// another's; who came later waits behind. Each takes along what the batch has run so far, for its traces.
static void be_patient(struct pool *pool, struct batch_job *job) {
    bank_metrics_publish_statements(pool->metrics, &job->statements);
    for (size_t i = 0; i < job->lane_count; i++) {
        struct lane *lane = job->lanes[i];
        struct batch_job *own = new_batch(NULL);
        own->statements = job->statements;
        own->lanes[own->lane_count++] = lane;
        for (size_t k = 0; k < job->batch.count; k++) {
            if (job->batch.transfers[k]->lane == lane) {
                struct transfer_job *transfer = job->batch.transfers[k];
                own->batch.transfers[own->batch.count++] = transfer;
                if (transfer->request.traced) {
                    transfer->job.statements = job->statements;
                }
            }
        }
        struct batch_writer *writer = batch_writer_new(own, true, booked_on_worker);
        own->writer = writer;
        lane->batch = own;
        lane->writer = writer;
        if (pool->patient_last == NULL) {
            pool->patient_first = writer;
        } else {
            pool->patient_last->next = writer;
        }
        pool->patient_last = writer;
    }
    pool->transfers_running -= (unsigned)job->batch.count;
    pool->waiting += (unsigned)job->batch.count;
    batch_job_free(job);
}

static struct batch_writer *next_patient_writer(struct pool *pool) {
    struct batch_writer *writer = pool->patient_first;
    if (writer != NULL) {
        pool->patient_first = writer->next;
        if (pool->patient_first == NULL) {
            pool->patient_last = NULL;
        }
    }
    return writer;
}

static void writer_done(uv_work_t *work, int status) {
    struct batch_writer *writer = CONTAINER_OF(work, struct batch_writer, job.work);
    struct pool *pool = writer->job.pool;
    CHECK(status == 0);
    end_booked(pool); // all of its batches, before it is forgotten
    pool->slots_taken--;
    if (writer->is_patient) {
        pool->patient_running--;
    } else {
        pool->writer = NULL;
    }
    struct batch_job *posted = batch_writer_take_back(writer);
    if (posted != NULL) {
        put_back(pool, posted);
    }
    if (writer->impatient != NULL) {
        note_taken(pool, writer->impatient);
        be_patient(pool, writer->impatient);
    }
    batch_writer_free(writer);
    pool_fill_slots(pool);
    pool_job_ended(pool);
}

static void start_writer(struct pool *pool, struct batch_writer *writer) {
    note_taken(pool, writer->first);
    pool->jobs++;
    pool_start_in_slot(pool, &writer->job, writer_done);
}

static bool patient_writer_can_start(const struct pool *pool) {
    return pool->patient_first != NULL && pool->patient_running < BATCH_PATIENT_WRITERS_MAX(pool->slots);
}

bool pool_batch_can_start(const struct pool *pool) {
    return pool->slots_taken < pool->slots &&
           ((pool->ready_first != NULL && pool->writer == NULL) || patient_writer_can_start(pool));
}

void pool_start_batch(struct pool *pool) {
    if (patient_writer_can_start(pool)) {
        pool->patient_running++;
        start_writer(pool, next_patient_writer(pool));
        return;
    }
    struct batch_job *job = new_batch(NULL);
    pool->writer = job->writer = batch_writer_new(job, false, booked_on_worker);
    fill_from_line(pool, job);
    start_writer(pool, pool->writer);
}

// --- Gathering for a free writer ---

static void stop_gathering(struct pool *pool) {
    CHECK(uv_check_stop(&pool->gather) == 0);
    CHECK(uv_idle_stop(&pool->gather_idle) == 0);
}

static void gather_on(struct pool *pool) {
    pool->gathered_more = true;
    if (uv_is_active((uv_handle_t *)&pool->gather)) {
        return;
    }
    pool->gather_turns = 0;
    CHECK(uv_check_start(&pool->gather, pool_gather) == 0);
    CHECK(uv_idle_start(&pool->gather_idle, pool_stay_awake) == 0);
}

static void pool_gather(uv_check_t *gather) {
    struct pool *pool = CONTAINER_OF(gather, struct pool, gather);
    bool more = pool->gathered_more;
    pool->gathered_more = false;
    if (more && ++pool->gather_turns < GATHER_TURNS_MAX && pool->waiting < BATCH_TRANSFERS_MAX) {
        return;
    }
    stop_gathering(pool);
    pool_fill_slots(pool);
    post_line(pool); // the slot, or the writer, may be another's by now
}

void pool_place_in_batch(struct pool *pool, struct lane *lane, struct transfer_job *transfer) {
    pool->waiting++;
    lane_put(lane, transfer);
    if (lane->running > 0) {
        post(pool, lane->writer, lane);
        return;
    }
    line_up(pool, lane);
    if (pool_batch_can_start(pool)) {
        gather_on(pool);
    } else {
        post_line(pool);
    }
}

void pool_put_back_batches(struct pool *pool) {
    struct batch_job *posted = pool->writer == NULL ? NULL : batch_writer_take_back(pool->writer);
    if (posted != NULL) {
        pool->writer->posted = NULL;
        put_back(pool, posted);
    }
    struct batch_writer *writer;
    while ((writer = next_patient_writer(pool)) != NULL) {
        put_back(pool, writer->first);
        batch_writer_free(writer);
    }
}
