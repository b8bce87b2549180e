// sight: the records of triggers find the writes that they belong to, and are judged by the values that were read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "sight_fixture.h"

#include <stdio.h>

enum { SMALL_MEMORY = 64 * 1024, ROWS_TO_FILL_IT = 2000 };

#define READ_BALANCE "SELECT id, balance FROM accounts WHERE id = 'alice'"
#define READ_OWNER "SELECT id, owner FROM accounts WHERE id = 'alice'"
#define PAY "SELECT pay('alice')"

static size_t judged[SIGHT_VERSION_UNSEEN + 1]; // calls of on_version by their verdict
static uint32_t xid;

static void on_version(const struct sight_row_version *version, const char *table, const char *key,
                       enum sight_version_verdict verdict, void *user_data) {
    (void)version;
    (void)table;
    (void)key;
    (void)user_data;
    judged[verdict]++;
}

static void on_finding(const struct sight_finding *finding, void *user_data) {
    (void)finding;
    (void)user_data;
}

static void begin_with(size_t memory_max) {
    static const struct sight_column accounts[] = {
        {1, "id", TEXT, true}, {2, "balance", NUMERIC, false}, {3, "version", INT4, false}, {4, "owner", TEXT, false}};
    struct sight_options options = {.on_finding = on_finding, .on_version = on_version, .memory_max = memory_max};
    sight = sight_new(&options);
    sight_add_table(sight, "bank", ACCOUNTS, "public", "accounts", accounts, 4);
    a = sight_session_open(sight, "bank", 11);
    b = sight_session_open(sight, "bank", 12);
    now = 1;
    xid = 100;
    memset(judged, 0, sizeof judged);
    sight_versions_begin(sight, "bank");
    sight_versions_of(sight, ACCOUNTS, sight_mark(sight));
}

static int begin_versions(void **state) {
    (void)state;
    begin_with(0);
    return 0;
}

static int begin_versions_in_a_small_memory(void **state) {
    (void)state;
    begin_with(SMALL_MEMORY);
    return 0;
}

static void read_column(struct sight_session *session, const char *sql, int16_t column, const char *value,
                        char status) {
    const struct sight_field fields[] = {{ACCOUNTS, 1, TEXT, 0}, {ACCOUNTS, column, column == 2 ? NUMERIC : TEXT, 0}};
    const struct slice values[] = {SLICE_LITERAL("alice"), slice_of(value)};
    send_sql(session, sql);
    sight_row_description(session, fields, 2);
    sight_data_row(session, values, 2, now++);
    end_statement(session, "SELECT 1", status);
}

// A trigger's record of an UPDATE of alice, by a transaction of its own.
static void record(uint32_t backend, const char *sql, const char *old_balance, const char *new_balance) {
    const struct sight_cell cells[] = {
        {1, "alice", "alice"}, {2, old_balance, new_balance}, {3, "0", "0"}, {4, "Alice", "Alice"}};
    const struct sight_row_version version = {
        .backend_pid = backend,
        .table = ACCOUNTS,
        .xid = xid + 1,
        .operation = 'U',
        .old_xmin = xid,
        .new_xmin = xid + 1,
        .sql = sql,
        .cells = cells,
        .cell_count = 4,
    };
    xid++;
    sight_add_version(sight, &version);
}

static void settle(void) {
    sight_settle(sight, sight_mark(sight), false);
}

static void test_the_version_that_was_read(void **state) {
    (void)state;
    begin(a);
    read_column(a, READ_BALANCE, 2, "100.00", 'T');
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    commit(a);
    record(11, SET_ALICE, "100.00", "20.00");
    settle();
    assert_int_equal(judged[SIGHT_VERSION_FRESH], 1);
}

// A record may come before the answer to the COMMIT that made it visible.
static void test_a_record_waits_for_the_answer_to_its_commit(void **state) {
    (void)state;
    begin(a);
    read_column(a, READ_BALANCE, 2, "100.00", 'T');
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    send_sql(a, "COMMIT");
    record(11, SET_ALICE, "100.00", "20.00");
    settle();
    assert_int_equal(judged[SIGHT_VERSION_FRESH], 0);
    end_statement(a, "COMMIT", 'I');
    settle();
    assert_int_equal(judged[SIGHT_VERSION_FRESH], 1);
}

// The column of an older read is still known, and a newer read of other columns does not renew it.
static void test_an_older_read_of_another_column(void **state) {
    (void)state;
    begin(a);
    read_column(a, READ_BALANCE, 2, "100.00", 'T');
    run_sql(b, DEDUCT_ALICE, "UPDATE 1", 'I');
    record(12, DEDUCT_ALICE, "100.00", "20.00");
    read_column(a, READ_OWNER, 4, "Alice", 'T');
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    commit(a);
    record(11, SET_ALICE, "20.00", "20.00");
    settle();
    assert_int_equal(judged[SIGHT_VERSION_UNREAD], 1);
    assert_int_equal(judged[SIGHT_VERSION_STALE], 1);
}

// After ROLLBACK TO the row is again as it was, and not as the unit had made and read it.
static void test_a_read_of_an_own_version_that_was_rolled_back(void **state) {
    (void)state;
    run_sql(b, SET_ALICE, "UPDATE 1", 'I');
    record(12, SET_ALICE, "100.00", "20.00");
    settle();
    begin(a);
    run_sql(a, "SAVEPOINT s", "SAVEPOINT", 'T');
    run_sql(a, DEDUCT_ALICE, "UPDATE 1", 'T');
    read_column(a, READ_BALANCE, 2, "-60.00", 'T');
    run_sql(a, "ROLLBACK TO s", "ROLLBACK", 'T');
    run_sql(a, DEDUCT_ALICE, "UPDATE 1", 'T');
    commit(a);
    record(11, DEDUCT_ALICE, "20.00", "-60.00");
    settle();
    assert_int_equal(judged[SIGHT_VERSION_STALE], 0);
}

// The text does not distinguish two calls of one function, but the record came before the second was sent.
static void test_a_call_after_the_record(void **state) {
    (void)state;
    begin(a);
    read_column(a, READ_BALANCE, 2, "100.00", 'T');
    run_sql(a, PAY, "SELECT 1", 'T');
    commit(a);
    record(11, PAY, "100.00", "20.00");
    begin(a);
    run_sql(a, PAY, "SELECT 1", 'T');
    commit(a);
    settle();
    assert_int_equal(judged[SIGHT_VERSION_FRESH], 1);
    assert_int_equal(judged[SIGHT_VERSION_UNSEEN], 0);
}

// Nothing that the session does after the record can say more about it.
static void test_a_busy_session_does_not_hold_its_record_up(void **state) {
    (void)state;
    run_sql(a, PAY, "SELECT 1", 'I');
    run_sql(a, PAY, "SELECT 1", 'I');
    record(11, PAY, "100.00", "20.00");
    begin(a);
    send_sql(a, READ_BALANCE);
    settle();
    assert_int_equal(judged[SIGHT_VERSION_UNSEEN], 1);
}

// A write that there was no memory for leaves a record, and the next write of the same statement is not that one.
static void test_a_dropped_write_lends_its_record_to_nobody(void **state) {
    (void)state;
    begin(a);
    read_column(a, READ_BALANCE, 2, "100.00", 'T');
    begin(b);
    send_sql(b, "SELECT id, balance FROM accounts");
    describe_account(b);
    for (int i = 0; i < ROWS_TO_FILL_IT; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "account %d", i);
        receive_row(b, id);
    }
    end_statement(b, "SELECT 2000", 'T');
    run_sql(a, DEDUCT_ALICE, "UPDATE 1", 'T'); // there is no room for it
    commit(a);
    run_sql(b, "ROLLBACK", "ROLLBACK", 'I');
    begin(a);
    read_column(a, READ_BALANCE, 2, "20.00", 'T');
    run_sql(a, DEDUCT_ALICE, "UPDATE 1", 'T');
    commit(a);
    record(11, DEDUCT_ALICE, "100.00", "20.00");
    record(11, DEDUCT_ALICE, "20.00", "-60.00");
    settle();
    assert_int_equal(judged[SIGHT_VERSION_UNREAD], 2);
    assert_int_equal(count_proved(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_version_that_was_read, begin_versions, tear_down),
        cmocka_unit_test_setup_teardown(test_a_record_waits_for_the_answer_to_its_commit, begin_versions, tear_down),
        cmocka_unit_test_setup_teardown(test_an_older_read_of_another_column, begin_versions, tear_down),
        cmocka_unit_test_setup_teardown(test_a_read_of_an_own_version_that_was_rolled_back, begin_versions, tear_down),
        cmocka_unit_test_setup_teardown(test_a_call_after_the_record, begin_versions, tear_down),
        cmocka_unit_test_setup_teardown(test_a_busy_session_does_not_hold_its_record_up, begin_versions, tear_down),
        cmocka_unit_test_setup_teardown(test_a_dropped_write_lends_its_record_to_nobody,
                                        begin_versions_in_a_small_memory, tear_down),
    };
    if (!sight_has_grammar()) {
        return 77; // skipped
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
