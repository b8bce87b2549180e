// case_sql: the sections of psql's dialect with markers, sessions, variables and branches.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "tests/unit/workers/case_show.h"

static void read_text(const char *sql, struct case_list *list) {
    struct text problem = {0};
    *list = (struct case_list){.memory = case_memory_new()};
    struct case_reader reader = {.path = "a.sql", .content = slice_of(sql), .list = list, .problem = &problem};
    if (!case_read_sql(&reader)) {
        fail_msg("%s\n%s", sql, text_terminated(&problem));
    }
    text_free(&problem);
}

static void assert_case(const char *sql, const char *expected) {
    struct case_list list;
    struct text shown = {0};
    read_text(sql, &list);
    show_list(true, &list, NULL, &shown);
    assert_string_equal(text_terminated(&shown), expected);
    text_free(&shown);
    case_list_free(&list);
}

static void test_transfer(void **state) {
    (void)state;
    assert_case("-- A transfer that reads, checks and writes.\n"
                "\n"
                "-- setup\n"
                "CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);\n"
                "INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);\n"
                "-- session A dst=bob\n"
                "SELECT balance, balance >= 800 AS enough FROM accounts WHERE id = 'alice' \\gset\n"
                "\\if :enough\n"
                "UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';\n"
                "UPDATE accounts SET balance = balance + 800\n"
                "    WHERE id = :'dst';\n"
                "\\endif\n"
                "-- session B like A dst=charlie\n"
                "-- invariant nobody_below_zero\n"
                "SELECT every(balance >= 0) FROM accounts;\n"
                "-- teardown\n"
                "DROP TABLE accounts;\n",
                "setup 4 CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL)\n"
                "setup 5 INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200)\n"
                "teardown 17 DROP TABLE accounts\n"
                "session A dst=bob\n"
                "7 A1 SELECT balance, balance >= 800 AS enough FROM accounts WHERE id = 'alice' gset()\n"
                "8 unless {value enough} -> 4\n"
                "9 A2 UPDATE accounts SET balance = balance - 800 WHERE id = 'alice'\n"
                "10 A3 UPDATE accounts SET balance = balance + 800\n"
                "    WHERE id = {literal dst}\n"
                "session B dst=charlie\n"
                "7 B1 SELECT balance, balance >= 800 AS enough FROM accounts WHERE id = 'alice' gset()\n"
                "8 unless {value enough} -> 4\n"
                "9 B2 UPDATE accounts SET balance = balance - 800 WHERE id = 'alice'\n"
                "10 B3 UPDATE accounts SET balance = balance + 800\n"
                "    WHERE id = {literal dst}\n"
                "invariant nobody_below_zero 14 SELECT every(balance >= 0) FROM accounts\n");
}

static void test_sections(void **state) {
    (void)state;
    assert_case("--session A\nBEGIN; COMMIT;\n  -- setup\nS1;\n-- teardown\nT1;\n-- setup \t\nS2; -- session B\n-- "
                "invariant i\n"
                "I1\n-- Notes on sessions\n-- setups\n-- 1. setup\n",
                "setup 4 S1\nsetup 8 S2\nteardown 6 T1\nsession A\n2 A1 BEGIN\n2 A2 COMMIT\ninvariant i 9 I1\n");
    // Markers inside of quotes and comments are none; the last statement needs no semicolon.
    assert_case("-- session A\nSELECT '\n-- session B\n', $$\n-- setup\n$$ /*\n-- setup\n*/\n;\nCOMMIT",
                "session A\n2 A1 SELECT '\n-- session B\n', $$\n-- setup\n$$\n10 A2 COMMIT\n");
    // A name that ends in a digit: T1's step 1 and T's step 11 have different names.
    assert_case("-- session T1\nA;B;", "session T1\n2 T1.1 A\n2 T1.2 B\n");
}

static void test_serializable(void **state) {
    (void)state;
    struct case_list list;
    read_text("-- serializable: no\n-- session A\nSELECT 1 FOR UPDATE SKIP LOCKED;", &list);
    assert_false(list.cases[0].is_serializable);
    case_list_free(&list);
    read_text("-- session A\nSELECT 1;\n-- serializable: yes\nSELECT 2;", &list);
    assert_true(list.cases[0].is_serializable && list.cases[0].sessions[0].count == 2 && !list.cases[0].names_levels);
    case_list_free(&list);
    read_text("-- session A\nSELECT 1;\n-- session B\nBEGIN ISOLATION LEVEL SERIALIZABLE;", &list);
    assert_true(list.cases[0].names_levels);
    case_list_free(&list);
}

static void test_like(void **state) {
    (void)state;
    // C is like B is like A; the nearest value wins; globals are the farthest; B may stand before A.
    assert_case(
        "\\set g 1\n-- session B like A y=5\n-- session A x=2 y='it''s 3' z=\nS :g :x :y :z;\n-- session C like B x=7",
        "session B g=1 x=2 y=5 z=\n4 B1 S {value g} {value x} {value y} {value z}\n"
        "session A g=1 x=2 y=it's 3 z=\n4 A1 S {value g} {value x} {value y} {value z}\n"
        "session C g=1 x=7 y=5 z=\n4 C1 S {value g} {value x} {value y} {value z}\n");
}

static void test_variables(void **state) {
    (void)state;
    assert_case(
        "\\set t 'my table'\n-- setup\nCREATE TABLE :\"t\" (a int DEFAULT :{?t});\n\\set n 5\nINSERT :n, :'t', ':n';\n"
        "-- session A\n\\set a 1 '2\\t''\\x41\\102\\n' :n \"q :n\" :'n'x :{?b} :: :1\n\\set b\nS :a :b;\n\\set\n"
        "-- invariant i\nSELECT :n",
        "setup 3 CREATE TABLE \"my table\" (a int DEFAULT TRUE)\nsetup 5 INSERT 5, 'my table', ':n'\n"
        "session A t=my table n=5\n"
        "7 set a = 12\t'AB\n{value n}\"q :n\"{literal n}x{is set b}:::1\n8 set b = \n9 A1 S {value a} {value b}\n"
        "invariant i 11 SELECT 5\n");
    // \gset of columns that are not certain: every name with the prefix is known.
    assert_case(
        "-- session A\nSELECT * FROM t \\gset p_\nS :p_x;\nSELECT a, b + 1 AS c, count(*) \\gset\nT :a :c :count",
        "session A\n2 A1 SELECT * FROM t gset(p_)\n3 A2 S {value p_x}\n4 A3 SELECT a, b + 1 AS c, count(*) gset()\n"
        "5 A4 T {value a} {value c} {value count}\n");
    // psql's own variables.
    assert_case("-- session A\nU; SELECT :ROW_COUNT = 0 AS lost \\gset\n\\if :lost \\q \\endif",
                "session A\n2 A1 U\n2 A2 SELECT {value ROW_COUNT} = 0 AS lost gset()\n3 unless {value lost} -> 4\n"
                "3 skip -> 4\n");
    assert_case("-- session A\nS a[1:2], b::int, c := 1, '12:30'",
                "session A\n2 A1 S a[1:2], b::int, c := 1, '12:30'\n");
}

static void test_branches(void **state) {
    (void)state;
    assert_case("-- session A x=1 y=2\n\\if :x\nS1;\n\\elif :y\nS2;\n\\if true\nS3;\n\\endif\n\\elif "
                "false\nS4;\n\\else\nS5;\n\\endif\n"
                "S6;",
                "session A x=1 y=2\n2 unless {value x} -> 3\n3 A1 S1\n4 skip -> 12\n4 unless {value y} -> 8\n5 A2 S2\n"
                "6 unless true -> 7\n7 A3 S3\n9 skip -> 12\n9 unless false -> 11\n10 A4 S4\n11 skip -> 12\n12 A5 S5\n"
                "14 A6 S6\n");
    assert_case("-- session A\n\\if 1 \\else \\endif \\\\ S;\n\\if 0\n\\endif",
                "session A\n2 unless 1 -> 2\n2 skip -> 2\n2 A1 S\n3 unless 0 -> 4\n");
    assert_case("-- session A\nS1;\n\\if off\n\\q\n\\endif\nS2;\n\\q\nS3;\n-- session B like A",
                "session A\n2 A1 S1\n3 unless off -> 3\n4 skip -> 6\n6 A2 S2\n7 skip -> 6\n8 A3 S3\n"
                "session B\n2 B1 S1\n3 unless off -> 3\n4 skip -> 6\n6 B2 S2\n7 skip -> 6\n8 B3 S3\n");
}

static void test_commands(void **state) {
    (void)state;
    // They end a statement, or they show something only.
    assert_case("-- session A\nS1 \\g\nS2 \\gx\n\\echo 'a b' :nothing `date` \\\\ S3;\n\\timing on\n\\d+ "
                "t\n\\x\n\\pset null '-'\n"
                "S4 -- c\n \\gset   \nS5\\; S6\\: x;",
                "session A\n2 A1 S1\n3 A2 S2\n4 A3 S3\n9 A4 S4 gset()\n11 A5 block S5; S6: x\n");
    assert_case("\\set ON_ERROR_STOP on\n\\set AUTOCOMMIT on\n-- setup\n\\restrict x1\nSET a = 1;\n\\connect db\nCOPY "
                "a FROM '/b';\n"
                "\\q\n\\unrestrict x1\n-- session A\nS1",
                "setup 5 SET a = 1\nsetup 7 COPY a FROM '/b'\nsession A ON_ERROR_STOP=on AUTOCOMMIT=on\n11 A1 S1\n");
}

// The statement's own text is kept for the report.
static void test_source(void **state) {
    (void)state;
    struct case_list list;
    read_text("-- session A x=1\n  SELECT :x, -- c\n :'x'\\; S  -- d\n ;", &list);
    const struct case_instruction *instruction = &list.cases[0].sessions[0].instructions[0];
    assert_string_equal(instruction->source, "SELECT :x, -- c\n :'x'\\; S");
    assert_true(instruction->is_block);
    assert_null(instruction->gset_prefix);
    case_list_free(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer), cmocka_unit_test(test_sections),  cmocka_unit_test(test_serializable),
        cmocka_unit_test(test_like),     cmocka_unit_test(test_variables), cmocka_unit_test(test_branches),
        cmocka_unit_test(test_commands), cmocka_unit_test(test_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
