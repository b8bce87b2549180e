// case_hermitage: a page in the form of Hermitage: setup, names of cases, sessions, orders, levels, and errors.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "tests/unit/workers/case_reading.h"

#include <stdlib.h>

#define SETUP                                                                                                          \
    "Testing isolation levels\n"                                                                                       \
    "========================\n"                                                                                       \
    "\n"                                                                                                               \
    "Setup (before every test case):\n"                                                                                \
    "\n"                                                                                                               \
    "```sql\n"                                                                                                         \
    "create table pots (id int primary key, coins int);\n"                                                             \
    "insert into pots values (1, 10), (2, 20);\n"                                                                      \
    "```\n"                                                                                                            \
    "\n"                                                                                                               \
    "To see the current isolation level:\n"                                                                            \
    "\n"                                                                                                               \
    "```sql\n"                                                                                                         \
    "select current_setting('transaction_isolation');\n"                                                               \
    "```\n"                                                                                                            \
    "\n"                                                                                                               \
    "Lost Update (P4)\n"                                                                                               \
    "----------------\n"

#define CASE(lines) "\n```sql\n" lines "```\n"

static void assert_page_problem(const char *text, const char *problem) {
    assert_problem(case_read_hermitage, "page.md", text, problem);
}

static struct reading read_page(const char *text) {
    struct reading reading = read_text(case_read_hermitage, "page.md", text);
    assert_string_equal(text_terminated(&reading.problem), "");
    assert_true(reading.is_read);
    return reading;
}

static const char *sql_of(const struct sql_case *made, size_t session, size_t instruction) {
    assert_true(session < made->session_count && instruction < made->sessions[session].count);
    const struct case_instruction *step = &made->sessions[session].instructions[instruction];
    assert_int_equal(step->operation, CASE_STATEMENT);
    assert_int_equal(step->text.count, 1);
    assert_string_equal(step->text.pieces[0].text, step->source);
    return step->source;
}

// The steps of the order by their names.
static void assert_order(const struct sql_case *made, const char *expected) {
    struct text names = {0};
    assert_int_equal(made->order_count, 1);
    for (size_t i = 0; i < made->orders[0].count; i++) {
        const struct case_order_step *step = &made->orders[0].steps[i];
        text_append_format(&names, "%s%s", i > 0 ? " " : "",
                           made->sessions[step->session].instructions[step->instruction].name);
    }
    assert_string_equal(text_terminated(&names), expected);
    text_free(&names);
}

static void test_a_case(void **state) {
    (void)state;
    struct reading reading = read_page(SETUP "\nPostgres \"read committed\" does not prevent\nLost Update (P4):\n" CASE(
        "begin; set transaction isolation level read committed; -- T1\n"
        "begin; set transaction isolation level read committed; -- T2\n"
        "select * from pots where id = 1; -- T1. Shows 1 => 10\n"
        "update pots set coins = 11 where id = 1; -- T2, BLOCKS\n"
        "commit; -- T1. This unblocks T2, so T1's update is overwritten\n"
        "select * from pots; -- T1. Shows 1 => 10\n"
        "abort;  -- T2\n"
        "select * from pots; -- Either. Returns 1 => 10\n"));
    assert_int_equal(reading.list.count, 1);
    const struct sql_case *made = &reading.list.cases[0];
    assert_string_equal(made->file, "page.md");
    assert_string_equal(made->name, "Lost Update (P4), read committed");
    assert_int_equal(made->line, 24);
    assert_int_equal(made->setup.count, 2);
    assert_string_equal(made->setup.items[1].sql, "insert into pots values (1, 10), (2, 20)");
    assert_int_equal(made->setup.items[1].line, 8);
    assert_int_equal(made->session_count, 2);
    assert_string_equal(made->sessions[0].name, "T1");
    // The query behind T1's commit looks at the result: it is no step.
    assert_int_equal(made->sessions[0].count, 3);
    assert_string_equal(sql_of(made, 0, 0), "begin");
    assert_string_equal(sql_of(made, 0, 1), "select * from pots where id = 1");
    assert_string_equal(sql_of(made, 0, 2), "commit");
    assert_int_equal(made->sessions[0].instructions[2].line, 28);
    assert_false(made->sessions[0].instructions[0].is_block);
    assert_int_equal(made->sessions[1].count, 3);
    assert_string_equal(sql_of(made, 1, 2), "abort");
    assert_order(made, "T1.1 T2.1 T1.2 T2.2 T1.3 T2.3");
    assert_true(made->has_level);
    assert_int_equal(made->level, CASE_READ_COMMITTED);
    assert_false(made->names_levels);
    assert_false(made->stops_at_error);
    assert_true(made->is_serializable);
    reading_free(&reading);
}

static void test_an_abort_after_a_failure(void **state) {
    (void)state;
    struct reading reading =
        read_page(SETUP CASE("begin; -- T1\n"
                             "abort; -- T1. There's nothing else we can do, this transaction has failed\n"
                             "begin; -- T2\n"
                             "rollback;  -- T2: this transaction has failed\n"
                             "begin; -- T3\n"
                             "rollback to before; -- T3, which has failed\n"
                             "abort; -- T3\n"));
    const struct sql_case *made = &reading.list.cases[0];
    assert_string_equal(sql_of(made, 0, 1), "commit");
    assert_string_equal(sql_of(made, 1, 1), "commit");
    assert_string_equal(sql_of(made, 2, 1), "rollback to before");
    assert_string_equal(sql_of(made, 2, 2), "abort");
    reading_free(&reading);
}

static void test_names(void **state) {
    (void)state;
    struct reading reading = read_page(SETUP CASE("begin isolation level serializable; -- T1\ncommit; -- T1\n") CASE(
        "begin isolation level serializable; -- T1\ncommit; -- T1\n") "Postgres \"repeatable read\" "
                                                                      "prevents Skew (A5) -- test "
                                                                      "using predicates:\n" CASE(
                                                                          "start transaction "
                                                                          "isolation level repeatable "
                                                                          "read; -- T1\ncommit; -- "
                                                                          "T1\n") "## Dirty reads "
                                                                                  "##\n" CASE("begin; "
                                                                                              "-- "
                                                                                              "T1\ncom"
                                                                                              "mit; "
                                                                                              "-- "
                                                                                              "T1\n"));
    assert_int_equal(reading.list.count, 4);
    assert_string_equal(reading.list.cases[0].name, "Lost Update (P4), serializable");
    assert_string_equal(reading.list.cases[1].name, "Lost Update (P4), serializable, line 26");
    assert_string_equal(reading.list.cases[2].name, "Skew (A5) -- test using predicates, repeatable read");
    assert_string_equal(reading.list.cases[3].name, "Dirty reads ##");
    assert_false(reading.list.cases[3].has_level);
    assert_false(reading.list.cases[3].names_levels);
    reading_free(&reading);
    reading = read_page(CASE("begin; -- T1\n"));
    assert_string_equal(reading.list.cases[0].name, "page");
    assert_int_equal(reading.list.cases[0].setup.count, 0);
    reading_free(&reading);
}

static void test_steps(void **state) {
    (void)state;
    struct reading reading = read_page(CASE("-- T1 begins below\n"
                                            "set transaction isolation level serializable; -- T1\n"
                                            "\n"
                                            "-- a remark\n"
                                            "select ';' /* -- T9 */,\n"
                                            "  $$ -- T8 $$ -- the second column\n"
                                            "  from pots; -- T1\r\n"
                                            "select 1; select 2 -- T22: without a semicolon\n"));
    const struct sql_case *made = &reading.list.cases[0];
    assert_string_equal(made->sessions[1].name, "T22");
    assert_string_equal(sql_of(made, 1, 0), "select 1; select 2");
    assert_true(made->sessions[1].instructions[0].is_block);
    reading_free(&reading);
}

static void test_levels(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        const char *sql; // the first step
        enum case_level level;
        bool has_level;
        bool names_levels;
    } pages[] = {
        {"begin; set transaction isolation level read uncommitted; -- T1\n", "begin", CASE_READ_COMMITTED, true, false},
        {"BEGIN;  -- T1\nSET TRANSACTION  ISOLATION LEVEL SERIALIZABLE; -- T1\n", "BEGIN", CASE_SERIALIZABLE, true,
         false},
        {"begin isolation level repeatable read, read only; -- T1\n", "begin read only", CASE_REPEATABLE_READ, true,
         false},
        {"begin read only, isolation level repeatable read; -- T1\n", "begin read only", CASE_REPEATABLE_READ, true,
         false},
        {"begin deferrable, isolation level serializable, read only; -- T1\n", "begin deferrable, read only",
         CASE_SERIALIZABLE, true, false},
        {"begin; set transaction isolation level serializable, read only; -- T1\n", "begin; set transaction read only",
         CASE_SERIALIZABLE, true, false},
        // A comment beside the level goes with it: it would hide what is put behind it.
        {"begin --~\nisolation level serializable; select 2 -- T1\n", "begin; select 2", CASE_SERIALIZABLE, true,
         false},
        {"begin read only, --~\nisolation level serializable --~\n, deferrable; select 2 -- T1\n",
         "begin read only, deferrable; select 2", CASE_SERIALIZABLE, true, false},
        // Two levels, a level of some transactions only, a level that is set in another way: the case stays as it is.
        {"begin isolation level serializable; -- T1\nbegin isolation level read committed; -- T2\n",
         "begin isolation level serializable", CASE_READ_COMMITTED, false, true},
        {"begin isolation level serializable; -- T1\nbegin; -- T2\n", "begin isolation level serializable",
         CASE_READ_COMMITTED, false, true},
        {"set default_transaction_isolation = 'serializable'; -- T1\nbegin; -- T1\n",
         "set default_transaction_isolation = 'serializable'", CASE_READ_COMMITTED, false, true},
        {"select 'isolation level serializable'; -- T1\n", "select 'isolation level serializable'", CASE_READ_COMMITTED,
         false, false},
    };
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        struct text text = {0};
        text_append_format(&text, "```sql\n%s```\n", pages[i].lines);
        struct reading reading = read_page(text_terminated(&text));
        const struct sql_case *made = &reading.list.cases[0];
        assert_string_equal(sql_of(made, 0, 0), pages[i].sql);
        assert_int_equal(made->level, pages[i].level);
        assert_int_equal(made->has_level, pages[i].has_level);
        assert_int_equal(made->names_levels, pages[i].names_levels);
        reading_free(&reading);
        text_free(&text);
    }
}

// A query in the middle of a session is a step, and so is a query of a session without transactions.
static void test_queries_outside_of_transactions(void **state) {
    (void)state;
    struct reading reading = read_page(CASE("select 1; -- T1\n"
                                            "begin; -- T2\n"
                                            "commit; -- T2\n"
                                            "select 2; -- T2\n"
                                            "begin; -- T2\n"
                                            "commit; -- T2\n"
                                            "select 3; -- T2\n"
                                            "select 4; -- T2\n"
                                            "update pots set coins = 1; -- T1\n"
                                            "select 5; -- T1\n"));
    assert_order(&reading.list.cases[0], "T1.1 T2.1 T2.2 T2.3 T2.4 T2.5 T1.2 T1.3");
    assert_int_equal(reading.list.cases[0].sessions[1].count, 5);
    reading_free(&reading);
}

static void test_errors(void **state) {
    (void)state;
    assert_page_problem("", "page.md: there is no case: a block ```sql is expected whose lines end with the name of a "
                            "session, -- T1");
    assert_page_problem(SETUP "```\nbegin; -- T1\n```\n",
                        "page.md: there is no case: a block ```sql is expected whose lines end with the name of a "
                        "session, -- T1");
    assert_page_problem("```sql\nbegin; -- T1\n", "page.md:1: the block that begins here has no closing line ```");
    assert_page_problem("```sql", "page.md:1: the block that begins here has no closing line ```");
    assert_page_problem(CASE("begin; -- T1\ncommit;\nselect 1; -- T2\n"),
                        "page.md:4: no comment names the session of this statement: -- T1 is expected at the end of "
                        "the line");
    assert_page_problem(CASE("begin; -- T1\ncommit; -- the first one\nselect 1; -- T2\n"),
                        "page.md:4: no comment names the session of this statement: -- T1 is expected at the end of "
                        "the line");
    assert_page_problem(CASE("begin; -- T1\ncommit\n"),
                        "page.md:4: no comment names the session of this statement: -- T1 is expected at the end of "
                        "the line");
    assert_page_problem(CASE("begin; -- T1\nselect 'a; -- T2\n"),
                        "page.md:4: a quoted string begins here and does not end");
    assert_page_problem("Setup:\n```sql\nselect 'a;\n```\n" CASE("begin; -- T1\n"),
                        "page.md:4: a quoted string does not end in the block of the setup");
    assert_page_problem(CASE("; -- T1\n"), "page.md:3: the block has no statement of a session");
    struct text text = {0};
    text_append_string(&text, "```sql\n");
    for (int i = 1; i <= CASE_SESSIONS_MAX + 1; i++) {
        text_append_format(&text, "begin; -- T%d\n", i);
    }
    text_append_string(&text, "```\n");
    assert_page_problem(text_terminated(&text), "page.md:18: there are more than 16 sessions");
    text_free(&text);
}

// LAB_HERMITAGE_PAGE names a copy of Hermitage's own page, which is not part of this repository.
static void test_the_page_of_hermitage(void **state) {
    (void)state;
    const char *page = getenv("LAB_HERMITAGE_PAGE");
    if (page == NULL || page[0] == '\0') {
        print_message("skipped: LAB_HERMITAGE_PAGE does not name a copy of postgres.md\n");
        skip();
    }
    struct reading reading = {0};
    reading.is_read = case_read(page, &reading.list, &reading.problem);
    assert_string_equal(text_terminated(&reading.problem), "");
    assert_true(reading.is_read);
    assert_int_equal(reading.list.count, 20);
    for (size_t i = 0; i < reading.list.count; i++) {
        const struct sql_case *made = &reading.list.cases[i];
        print_message("%s: %zu sessions, %zu steps\n", made->name, made->session_count, made->orders[0].count);
        assert_true(made->has_level);
        assert_false(made->names_levels);
        assert_int_equal(made->setup.count, 2);
        assert_true(made->session_count == 2 || made->session_count == 3);
    }
    reading_free(&reading);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_case), cmocka_unit_test(test_an_abort_after_a_failure),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_steps),
        cmocka_unit_test(test_levels), cmocka_unit_test(test_queries_outside_of_transactions),
        cmocka_unit_test(test_errors), cmocka_unit_test(test_the_page_of_hermitage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
