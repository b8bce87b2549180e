// batch_mailbox: what each side gets in each state, and the two sides on two threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "workers/pool/batch_mailbox.h"

#define TRANSFERS 20000

static uv_loop_t loop;
static struct batch_mailbox mailbox;
static unsigned woken;
static struct transfer_job transfers[4]; // only their addresses count

static void on_returned(uv_async_t *handle) {
    (void)handle;
    woken++;
}

static int open_mailbox(void **state) {
    (void)state;
    woken = 0;
    mailbox = (struct batch_mailbox){0};
    assert_int_equal(uv_loop_init(&loop), 0);
    batch_mailbox_init(&mailbox, &loop, on_returned);
    return 0;
}

static int close_mailbox(void **state) {
    (void)state;
    batch_mailbox_leave_loop(&mailbox);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    batch_mailbox_free(&mailbox);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static void add_one(void *owner, struct batch *batch) {
    batch->transfers[batch->count++] = owner;
}

static struct batch *batch_of(struct transfer_job *transfer) {
    struct batch *batch = batch_new();
    add_one(transfer, batch);
    return batch;
}

// Frees the first of the list, which must be in this state and begin with this transfer.
static void expect(struct batch_list *list, enum batch_state state, const struct transfer_job *transfer) {
    struct batch *batch = STAILQ_FIRST(list);
    assert_non_null(batch);
    STAILQ_REMOVE_HEAD(list, next);
    assert_int_equal(batch->state, state);
    assert_ptr_equal(batch->transfers[0], transfer);
    batch_free(batch);
}

static void test_the_worker_takes_the_next_batch_without_the_loop(void **state) {
    (void)state;
    struct batch_list returned = STAILQ_HEAD_INITIALIZER(returned);
    batch_mailbox_open(&mailbox, batch_of(&transfers[0]));
    batch_mailbox_add(&mailbox, add_one, &transfers[1]); // the worker has not begun yet
    struct batch *first = batch_mailbox_exchange(&mailbox, NULL);
    assert_int_equal(first->count, 2);
    assert_int_equal(first->state, BATCH_RUNNING);
    batch_mailbox_add(&mailbox, add_one, &transfers[2]);
    batch_mailbox_add(&mailbox, add_one, &transfers[3]);
    first->state = BATCH_ENDED;
    struct batch *second = batch_mailbox_exchange(&mailbox, first);
    assert_int_equal(second->count, 2);
    assert_int_equal(batch_mailbox_count_taken(&mailbox), 4);
    assert_int_equal(batch_mailbox_count_taken(&mailbox), 0);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(woken, 1);
    second->state = BATCH_ENDED;
    assert_null(batch_mailbox_exchange(&mailbox, second));
    batch_mailbox_add(&mailbox, add_one, &transfers[0]); // closed: nobody would take it
    assert_null(batch_mailbox_take_back(&mailbox));
    batch_mailbox_collect(&mailbox, &returned);
    expect(&returned, BATCH_ENDED, &transfers[0]);
    expect(&returned, BATCH_ENDED, &transfers[2]);
    assert_true(STAILQ_EMPTY(&returned));
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(woken, 1); // the last one is collected in the after-work callback
}

static void test_a_held_row_ends_the_worker(void **state) {
    (void)state;
    struct batch_list returned = STAILQ_HEAD_INITIALIZER(returned);
    batch_mailbox_open(&mailbox, batch_of(&transfers[0]));
    struct batch *first = batch_mailbox_exchange(&mailbox, NULL);
    batch_mailbox_add(&mailbox, add_one, &transfers[1]);
    first->state = BATCH_ROW_HELD;
    assert_null(batch_mailbox_exchange(&mailbox, first));
    assert_int_equal(batch_mailbox_count_taken(&mailbox), 1);
    batch_mailbox_collect(&mailbox, &returned);
    expect(&returned, BATCH_ROW_HELD, &transfers[0]);
    expect(&returned, BATCH_FILLING, &transfers[1]);
}

static void test_the_loop_takes_the_next_batch_back(void **state) {
    (void)state;
    struct batch_list returned = STAILQ_HEAD_INITIALIZER(returned);
    batch_mailbox_open(&mailbox, batch_of(&transfers[0]));
    struct batch *first = batch_mailbox_exchange(&mailbox, NULL);
    assert_null(batch_mailbox_take_back(&mailbox));
    batch_mailbox_add(&mailbox, add_one, &transfers[1]);
    struct batch *next = batch_mailbox_take_back(&mailbox);
    assert_ptr_equal(next->transfers[0], &transfers[1]);
    batch_free(next);
    first->state = BATCH_ENDED;
    assert_null(batch_mailbox_exchange(&mailbox, first));
    assert_int_equal(batch_mailbox_count_taken(&mailbox), 1);
    batch_mailbox_collect(&mailbox, &returned);
    expect(&returned, BATCH_ENDED, &transfers[0]);
}

// --- Two threads. The transfers are numbers, which the loop adds in order. ---

static void work(void *argument) {
    (void)argument;
    struct batch *batch = NULL;
    while ((batch = batch_mailbox_exchange(&mailbox, batch)) != NULL) {
        batch->state = BATCH_ENDED;
    }
}

static void add_number(void *owner, struct batch *batch) {
    uintptr_t *next = owner;
    if (batch->count < BATCH_TRANSFERS_MAX) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): a number in the place of a transfer, which nobody follows
        batch->transfers[batch->count++] = (struct transfer_job *)*next;
        *next += 1;
    }
}

// Counts on: each batch has the numbers that follow those of the batch before.
static void expect_numbers(uintptr_t *expected) {
    struct batch_list returned = STAILQ_HEAD_INITIALIZER(returned);
    batch_mailbox_collect(&mailbox, &returned);
    struct batch *batch;
    while ((batch = STAILQ_FIRST(&returned)) != NULL) {
        STAILQ_REMOVE_HEAD(&returned, next);
        for (size_t i = 0; i < batch->count; i++) {
            assert_int_equal((uintptr_t)batch->transfers[i], *expected);
            *expected += 1;
        }
        batch_free(batch);
    }
}

static void test_two_threads_lose_no_transfer_and_keep_the_order(void **state) {
    (void)state;
    uintptr_t next = 1;
    uintptr_t expected = 1;
    size_t taken = 0;
    while (next <= TRANSFERS) {
        struct batch *first = batch_new();
        add_number(&next, first);
        batch_mailbox_open(&mailbox, first);
        uv_thread_t thread;
        assert_int_equal(uv_thread_create(&thread, work, NULL), 0);
        for (unsigned i = 0; i < 200; i++) {
            batch_mailbox_add(&mailbox, add_number, &next);
            expect_numbers(&expected);
            taken += batch_mailbox_count_taken(&mailbox);
        }
        assert_int_equal(uv_thread_join(&thread), 0);
        expect_numbers(&expected);
        taken += batch_mailbox_count_taken(&mailbox);
        assert_int_equal(expected, next);
        assert_int_equal(taken, next - 1);
    }
}

#define WITH_MAILBOX(test) cmocka_unit_test_setup_teardown(test, open_mailbox, close_mailbox)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_MAILBOX(test_the_worker_takes_the_next_batch_without_the_loop),
        WITH_MAILBOX(test_a_held_row_ends_the_worker),
        WITH_MAILBOX(test_the_loop_takes_the_next_batch_back),
        WITH_MAILBOX(test_two_threads_lose_no_transfer_and_keep_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
