// case_sql: every mistake in a file gets one line with the file, the line and what is expected.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "workers/case/case_reader.h"

struct mistake {
    const char *sql;
    const char *problem; // behind "a.sql:"
};

static void assert_problem(const char *sql, const char *expected) {
    struct text problem = {0};
    struct case_list list = {.memory = case_memory_new()};
    struct case_reader reader = {.path = "a.sql", .content = slice_of(sql), .list = &list, .problem = &problem};
    bool good = case_read_sql(&reader);
    const char *shown = text_terminated(&problem);
    if (good || strncmp(shown, "a.sql:", 6) != 0 || strcmp(shown + 6, expected) != 0) {
        fail_msg("%s\n%s\nexpected: %s", sql, shown, expected);
    }
    text_free(&problem);
    case_list_free(&list);
}

static void assert_problems(const struct mistake *mistakes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_problem(mistakes[i].sql, mistakes[i].problem);
    }
}

#define ASSERT_PROBLEMS(mistakes) assert_problems(mistakes, sizeof(mistakes) / sizeof(mistakes)[0])
#define NEEDS_MARKER "a marker is missing before this statement: a line \"-- setup\" or \"-- session NAME\" is expected"

static void test_sections(void **state) {
    (void)state;
    static const struct mistake mistakes[] = {
        {"-- setup\nSELECT 1;", " has no session: a line \"-- session NAME\" with statements behind it is expected"},
        {"\n\nSELECT 1;\n-- setup\n", "3: " NEEDS_MARKER},
        {"SELECT 1 AS a \\gset\n", "1: " NEEDS_MARKER},
        {"-- session A\nS1\n\n-- session B\nS2;",
         "4: the statement that begins in line 2 has no semicolon before this marker"},
        {"-- session A\nS (1;\nT;\n-- session B\nS;",
         "4: the statement that begins in line 2 has no closing parenthesis before this marker"},
        {"-- session A\nS (1;\nT;\n",
         "4: the statement that begins in line 2 has no closing parenthesis before the end of the file"},
        {"-- session A\n-- session B\nS;", "1: session A has no statement"},
        {"-- session A\n\\set a 1\n", "1: session A has no statement"},
        {"-- session A\nS;\n-- session A\nS;", "3: there is a session A in line 1 already"},
        {"-- session A\nS;\n-- invariant i\nI;\n-- invariant i\n", "5: there is an invariant i in line 3 already"},
        {"-- session A\nS;\n-- invariant i\n-- setup\nS;", "3: the invariant i has no query"},
        {"-- session A\nS;\n-- invariant i", "3: the invariant i has no query"},
        {"-- session A\nS;\n-- invariant i\nI1;\nI2;",
         "5: the invariant i has its query already: an invariant is one query, and a marker is expected here"},
        {"-- session A\nSELECT 'a", "2: a quoted string begins here and does not end"},
        {"-- session A\nSELECT 1;\n/* a\n", "3: a comment begins here and does not end"},
        {"-- session A\nSELECT $a$;\n", "2: a dollar quote begins here and does not end"},
    };
    ASSERT_PROBLEMS(mistakes);
}

static void test_markers(void **state) {
    (void)state;
    static const struct mistake mistakes[] = {
        {"-- setup tables\n",
         "1: nothing may stand behind this marker, but \"tables\" does; a comment needs another first "
         "word"},
        {"-- session\n", "1: expected a name of letters, digits and underscores behind \"-- session\", not \"\""},
        {"-- session A-1\n",
         "1: expected a name of letters, digits and underscores behind \"-- session\", not \"A-1\""},
        {"-- session 1A\n", "1: expected a name of letters, digits and underscores behind \"-- session\", not \"1A\""},
        {"-- session A reads\n", "1: expected VARIABLE=VALUE behind session A, not \"reads\""},
        {"-- session A a = 1\n", "1: expected VARIABLE=VALUE behind session A, not \"a\""},
        {"-- session A a=1 a=2\n", "1: the variable \"a\" is set twice"},
        {"-- session A a='b\n",
         "1: the value of \"a\" has a quote that does not end: write 'it''s' with doubled quotes"},
        {"-- session A a='b'c\n",
         "1: the value of \"a\" has a quote that does not end: write 'it''s' with doubled quotes"},
        {"-- session A like\n", "1: expected the name of a session behind \"like\", not \"\""},
        {"-- invariant a b\n",
         "1: nothing may stand behind this marker, but \"b\" does; a comment needs another first word"},
        {"-- invariant a.b\n",
         "1: expected a name of letters, digits and underscores behind \"-- invariant\", not \"a.b\""},
        {"-- serializable: maybe\n", "1: expected \"-- serializable: yes\" or \"-- serializable: no\""},
        {"-- serializable no\n", "1: the marker is written \"-- serializable:\", not \"-- serializable\""},
        {"-- session A\nS;\n-- Session B\nS;", "3: the marker is written \"-- session\", not \"-- Session\""},
        {"-- SETUP\nS;", "1: the marker is written \"-- setup\", not \"-- SETUP\""},
        {"-- setup:\nS;", "1: the marker is written \"-- setup\", not \"-- setup:\""},
    };
    ASSERT_PROBLEMS(mistakes);
}

static void test_like(void **state) {
    (void)state;
    static const struct mistake mistakes[] = {
        {"-- session A like B\n-- session C\nS;", "1: session A is like B, but there is no session B"},
        {"-- session A like A\n",
         "1: session A is like A and so on in a circle: one of these sessions needs statements"},
        {"-- session X\nS;\n-- session A like B\n-- session B like C\n-- session C like B\n",
         "3: session A is like B and so on in a circle: one of these sessions needs statements"},
        {"-- session A\nS;\n-- session B like A\nS;\n", "4: session B is like A, so it has no instructions of its own"},
        {"-- session A\nS;\n-- session B like A\n\\set a 1\n",
         "4: session B is like A, so it has no instructions of its own"},
    };
    ASSERT_PROBLEMS(mistakes);
}

static void test_variables(void **state) {
    (void)state;
    static const struct mistake mistakes[] = {
        {"-- session A dst=bob\nSELECT a AS amount \\gset\nS :dst\n  :amuont;",
         "4: nothing sets the variable \"amuont\" before session A reads it (set here: dst, amount)"},
        {"-- session A\nS :x;\n\\set x 1\n",
         "2: nothing sets the variable \"x\" before session A reads it (set here: none)"},
        {"-- session A\nS;\n\\set x :y\n",
         "3: nothing sets the variable \"y\" before session A reads it (set here: none)"},
        {"-- session A\n\\if :'y'\n", "2: nothing sets the variable \"y\" before session A reads it (set here: none)"},
        {"-- session A a=1\nS :a;\n-- session B\nS :a;",
         "4: nothing sets the variable \"a\" before session B reads it (set here: none)"},
        {"-- session A\nSELECT a \\gset p_\nS :q_a :p_a",
         "3: nothing sets the variable \"q_a\" before session A reads it (set here: p_a)"},
        {"-- setup\nS :'x';\n",
         "2: the variable \"x\" is not set: only a \\set outside of the sessions and before this line can "
         "set it"},
        {"-- session A\n\\set x 1\nS;\n-- invariant i\nSELECT :x;",
         "5: the variable \"x\" is not set: only a \\set outside of the sessions and before this line can set it"},
    };
    ASSERT_PROBLEMS(mistakes);
}

static void test_commands(void **state) {
    (void)state;
    static const struct mistake mistakes[] = {
        {"-- session A\nS1\n\\set a 1\n", "3: the statement that begins in line 2 has no semicolon before \\set"},
        {"-- session A\nS1\n\\if true\n", "3: the statement that begins in line 2 has no semicolon before \\if"},
        {"-- session A\nS1 \\echo a\n;\n", "2: the statement that begins in line 2 has no semicolon before \\echo"},
        {"-- session A\nS1\n\\set\n;\n", "3: the statement that begins in line 2 has no semicolon before \\set"},
        {"-- setup\nS1 \\timing\n;\n", "2: the statement that begins in line 2 has no semicolon before \\timing"},
        {"-- session A\n\\gset\n",
         "2: \\gset ends a statement, but none is open: it stands in the place of the semicolon"},
        {"-- session A\nS1; \\gset\n",
         "2: \\gset ends a statement, but none is open: it stands in the place of the semicolon"},
        {"-- setup\nSELECT 1 AS a \\gset\n", "2: \\gset belongs to a session: use \\set outside of the sessions"},
        {"-- session A\nS \\gset a b\n", "2: \\gset has at most one argument, a prefix"},
        {"-- session A\nS \\gset a-b\n", "2: \\gset needs a prefix of letters, digits and underscores"},
        {"-- session A\n\\set a-b 1\n", "2: \\set needs the name of a variable of letters, digits and underscores"},
        {"-- session A\n\\set a 1 -- one\n",
         "2: psql reads a comment behind \\set as its argument: put the comment on a line of its own"},
        {"-- session A\n\\set a 'b\n'\n", "2: a quote of \\set does not end on its line"},
        {"-- session A\n\\set a \"b\n", "2: a quote of \\set does not end on its line"},
        {"-- session A\n\\set a `date`\n", "2: no program of the system runs in a case: write the value itself"},
        {"\\set AUTOCOMMIT off\n",
         "1: \\set AUTOCOMMIT may only be on in a case: write BEGIN, COMMIT and SAVEPOINT where they belong"},
        {"\\set ON_ERROR_ROLLBACK on\n",
         "1: \\set ON_ERROR_ROLLBACK may only be off in a case: write BEGIN, COMMIT and SAVEPOINT where they belong"},
        {"-- session A\nS \\g out.txt\n", "2: \\g takes no argument here"},
        {"-- session A\nS;\n\\c db\n", "3: \\c cannot be used in a session: a session is one connection"},
        {"-- setup\n\\i a.sql\n", "2: \\i cannot be used in a case: put the text of that file here"},
        {"-- setup\n\\copy t FROM 'a'\n", "2: \\copy cannot be used in a case: write INSERT statements instead"},
        {"-- setup\n\\! date\n", "2: \\! cannot be used in a case: no program of the system runs in a case; remove it"},
        {"-- setup\n\\!date\n", "2: \\! cannot be used in a case: no program of the system runs in a case; remove it"},
        {"-- setup\nS \\gexec\n", "2: \\gexec cannot be used in a case: write the statements themselves"},
        {"-- setup\n\\frobnicate\n",
         "2: \\frobnicate is not a command that a case understands: use SQL, \\set, \\gset, \\if, "
         "\\elif, \\else and \\endif"},
        {"-- setup\nCOPY t (a) FROM stdin;\n1\n\\.\n",
         "2: COPY ... FROM stdin cannot be used in a case: write INSERT statements (pg_dump --inserts)"},
        {"-- session A\nCOPY t TO STDOUT;\n", "2: COPY ... TO stdout cannot be used in a case: use SELECT"},
    };
    ASSERT_PROBLEMS(mistakes);
}

static void test_branches(void **state) {
    (void)state;
    static const struct mistake mistakes[] = {
        {"-- session A\nS;\n\\if true\n-- session B\nS;", "3: this \\if of session A has no \\endif"},
        {"-- session A\nS;\n\\if true\n\\if true\n\\endif\n", "3: this \\if of session A has no \\endif"},
        {"-- session A\n\\endif\n", "2: \\endif has no \\if before it"},
        {"-- session A\n\\else\n", "2: \\else has no \\if before it"},
        {"-- session A\n\\elif true\n", "2: \\elif has no \\if before it"},
        {"-- session A\n\\if true\n\\else\n\\else\n", "4: \\else stands behind the \\else of the \\if in line 2"},
        {"-- session A\n\\if true\n\\else\n\\elif true\n", "4: \\elif stands behind the \\else of the \\if in line 2"},
        {"-- session A\n\\if true\n\\endif :x\n", "3: \\endif takes no argument here"},
        {"-- session A\n\\if\n", "2: \\if needs a boolean: a variable (:name), true or false, not \"\""},
        {"-- session A\n\\if maybe\n", "2: \\if needs a boolean: a variable (:name), true or false, not \"maybe\""},
        {"-- session A x=1\n\\if :x > 0\n",
         "2: psql's \\if takes one boolean and calculates nothing: SELECT the condition AS "
         "name, end the statement with \\gset, and write \\if :name"},
        {"-- setup\n\\if true\n", "2: \\if belongs to a session: setup, teardown and invariants have no branches"},
    };
    ASSERT_PROBLEMS(mistakes);
}

// So many times the text, `behind` it, and the problem.
static void assert_many(const char *before, const char *format, int count, const char *expected) {
    struct text sql = {0};
    text_append_string(&sql, before);
    for (int i = 0; i < count; i++) {
        const char *number = strchr(format, '#');
        text_append(&sql, format, number == NULL ? strlen(format) : (size_t)(number - format));
        if (number != NULL) {
            text_append_format(&sql, "%d%s", i, number + 1);
        }
    }
    assert_problem(text_terminated(&sql), expected);
    text_free(&sql);
}

static void test_limits(void **state) {
    (void)state;
    assert_many("", "-- session A#x\nS;\n", 17, "33: a case has at most 16 sessions");
    assert_many("-- session A\n", "S;\n", 1001, "1002: session A has more than 1000 instructions");
    assert_many("-- session A\n", "\\if true\n", 33, "34: \\if is nested more than 32 deep");
    assert_many("-- session A", " a#=1", 1001, "1: session A has more than 1000 variables");
    assert_many("", "\\set a# 1\n", 1001, "1001: there are more than 1000 variables");
    assert_many("", "-- invariant a#\nI;\n", 1001, "2001: there are more than 1000 invariants");
    assert_many(
        "-- session A\nS :", "a", 100000,
        "2: nothing sets the variable \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" before "
        "session A reads it (set here: none)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections),  cmocka_unit_test(test_markers),  cmocka_unit_test(test_like),
        cmocka_unit_test(test_variables), cmocka_unit_test(test_commands), cmocka_unit_test(test_branches),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
