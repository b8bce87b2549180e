// account_queue: transfers that wait, by source account and strategy, in the order of arrival; and the states.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "workers/pool/account_queue.h"
#include "workers/strategies/strategies.h"
#include "workers/transfer/strategy.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_order_of_arrival(void **state) {
    (void)state;
    struct account_queues queues;
    account_queues_init(&queues);
    struct account_queue *queue = account_queue_of(&queues, &strategy_batched, "alice");
    struct transfer_job *jobs[3];
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = transfer_job_new();
        account_queue_put(&queues, queue, jobs[i]);
    }
    assert_int_equal(queue->state, ACCOUNT_QUEUE_BATCHABLE);
    account_queues_free_idle(&queues);
    assert_ptr_equal(account_queue_of(&queues, &strategy_batched, "alice"), queue);
    assert_ptr_equal(account_queue_take(queue), jobs[0]);
    assert_ptr_equal(account_queue_take(queue), jobs[1]);
    account_queue_put_back(jobs[1]); // the later one first
    account_queue_put_back(jobs[0]);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(account_queue_take(queue), jobs[i]);
    }
    account_queue_update(&queues, queue);
    assert_int_equal(queue->state, ACCOUNT_QUEUE_BUSY);
    for (size_t i = 0; i < 3; i++) {
        account_queue_leave(&queues, jobs[i]);
        transfer_job_free(jobs[i]);
    }
    assert_int_equal(queue->state, ACCOUNT_QUEUE_IDLE);
    account_queues_free_idle(&queues);
    assert_true(account_queues_are_empty(&queues));
}

static void test_the_limit_of_a_strategy(void **state) {
    (void)state;
    struct account_queues queues;
    account_queues_init(&queues);
    struct account_queue *queue = account_queue_of(&queues, &strategy_for_update, "alice");
    struct transfer_job *jobs[STRATEGY_MAX_IN_FLIGHT + 1];
    for (size_t i = 0; i <= STRATEGY_MAX_IN_FLIGHT; i++) {
        jobs[i] = transfer_job_new();
        account_queue_put(&queues, queue, jobs[i]);
    }
    for (size_t i = 0; i < STRATEGY_MAX_IN_FLIGHT; i++) {
        assert_int_equal(queue->state, ACCOUNT_QUEUE_RUNNABLE);
        assert_ptr_equal(account_queue_take(queue), jobs[i]);
        account_queue_update(&queues, queue);
    }
    assert_int_equal(queue->state, ACCOUNT_QUEUE_BUSY); // one waits, but as many as may are in flight
    account_queue_leave(&queues, jobs[0]);
    assert_int_equal(queue->state, ACCOUNT_QUEUE_RUNNABLE);
    assert_ptr_equal(account_queue_take(queue), jobs[STRATEGY_MAX_IN_FLIGHT]);
    account_queue_update(&queues, queue);
    for (size_t i = 1; i <= STRATEGY_MAX_IN_FLIGHT; i++) {
        account_queue_leave(&queues, jobs[i]);
    }
    for (size_t i = 0; i <= STRATEGY_MAX_IN_FLIGHT; i++) {
        transfer_job_free(jobs[i]);
    }
    account_queues_free_idle(&queues);
    assert_true(account_queues_are_empty(&queues));
}

static void test_a_held_queue_takes_arrivals_and_stays(void **state) {
    (void)state;
    struct account_queues queues;
    account_queues_init(&queues);
    struct account_queue *queue = account_queue_of(&queues, &strategy_batched, "alice");
    struct transfer_job *first = transfer_job_new();
    struct transfer_job *second = transfer_job_new();
    account_queue_put(&queues, queue, first);
    assert_ptr_equal(account_queue_take(queue), first);
    account_queue_update(&queues, queue);
    account_queue_put_back(first);
    account_queue_move(&queues, queue, ACCOUNT_QUEUE_HELD);
    account_queue_put(&queues, queue, second);
    assert_int_equal(queue->state, ACCOUNT_QUEUE_HELD);
    assert_ptr_equal(account_queue_take(queue), first);
    account_queue_move(&queues, queue, ACCOUNT_QUEUE_ALONE);
    assert_ptr_equal(account_queue_cancel(&queues, queue), second);
    assert_null(account_queue_cancel(&queues, queue));
    assert_int_equal(queue->state, ACCOUNT_QUEUE_ALONE);
    account_queue_leave(&queues, first);
    assert_int_equal(queue->state, ACCOUNT_QUEUE_IDLE);
    account_queues_free_idle(&queues);
    assert_true(account_queues_are_empty(&queues));
    transfer_job_free(first);
    transfer_job_free(second);
}

static void test_a_queue_for_each_account_and_strategy(void **state) {
    (void)state;
    struct account_queues queues;
    account_queues_init(&queues);
    struct account_queue *alice = account_queue_of(&queues, &strategy_batched, "alice");
    struct account_queue *bob = account_queue_of(&queues, &strategy_batched, "bob");
    struct account_queue *locked = account_queue_of(&queues, &strategy_for_update, "alice");
    assert_true(alice != bob && alice != locked && bob != locked);
    assert_ptr_equal(account_queue_of(&queues, &strategy_batched, "alice"), alice);
    account_queues_free_idle(&queues);
    assert_true(account_queues_are_empty(&queues));
    char name[16];
    struct transfer_job *jobs[1000];
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "acct-%u", i);
        jobs[i] = transfer_job_new();
        account_queue_put(&queues, account_queue_of(&queues, &strategy_batched, name), jobs[i]);
    }
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "acct-%u", i);
        assert_ptr_equal(account_queue_cancel(&queues, account_queue_of(&queues, &strategy_batched, name)), jobs[i]);
        transfer_job_free(jobs[i]);
    }
    account_queues_free_idle(&queues);
    assert_true(account_queues_are_empty(&queues));
}

// A move that the table does not have ends the program.
static void test_an_illegal_move(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        (void)close(2);
        (void)signal(SIGABRT, SIG_DFL);
        struct account_queues queues;
        account_queues_init(&queues);
        account_queue_move(&queues, account_queue_of(&queues, &strategy_batched, "alice"), ACCOUNT_QUEUE_HELD);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_arrival),
        cmocka_unit_test(test_the_limit_of_a_strategy),
        cmocka_unit_test(test_a_held_queue_takes_arrivals_and_stays),
        cmocka_unit_test(test_a_queue_for_each_account_and_strategy),
        cmocka_unit_test(test_an_illegal_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
