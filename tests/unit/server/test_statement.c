// statement: the verbs and the tables of SQL texts, as drivers and ORMs write them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "server/proxy/rules.h"

static const struct {
    const char *sql;
    const char *actions; // "VERB table" of each, separated by ", "
} cases[] = {
    {"SELECT balance FROM accounts WHERE id = $1", "SELECT accounts"},
    {"select * from \"Accounts\" for update", "SELECT Accounts"},
    {"SELECT a.x FROM public.accounts AS a, shop.\"Orders\" o JOIN c ON c.x IN (1, 2)",
     "SELECT accounts, SELECT Orders, SELECT c"},
    {"SELECT (SELECT max(n) FROM inner_one), 2 FROM outer_one, last_one",
     "SELECT inner_one, SELECT outer_one, SELECT last_one"},
    {"SELECT 1", ""},
    {"UPDATE accounts SET balance = 1, name = 'x' WHERE id = 2", "UPDATE accounts"},
    {"UPDATE ONLY accounts SET a = 1 FROM other WHERE true", "UPDATE accounts, SELECT other"},
    {"SELECT * FROM a FOR NO KEY UPDATE OF a", "SELECT a"},
    {"INSERT INTO a (x) VALUES (1) ON CONFLICT (x) DO UPDATE SET x = 2", "INSERT a"},
    {"INSERT INTO a SELECT * FROM b", "INSERT a, SELECT b"},
    {"DELETE FROM a USING b WHERE a.x = b.x", "DELETE a, SELECT b"},
    {"WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone", "DELETE a, INSERT b, SELECT gone"},
    {"MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE", "MERGE a, SELECT b"},
    {"TRUNCATE TABLE a", "TRUNCATE a"},
    {"COPY a FROM STDIN", "COPY a, SELECT stdin"},
    {"BEGIN; UPDATE a SET x = 1; COMMIT", "BEGIN , UPDATE a, COMMIT "},
    {"BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN "},
    {"ROLLBACK TO SAVEPOINT x", "ROLLBACK "},
    {"DISCARD ALL", "RESET "},
    {"DEALLOCATE PREPARE pg8", "DEALLOCATE pg8"},
    {"DEALLOCATE ALL", "DEALLOCATE "},
    {"PREPARE \"A b\" (int, text) AS UPDATE a SET x = $1; SELECT 1 FROM b", "PREPARE A b, (UPDATE a), SELECT b"},
    {"PREPARE TRANSACTION 'x'; EXECUTE p (1, 'from c')", "EXECUTE p"},
    {"/* UPDATE a /* nested */ SET */ SELECT 'UPDATE b', E'it\\'s UPDATE c', $$UPDATE d$$, $x$ $$ $x$ -- UPDATE e\n"
     "FROM f",
     "SELECT f"},
    {"SELECT 'it''s' FROM a WHERE x IS DISTINCT FROM 3", "SELECT a"},
    {"SELECT $1 FROM a WHERE b = $2", "SELECT a"},
    {"UPDATE", ""},
    {"'unterminated", ""},
    {"$$unterminated", ""},
    {"/* unterminated", ""},
};

static void test_statement_read(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sql_statement statement;
        struct text found = {0};
        statement_read(slice_of(cases[i].sql), &statement);
        for (unsigned k = 0; k < statement.count; k++) {
            bool is_prepared = statement.actions[k].is_prepared;
            text_append_format(&found, "%s%s%s %s%s", k == 0 ? "" : ", ", is_prepared ? "(" : "",
                               statement_verb_name(statement.actions[k].verb), statement.actions[k].table,
                               is_prepared ? ")" : "");
        }
        assert_string_equal(text_terminated(&found), cases[i].actions);
        text_free(&found);
    }
}

static void test_many_actions(void **state) {
    (void)state;
    struct text sql = {0};
    struct sql_statement statement;
    text_append_string(&sql, "SELECT * FROM ");
    for (int i = 0; i < 100; i++) {
        text_append_format(&sql, "%sa_name_that_is_longer_than_any_name_that_postgresql_would_ever_keep_%d",
                           i == 0 ? "" : ",", i);
    }
    statement_read(text_slice(&sql), &statement);
    assert_int_equal(statement.count, STATEMENT_ACTIONS_MAX);
    assert_int_equal(strlen(statement.actions[0].table), STATEMENT_TABLE_MAX - 1); // as PostgreSQL cuts it
    text_free(&sql);
}

static bool matches(const char *words, const char *sql, const char *read) {
    struct rule rule;
    struct text problem = {0};
    struct dialogue dialogue;
    struct sql_statement statement;
    assert_true(rule_read(words, &rule, &problem));
    dialogue_init(&dialogue, true);
    statement_read(slice_of(read), &statement);
    dialogue_forwarded(&dialogue, &statement, 1);
    statement_read(slice_of(sql), &statement);
    bool found = rule_match(&rule, &statement, &dialogue, 2) != NULL;
    dialogue_free(&dialogue);
    return found;
}

static void test_rule_match(void **state) {
    (void)state;
    assert_true(matches("before update accounts gate", "UPDATE accounts SET x = 1", ""));
    assert_false(matches("before update accounts gate", "UPDATE other SET x = 1", ""));
    assert_false(matches("before update accounts gate", "DELETE FROM accounts", ""));
    assert_true(matches("BEFORE write * barrier 2", "DELETE FROM accounts", ""));
    assert_false(matches("before write * barrier 2", "SELECT * FROM accounts", ""));
    assert_false(matches("before write * if-read barrier 2", "DELETE FROM accounts", "SELECT * FROM other"));
    assert_true(matches("before write * if-read barrier 2", "DELETE FROM accounts", "SELECT * FROM accounts"));
    assert_false(matches("before write * if-read barrier 2", "DELETE FROM a", "SELECT * FROM a; DISCARD ALL"));
    assert_true(matches("after commit * delay 5", "COMMIT", ""));
}

static void test_rules_that_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "during update a gate",
        "before",
        "before vacuum a gate",
        "before update",
        "before update a",
        "before update a barrier",
        "before update a barrier 1",
        "before update a barrier 2000",
        "before update a barrier -2",
        "before update a delay 0",
        "before update a nth 0 gate",
        "before update a nth x gate",
        "before update a gate now",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rule rule;
        struct text problem = {0};
        assert_false(rule_read(wrong[i], &rule, &problem));
        assert_true(problem.length > 0);
        text_free(&problem);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statement_read),
        cmocka_unit_test(test_many_actions),
        cmocka_unit_test(test_rule_match),
        cmocka_unit_test(test_rules_that_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
