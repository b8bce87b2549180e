// case_shape: what the words of a statement say about it. A wrong "yes" would hide an order, so most tests are noes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants the four above first.
#include <cmocka.h>

#include "workers/case/case.h"

// The flags as letters: Begins, Ends, names a Level, Read only, simple Insert, single Table, Order by, sKips locked,
// changes the Schema.
static void assert_shape(const char *sql, const char *expected) {
    struct case_statement_shape shape = case_shape_of(sql);
    char shown[16] = "";
    char *at = shown;
    const struct {
        bool flag;
        char letter;
    } flags[] = {
        {shape.begins_transaction, 'B'}, {shape.ends_transaction, 'E'}, {shape.names_level, 'L'},
        {shape.is_read_only, 'R'},       {shape.is_simple_insert, 'I'}, {shape.is_single_table, 'T'},
        {shape.has_order_by, 'O'},       {shape.skips_locked, 'K'},     {shape.changes_schema, 'S'},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (flags[i].flag) {
            *at++ = flags[i].letter;
        }
    }
    *at = '\0';
    if (strcmp(shown, expected) != 0) {
        fail_msg("%s: \"%s\", expected \"%s\"", sql, shown, expected);
    }
}

static void test_transactions(void **state) {
    (void)state;
    assert_shape("BEGIN", "B");
    assert_shape("begin isolation level serializable", "BL");
    assert_shape("START TRANSACTION ISOLATION  LEVEL REPEATABLE READ, READ ONLY", "BL");
    assert_shape("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "L");
    assert_shape("SET default_transaction_isolation TO serializable", "L");
    assert_shape("SET \"transaction_isolation\" = 'serializable'", "L");
    assert_shape("ALTER ROLE me SET default_transaction_isolation = 'serializable'", "LS");
    assert_shape("SELECT set_config('transaction_isolation', 'serializable', true)", "L");
    assert_shape("SHOW transaction_isolation", "R");
    assert_shape("SELECT 'isolation level'", "R");
    assert_shape("COMMIT", "E");
    assert_shape("END", "E");
    assert_shape("ABORT WORK", "E");
    assert_shape("ROLLBACK", "E");
    assert_shape("ROLLBACK TO SAVEPOINT a", "");
    assert_shape("ROLLBACK WORK TO a", "");
    assert_shape("COMMIT AND CHAIN", "BE");
    assert_shape("ROLLBACK AND NO CHAIN", "E");
    assert_shape("PREPARE TRANSACTION 'a'", "E");
    assert_shape("COMMIT PREPARED 'a'", "");
    assert_shape("PREPARE a AS SELECT 1", "");
    assert_shape("-- BEGIN\n/* COMMIT */", "");
    assert_shape("", "");
}

static void test_reads(void **state) {
    (void)state;
    assert_shape("SELECT a, count(*), COALESCE(max(b), 0) FROM t WHERE c IN (1, 2) GROUP BY (a)", "R");
    assert_shape("SELECT balance, balance >= :amount AS enough FROM accounts WHERE id = :'id'", "R");
    assert_shape("WITH a AS (SELECT 1) SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b)", "R");
    assert_shape("(SELECT 1) UNION (SELECT 2)", "R");
    assert_shape("TABLE a", "R");
    assert_shape("VALUES (1, now()), (2, now())", "R");
    assert_shape("EXPLAIN SELECT 1", "R");
    assert_shape("SELECT a::numeric(10, 2), extract(day FROM b) FROM t LIMIT (1)", "R");
    assert_shape("SELECT 'x' AS \"update\", 'insert' FROM t -- delete", "R");
    // Anything that may write.
    assert_shape("SELECT nextval('s')", "");
    assert_shape("SELECT my_function(1) FROM t", "");
    assert_shape("SELECT public.count(1) FROM t", "");
    assert_shape("SELECT \"count\"(1) FROM t", "");
    assert_shape("SELECT pg_advisory_xact_lock(1)", "");
    assert_shape("WITH a AS (UPDATE t SET b = 1 RETURNING *) SELECT * FROM a", "");
    assert_shape("EXPLAIN ANALYZE DELETE FROM t", "");
    assert_shape("EXPLAIN EXECUTE a", "");
    assert_shape("EXECUTE a", "");
    assert_shape("SELECT * INTO b FROM a", "S");
    assert_shape("SELECT * FROM t FOR UPDATE", "");
    assert_shape("SELECT * FROM t FOR NO KEY UPDATE OF t", "");
    assert_shape("SELECT * FROM t FOR KEY SHARE", "");
    assert_shape("SELECT * FROM t FOR SHARE SKIP LOCKED", "K");
    assert_shape("LOCK TABLE t NOWAIT", "K");
}

static void test_order(void **state) {
    (void)state;
    assert_shape("SELECT a FROM t ORDER BY a", "RO");
    assert_shape("SELECT a FROM (SELECT a FROM t ORDER BY a) b", "R");
    assert_shape("SELECT array_agg(a ORDER BY a), rank() OVER (ORDER BY b) FROM t", "R");
    assert_shape("SELECT a FROM t ORDER BY a FOR UPDATE SKIP LOCKED", "OK");
}

static void test_changes(void **state) {
    (void)state;
    assert_shape("INSERT INTO t VALUES (1, 'a'), (2, DEFAULT)", "I");
    assert_shape("INSERT INTO s.t (a, b) VALUES (1, now()) RETURNING a", "I");
    assert_shape("INSERT INTO s.t (a, b) VALUES (1, now()) ON CONFLICT (a) DO NOTHING RETURNING a", "");
    assert_shape("INSERT INTO t DEFAULT VALUES", "I");
    assert_shape("INSERT INTO t VALUES ((SELECT max(a) FROM t))", "");
    assert_shape("INSERT INTO t SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM t)", "");
    assert_shape("INSERT INTO t (a) VALUES (my_function())", "");
    assert_shape("INSERT INTO t TABLE b", "");
    assert_shape("WITH a AS (SELECT 1) INSERT INTO t VALUES (1)", "");
    assert_shape("UPDATE t SET a = a - 1 WHERE b = 2", "T");
    assert_shape("UPDATE t SET (a, b) = (1, greatest(2, c)) WHERE (d) IN (1, 2) AND NOT (e) RETURNING a", "T");
    assert_shape("DELETE FROM t WHERE a = :a", "T");
    assert_shape("DELETE FROM ONLY t", "T");
    assert_shape("UPDATE t SET a = 1 FROM b WHERE b.c = t.c", "");
    assert_shape("UPDATE t SET a = (SELECT 1)", "");
    assert_shape("UPDATE t SET a = my_function(a)", "");
    assert_shape("UPDATE t SET a = s.length(a)", "");
    assert_shape("UPDATE t SET a = \"length\"(a)", "");
    assert_shape("UPDATE t SET a = 1 WHERE CURRENT OF c", "");
    assert_shape("DELETE FROM t USING b", "");
    assert_shape("DELETE FROM t WHERE a IN (TABLE b)", "");
    assert_shape("DELETE FROM t WHERE a IN (VALUES (1))", "");
    assert_shape("WITH a AS (SELECT 1) DELETE FROM t", "");
    assert_shape("MERGE INTO t USING b ON true WHEN MATCHED THEN DELETE", "");
}

static void test_schema(void **state) {
    (void)state;
    assert_shape("CREATE TABLE t (a int)", "S");
    assert_shape("create index on t (a)", "S");
    assert_shape("ALTER TABLE t ADD b int", "S");
    assert_shape("DROP TABLE t", "S");
    assert_shape("TRUNCATE t", "S");
    assert_shape("DO $$ BEGIN PERFORM 1; END $$", "S");
    assert_shape("CALL p()", "S");
    assert_shape("VACUUM", "S");
}

// The texts of a .spec have several statements.
static void test_blocks(void **state) {
    (void)state;
    assert_shape("BEGIN; SELECT 1;", "B");
    assert_shape("SELECT 1; SELECT 2", "R");
    assert_shape("SELECT 1; DELETE FROM t", "");
    assert_shape("BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; COMMIT", "BEL");
    assert_shape("SELECT 1; CREATE TABLE t (a int);", "S");
    assert_shape("SELECT a FROM t ORDER BY a; SELECT 1", "R");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transactions), cmocka_unit_test(test_reads),  cmocka_unit_test(test_order),
        cmocka_unit_test(test_changes),      cmocka_unit_test(test_schema), cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
