// The overflow of the pool: transfers that find the queue full wait for room in it, a bounded time and in their order.
// No thread runs here (fake_workers.h).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "fake_workers.h"

#include <string.h>

#define QUEUE_LIMIT 2
#define SLOTS TRANSFER_SLOTS(WORKER_THREADS_MIN)

static char ended[512]; // the names of the transfers that have ended, in order, with a sign for the outcome
static unsigned last_retry_after;

static int open_pool(void **state) {
    (void)state;
    ended[0] = '\0';
    last_retry_after = 0;
    fake_open(WORKER_THREADS_MIN, QUEUE_LIMIT);
    return 0;
}

static int close_pool(void **state) {
    (void)state;
    assert_int_equal(fake.pool->overflow.count, 0);
    fake_close();
    return 0;
}

static void note_end(struct job *job) {
    struct transfer_job *transfer = transfer_of(job);
    const char *sign = transfer->result.outcome == TRANSFER_SUCCESS      ? ""
                       : transfer->result.outcome == TRANSFER_QUEUE_FULL ? "!"
                                                                         : "x";
    size_t length = strlen(ended);
    (void)snprintf(ended + length, sizeof ended - length, "%s%s ", transfer->request.id, sign);
    last_retry_after = transfer->retry_after_s;
    transfer_job_free(transfer);
}

static void forget(struct job *job) {
    transfer_job_free(transfer_of(job));
}

static struct transfer_job *submit(const char *id) {
    struct transfer_job *transfer = fake_transfer("a", note_end);
    (void)snprintf(transfer->request.id, sizeof transfer->request.id, "%s", id);
    assert_int_equal(pool_submit_transfer(fake.pool, transfer), POOL_ADMITTED);
    return transfer;
}

// Every slot runs a transfer, and the queue is full.
static void fill(void) {
    for (unsigned i = 0; i < SLOTS + QUEUE_LIMIT; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "%u", i);
        (void)submit(id);
    }
    assert_int_equal(fake.pool->overflow.count, 0);
    assert_false(pool_queue_has_room(fake.pool));
}

static void end_all(void) {
    while (fake.started_count > 0) {
        fake_end(0, false);
    }
}

static bool has_ended(const char *id) {
    return strstr(ended, id) != NULL;
}

static void test_room_goes_to_the_first_that_waits(void **state) {
    (void)state;
    fill();
    (void)submit("a");
    (void)submit("b");
    assert_int_equal(fake.pool->overflow.count, 2);
    assert_int_equal(fake.pool->transfers.waiting, QUEUE_LIMIT);
    fake_end(0, false);
    assert_int_equal(fake.pool->overflow.count, 1);
    assert_int_equal(fake.pool->transfers.waiting, QUEUE_LIMIT);
    (void)submit("c");
    assert_int_equal(fake.pool->overflow.count, 2);
    end_all();
    assert_string_equal(ended, "0 1 2 3 4 a b c ");
}

static void test_no_newcomer_gets_ahead(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    for (unsigned i = 0; i < SLOTS + QUEUE_LIMIT; i++) {
        (void)submit("q");
    }
    (void)submit("a");
    assert_int_equal(fake.pool->overflow.count, 1);
    fake_turn(); // the worker takes all that are queued, which the loop has not noticed
    assert_int_equal(fake.batch->count, SLOTS + QUEUE_LIMIT);
    (void)submit("b");
    assert_int_equal(fake.pool->overflow.count, 0);
    assert_false(fake_end(0, false));
    assert_string_equal(fake.batch->transfers[0]->request.id, "a");
    assert_string_equal(fake.batch->transfers[1]->request.id, "b");
    fake_turn();
    fake_end(0, false);
    fake_turn();
}

static void test_one_without_room_is_refused_after_the_wait(void **state) {
    (void)state;
    fill();
    (void)submit("a");
    uint64_t begun_ms = uv_now(&fake.loop);
    while (!has_ended("a")) {
        assert_int_equal(fake.pool->overflow.count, 1);
        (void)uv_run(&fake.loop, UV_RUN_ONCE);
    }
    assert_true(uv_now(&fake.loop) - begun_ms >= OVERFLOW_WAIT_MS);
    assert_string_equal(ended, "a! ");
    assert_true(last_retry_after >= 1 && last_retry_after <= OVERFLOW_RETRY_AFTER_S_MAX);
    assert_int_equal(fake.pool->overflow.count, 0);
    assert_false(uv_is_active((const uv_handle_t *)&fake.pool->overflow.timer));
    end_all();
    assert_string_equal(ended, "a! 0 1 2 3 4 ");
}

// The time of each is its own, although one timer serves all.
static void test_the_timer_follows_the_first(void **state) {
    (void)state;
    fill();
    (void)submit("a");
    submit("b")->job.submitted_ms += OVERFLOW_WAIT_MS - 1;
    while (!has_ended("a")) {
        (void)uv_run(&fake.loop, UV_RUN_ONCE);
    }
    assert_string_equal(ended, "a! ");
    fake_end(0, false);
    assert_int_equal(fake.pool->overflow.count, 0);
    end_all();
    assert_string_equal(ended, "a! 0 1 2 3 4 b ");
}

static void test_a_transfer_whose_client_has_left_is_not_run(void **state) {
    (void)state;
    fill();
    submit("a")->job.owner = NULL;
    (void)submit("b");
    fake_end(0, false);
    assert_string_equal(ended, "a! 0 ");
    assert_int_equal(fake.pool->overflow.count, 0);
    end_all();
    assert_string_equal(ended, "a! 0 1 2 3 4 b ");
}

static void test_the_overflow_is_bounded(void **state) {
    (void)state;
    fill();
    for (unsigned i = 0; i < OVERFLOW_MAX; i++) {
        submit("x")->job.finished = forget;
    }
    struct transfer_job *refused = fake_transfer("a", note_end);
    assert_int_equal(pool_submit_transfer(fake.pool, refused), POOL_QUEUE_FULL);
    assert_true(refused->retry_after_s >= 1 && refused->retry_after_s <= OVERFLOW_RETRY_AFTER_S_MAX);
    transfer_job_free(refused);
    pool_close(fake.pool);
    end_all();
}

static void test_the_shutdown_cancels_all(void **state) {
    (void)state;
    fill();
    (void)submit("a");
    (void)submit("b");
    pool_close(fake.pool);
    assert_string_equal(ended, "3x 4x ax bx ");
    assert_int_equal(fake.pool->overflow.count, 0);
    end_all();
    assert_string_equal(ended, "3x 4x ax bx 0 1 2 ");
}

static void test_retry_after(void **state) {
    (void)state;
    assert_int_equal(pool_overflow_retry_after_s(0, 1000, 1000, 0), 1);
    assert_int_equal(pool_overflow_retry_after_s(999, 1000, 1000, 0), 1);
    assert_int_equal(pool_overflow_retry_after_s(1000, 1000, 1000, 0), 2);
    assert_int_equal(pool_overflow_retry_after_s(5000, 1000, 1000, 0), 6);
    assert_int_equal(pool_overflow_retry_after_s(50, 10, 500, 0), 3);
    unsigned least = OVERFLOW_RETRY_AFTER_S_MAX;
    unsigned most = 0;
    for (unsigned turn = 0; turn < 100; turn++) { // nothing is known, or it would take longer than the longest
        unsigned unknown = pool_overflow_retry_after_s(1, 0, 1000, turn);
        assert_int_equal(pool_overflow_retry_after_s(1000000, 1, 1000, turn), unknown);
        least = MIN(least, unknown);
        most = MAX(most, unknown);
    }
    assert_int_equal(least, OVERFLOW_RETRY_AFTER_S_MAX / 2);
    assert_int_equal(most, OVERFLOW_RETRY_AFTER_S_MAX);
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, open_pool, close_pool)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_POOL(test_room_goes_to_the_first_that_waits),
        WITH_POOL(test_no_newcomer_gets_ahead),
        WITH_POOL(test_one_without_room_is_refused_after_the_wait),
        WITH_POOL(test_the_timer_follows_the_first),
        WITH_POOL(test_a_transfer_whose_client_has_left_is_not_run),
        WITH_POOL(test_the_overflow_is_bounded),
        WITH_POOL(test_the_shutdown_cancels_all),
        cmocka_unit_test(test_retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
