// case_log: logs that PostgreSQL 14, 15 and 18 wrote, in both formats, and small ones; parameters, sessions, errors.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "tests/unit/workers/case_reading.h"

// An entry of jsonlog. The session is one character.
#define ENTRY(session, message)                                                                                        \
    "{\"session_id\":\"6b096fb4." session "\",\"dbname\":\"d\",\"error_severity\":\"LOG\",\"message\":\"" message      \
    "\"}\n"
#define DETAILED(session, message, detail)                                                                             \
    "{\"session_id\":\"6b096fb4." session "\",\"dbname\":\"d\",\"error_severity\":\"LOG\",\"message\":\"" message      \
    "\",\"detail\":\"" detail "\"}\n"
#define OTHER ENTRY("z", "statement: SELECT 0")

static void assert_log_problem(const char *text, const char *problem) {
    assert_problem(case_read_log, "log.json", text, problem);
}

static struct reading read_log(const char *text) {
    struct reading reading = read_text(case_read_log, "log.json", text);
    assert_string_equal(text_terminated(&reading.problem), "");
    assert_true(reading.is_read);
    return reading;
}

// The steps in the order of the log: "A1: SQL".
static void assert_steps(const struct sql_case *made, const char *expected) {
    struct text steps = {0};
    assert_int_equal(made->order_count, 1);
    for (size_t i = 0; i < made->orders[0].count; i++) {
        const struct case_order_step *place = &made->orders[0].steps[i];
        const struct case_instruction *step = &made->sessions[place->session].instructions[place->instruction];
        text_append_format(&steps, "%s: %s\n", step->name, step->source);
        assert_string_equal(step->text.pieces[0].text, step->source);
    }
    assert_string_equal(text_terminated(&steps), expected);
    text_free(&steps);
}

// The four logs are of the same requests. Two of them were written with log_duration and log_min_duration_statement. In
// each, the session of a pool sends SET, SHOW and DISCARD only.
static void check_recording(const char *file) {
    struct text path = {0};
    text_append_format(&path, "%s/%s", CASE_LOG_CORPUS, file);
    struct reading reading = {0};
    reading.is_read = case_read(text_terminated(&path), &reading.list, &reading.problem);
    assert_string_equal(text_terminated(&reading.problem), "");
    assert_true(reading.is_read);
    assert_int_equal(reading.list.count, 1);
    const struct sql_case *made = &reading.list.cases[0];
    assert_true(made->is_recording);
    assert_true(made->stops_at_error);
    assert_true(made->is_serializable);
    assert_false(made->names_levels);
    assert_int_equal(made->session_count, 2);
    assert_steps(made, "A1: BEGIN\n"
                       "B1: BEGIN\n"
                       "A2: SELECT coins\n  FROM pots WHERE id = $1\n"
                       "B2: SELECT coins FROM pots WHERE id = $1 AND note IS DISTINCT FROM $2\n"
                       "A3: UPDATE pots SET coins = coins - $1, note = $2 WHERE id = 1\n"
                       "A4: COMMIT\n"
                       "B3: SELECT 1; SELECT 'two'\n"
                       "B4: ROLLBACK\n"
                       "B5: select * from pots -- \xC3\xA9\nwhere id = 1\n");
    const struct case_session *a = &made->sessions[0];
    const struct case_session *b = &made->sessions[1];
    assert_string_equal(a->name, "A");
    assert_int_equal(a->setup.count, 1);
    assert_string_equal(a->setup.items[0].sql, "SET application_name = 'web'");
    assert_int_equal(b->setup.count, 0);
    assert_int_equal(a->instructions[0].parameter_count, 0);
    assert_null(a->instructions[0].parameters);
    assert_int_equal(a->instructions[1].parameter_count, 1);
    assert_string_equal(a->instructions[1].parameters[0], "1");
    assert_int_equal(b->instructions[1].parameter_count, 2);
    assert_null(b->instructions[1].parameters[1]);
    assert_int_equal(a->instructions[2].parameter_count, 2);
    assert_string_equal(a->instructions[2].parameters[1], "it's a \"note\", $3 = NULL\nin two lines");
    assert_false(a->instructions[2].is_block);
    assert_true(b->instructions[2].is_block);
    text_free(&path);
    reading_free(&reading);
}

static void test_recordings(void **state) {
    (void)state;
    check_recording("postgresql_15.csv");
    check_recording("postgresql_15.json");
    check_recording("postgresql_14_durations.csv");
    check_recording("postgresql_18_durations.json");
}

static void test_lines(void **state) {
    (void)state;
    struct reading reading = read_text(case_read_log, "a.csv",
                                       ",,d,,,1.a,,,,,,LOG,,\"statement: SELECT\n1\",,,,,,,,,,,,\n"
                                       "\n"
                                       ",,d,,,1.b,,,,,,LOG,,statement: SELECT 2,,,,,,,,,,,,\r\n"
                                       ",,d,,,1.b,,,,,,LOG,,\"execute x/y: SELECT \"\"$1\"\"\",,,,,,,,,,,,");
    assert_string_equal(text_terminated(&reading.problem), "");
    assert_steps(&reading.list.cases[0], "A1: SELECT\n1\nB1: SELECT 2\nB2: SELECT \"$1\"\n");
    assert_int_equal(reading.list.cases[0].sessions[0].instructions[0].line, 1);
    assert_int_equal(reading.list.cases[0].sessions[1].instructions[0].line, 4);
    assert_int_equal(reading.list.cases[0].sessions[1].instructions[1].line, 5);
    assert_string_equal(reading.list.cases[0].name, "a");
    reading_free(&reading);
}

static void test_housekeeping(void **state) {
    (void)state;
    struct reading reading = read_log(
        ENTRY("a", "statement: SET search_path = s") ENTRY("a", "statement: DISCARD ALL") ENTRY("c", "statement: BEGIN")
            ENTRY("a", "statement: ROLLBACK") ENTRY("c", "statement: SHOW work_mem")
                ENTRY("a", "statement: set application_name = 'b'") ENTRY("c", "statement: COMMIT")
                    ENTRY("a", "statement: ") ENTRY("a", "execute <unnamed>: SHOW transaction_isolation")
                        ENTRY("b", "statement: SELECT 1;") ENTRY("a", "statement: begin")
                            ENTRY("a", "statement: SET LOCAL x.y = 1") ENTRY("a", "statement: TABLE pots")
                                ENTRY("b", "statement: SET x.y = 2; SELECT 2") ENTRY("a", "statement: end")
                                    ENTRY("a", "statement: RESET ALL"));
    const struct sql_case *made = &reading.list.cases[0];
    assert_int_equal(made->session_count, 2);
    assert_steps(made, "A1: SELECT 1\nB1: begin\nB2: SET LOCAL x.y = 1\nB3: TABLE pots\nA2: SET x.y = 2; SELECT 2\n"
                       "B4: end\n");
    assert_int_equal(made->sessions[1].setup.count, 1);
    assert_string_equal(made->sessions[1].setup.items[0].sql, "set application_name = 'b'");
    assert_int_equal(made->sessions[1].setup.items[0].line, 6);
    reading_free(&reading);
}

static void test_levels(void **state) {
    (void)state;
    struct reading reading = read_log(OTHER ENTRY("a", "statement: BEGIN ISOLATION LEVEL SERIALIZABLE")
                                          ENTRY("a", "statement: SELECT 1"));
    assert_true(reading.list.cases[0].names_levels);
    reading_free(&reading);
    reading = read_log(OTHER ENTRY("a", "statement: SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL "
                                        "REPEATABLE READ") ENTRY("a", "statement: SELECT 1"));
    assert_true(reading.list.cases[0].names_levels);
    reading_free(&reading);
}

// Entries that are not the beginning of a statement add no step.
static void test_other_entries(void **state) {
    (void)state;
    struct reading reading = read_log(
        OTHER ENTRY("a", "duration: 1.2 ms  statement: SELECT 1") ENTRY("a", "duration: 1 ms  execute x: SELECT 1")
            ENTRY("a", "execute fetch from x/C_1: SELECT 1") ENTRY("a", "execute x")
                ENTRY("a", "statement: SELECT 1") "{}\n \r\n{\"message\":7,\"session_id\":null}\n"
                                                  "{\"session_id\":\"1.a\",\"error_severity\":\"ERROR\",\"message\":"
                                                  "\"statement: SELECT 1\"}\n"
                                                  "{\"error_severity\":\"LOG\",\"message\":\"statement: SELECT 1\"}\n");
    assert_steps(&reading.list.cases[0], "A1: SELECT 0\nB1: SELECT 1\n");
    reading_free(&reading);
}

static void test_parameters(void **state) {
    (void)state;
    struct reading reading = read_log(
        OTHER DETAILED("a", "execute x: SELECT $1, $2, $3", "parameters: $1 = '', $2 = NULL, $3 = '''NULL'', '''")
            DETAILED("a", "execute x: SELECT 1", "Parameters: ")
                DETAILED("a", "statement: EXECUTE p (1)", "prepare: PREPARE p AS SELECT $1"));
    const struct case_session *session = &reading.list.cases[0].sessions[1];
    assert_int_equal(session->count, 3);
    assert_int_equal(session->instructions[0].parameter_count, 3);
    assert_string_equal(session->instructions[0].parameters[0], "");
    assert_null(session->instructions[0].parameters[1]);
    assert_string_equal(session->instructions[0].parameters[2], "'NULL', '");
    assert_int_equal(session->instructions[1].parameter_count, 0);
    assert_int_equal(session->instructions[2].parameter_count, 0);
    reading_free(&reading);
}

static void test_errors(void **state) {
    (void)state;
    assert_log_problem("{}\n", "log.json: there are no statements: set log_statement = 'all' and record again (with "
                               "lc_messages = 'C', which keeps the words in English)");
    assert_log_problem(ENTRY("a", "duration: 1.2 ms  statement: SELECT 1"),
                       "log.json: there are no statements: set log_statement = 'all' and record again (with "
                       "lc_messages = 'C', which keeps the words in English)");
    assert_log_problem(ENTRY("b", "statement: SHOW x") OTHER,
                       "log.json:2: there is only one session with statements other than SET, SHOW and the like: two "
                       "or more are needed");
    assert_log_problem(ENTRY("b", "statement: SHOW x"),
                       "log.json: there is no session with statements other than SET, SHOW and the like: two or more "
                       "are needed");
    assert_log_problem(OTHER "{\"session_id\":\"1.a\",\"dbname\":\"e\",\"error_severity\":\"LOG\",\"message\":"
                             "\"statement: SELECT 1\"}\n",
                       "log.json:2: the sessions use the databases \"d\" and \"e\": keep only the entries of one");
    assert_log_problem(OTHER "[]", "log.json:2: a line of jsonlog is expected, which is a JSON object");
    assert_log_problem(OTHER "2026-11-27 LOG:  statement: SELECT 1\n",
                       "log.json:2: a line of jsonlog is expected, which is a JSON object: '[' or '{' expected near "
                       "'2026'");
    assert_log_problem(OTHER ENTRY("a", "execute x: SELECT $1"),
                       "log.json:2: the log does not have the values of the statement's parameters: record it with "
                       "log_parameter_max_length = -1");
    assert_log_problem(OTHER DETAILED("a", "execute x: SELECT $1", "parameters: $1 = 'a"),
                       "log.json:2: the parameters of the statement cannot be read: $1 = 'value', $2 = NULL is "
                       "expected");
    assert_log_problem(OTHER DETAILED("a", "execute x: SELECT $1", "parameters: $2 = 'a'"),
                       "log.json:2: the parameters of the statement cannot be read: $1 = 'value', $2 = NULL is "
                       "expected");
    assert_log_problem(OTHER ENTRY("a", "statement: COPY pots FROM STDIN"),
                       "log.json:2: COPY with the client cannot be run again: its data is not in the log");
    assert_problem(case_read_log, "log.csv", "a,b,c\n",
                   "log.csv:1: a record of csvlog with 23 fields or more is expected, found 3");
    assert_problem(case_read_log, "log.csv", "\na,\"b\n,c\n",
                   "log.csv:2: the quoted field that begins here has no closing quote");
    assert_problem(case_read_log, "log.csv", ",,d,,,1.a,,,,,,LOG,,\"statement: SELECT \"1,,,,,,,,,,,,\n",
                   "log.csv:1: a comma or the end of the line is expected behind the closing quote of a field");
}

static void test_limits(void **state) {
    (void)state;
    struct text text = {0};
    for (int i = 0; i <= CASE_SESSIONS_MAX; i++) {
        text_append_format(
            &text, "{\"session_id\":\"%04d\",\"error_severity\":\"LOG\",\"message\":\"statement: SELECT %d\"}\n", i, i);
    }
    assert_log_problem(text_terminated(&text), "log.json:17: there are more than 16 sessions: keep only the entries of "
                                               "the requests that are to be explored");
    text_clear(&text);
    text_append_string(&text, OTHER);
    for (int i = 0; i <= CASE_INSTRUCTIONS_MAX; i++) {
        text_append_string(&text, ENTRY("a", "statement: SELECT 1"));
    }
    assert_log_problem(text_terminated(&text), "log.json:2: this session has more than 1000 statements");
    text_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recordings), cmocka_unit_test(test_lines),         cmocka_unit_test(test_housekeeping),
        cmocka_unit_test(test_levels),     cmocka_unit_test(test_other_entries), cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_errors),     cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
