// pool_schedule as a property: random arrivals, ends, held rows, changes of settings and a shutdown, many times over.
// The transfers of one account always start in the order of arrival, none waits without bound, every job ends exactly
// once, and the counts are zero at the end. No thread runs here (fake_workers.h).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "fake_workers.h"

#define ROUNDS 150
#define STEPS 2500
#define ACCOUNTS 5
#define TRANSFERS_MAX STEPS
// A job that has run for so many steps is the next to end: every transaction ends some time.
#define AGE_MAX 30
// A transfer may wait while this many jobs start, and while as many more start for each transfer of its own account
// that waited when it arrived.
#define STARTS_MAX 350
#define STARTS_FOR_EACH_AHEAD 30

static const struct strategy *const used[] = {&strategy_batched, &strategy_batched, &strategy_for_update,
                                              &strategy_vulnerable, &strategy_atomic_update};

struct seen {
    const struct strategy *strategy;
    unsigned account;
    bool at_barrier;
    bool started; // for its own run: a pass of the gate is none
    bool ended;
    unsigned ahead;       // transfers of its own account and strategy that had not started when it arrived
    unsigned waits_since; // starts of jobs before it arrived
};

static uint64_t random_state;
static struct seen seen[TRANSFERS_MAX];
static size_t arrived;
static size_t first_waiting; // every transfer before this one has started or ended
static size_t ended_count;
static unsigned jobs_submitted;
static unsigned jobs_finished;
static unsigned age[STARTED_MAX]; // steps since the start, by the place of the started ones

// "splitmix64" (public domain): the same rounds in every run.
static unsigned below(unsigned bound) {
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((z ^ (z >> 31)) % bound);
}

static size_t number_of(const struct transfer_job *transfer) {
    return (size_t)transfer->request.received_us;
}

static void on_end(struct job *job) {
    struct transfer_job *transfer = transfer_of(job);
    struct seen *each = &seen[number_of(transfer)];
    assert_false(each->ended);
    assert_true(each->started || transfer->result.outcome == TRANSFER_CANCELLED ||
                transfer->result.outcome == TRANSFER_QUEUE_FULL);
    each->ended = true;
    ended_count++;
    transfer_job_free(transfer);
}

static bool is_same_queue(const struct seen *a, const struct seen *b) {
    return a->account == b->account && a->strategy == b->strategy;
}

// A transfer of a batched strategy that is put back starts twice: in its batch, and alone or in another batch.
static void on_start(struct transfer_job *transfer) {
    size_t number = number_of(transfer);
    struct seen *each = &seen[number];
    if (transfer->at_gate) {
        return;
    }
    while (seen[first_waiting].started || seen[first_waiting].ended) {
        first_waiting++;
    }
    for (size_t i = first_waiting; i < number; i++) {
        struct seen *other = &seen[i];
        if (other->started || other->ended) {
            continue;
        }
        // The barrier lifts the limit of the account, and the gate lets its transfers out in any order.
        assert_false(is_same_queue(other, each) && !other->at_barrier && !each->at_barrier);
    }
    unsigned waited = fake.start_count - each->waits_since;
    assert_true(waited <= STARTS_MAX + STARTS_FOR_EACH_AHEAD * each->ahead);
    each->started = true;
}

static void arrive(void) {
    if (arrived == TRANSFERS_MAX) {
        return;
    }
    char name[8];
    unsigned account = below(ACCOUNTS);
    (void)snprintf(name, sizeof name, "a%u", account);
    struct transfer_job *transfer = fake_transfer(name, on_end);
    transfer->request.received_us = (int64_t)arrived;
    seen[arrived] = (struct seen){.strategy = fake.settings.strategy,
                                  .account = account,
                                  .at_barrier = fake.settings.barrier_enabled,
                                  .waits_since = fake.start_count,
                                  .ahead = fake.pool->overflow.count};
    for (size_t i = first_waiting; i < arrived; i++) {
        seen[arrived].ahead += is_same_queue(&seen[i], &seen[arrived]) && !seen[i].started && !seen[i].ended;
    }
    arrived++;
    if (pool_submit_transfer(fake.pool, transfer) != POOL_ADMITTED) {
        arrived--;
        transfer_job_free(transfer);
    }
}

static void on_job_finished(struct job *job) {
    jobs_finished++;
    fake_free_job(job);
}

static void submit_other(void) {
    struct job *job = below(2) == 0   ? fake_read(JOB_ACCOUNTS)
                      : below(2) == 0 ? &accounts_job_new("a1")->job
                                      : &reset_job_new()->job;
    job->finished = on_job_finished;
    jobs_submitted++;
    pool_submit(fake.pool, job);
}

// The transfers of a batch that is put back have not started.
static void forget_starts(const struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        seen[number_of(batch->transfers[i])].started = false;
    }
    first_waiting = 0;
}

static void end_one(size_t place, bool may_be_held) {
    bool row_held = may_be_held && is_batch(fake.started[place].job) && below(3) == 0;
    if (row_held) {
        forget_starts(fake.batch);
    }
    size_t before = fake.started_count - 1;
    if (!fake_end(place, row_held)) {
        age[place] = 0;
        return;
    }
    for (size_t i = place; i + 1 < STARTED_MAX; i++) {
        age[i] = age[i + 1];
    }
    age[STARTED_MAX - 1] = 0;
    for (size_t i = before; i < fake.started_count; i++) {
        age[i] = 0;
    }
}

static void end_some_job(bool may_be_held) {
    if (fake.started_count == 0) {
        return;
    }
    size_t place = below((unsigned)fake.started_count);
    for (size_t i = 0; i < fake.started_count; i++) {
        if (++age[i] > AGE_MAX && age[i] > age[place]) {
            place = i;
        }
    }
    end_one(place, may_be_held);
}

static void change_settings(void) {
    fake.settings.strategy = used[below(sizeof used / sizeof used[0])];
    fake.settings.barrier_enabled = below(4) == 0;
}

static void step(unsigned pressure) {
    unsigned choice = below(100);
    if (choice < pressure) {
        arrive();
    } else if (choice < pressure + 10) {
        fake_turn();
    } else if (choice < pressure + 13) {
        submit_other();
    } else if (choice < pressure + 15) {
        change_settings();
    } else {
        end_some_job(true);
    }
}

static void round_of(uint64_t seed) {
    random_state = seed;
    arrived = ended_count = first_waiting = 0;
    jobs_submitted = jobs_finished = 0;
    for (size_t i = 0; i < STARTED_MAX; i++) {
        age[i] = 0;
    }
    fake_open(4 + below(12), 1 + below(200));
    fake.on_start = on_start;
    unsigned pressure = 25 + below(30); // percent of the steps that are arrivals
    unsigned close_after = below(3) == 0 ? below(STEPS) : STEPS;
    for (unsigned i = 0; i < close_after; i++) {
        step(pressure);
    }
    if (close_after < STEPS) {
        pool_close(fake.pool);
    }
    fake_turn();
    while (fake.started_count > 0) {
        end_some_job(false);
        fake_turn();
    }
    assert_true(pool_is_idle(fake.pool));
    assert_int_equal(ended_count, arrived);
    assert_int_equal(jobs_finished, jobs_submitted);
    assert_int_equal(fake.pool->transfers.waiting, 0);
    assert_int_equal(fake.pool->transfers.running, 0);
    assert_int_equal(fake.pool->slots_taken, 0);
    assert_int_equal(fake.pool->alone_running, 0);
    assert_int_equal(fake.pool->reserve_taken, 0);
    for (size_t kind = 0; kind < JOB_OWN_THREADS; kind++) {
        assert_int_equal(fake.pool->kinds[kind].threads, 0);
    }
    assert_true(account_queues_are_empty(&fake.pool->queues));
    fake_close();
}

static void test_random_rounds(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        round_of(seed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
