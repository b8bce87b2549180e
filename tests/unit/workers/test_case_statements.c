// case_statements: splits SQL as psql does. case_tokens: quotes, comments and variables.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "workers/case/case_reader.h"
#include "workers/case/case_tokens.h"

// The statements between bars, each with its line.
static void assert_split(const char *sql, const char *expected, const char *expected_problem) {
    struct text shown = {0};
    struct slice rest = slice_of(sql);
    struct case_sql_statement statement;
    const char *problem = NULL;
    int line = 1;
    while (case_next_statement(&rest, &line, &statement, &problem)) {
        text_append_format(&shown, "%d %.*s|", statement.line, (int)statement.text.length, statement.text.data);
    }
    assert_string_equal(text_terminated(&shown), expected);
    assert_string_equal(problem == NULL ? "" : problem, expected_problem);
    text_free(&shown);
}

static void test_semicolons(void **state) {
    (void)state;
    assert_split("", "", "");
    assert_split(" \n\t; ;;\n", "", "");
    assert_split("SELECT 1", "1 SELECT 1|", "");
    assert_split("SELECT 1;\nSELECT 2 ;\n\n  SELECT\n3", "1 SELECT 1|2 SELECT 2|4 SELECT\n3|", "");
    assert_split("-- c\n/* d; */ SELECT 1 -- e;\n + 2 -- f\n;", "2 SELECT 1 -- e;\n + 2|", "");
    assert_split("SELECT (1; 2); SELECT 3) ; SELECT 4", "1 SELECT (1; 2)|1 SELECT 3)|1 SELECT 4|", "");
    assert_split("a\r\n;b", "1 a|2 b|", "");
    assert_split("a -- c\r;b", "1 a|1 b|", "");
}

static void test_quotes(void **state) {
    (void)state;
    assert_split("SELECT ';', 'a'';b', \"c;\"\"d\"; x", "1 SELECT ';', 'a'';b', \"c;\"\"d\"|1 x|", "");
    assert_split("SELECT 'a\\'; b", "1 SELECT 'a\\'|1 b|", ""); // a backslash is plain
    assert_split("SELECT E'a\\';', e'\\\\'; b", "1 SELECT E'a\\';', e'\\\\'|1 b|", "");
    assert_split("SELECT E'a' \n '\\';'; b", "1 SELECT E'a' \n '\\';'|2 b|", ""); // the string goes on
    assert_split("SELECT type'a;'; b", "1 SELECT type'a;'|1 b|", "");
    assert_split("SELECT typee'\\'; b", "1 SELECT typee'\\'|1 b|", "");
    assert_split("SELECT U&'a;', u&\"b;\", X'c;', N'd;'; b", "1 SELECT U&'a;', u&\"b;\", X'c;', N'd;'|1 b|", "");
    assert_split("SELECT $$a;$b$;$$, $x$;$$;$y$;$x$; b", "1 SELECT $$a;$b$;$$, $x$;$$;$y$;$x$|1 b|", "");
    assert_split("SELECT $1; a$b$ ; c$b$", "1 SELECT $1|1 a$b$|1 c$b$|", "");
    assert_split("SELECT 1a$b$ ; c$b$ ; 2$$;$$", "1 SELECT 1a$b$|1 c$b$|1 2$$;$$|", "");
    assert_split("/* a /* b; */ ; */ SELECT 1 /*/ ; */; c", "1 SELECT 1|1 c|", "");
}

static void test_open(void **state) {
    (void)state;
    assert_split("a; SELECT 'b;\n", "1 a|", "a quoted string");
    assert_split("SELECT E'b\\'", "", "a quoted string");
    assert_split("SELECT E'b\\", "", "a quoted string");
    assert_split("SELECT \"b'", "", "a quoted identifier");
    assert_split("SELECT $x$ b $y$", "", "a dollar quote");
    assert_split("SELECT $x$ b $x", "", "a dollar quote");
    assert_split("SELECT 1; /* /* */", "1 SELECT 1|", "a comment");
    assert_split("/*/", "", "a comment");
}

static void test_begin_atomic(void **state) {
    (void)state;
    assert_split("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END; b",
                 "1 CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END|1 b|",
                 "");
    assert_split("create or replace procedure p() begin atomic x; end; b",
                 "1 create or replace procedure p() begin atomic x; end|1 b|", "");
    assert_split("CREATE TABLE begin (a int); END; b", "1 CREATE TABLE begin (a int)|1 END|1 b|", "");
    assert_split("BEGIN; SELECT CASE WHEN a THEN 1 END; END;", "1 BEGIN|1 SELECT CASE WHEN a THEN 1 END|1 END|", "");
}

// The kinds of tokens as letters, and the variables' names.
static void assert_tokens(const char *sql, const char *expected) {
    static const char letters[] = " _cwqs0ve\\.!";
    struct text shown = {0};
    struct case_scanner scanner = {.rest = slice_of(sql), .line = 1};
    struct case_token token;
    while ((token = case_scan(&scanner)).kind != CASE_TOKEN_END) {
        text_append_format(&shown, "%c", letters[token.kind]);
        if (token.kind == CASE_TOKEN_VARIABLE) {
            text_append_format(&shown, "%d%.*s", (int)token.form, (int)token.name.length, token.name.data);
        }
    }
    assert_string_equal(text_terminated(&shown), expected);
    text_free(&shown);
}

static void test_variables(void **state) {
    (void)state;
    assert_tokens(":a :'b' :\"c\" :{?d}", "v1a_v2b_v3c_v4d");
    assert_tokens("a=:a_1;", "w.v1a_1.");
    assert_tokens("a::int", "w.w");
    assert_tokens("a:=:b", "w.v1b");
    assert_tokens("a:::b", "w.v1b");
    assert_tokens("a[1:2]", "w.0.0.");
    assert_tokens("a[:1]", "w..0.");
    assert_tokens("':a' \":b\" $$:c$$ --:d", "s_q_s_c");
    assert_tokens(":'a b' :\"c-\" :{d} :{?e", ".s_.q_..w._..."
                                              "w");
    assert_tokens("\\; \\: \\gset :", "e_e_\\w_.");
    assert_tokens(":\xC3\xA9", "v1\xC3\xA9");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_semicolons),   cmocka_unit_test(test_quotes),    cmocka_unit_test(test_open),
        cmocka_unit_test(test_begin_atomic), cmocka_unit_test(test_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
