// case_spec: the grammar of isolationtester's files, its annotations and its errors; all files of PostgreSQL's source.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "tests/unit/workers/case_reading.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SESSIONS                                                                                                       \
    "session s1\n"                                                                                                     \
    "step a { SELECT 1; }\n"                                                                                           \
    "step b { SELECT 2; }\n"                                                                                           \
    "session s2\n"                                                                                                     \
    "step c { SELECT 3; }\n"

static void assert_spec_problem(const char *text, const char *problem) {
    assert_problem(case_read_spec, "a.spec", text, problem);
}

static void test_every_part(void **state) {
    (void)state;
    struct reading reading = read_text(case_read_spec, "tests/every part.spec",
                                       "# a comment: setup { is not read }\n"
                                       "setup {\t CREATE TABLE t (i int); \t}\n"
                                       "setup\n{\n VACUUM t\n}\n"
                                       "teardown { DROP TABLE t; }\n"
                                       "session \"with \"\"quotes\"\"\"\n"
                                       "setup { BEGIN; }\n"
                                       "step r1 { SELECT '# no comment' FROM t; -- a comment\n }# the end\n"
                                       "step \"step\" { UPDATE t SET i = 1; COMMIT; }\n"
                                       "teardown { ROLLBACK; }\n"
                                       "session s\xC3\xA9$2 step unused{}\n"
                                       "permutation r1 \"step\" r1\n");
    assert_string_equal(text_terminated(&reading.problem), "");
    assert_true(reading.is_read);
    assert_int_equal(reading.list.count, 1);
    const struct sql_case *made = &reading.list.cases[0];
    assert_string_equal(made->file, "tests/every part.spec");
    assert_string_equal(made->name, "every part");
    assert_int_equal(made->setup.count, 2);
    assert_string_equal(made->setup.items[0].sql, "CREATE TABLE t (i int);");
    assert_int_equal(made->setup.items[0].line, 2);
    // As in isolationtester, the line ends at the edges of a block stay.
    assert_string_equal(made->setup.items[1].sql, "\n VACUUM t\n");
    assert_int_equal(made->setup.items[1].line, 4);
    assert_int_equal(made->teardown.count, 1);
    assert_int_equal(made->session_count, 2);
    const struct case_session *session = &made->sessions[0];
    assert_string_equal(session->name, "with \"quotes\"");
    assert_int_equal(session->line, 8);
    assert_string_equal(session->setup.items[0].sql, "BEGIN;");
    assert_string_equal(session->teardown.items[0].sql, "ROLLBACK;");
    assert_int_equal(session->count, 2);
    const struct case_instruction *step = &session->instructions[0];
    assert_string_equal(step->name, "r1");
    assert_string_equal(step->source, "SELECT '# no comment' FROM t; -- a comment\n");
    assert_int_equal(step->text.count, 1);
    assert_int_equal(step->text.pieces[0].kind, CASE_PIECE_TEXT);
    assert_string_equal(step->text.pieces[0].text, step->source);
    assert_true(step->is_block);
    assert_null(step->gset_prefix);
    assert_int_equal(step->line, 10);
    assert_string_equal(session->instructions[1].name, "step");
    assert_string_equal(made->sessions[1].name, "s\xC3\xA9$2");
    assert_string_equal(made->sessions[1].instructions[0].source, "");
    assert_int_equal(made->order_count, 1);
    assert_int_equal(made->orders[0].count, 3);
    assert_int_equal(made->orders[0].steps[1].instruction, 1);
    assert_int_equal(made->orders[0].steps[2].instruction, 0);
    assert_true(made->is_serializable);
    assert_false(made->stops_at_error);
    assert_false(made->names_levels);
    reading_free(&reading);
}

static void test_no_permutations(void **state) {
    (void)state;
    struct reading reading = read_text(case_read_spec, "a.spec", SESSIONS);
    assert_true(reading.is_read);
    assert_int_equal(reading.list.cases[0].order_count, 0);
    reading_free(&reading);
}

static void test_annotations(void **state) {
    (void)state;
    struct reading reading = read_text(case_read_spec, "a.spec",
                                       SESSIONS "permutation a(*) c(b, a notices 12,*) b\n"
                                                "permutation c a\n");
    assert_true(reading.is_read);
    const struct sql_case *made = &reading.list.cases[0];
    assert_int_equal(made->order_count, 2);
    const struct case_order *order = &made->orders[0];
    assert_int_equal(order->line, 6);
    assert_int_equal(order->count, 3);
    assert_true(order->steps[0].reports_wait_at_once);
    assert_int_equal(order->steps[0].condition_count, 0);
    assert_int_equal(order->steps[1].session, 1);
    assert_int_equal(order->steps[1].instruction, 0);
    assert_true(order->steps[1].reports_wait_at_once);
    assert_int_equal(order->steps[1].condition_count, 2);
    assert_int_equal(order->steps[1].conditions[0].session, 0);
    assert_int_equal(order->steps[1].conditions[0].instruction, 1);
    assert_int_equal(order->steps[1].conditions[0].notices, 0);
    assert_int_equal(order->steps[1].conditions[1].instruction, 0);
    assert_int_equal(order->steps[1].conditions[1].notices, 12);
    assert_false(order->steps[2].reports_wait_at_once);
    assert_int_equal(made->orders[1].line, 7);
    reading_free(&reading);
}

static void test_levels(void **state) {
    (void)state;
    static const char *const blocks[] = {
        "BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;",
        "BEGIN ISOLATION LEVEL REPEATABLE READ",
        "SELECT 1; START TRANSACTION ISOLATION LEVEL READ COMMITTED;",
        "SET default_transaction_isolation = 'serializable'",
    };
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        struct text text = {0};
        text_append_format(&text, "session s setup { %s } step a { SELECT 1 }", blocks[i]);
        struct reading reading = read_text(case_read_spec, "a.spec", text_terminated(&text));
        assert_true(reading.is_read);
        assert_true(reading.list.cases[0].names_levels);
        reading_free(&reading);
        text_clear(&text);
        text_append_format(&text, "session s step a { %s }", blocks[i]);
        reading = read_text(case_read_spec, "a.spec", text_terminated(&text));
        assert_true(reading.is_read);
        assert_true(reading.list.cases[0].names_levels);
        reading_free(&reading);
        text_free(&text);
    }
}

static void test_errors_of_the_grammar(void **state) {
    (void)state;
    assert_spec_problem("", "a.spec:1: expected \"setup\", \"teardown\" or \"session\", found the end of the file");
    assert_spec_problem("\n# empty\n",
                        "a.spec:3: expected \"setup\", \"teardown\" or \"session\", found the end of the file");
    assert_spec_problem("session s", "a.spec:1: expected \"step\": a session has at least one, found the end of the "
                                     "file");
    assert_spec_problem("session step step a {}",
                        "a.spec:1: expected the name of the session, found \"step\": a keyword is a name only "
                        "in double quotes");
    assert_spec_problem("session s\nstep {SELECT 1}", "a.spec:2: expected the name of the step, found a block of SQL");
    assert_spec_problem("session s step a\nSELECT", "a.spec:2: expected the step's SQL in braces, found \"SELECT\"");
    assert_spec_problem("setup SELECT 1", "a.spec:1: expected a block of SQL in braces, found \"SELECT\"");
    assert_spec_problem("teardown {} teardown {}", "a.spec:1: expected \"session\", found \"teardown\"");
    assert_spec_problem("session s setup {} setup {} step a {}",
                        "a.spec:1: expected \"step\": a session has at least one, found \"setup\"");
    assert_spec_problem("session s step a {} step b {SELECT\n\n1", "a.spec:1: the block of SQL has no closing brace");
    assert_spec_problem("session \"s\nstep a {}", "a.spec:1: the quoted name has no closing quote in its line");
    assert_spec_problem("session s step a {} ;", "a.spec:1: unexpected character \";\"");
    assert_spec_problem(SESSIONS "setup {}", "a.spec:6: expected \"session\", \"permutation\" or the end of the "
                                             "file, found \"setup\"");
    assert_spec_problem(SESSIONS "permutation", "a.spec:6: expected the name of a step behind \"permutation\", found "
                                                "the end of the file");
    assert_spec_problem(SESSIONS "permutation a {}",
                        "a.spec:6: expected a step, \"permutation\" or the end of the file, found a block of SQL");
    assert_spec_problem(SESSIONS "permutation a()",
                        "a.spec:6: expected * or the name of a step in the parentheses, found \")\"");
    assert_spec_problem(SESSIONS "permutation a(c", "a.spec:6: expected \",\" or \")\" behind a condition, found the "
                                                    "end of the file");
    assert_spec_problem(SESSIONS "permutation c a(c notices 0)",
                        "a.spec:6: expected the number of notices, from 1 to 1000000, found \"0\"");
    assert_spec_problem(SESSIONS "permutation c a(c notices 99999999999999)",
                        "a.spec:6: expected the number of notices, from 1 to 1000000, found \"99999999999999\"");
}

static void test_errors_of_names(void **state) {
    (void)state;
    assert_spec_problem(SESSIONS "session s1 step d {}",
                        "a.spec:6: duplicate session name: \"s1\" is the name of a session in line 1 already");
    assert_spec_problem(SESSIONS "session s3\nstep b {}",
                        "a.spec:7: duplicate step name: \"b\" is the name of a step in line 3 already");
    assert_spec_problem(SESSIONS "permutation a\nd",
                        "a.spec:7: undefined step \"d\" specified in permutation: no session has a step of this name");
    assert_spec_problem(SESSIONS "permutation b c\npermutation a c(b)",
                        "a.spec:7: undefined blocking step \"b\": a condition names a step of the same permutation");
    assert_spec_problem(SESSIONS "permutation a b(a)",
                        "a.spec:6: a permutation step cannot block on its own session: \"a\" belongs to the same "
                        "session as the step that it delays");
}

static void test_limits(void **state) {
    (void)state;
    struct text text = {0};
    for (int i = 0; i <= CASE_SESSIONS_MAX; i++) {
        text_append_format(&text, "session s%d step a%d {}\n", i, i);
    }
    assert_spec_problem(text_terminated(&text), "a.spec:17: there are more than 16 sessions");
    text_clear(&text);
    text_append_string(&text, "session s\n");
    for (int i = 0; i <= CASE_INSTRUCTIONS_MAX; i++) {
        text_append_format(&text, "step a%d {}\n", i);
    }
    assert_spec_problem(text_terminated(&text), "a.spec:1002: the session s has more than 1000 steps");
    text_clear(&text);
    text_append_string(&text, "session s step a {} permutation");
    for (int i = 0; i <= 1000 * 1000; i++) {
        text_append_string(&text, " a");
    }
    assert_spec_problem(text_terminated(&text),
                        "a.spec:1: the permutations have more than 1000000 steps and conditions in all");
    text_clear(&text);
    text_append_string(&text, "session s step a {} session t step b {} permutation b a(b");
    for (int i = 0; i <= 1000 * 1000; i++) {
        text_append_string(&text, ",b");
    }
    assert_spec_problem(text_terminated(&text),
                        "a.spec:1: the permutations have more than 1000000 steps and conditions in all");
    text_free(&text);
}

static void append_names(const struct sql_case *made, const struct case_order *order, struct text *out) {
    text_append_string(out, "starting permutation:");
    for (size_t i = 0; i < order->count; i++) {
        const struct case_order_step *step = &order->steps[i];
        text_append_format(out, " %s", made->sessions[step->session].instructions[step->instruction].name);
    }
}

// isolationtester prints the steps of each permutation that it runs: compares them with the orders of the case.
static void compare_permutations(const struct sql_case *made, const char *expected) {
    FILE *file = fopen(expected, "r");
    if (file == NULL || made->order_count == 0) {
        assert_true(file != NULL || errno == ENOENT); // a file of another name holds a variant of the output
        if (file != NULL) {
            (void)fclose(file);
        }
        return;
    }
    char *line = NULL;
    size_t capacity = 0;
    size_t count = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, file)) > 0) {
        struct slice read = {line, (size_t)length - (line[length - 1] == '\n')};
        if (slice_starts_with(read, SLICE_LITERAL("starting permutation:"))) {
            struct text names = {0};
            assert_true(count < made->order_count);
            append_names(made, &made->orders[count++], &names);
            assert_true(slice_equals(text_slice(&names), read));
            text_free(&names);
        }
    }
    free(line);
    (void)fclose(file);
    assert_int_equal(count, made->order_count);
}

static void read_file(const char *source, const char *name) {
    struct text path = {0};
    text_append_format(&path, "%s/specs/%s.spec", source, name);
    struct reading reading = {0};
    reading.is_read = case_read(text_terminated(&path), &reading.list, &reading.problem);
    assert_string_equal(text_terminated(&reading.problem), "");
    assert_true(reading.is_read);
    assert_int_equal(reading.list.count, 1);
    text_clear(&path);
    text_append_format(&path, "%s/expected/%s.out", source, name);
    compare_permutations(&reading.list.cases[0], text_terminated(&path));
    text_free(&path);
    reading_free(&reading);
}

// PostgreSQL's own files: LAB_POSTGRES_SOURCE is the folder of its source, "postgresql-15.18". The number of files
// differs from version to version.
static void test_the_files_of_postgresql(void **state) {
    (void)state;
    const char *source = getenv("LAB_POSTGRES_SOURCE");
    if (source == NULL || source[0] == '\0') {
        print_message("skipped: LAB_POSTGRES_SOURCE does not name the source of PostgreSQL\n");
        skip();
    }
    struct text path = {0};
    text_append_format(&path, "%s/src/test/isolation", source);
    size_t length = path.length;
    text_append_string(&path, "/specs");
    DIR *folder = opendir(text_terminated(&path));
    assert_non_null(folder);
    path.length = length;
    size_t count = 0;
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        char *dot = strrchr(entry->d_name, '.');
        if (dot != NULL && strcmp(dot, ".spec") == 0) {
            *dot = '\0';
            read_file(text_terminated(&path), entry->d_name);
            count++;
        }
    }
    closedir(folder);
    text_free(&path);
    print_message("%zu files\n", count);
    assert_true(count >= 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_part),
        cmocka_unit_test(test_no_permutations),
        cmocka_unit_test(test_annotations),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_errors_of_the_grammar),
        cmocka_unit_test(test_errors_of_names),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_the_files_of_postgresql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
