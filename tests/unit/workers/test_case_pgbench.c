// case_pgbench: scripts become sessions; what is known is calculated, and random values are drawn when they are read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "tests/unit/workers/case_show.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/test_case_pgbench_XXXXXX";

enum { SCRIPTS_MAX = 20, PATH_SIZE = 64 };

static int enter_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int remove_folder(void **state) {
    (void)state;
    return unlink("s.sql") != 0 || unlink("a.pgbench") != 0 || rmdir(folder) != 0;
}

static void write_file(const char *path, const char *content) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, content, strlen(content)), strlen(content));
    assert_int_equal(close(file), 0);
}

// The same script `count` times, after the setup if there is one.
static void assert_scripts(const char *setup, const char *script, size_t count, uint64_t seed, const char *expected) {
    static const char *paths[SCRIPTS_MAX];
    struct case_list list;
    struct text problem = {0};
    struct text shown = {0};
    write_file("s.sql", setup == NULL ? "" : setup);
    write_file("a.pgbench", script);
    for (size_t i = 0; i < count; i++) {
        paths[i] = "a.pgbench";
    }
    bool good = case_read_pgbench(setup == NULL ? NULL : "s.sql", paths, count, seed, &list, &problem);
    show_list(good, &list, &problem, &shown);
    assert_string_equal(text_terminated(&shown), expected);
    text_free(&shown);
    text_free(&problem);
    case_list_free(&list);
}

#define SESSION_A "session A client_id=0 scale=1 random_seed=7 default_seed=7\n"
#define SESSION_B "session B client_id=1 scale=1 random_seed=7 default_seed=7\n"

static void assert_script(const char *script, const char *expected) {
    struct text all = {0};
    text_append_string(&all, strncmp(expected, "a.pgbench", 9) == 0 ? "" : SESSION_A);
    text_append_string(&all, expected);
    assert_scripts(NULL, script, 1, 7, text_terminated(&all));
    text_free(&all);
}

static void test_sessions(void **state) {
    (void)state;
    assert_scripts("CREATE TABLE t (a int);\nINSERT INTO t VALUES (1)", "BEGIN;\nU :client_id, :scale;\nEND", 2, 7,
                   "setup 1 CREATE TABLE t (a int)\nsetup 2 INSERT INTO t VALUES (1)\n" SESSION_A
                   "1 A1 BEGIN\n2 A2 U {value client_id}, {value scale}\n3 A3 END\n" SESSION_B
                   "1 B1 BEGIN\n2 B2 U {value client_id}, {value scale}\n3 B3 END\n");
    assert_scripts("-- setup\nS;", "S;", 1, 7,
                   "setup 2 S\nsession A client_id=0 scale=1 random_seed=7 default_seed=7\n1 A1 S\n");
    assert_scripts("-- session A\nS;", "S;", 1, 7,
                   "s.sql:1: a file of setup has no such marker: the sessions are in other files");
    assert_scripts("S :x;", "S;", 1, 7,
                   "s.sql:1: the variable \"x\" is not set: only a \\set outside of the sessions and before "
                   "this line can set it");
    assert_scripts(NULL, "S;", 17, 7, "--session: 1 to 16 scripts are expected, not 17");
    assert_scripts(NULL, "S;", 0, 7, "--session: 1 to 16 scripts are expected, not 0");
    assert_scripts(NULL, "-- nothing\n", 1, 7, "a.pgbench:1: session A has no statement");
    assert_scripts(NULL, "", 1, 7, "a.pgbench: is empty");
}

static void test_calculated(void **state) {
    (void)state;
    assert_script("\\set a 1 + 2 * :scale\n\\set b :a * 10\nS :a :b;",
                  "1 set a = 3\n2 set b = 30\n3 A1 S {value a} {value b}\n");
    // A value of \gset is known only when the session runs; a line may go on.
    assert_script(
        "SELECT x, y AS scale FROM t \\gset\n\\set a :x + \\\n 1\n\\set b :scale\n\\set a 5\n\\set c :a\nS :c;",
        "1 A1 SELECT x, y AS scale FROM t gset()\n2 calculate a =  {value x} +   1\n4 calculate b =  {value scale}\n"
        "5 set a = 5\n6 set c = 5\n7 A2 S {value c}\n");
    // \gset may stand behind the semicolon; with columns that are not certain, every variable may have changed.
    assert_script("SELECT * FROM t;\n\\gset\n\\set a :scale\nS;",
                  "1 A1 SELECT * FROM t gset()\n3 calculate a =  {value scale}\n4 A2 S\n");
}

static void test_branches(void **state) {
    (void)state;
    assert_script("SELECT x FROM t \\gset\n\\if :x > 1\nS1;\n\\set a 2\n\\elif "
                  ":client_id\nS2;\n\\else\nS3;\n\\endif\n\\set b :a\n"
                  "S :b;",
                  "1 A1 SELECT x FROM t gset()\n"
                  "2 calculate \\if = case when ( {value x} > 1) then true else false end\n2 unless {value \\if} -> 6\n"
                  "3 A2 S1\n4 set a = 2\n5 skip -> 11\n"
                  "5 set \\if = false\n5 unless {value \\if} -> 10\n6 A3 S2\n7 skip -> 11\n8 A4 S3\n"
                  "10 calculate b =  {value a}\n11 A5 S {value b}\n"); // a depends on the branch
    // A branch that does not run may divide by zero.
    assert_script("\\if :scale = 0\n\\set a 1 / (:scale - 1)\n\\endif\nS;",
                  "1 set \\if = false\n1 unless {value \\if} -> 3\n2 calculate a =  1 / ({value scale} - 1)\n4 A1 S\n");
}

static void test_statements(void **state) {
    (void)state;
    // pgbench fills in variables inside of quotes too, and ends a statement at a command.
    assert_script(
        "S ':scale 12:30 :x ::scale' \"::y\", a::int, b[1:2] -- :scale\n, $$:scale$$\n\\sleep 10 ms\nT (1; 2);",
        "1 A1 S '{value scale} 12:30 :x ::scale' \"::y\", a::int, b[1:2] -- {value scale}\n, $${value scale}$$\n"
        "4 A2 T (1; 2)\n");
    assert_script("\\startpipeline\nS1\\; S2;\n\\syncpipeline\n\\endpipeline\n", "2 A1 block S1; S2\n");
}

static void test_random(void **state) {
    (void)state;
    static const char *const path = "a.pgbench";
    static const char *const paths[] = {path, path};
    char values[3][2][PATH_SIZE];
    write_file("a.pgbench",
               "\\set a random(1, 1000000)\nSELECT x FROM t \\gset\n\\set b :x + random(1, :scale * 9)\nS :a;");
    for (int i = 0; i < 3; i++) {
        struct case_list list;
        struct text problem = {0};
        struct text shown = {0};
        assert_true(case_read_pgbench(NULL, paths, 2, i == 2 ? 8 : 7, &list, &problem));
        for (int j = 0; j < 2; j++) {
            const struct case_session *session = &list.cases[0].sessions[j];
            text_clear(&shown);
            show_template(&session->instructions[0].text, &shown);
            (void)snprintf(values[i][j], PATH_SIZE, "%s", text_terminated(&shown));
            text_clear(&shown);
            show_template(&session->instructions[2].text, &shown);
            const char *drawn = text_terminated(&shown);
            assert_true(strncmp(drawn, " {value x} + ", 13) == 0 && strlen(drawn) == 14 &&
                        strchr("123456789", drawn[13]));
        }
        text_free(&shown);
        case_list_free(&list);
    }
    assert_string_equal(values[0][0], values[1][0]); // the seed decides
    assert_string_equal(values[0][1], values[1][1]);
    assert_string_not_equal(values[0][0], values[0][1]); // each session draws its own
    assert_string_not_equal(values[0][0], values[2][0]);
}

static void test_problems(void **state) {
    (void)state;
    assert_script("S;\n\\set a 1 / 0\n", "a.pgbench:2: division by zero");
    assert_script("S;\n\\set a :b + 1\n",
                  "a.pgbench:2: nothing sets the variable \"b\" before session A reads it (set here: "
                  "client_id, scale, random_seed, default_seed)");
    assert_script("S :b;",
                  "a.pgbench:1: nothing sets the variable \"b\" before session A reads it (set here: client_id, scale, "
                  "random_seed, default_seed)");
    assert_script("SELECT x FROM t \\gset\n\\set a random(1, :x)\n",
                  "a.pgbench:2: random values are drawn when the script is read, but the variable \"x\" is not set");
    assert_script("S;\n\\set a 1 +\n", "a.pgbench:2: the expression ends too early");
    assert_script("S;\n\\set 1a 1\n", "a.pgbench:2: \\set needs the name of a variable and an expression");
    assert_script("S;\n\\gset\n\\gset\n", "a.pgbench:3: \\gset must stand behind a statement");
    assert_script("\\gset\n", "a.pgbench:1: \\gset must stand behind a statement");
    assert_script("S \\gset a-b\n", "a.pgbench:1: \\gset needs a prefix of letters, digits and underscores");
    assert_script("S \\aset\n", "a.pgbench:1: \\aset is not understood: end each statement with \\gset");
    assert_script("\\setshell a date\n", "a.pgbench:1: no program of the system runs in a case: use \\set");
    assert_script("\\echo a\n",
                  "a.pgbench:1: \\echo is not a command that a script of a case may have: \\set, \\gset, \\if, \\elif, "
                  "\\else, \\endif and \\sleep are");
    assert_script("S;\n\\if true\n", "a.pgbench:2: this \\if of session A has no \\endif");
    assert_script("S;\n\\endif\n", "a.pgbench:2: \\endif has no \\if before it");
    assert_script("S :'scale';\n", "a.pgbench:1: pgbench knows only :scale, without quotes and braces");
    assert_script("S 'a\n", "a.pgbench:1: a quoted string begins here and does not end");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),   cmocka_unit_test(test_calculated), cmocka_unit_test(test_branches),
        cmocka_unit_test(test_statements), cmocka_unit_test(test_random),     cmocka_unit_test(test_problems),
    };
    return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}
