// sight: findings about one row, from recorded sequences of messages.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "sight_fixture.h"

static void test_lost_update(void **state) {
    (void)state;
    begin(a);
    begin(b);
    read_account(a, "alice", READ_ALICE);
    read_account(b, "alice", READ_ALICE);
    run_sql(b, SET_ALICE, "UPDATE 1", 'T');
    commit(b);
    assert_int_equal(count_proved(), 0);
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    assert_int_equal(count_proved(), 0); // a may still roll back
    commit(a);
    const struct sight_finding *finding = the_proved(SIGHT_LOST_UPDATE);
    assert_string_equal(finding->table, "public.accounts");
    assert_string_equal(finding->row, "alice");
    assert_int_equal(finding->first.backend_pid, 11);
    assert_int_equal(finding->second.backend_pid, 12);
    assert_string_equal(finding->first.sql_read, READ_ALICE);
    assert_string_equal(finding->first.sql_write, SET_ALICE);
    assert_int_equal(announced, 2); // possible when b committed, then proved
}

// Both writes are on their way at once, as when the proxy releases two sessions: one of them must have lost.
static void test_writes_that_overlap(void **state) {
    (void)state;
    begin(a);
    begin(b);
    read_account(a, "alice", READ_ALICE);
    read_account(b, "alice", READ_ALICE);
    send_sql(a, SET_ALICE);
    send_sql(b, SET_ALICE);
    end_statement(b, "UPDATE 1", 'T');
    commit(b);
    end_statement(a, "UPDATE 1", 'T');
    commit(a);
    assert_non_null(finding_of(SIGHT_LOST_UPDATE, SIGHT_PROVED));
    assert_int_equal(the_proved(SIGHT_LOST_UPDATE)->first.backend_pid, 11);
}

static void test_check_lost(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    run_sql(b, DEDUCT_ALICE, "UPDATE 1", 'I');
    run_sql(a, DEDUCT_ALICE, "UPDATE 1", 'T');
    commit(a);
    assert_non_null(finding_of(SIGHT_CHECK_LOST, SIGHT_PROVED));
}

// The other unit changed a column that was read, this one sets another.
static void test_stale_read(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    run_sql(b, DEDUCT_ALICE, "UPDATE 1", 'I');
    run_sql(a, "UPDATE accounts SET owner = 'x' WHERE id = 'alice'", "UPDATE 1", 'T');
    commit(a);
    assert_non_null(finding_of(SIGHT_STALE_READ, SIGHT_PROVED));
    assert_int_equal(count_proved(), 1);
}

static void test_not_proved(void **state) {
    (void)state;
    static const struct {
        const char *other, *write, *tag, *last, *last_tag;
    } cases[] = {
        {DEDUCT_ALICE, SET_ALICE, "UPDATE 1", "ROLLBACK", "ROLLBACK"},
        {DEDUCT_ALICE, SET_ALICE, "UPDATE 1", "COMMIT", "ROLLBACK"}, // COMMIT of a failed transaction
        {DEDUCT_ALICE, SET_ALICE, "UPDATE 0", "COMMIT", "COMMIT"},
        // Another row, another column, another table of the name.
        {"UPDATE accounts SET balance = 1 WHERE id = 'bob'", SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT"},
        {"UPDATE accounts SET owner = 'x' WHERE id = 'alice'", SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT"},
        {"UPDATE other.accounts SET balance = 1 WHERE id = 'alice'", SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT"},
        // Rows that the statement does not name for certain.
        {"UPDATE accounts SET balance = 1 WHERE id = 'alice' OR id = 'bob'", SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT"},
        {"UPDATE accounts SET balance = 1 WHERE id <> 'alice'", SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT"},
        {"UPDATE accounts SET balance = 1 WHERE NOT id = 'alice'", SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT"},
        {"UPDATE accounts SET balance = 1 WHERE id = lower('alice')", SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT"},
        {"UPDATE accounts SET balance = 1 FROM shifts WHERE shifts.id = 'alice'", SET_ALICE, "UPDATE 1", "COMMIT",
         "COMMIT"},
        {"UPDATE accounts SET balance = 1 FROM shifts s WHERE id = 'alice'", SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT"},
        // The WHERE repeats the check, or compares the version.
        {DEDUCT_ALICE, "UPDATE accounts SET balance = balance - 80 WHERE id = 'alice' AND balance >= 80", "UPDATE 1",
         "COMMIT", "COMMIT"},
        {"UPDATE accounts SET balance = 1, version = version + 1 WHERE id = 'alice' AND version = 1",
         "UPDATE accounts SET balance = 2, version = version + 1 WHERE id = 'alice' AND version = 1", "UPDATE 1",
         "COMMIT", "COMMIT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        race_with(cases[i].other, cases[i].write, cases[i].tag, cases[i].last, cases[i].last_tag);
        if (count_proved() != 0) {
            fail_msg("case %zu: %s", i, cases[i].other);
        }
    }
    race_with(DEDUCT_ALICE, SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT");
    assert_int_equal(count_proved(), 1);
}

// A subquery in the WHERE keeps its snapshot, so it is no guard.
static void test_subquery_is_no_guard(void **state) {
    (void)state;
    race_with(DEDUCT_ALICE,
              "UPDATE accounts SET balance = balance - 80 WHERE id = 'alice' AND (SELECT balance FROM accounts a "
              "WHERE a.id = 'alice') >= 80",
              "UPDATE 1", "COMMIT", "COMMIT");
    assert_non_null(finding_of(SIGHT_CHECK_LOST, SIGHT_PROVED));
}

static void test_savepoint(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    begin(b);
    run_sql(b, "SAVEPOINT s", "SAVEPOINT", 'T');
    run_sql(b, SET_ALICE, "UPDATE 1", 'T');
    run_sql(b, "ROLLBACK TO SAVEPOINT s", "ROLLBACK", 'T');
    commit(b);
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    commit(a);
    assert_int_equal(count_proved(), 0);
}

// A write before the savepoint stays, also after an error.
static void test_write_before_a_savepoint(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    begin(b);
    run_sql(b, SET_ALICE, "UPDATE 1", 'T');
    run_sql(b, "SAVEPOINT \"S\"", "SAVEPOINT", 'T');
    send_sql(b, DEDUCT_ALICE);
    sight_error(b, SLICE_LITERAL("22003"), now++);
    sight_ready(b, 'E', now++);
    run_sql(b, "ROLLBACK TO \"S\"", "ROLLBACK", 'T');
    commit(b);
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    commit(a);
    assert_non_null(finding_of(SIGHT_LOST_UPDATE, SIGHT_PROVED));
}

// The rows of a cursor are those of its query; and neither DECLARE nor an empty FETCH is a check for an empty table.
static void test_cursor(void **state) {
    (void)state;
    begin(a);
    run_sql(a, "DECLARE c CURSOR FOR SELECT id, balance FROM accounts", "DECLARE CURSOR", 'T');
    read_account(a, "alice", "FETCH NEXT FROM c");
    run_sql(a, "FETCH ALL FROM c", "FETCH 0", 'T');
    run_sql(b, DEDUCT_ALICE, "UPDATE 1", 'I');
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    run_sql(a, "INSERT INTO accounts (id) VALUES ('bob')", "INSERT 0 1", 'T');
    commit(a);
    assert_non_null(finding_of(SIGHT_LOST_UPDATE, SIGHT_PROVED));
    assert_null(finding_of(SIGHT_PHANTOM, SIGHT_POSSIBLE));
}

// The order is unknown if the other write was under way when the row came in, or when this write was sent.
static void test_overlap_is_not_proved(void **state) {
    (void)state;
    begin(a);
    send_sql(b, DEDUCT_ALICE);
    read_account(a, "alice", READ_ALICE);
    end_statement(b, "UPDATE 1", 'I');
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    commit(a);
    assert_int_equal(count_proved(), 0);
    // Without a COMMIT of its own, this write may have been the first.
    send_sql(a, READ_ALICE "/*request_id=request-1*/");
    describe_account(a);
    receive_row(a, "alice");
    end_statement(a, "SELECT 1", 'I');
    send_sql(b, DEDUCT_ALICE);
    send_sql(a, SET_ALICE "/*request_id=request-1*/");
    end_statement(b, "UPDATE 1", 'I');
    end_statement(a, "UPDATE 1", 'I');
    assert_int_equal(count_proved(), 0);
}

// The other write ended before this transaction sent its COMMIT, so it had the lock of the row first.
static void test_commit_gives_the_order(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    send_sql(a, SET_ALICE);
    send_sql(b, DEDUCT_ALICE);
    end_statement(b, "UPDATE 1", 'I');
    end_statement(a, "UPDATE 1", 'T');
    commit(a);
    assert_int_equal(the_proved(SIGHT_LOST_UPDATE)->first.backend_pid, 11);
}

static void test_read_again(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    run_sql(b, DEDUCT_ALICE, "UPDATE 1", 'I');
    read_account(a, "alice", READ_ALICE " FOR UPDATE");
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    commit(a);
    assert_int_equal(count_proved(), 0);
    assert_non_null(finding_of(SIGHT_LOCK_TOO_LATE, SIGHT_POSSIBLE));
}

static void test_lock_at_first_read(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE " FOR UPDATE");
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    commit(a);
    assert_int_equal(sight_finding_count(sight), 0);
}

static void test_alone(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    commit(a);
    assert_int_equal(sight_finding_count(sight), 1);
    assert_non_null(finding_of(SIGHT_LOST_UPDATE, SIGHT_POSSIBLE));
    assert_int_equal(finding_at(0)->second.unit, 0);
}

static void test_repeatable_read_alone(void **state) {
    (void)state;
    run_sql(a, "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN", 'T');
    read_account(a, "alice", READ_ALICE);
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    commit(a);
    assert_int_equal(sight_finding_count(sight), 0);
}

static void test_serialization_failure(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    run_sql(b, DEDUCT_ALICE, "UPDATE 1", 'I');
    send_sql(a, SET_ALICE);
    sight_error(a, SLICE_LITERAL("40001"), 0);
    sight_ready(a, 'E', now++);
    run_sql(a, "ROLLBACK", "ROLLBACK", 'I');
    assert_int_equal(count_proved(), 0);
}

// Each write behind a read is passed on, with its protection; a finding would leave the protected ones out.
static void test_patterns(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    assert_int_equal(passed.count, 0); // it may still roll back
    assert_int_equal(outcome.rows, 1);
    uint64_t write = outcome.statement;
    commit(a);
    assert_int_equal(passed.count, 1);
    assert_int_equal(passed.kind, SIGHT_LOST_UPDATE);
    assert_true(passed.write == write && write != 0);
    assert_true(finding_at(0)->pair == passed.pair);
    assert_false(passed.is_locked || passed.is_locked_late || passed.is_guarded || passed.is_repeatable);
    begin(a);
    read_account(a, "alice", READ_ALICE " FOR UPDATE");
    run_sql(a, DEDUCT_ALICE, "UPDATE 1", 'T');
    run_sql(a, DEDUCT_ALICE, "UPDATE 1", 'T'); // its own lock protects the second one
    commit(a);
    assert_int_equal(passed.count, 2);
    assert_true(passed.is_locked && passed.write != write);
    begin(b);
    read_account(b, "alice", READ_ALICE);
    run_sql(b, DEDUCT_ALICE " AND balance >= 80", "UPDATE 1", 'T');
    commit(b);
    assert_int_equal(passed.count, 3);
    assert_true(passed.is_guarded);
    assert_int_equal(sight_finding_count(sight), 1);
}

// Two of the same request cannot make each other's read stale, as with the time of the last login.
static void test_no_pattern_of_other_columns(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    run_sql(a, "UPDATE accounts SET version = 3 WHERE id = 'alice'", "UPDATE 1", 'T');
    commit(a);
    assert_int_equal(passed.count, 0);
}

// The read and the write name the row in ways that cannot be compared.
static void test_pattern_of_a_table(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    run_sql(a, "UPDATE accounts SET balance = 20 WHERE owner = 'eve'", "UPDATE 1", 'T');
    commit(a);
    assert_int_equal(passed.count, 1);
    assert_int_equal(sight_finding_count(sight), 0);
}

static void test_outcome_of_an_error(void **state) {
    (void)state;
    begin(a);
    send_sql(a, SET_ALICE);
    sight_error(a, SLICE_LITERAL("40001"), now++);
    assert_string_equal(outcome.sqlstate, "40001");
    sight_ready(a, 'E', now++);
    struct sight_intent intent;
    sight_ask_query(a, SLICE_LITERAL(SET_ALICE), &intent);
    assert_true(intent.fingerprint == outcome.statement);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lost_update),
        TEST(test_writes_that_overlap),
        TEST(test_check_lost),
        TEST(test_stale_read),
        TEST(test_not_proved),
        TEST(test_subquery_is_no_guard),
        TEST(test_savepoint),
        TEST(test_write_before_a_savepoint),
        TEST(test_cursor),
        TEST(test_overlap_is_not_proved),
        TEST(test_commit_gives_the_order),
        TEST(test_read_again),
        TEST(test_lock_at_first_read),
        TEST(test_alone),
        TEST(test_repeatable_read_alone),
        TEST(test_serialization_failure),
        TEST(test_patterns),
        TEST(test_no_pattern_of_other_columns),
        TEST(test_pattern_of_a_table),
        TEST(test_outcome_of_an_error),
    };
    if (!sight_has_grammar()) { // only tables and verbs are known then: nothing is proved
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
