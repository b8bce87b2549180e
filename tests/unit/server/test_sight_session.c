// sight: units of work, the extended protocol, findings about two rows and tables, the question, and limits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "sight_fixture.h"

#include <stdio.h>

#define IN_TRACE(sql) sql " /*traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'*/"

static void test_trace(void **state) {
    (void)state;
    send_sql(a, IN_TRACE(READ_ALICE));
    describe_account(a);
    receive_row(a, "alice");
    end_statement(a, "SELECT 1", 'I');
    run_sql(b, DEDUCT_ALICE, "UPDATE 1", 'I');
    run_sql(a, IN_TRACE(SET_ALICE), "UPDATE 1", 'I');
    const struct sight_finding *finding = the_proved(SIGHT_LOST_UPDATE);
    assert_int_equal(finding->first.scope, SIGHT_SCOPE_TRACE);
    assert_string_equal(finding->first.label, "5bd66ef5095369c7b0d1f8f4bd33716a");
}

// A pool may have given the session to two requests, so nothing is proved about its autocommitted statements.
static void test_session_is_only_possible(void **state) {
    (void)state;
    send_sql(a, READ_ALICE);
    describe_account(a);
    receive_row(a, "alice");
    end_statement(a, "SELECT 1", 'I');
    run_sql(b, DEDUCT_ALICE, "UPDATE 1", 'I');
    run_sql(a, SET_ALICE, "UPDATE 1", 'I');
    assert_int_equal(count_proved(), 0);
    assert_non_null(finding_of(SIGHT_LOST_UPDATE, SIGHT_POSSIBLE));
}

static void test_reset_ends_a_session(void **state) {
    (void)state;
    send_sql(a, READ_ALICE);
    describe_account(a);
    receive_row(a, "alice");
    end_statement(a, "SELECT 1", 'I');
    run_sql(a, "DISCARD ALL", "DISCARD ALL", 'I');
    run_sql(a, SET_ALICE, "UPDATE 1", 'I');
    assert_int_equal(sight_finding_count(sight), 0);
}

// --- The extended protocol ---

static void prepare(struct sight_session *session, const char *name, const char *sql, uint32_t type) {
    sight_parse(session, slice_of(name), slice_of(sql), &type, type == 0 ? 0 : 1);
}

static void execute(struct sight_session *session, const char *name, struct slice value, int16_t format) {
    struct sight_value values[] = {{value, format}};
    sight_bind(session, SLICE_LITERAL(""), slice_of(name), values, 1, NULL, 0);
    sight_execute(session, SLICE_LITERAL(""), now++);
    sight_sync(session);
}

// asyncpg, pgx and JDBC: named statements, described once, binary values, no RowDescription at later executions.
static void test_named_statements(void **state) {
    (void)state;
    static const uint32_t types[] = {INT4};
    static const struct sight_field fields[] = {{SHIFTS, 1, INT4, 0}, {SHIFTS, 2, TEXT, 0}};
    begin(a);
    prepare(a, "s1", "SELECT id, day FROM shifts WHERE id = $1", 0);
    sight_describe(a, 'S', SLICE_LITERAL("s1"));
    sight_sync(a);
    sight_parameter_types(a, types, 1);
    sight_row_description(a, fields, 2);
    sight_ready(a, 'T', now++);
    struct sight_value one = {SLICE_LITERAL("\0\0\0\1"), 1};
    int16_t binary = 1;
    sight_bind(a, SLICE_LITERAL(""), SLICE_LITERAL("s1"), &one, 1, &binary, 1);
    sight_execute(a, SLICE_LITERAL(""), now++);
    sight_sync(a);
    struct slice row[] = {SLICE_LITERAL("\0\0\0\1"), SLICE_LITERAL("mon")};
    sight_data_row(a, row, 2, now++);
    end_statement(a, "SELECT 1", 'T');
    // Another driver writes the same key as text.
    prepare(b, "", "UPDATE shifts SET day = 'tue' WHERE id = $1", 0);
    execute(b, "", SLICE_LITERAL("1"), 0);
    end_statement(b, "UPDATE 1", 'I');
    prepare(a, "s2", "UPDATE shifts SET day = 'wed' WHERE id = $1::int8", 20);
    execute(a, "s2", SLICE_LITERAL("\0\0\0\0\0\0\0\1"), 1);
    end_statement(a, "UPDATE 1", 'T');
    commit(a);
    assert_non_null(finding_of(SIGHT_LOST_UPDATE, SIGHT_PROVED));
    assert_string_equal(the_proved(SIGHT_LOST_UPDATE)->row, "1");
}

// asyncpg's pool: RESET ALL ends the request, and the prepared statements stay.
static void test_prepared_statements_outlive_a_reset(void **state) {
    (void)state;
    prepare(a, "s1", "SELECT id, balance FROM accounts WHERE id = $1", TEXT);
    run_sql(a, "RESET ALL", "RESET", 'I');
    begin(a);
    execute(a, "s1", SLICE_LITERAL("alice"), 0);
    describe_account(a);
    end_statement(a, "SELECT 0", 'T');
    commit(a);
    assert_int_equal(sight_counters(sight).dropped, 0);
}

// A failed Execute takes the rest of its pipeline with it.
static void test_pipeline_error(void **state) {
    (void)state;
    prepare(a, "", DEDUCT_ALICE, 0);
    for (int i = 0; i < 3; i++) {
        sight_bind(a, SLICE_LITERAL(""), SLICE_LITERAL(""), NULL, 0, NULL, 0);
        sight_execute(a, SLICE_LITERAL(""), now++);
    }
    sight_sync(a);
    sight_command_complete(a, SLICE_LITERAL("UPDATE 1"), now++);
    sight_error(a, SLICE_LITERAL("23514"), 0);
    sight_ready(a, 'I', now++);
    begin(a);
    read_account(a, "alice", READ_ALICE);
    run_sql(b, DEDUCT_ALICE, "UPDATE 1", 'I');
    run_sql(a, DEDUCT_ALICE, "UPDATE 1", 'T');
    commit(a);
    assert_int_equal(count_proved(), 1);
    assert_int_equal(sight_counters(sight).dropped, 0);
}

static void test_wire(void **state) {
    (void)state;
    begin(a);
    sight_client_message(a, 'Q', SLICE_LITERAL(READ_ALICE "\0"), now++);
    sight_server_message(a, 'T',
                         SLICE_LITERAL("\0\2id\0\0\0\3\350\0\1\0\0\0\31\377\377\377\377\377\377\0\0"
                                       "balance\0\0\0\3\350\0\2\0\0\6\244\377\377\377\377\377\377\0\0"),
                         now++);
    sight_server_message(a, 'D', SLICE_LITERAL("\0\2\0\0\0\5alice\0\0\0\3100"), now++);
    sight_server_message(a, 'C', SLICE_LITERAL("SELECT 1\0"), now++);
    sight_server_message(a, 'Z', SLICE_LITERAL("T"), now++);
    run_sql(b, DEDUCT_ALICE, "UPDATE 1", 'I');
    sight_client_message(a, 'P', SLICE_LITERAL("s\0UPDATE accounts SET balance = 20 WHERE id = $1\0\0\0"), now++);
    sight_client_message(a, 'B', SLICE_LITERAL("\0s\0\0\1\0\0\0\1\0\0\0\5alice\0\0"), now++);
    sight_client_message(a, 'D', SLICE_LITERAL("P\0"), now++);
    sight_client_message(a, 'E', SLICE_LITERAL("\0\0\0\0\0"), now++);
    sight_client_message(a, 'S', SLICE_LITERAL(""), now++);
    sight_server_message(a, '1', SLICE_LITERAL(""), now++);
    sight_server_message(a, '2', SLICE_LITERAL(""), now++);
    sight_server_message(a, 'n', SLICE_LITERAL(""), now++);
    sight_server_message(a, 'C', SLICE_LITERAL("UPDATE 1\0"), now++);
    sight_server_message(a, 'Z', SLICE_LITERAL("T"), now++);
    commit(a);
    assert_int_equal(count_proved(), 1);
}

// --- Two rows, and tables ---

static void test_write_skew(void **state) {
    (void)state;
    begin(a);
    begin(b);
    read_account(a, "alice", READ_ALICE);
    read_account(b, "bob", "SELECT id, balance FROM accounts WHERE id = 'bob'");
    run_sql(a, "UPDATE accounts SET balance = 0 WHERE id = 'bob'", "UPDATE 1", 'T');
    run_sql(b, "UPDATE accounts SET balance = 0 WHERE id = 'alice'", "UPDATE 1", 'T');
    commit(a);
    commit(b);
    assert_non_null(finding_of(SIGHT_WRITE_SKEW, SIGHT_PROVED));
    assert_int_equal(count_proved(), 1);
}

static void look_for_shift(struct sight_session *session, const char *sql) {
    static const struct sight_field fields[] = {{0, 0, 20, 0}};
    struct slice zero[] = {SLICE_LITERAL("0")};
    send_sql(session, sql);
    sight_row_description(session, fields, 1);
    sight_data_row(session, zero, 1, now++);
    end_statement(session, "SELECT 1", 'T');
}

static void test_phantom(void **state) {
    (void)state;
    begin(a);
    begin(b);
    look_for_shift(a, "SELECT count(*) FROM shifts WHERE day = 'mon'");
    look_for_shift(b, "SELECT count(*) FROM shifts WHERE day = 'mon'");
    run_sql(a, "INSERT INTO shifts (day, doctor) VALUES ('mon', 'x')", "INSERT 0 1", 'T');
    commit(a);
    run_sql(b, "INSERT INTO shifts (day, doctor) VALUES ('tue', 'y')", "INSERT 0 1", 'T');
    commit(b);
    assert_non_null(finding_of(SIGHT_PHANTOM, SIGHT_PROVED));
    assert_int_equal(the_proved(SIGHT_PHANTOM)->first.backend_pid, 12);
}

// The inserted row is of another day, or the condition is more than an equality.
static void test_phantom_is_only_possible(void **state) {
    (void)state;
    static const char *const checks[] = {"SELECT count(*) FROM shifts WHERE day = 'wed'",
                                         "SELECT count(*) FROM shifts WHERE day = 'mon' AND doctor LIKE 'z%'",
                                         "SELECT count(*) FROM shifts s JOIN accounts a ON a.id = s.doctor"};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        begin(a);
        look_for_shift(a, checks[i]);
        run_sql(b, "INSERT INTO shifts (day, doctor) VALUES ('mon', 'x')", "INSERT 0 1", 'I');
        run_sql(a, "INSERT INTO shifts (day, doctor) VALUES ('tue', 'y')", "INSERT 0 1", 'T');
        commit(a);
    }
    assert_int_equal(count_proved(), 0);
    assert_non_null(finding_of(SIGHT_PHANTOM, SIGHT_POSSIBLE));
}

// --- The question ---

static void test_question(void **state) {
    (void)state;
    struct sight_intent intent;
    begin(a);
    sight_ask_query(a, slice_of(SET_ALICE), &intent);
    assert_int_equal(intent.verb, SIGHT_UPDATE);
    assert_string_equal(intent.name, "public.accounts");
    assert_string_equal(intent.row, "alice");
    assert_int_equal(intent.table, ACCOUNTS);
    assert_int_equal(intent.read_before, SIGHT_NOT_READ);
    read_account(a, "alice", READ_ALICE);
    sight_ask_query(a, slice_of(SET_ALICE), &intent);
    assert_int_equal(intent.read_before, SIGHT_READ_ROW);
    sight_ask_query(a, SLICE_LITERAL("UPDATE accounts SET balance = 0 WHERE id = 'bob'"), &intent);
    assert_int_equal(intent.read_before, SIGHT_NOT_READ);
    sight_ask_query(a, SLICE_LITERAL("UPDATE accounts SET balance = 0"), &intent);
    assert_int_equal(intent.read_before, SIGHT_READ_TABLE);
    sight_ask_query(a, SLICE_LITERAL("UPDATE accounts SET balance = balance - 1 WHERE id = 'bob' AND balance > 0"),
                    &intent);
    assert_true(intent.is_guarded);
    sight_ask_query(a, SLICE_LITERAL("SELECT 1; DELETE FROM shifts WHERE id = 7"), &intent);
    assert_int_equal(intent.verb, SIGHT_DELETE);
    assert_string_equal(intent.row, "7");
}

static void test_json(void **state) {
    (void)state;
    race_with(DEDUCT_ALICE, SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT");
    struct text out = {0};
    struct json_writer json = {.out = &out};
    sight_findings_json(sight, &json);
    const char *text = text_terminated(&out);
    assert_non_null(strstr(text, "{\"findings\":[{\"id\":1,\"kind\":\"lost_update\",\"level\":\"proved\""));
    assert_non_null(strstr(text, "\"sentence\":\"Transaction "));
    assert_non_null(strstr(text, "\"second\":{\"unit\":"));
    text_free(&out);
}

static void test_forced_and_refuted(void **state) {
    (void)state;
    begin(a);
    read_account(a, "alice", READ_ALICE);
    run_sql(a, SET_ALICE, "UPDATE 1", 'T');
    commit(a);
    sight_set_level(sight, 1, SIGHT_REFUTED);
    assert_non_null(finding_of(SIGHT_LOST_UPDATE, SIGHT_REFUTED));
    race_with(DEDUCT_ALICE, SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT");
    assert_non_null(finding_of(SIGHT_LOST_UPDATE, SIGHT_PROVED));
    sight_set_level(sight, 1, SIGHT_REFUTED);
    assert_non_null(finding_of(SIGHT_LOST_UPDATE, SIGHT_PROVED));
}

// A client that sends without end is dropped from view, and seen again once all is answered.
static void test_too_many_pending(void **state) {
    (void)state;
    for (int i = 0; i < 5000; i++) {
        send_sql(a, "SELECT 1");
    }
    assert_true(sight_counters(sight).dropped > 0);
    for (int i = 0; i < 5000; i++) {
        end_statement(a, "SELECT 1", 'I');
    }
    race_with(DEDUCT_ALICE, SET_ALICE, "UPDATE 1", "COMMIT", "COMMIT");
    assert_int_equal(count_proved(), 1);
}

// History of units that no open unit overlaps with is freed.
static void test_memory_is_bounded(void **state) {
    (void)state;
    size_t early = 0;
    for (int i = 0; i < 3000; i++) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "UPDATE accounts SET balance = %d WHERE id = 'k%d'", i, i);
        begin(a);
        run_sql(a, sql, "UPDATE 1", 'T');
        commit(a);
        early = i == 2000 ? sight_counters(sight).memory : early;
    }
    assert_true(sight_counters(sight).memory <= early + (size_t)1024 * 1024 * 8);
    assert_int_equal(sight_counters(sight).dropped, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_trace),
        TEST(test_session_is_only_possible),
        TEST(test_reset_ends_a_session),
        TEST(test_named_statements),
        TEST(test_prepared_statements_outlive_a_reset),
        TEST(test_pipeline_error),
        TEST(test_wire),
        TEST(test_write_skew),
        TEST(test_phantom),
        TEST(test_phantom_is_only_possible),
        TEST(test_question),
        TEST(test_json),
        TEST(test_forced_and_refuted),
        TEST(test_too_many_pending),
        TEST(test_memory_is_bounded),
    };
    if (!sight_has_grammar()) { // only tables and verbs are known then: nothing is proved
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
