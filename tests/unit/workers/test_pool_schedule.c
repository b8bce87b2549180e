// pool_schedule: which waiting work gets a thread, one rule a test. No thread runs here (fake_workers.h).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "fake_workers.h"

#include <string.h>

#define THREADS 9 // eight slots and one thread of reserve
#define SLOTS TRANSFER_SLOTS(THREADS)

static char ended[4096]; // the names of the transfers that have ended, in order
static unsigned cancelled;
static unsigned finished_jobs;
static unsigned refused_jobs;

static int open_pool(void **state) {
    (void)state;
    ended[0] = '\0';
    cancelled = finished_jobs = refused_jobs = 0;
    fake_open(THREADS, 400);
    return 0;
}

static int close_pool(void **state) {
    (void)state;
    fake_close();
    return 0;
}

static void note_end(struct job *job) {
    struct transfer_job *transfer = transfer_of(job);
    cancelled += transfer->result.outcome == TRANSFER_CANCELLED;
    size_t length = strlen(ended);
    (void)snprintf(ended + length, sizeof ended - length, "%s ", transfer->request.id);
    transfer_job_free(transfer);
}

// `name` is one character: 'a' is a transfer of account a.
static enum pool_admission submit_named(const char *account, const char *id) {
    struct transfer_job *transfer = fake_transfer(account, note_end);
    (void)snprintf(transfer->request.id, sizeof transfer->request.id, "%s", id);
    enum pool_admission admission = pool_submit_transfer(fake.pool, transfer);
    if (admission != POOL_ADMITTED) {
        transfer_job_free(transfer);
    }
    return admission;
}

static void submit(const char *account, const char *id) {
    assert_int_equal(submit_named(account, id), POOL_ADMITTED);
}

static void end_all(void) {
    fake_turn();
    while (fake.started_count > 0) {
        fake_end(0, false);
        fake_turn();
    }
}

static const char *started_id(size_t place) {
    return transfer_of(fake.started[place].job)->request.id;
}

static void test_a_strategy_without_a_limit_takes_every_slot(void **state) {
    (void)state;
    for (unsigned i = 0; i < SLOTS + 3; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "%u", i);
        submit("a", id);
    }
    assert_int_equal(fake.started_count, SLOTS);
    assert_int_equal(fake.pool->transfers.waiting, 3);
    fake_end(2, false);
    assert_string_equal(started_id(SLOTS - 1), "8");
    end_all();
    assert_string_equal(ended, "2 0 1 3 4 5 6 7 8 9 10 ");
}

static void test_a_limit_holds_for_each_account(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_for_update;
    submit("a", "a0");
    submit("a", "a1");
    submit("a", "a2");
    submit("a", "a3");
    submit("b", "b0");
    assert_int_equal(fake.started_count, STRATEGY_MAX_IN_FLIGHT + 1);
    assert_string_equal(started_id(2), "b0");
    fake_end(1, false);
    assert_string_equal(started_id(2), "a2");
    fake_end(0, false);
    assert_string_equal(started_id(2), "a3");
    end_all();
}

static void test_a_barrier_lifts_the_limit(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_for_update;
    fake.settings.barrier_enabled = true;
    for (unsigned i = 0; i < 5; i++) {
        submit("a", "a");
    }
    assert_int_equal(fake.started_count, 5);
    end_all();
}

static void test_a_batch_has_all_that_arrive_in_one_turn(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    submit("a", "a0");
    submit("b", "b0");
    assert_int_equal(fake.started_count, 0);
    submit("a", "a1");
    fake_turn();
    assert_int_equal(fake.started_count, 1);
    assert_int_equal(fake.batch->count, 3);
    submit("b", "b1"); // one batch runs at a time
    submit("c", "c0");
    fake_turn();
    assert_int_equal(fake.started_count, 1);
    assert_false(fake_end(0, false)); // the worker takes the next one, without the loop
    assert_int_equal(fake.started_count, 1);
    assert_int_equal(fake.batch->count, 2);
    assert_string_equal(ended, "");
    fake_turn();
    assert_string_equal(ended, "a0 a1 b0 ");
    end_all();
}

static void test_the_loop_may_notice_several_batches_at_once(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    submit("a", "a0");
    fake_turn();
    submit("a", "a1");
    assert_int_equal(fake.pool->transfers.running, 1);
    assert_int_equal(fake.pool->transfers.waiting, 1);
    assert_false(fake_end(0, false));
    pool_count_taken(fake.pool);
    assert_int_equal(fake.pool->transfers.running, 2); // one of them not answered yet
    submit("a", "a2");
    submit("b", "b0");
    assert_false(fake_end(0, false));
    assert_true(fake_end(0, false)); // the after-work callback
    assert_string_equal(ended, "a0 a1 a2 b0 ");
    fake_turn();
}

static void test_the_pool_is_not_idle_while_the_worker_of_the_batches_ends(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    submit("a", "a0");
    fake_turn();
    submit("a", "a1");
    assert_false(fake_end(0, false));
    end_transfer_job(fake.batch->transfers[0]);
    fake.batch->state = BATCH_ENDED;
    assert_null(batch_mailbox_exchange(&fake.pool->mailbox, fake.batch));
    fake_turn(); // the loop collects both before libuv has called the worker's after-work callback
    assert_string_equal(ended, "a0 a1 ");
    assert_false(pool_is_idle(fake.pool));
    submit("a", "a2"); // the mailbox is closed, so the transfer waits for the callback
    assert_int_equal(fake.started_count, 1);
    fake.started_count = 0;
    fake.started[0].after(&fake.started[0].job->work, 0);
    assert_int_equal(fake.started_count, 1);
    end_all();
    assert_string_equal(ended, "a0 a1 a2 ");
}

static void test_the_worker_of_the_batches_gives_its_slot_to_others(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    submit("a", "a0");
    fake_turn();
    fake.settings.strategy = &strategy_vulnerable;
    for (unsigned i = 0; i < SLOTS; i++) {
        submit("v", "v");
    }
    assert_false(STAILQ_EMPTY(&fake.pool->line));
    fake.settings.strategy = &strategy_batched;
    submit("a", "a1"); // not into the mailbox, because the line waits for a slot
    assert_true(fake_end(0, false));
    assert_int_equal(fake.started_count, SLOTS);
    end_all();
}

static void test_a_held_row_keeps_the_order_of_the_next_batch(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    submit("a", "a0");
    submit("b", "b0");
    fake_turn();
    submit("b", "b1");
    submit("c", "c0");
    submit("a", "a1");
    assert_true(fake_end(0, true)); // the worker did not begin with the next batch
    assert_int_equal(fake.batch->count, 1);
    assert_string_equal(fake.batch->transfers[0]->request.id, "c0");
    assert_int_equal(fake.pool->alone_running, 2);
    end_all();
    assert_non_null(strstr(ended, "a0 "));
    assert_true(strstr(ended, "a0 ") < strstr(ended, "a1 "));
    assert_true(strstr(ended, "b0 ") < strstr(ended, "b1 "));
}

static void test_a_large_account_does_not_starve_the_others(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    for (unsigned i = 0; i < 2 * BATCH_TRANSFERS_MAX; i++) {
        submit("a", "a");
    }
    submit("b", "b0");
    fake_turn();
    assert_int_equal(fake.batch->count, BATCH_TRANSFERS_MAX);
    fake_end(0, false);
    assert_string_equal(fake.batch->transfers[0]->request.id, "b0");
    assert_int_equal(fake.batch->count, BATCH_TRANSFERS_MAX);
    end_all();
}

static void test_a_held_row_delays_its_accounts_only(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    submit("a", "a0");
    submit("a", "a1");
    submit("b", "b0");
    submit("b", "b1");
    fake_turn();
    submit("c", "c0");
    submit("a", "a2");
    fake_end(0, true);
    // c goes on in a batch; of a and b the first transfer runs alone.
    assert_int_equal(fake.started_count, 3);
    assert_int_equal(fake.pool->alone_running, 2);
    assert_ptr_equal(fake.batch->transfers[0]->queue, account_queue_of(&fake.pool->queues, &strategy_batched, "c"));
    assert_string_equal(ended, "");
    for (size_t i = 0; i < fake.started_count; i++) {
        if (!is_batch(fake.started[i].job) && strcmp(started_id(i), "b0") == 0) {
            fake_end(i, false);
            break;
        }
    }
    assert_string_equal(ended, "b0 ");
    for (size_t i = 0; i < fake.started_count; i++) {
        if (is_batch(fake.started[i].job)) {
            fake_end(i, false);
            break;
        }
    }
    fake_turn();
    assert_string_equal(ended, "b0 c0 ");
    assert_string_equal(fake.batch->transfers[0]->request.id, "b1"); // a is still alone
    assert_int_equal(fake.batch->count, 1);
    end_all();
    assert_string_equal(ended, "b0 c0 a0 b1 a1 a2 ");
}

static void test_held_rows_take_half_of_the_slots(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    for (unsigned i = 0; i < SLOTS; i++) {
        submit((const char[]){(char)('a' + i), '\0'}, "held");
    }
    fake_turn();
    fake_end(0, true);
    assert_int_equal(fake.started_count, SLOTS / 2);
    fake.settings.strategy = &strategy_vulnerable;
    submit("x", "x0");
    assert_string_equal(started_id(fake.started_count - 1), "x0");
    fake.settings.strategy = &strategy_batched;
    submit("y", "y0");
    fake_turn();
    assert_ptr_not_equal(fake.batch, NULL);
    end_all();
}

static void test_the_line_a_batch_and_a_held_row_get_slots_in_turn(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    submit("held", "h0");
    fake_turn();
    fake.settings.strategy = &strategy_vulnerable;
    for (unsigned i = 0; i < 3 * SLOTS; i++) {
        submit("a", "a0");
    }
    fake.settings.strategy = &strategy_batched;
    submit("c", "c0");
    fake_end(0, true);
    for (unsigned i = 0; i < 2 && (fake.batch == NULL || fake.pool->alone_running == 0); i++) {
        fake_end(0, false);
    }
    assert_true(fake.batch != NULL && fake.pool->alone_running == 1);
    assert_false(STAILQ_EMPTY(&fake.pool->line));
    end_all();
}

static void test_a_batched_transfer_passes_the_gate_first(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    fake.settings.barrier_enabled = true;
    submit("a", "a0");
    submit("a", "a1");
    fake_turn();
    assert_int_equal(fake.started_count, 2);
    assert_ptr_equal(fake.batch, NULL);
    fake_end(0, false);
    fake_end(0, false);
    assert_string_equal(ended, "");
    fake_turn();
    assert_int_equal(fake.batch->count, 2);
    end_all();
    assert_string_equal(ended, "a0 a1 ");
}

static void test_the_queue_is_bounded(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_for_update;
    for (unsigned i = 0; i < 400 + SLOTS; i++) { // two run, so six slots are free
        submit("a", "a");
    }
    submit("a", "a");
    assert_int_equal(fake.pool->overflow.count, 1); // it waits for room: test_pool_overflow.c
    end_all();
}

// --- The other kinds ---

static void note_finished(struct job *job) {
    finished_jobs++;
    refused_jobs += job->database == DB_NOT_ASKED;
    fake_free_job(job);
}

static void submit_job(struct job *job) {
    job->finished = note_finished;
    pool_submit(fake.pool, job);
}

static void test_resets_and_scrapes_run_once_for_all(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        submit_job(&reset_job_new()->job);
        submit_job(&scrape_job_new()->job);
    }
    assert_int_equal(fake.started_count, 2);
    fake_end(0, false);
    fake_end(0, false);
    assert_int_equal(finished_jobs, 2);
    assert_int_equal(fake.started_count, 2);
    fake_end(0, false);
    fake_end(0, false);
    assert_int_equal(finished_jobs, 8);
    assert_int_equal(fake.started_count, 0);
}

static void test_reads_of_accounts_gather(void **state) {
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        submit_job(&accounts_job_new("a")->job);
    }
    assert_int_equal(fake.started_count, 1);
    fake_end(0, false);
    assert_int_equal(finished_jobs, 1);
    fake_end(0, false);
    assert_int_equal(finished_jobs, 10);
}

static void submit_reads(bool of_accounts, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        submit_job(of_accounts ? fake_read(JOB_ACCOUNTS) : fake_read(JOB_TRANSACTIONS));
    }
}

// Both ways round: the kind that had the reserve is not the next to get it.
// The queue is full behind a read that hangs: the next reader starts another read for all of them.
static void test_a_full_queue_of_readers_gets_another_read(void **state) {
    (void)state;
    for (unsigned i = 0; i < 1 + JOB_QUEUE_LIMIT; i++) {
        submit_job(&accounts_job_new("a")->job);
    }
    assert_int_equal(fake.started_count, 1);
    fake.pool->reads_started_ms -= 1000;
    submit_job(&accounts_job_new("a")->job);
    assert_int_equal(fake.started_count, 2);
    assert_int_equal(finished_jobs, 0); // none was refused
    fake_end(1, false);
    fake_end(0, false);
    assert_int_equal(finished_jobs, 2 + JOB_QUEUE_LIMIT);
}

static void test_a_kind_has_a_thread_and_the_reserve(void **state) {
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        bool accounts_first = round == 0;
        submit_reads(accounts_first, 5);
        assert_int_equal(fake.started_count, 2);
        submit_reads(!accounts_first, 5); // a thread of its own; the reserve is taken
        assert_int_equal(fake.started_count, 3);
        fake_end(0, false);
        assert_int_equal(fake.started_count, 3);
        assert_int_equal(fake.pool->kinds[accounts_first ? JOB_TRANSACTIONS : JOB_ACCOUNTS].threads, 2);
        end_all();
    }
    assert_int_equal(finished_jobs, 20);
}

static void test_a_queue_of_another_kind_is_bounded(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2 + JOB_QUEUE_LIMIT; i++) {
        submit_job(fake_read(JOB_TRANSACTIONS));
    }
    assert_int_equal(refused_jobs, 0);
    submit_job(fake_read(JOB_TRANSACTIONS));
    assert_int_equal(refused_jobs, 1);
    end_all();
    assert_int_equal(finished_jobs, 3 + JOB_QUEUE_LIMIT);
    assert_int_equal(refused_jobs, 1);
}

static void test_the_shutdown_cancels_what_waits_and_finishes_what_runs(void **state) {
    (void)state;
    fake.settings.strategy = &strategy_batched;
    submit("held", "h0");
    submit("held", "h1");
    fake_turn();
    fake_end(0, true); // h0 alone, h1 waits
    submit("b", "b0");
    fake_turn();
    submit("b", "b1");
    fake.settings.strategy = &strategy_for_update;
    for (unsigned i = 0; i < 4; i++) {
        submit("u", "u");
    }
    for (unsigned i = 0; i < 4; i++) {
        submit_job(fake_read(JOB_TRANSACTIONS));
    }
    size_t running = fake.started_count;
    assert_int_equal(running, 1 + 1 + 2 + 2);
    pool_close(fake.pool);
    assert_int_equal(fake.started_count, running);
    assert_int_equal(cancelled, 4); // h1, b1, and two that waited for the limit
    assert_int_equal(refused_jobs, 2);
    assert_int_equal(submit_named("x", "x"), POOL_CLOSED);
    assert_false(pool_is_idle(fake.pool));
    end_all();
    assert_int_equal(cancelled, 4);
    assert_int_equal(finished_jobs, 4);
}

static void test_the_shutdown_cancels_the_line(void **state) {
    (void)state;
    for (unsigned i = 0; i < SLOTS; i++) {
        submit("a", "a");
    }
    fake.settings.strategy = &strategy_for_update;
    submit("b", "b0");
    submit("b", "b1");
    submit("b", "b2"); // waits for the limit, the others in the line
    pool_close(fake.pool);
    assert_int_equal(cancelled, 3);
    assert_string_equal(ended, "b0 b1 b2 ");
    end_all();
    assert_int_equal(cancelled, 3);
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, open_pool, close_pool)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_POOL(test_a_strategy_without_a_limit_takes_every_slot),
        WITH_POOL(test_a_limit_holds_for_each_account),
        WITH_POOL(test_a_barrier_lifts_the_limit),
        WITH_POOL(test_a_batch_has_all_that_arrive_in_one_turn),
        WITH_POOL(test_the_loop_may_notice_several_batches_at_once),
        WITH_POOL(test_the_pool_is_not_idle_while_the_worker_of_the_batches_ends),
        WITH_POOL(test_the_worker_of_the_batches_gives_its_slot_to_others),
        WITH_POOL(test_a_held_row_keeps_the_order_of_the_next_batch),
        WITH_POOL(test_a_large_account_does_not_starve_the_others),
        WITH_POOL(test_a_held_row_delays_its_accounts_only),
        WITH_POOL(test_held_rows_take_half_of_the_slots),
        WITH_POOL(test_the_line_a_batch_and_a_held_row_get_slots_in_turn),
        WITH_POOL(test_a_batched_transfer_passes_the_gate_first),
        WITH_POOL(test_the_queue_is_bounded),
        WITH_POOL(test_resets_and_scrapes_run_once_for_all),
        WITH_POOL(test_reads_of_accounts_gather),
        WITH_POOL(test_a_full_queue_of_readers_gets_another_read),
        WITH_POOL(test_a_kind_has_a_thread_and_the_reserve),
        WITH_POOL(test_a_queue_of_another_kind_is_bounded),
        WITH_POOL(test_the_shutdown_cancels_what_waits_and_finishes_what_runs),
        WITH_POOL(test_the_shutdown_cancels_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
