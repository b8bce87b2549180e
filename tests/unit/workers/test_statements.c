// statements: the SQL that is embedded at build time, and its names in metrics and spans.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h needs the four headers above.
#include <cmocka.h>

#include "sql/statements.h"

#include <stdbool.h>
#include <string.h>

static void test_each_is_complete(void **state) {
    (void)state;
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        const struct statement_text *text = &statement_texts[i];
        assert_non_null(text->name);
        assert_int_equal(strspn(text->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(text->name));
        assert_int_equal(strspn(text->operation, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), strlen(text->operation));
        assert_true(strlen(text->table) > 0);
        bool with = strncmp(text->sql, "WITH", 4) == 0; // then the operation comes behind the CTEs
        assert_true(strncmp(text->sql, text->operation, strlen(text->operation)) == 0 ||
                    (with && strstr(text->sql, text->operation) != NULL));
        for (size_t other = 0; other < i; other++) {
            assert_string_not_equal(text->name, statement_texts[other].name);
        }
    }
}

// The extended protocol takes one statement at a time. embed.awk must have removed semicolons, comments and quotes.
static void test_each_is_one_statement(void **state) {
    (void)state;
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        const char *sql = statement_texts[i].sql;
        assert_null(strchr(sql, ';'));
        assert_null(strstr(sql, "--"));
        assert_int_not_equal(sql[strlen(sql) - 1], '\n');
    }
}

// A gap in the numbers would be a parameter that is sent but not used.
static void test_parameters_are_numbered_without_a_gap(void **state) {
    (void)state;
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        bool used[32] = {false};
        size_t largest = 0;
        for (const char *at = statement_texts[i].sql; (at = strchr(at, '$')) != NULL; at++) {
            size_t digits = strspn(at + 1, "0123456789");
            assert_true(digits == 1 || digits == 2);
            size_t number = (size_t)(at[1] - '0');
            number = digits == 2 ? number * 10 + (size_t)(at[2] - '0') : number;
            assert_in_range(number, 1, 31);
            used[number] = true;
            largest = number > largest ? number : largest;
        }
        for (size_t number = 1; number <= largest; number++) {
            assert_true(used[number]);
        }
    }
}

static void test_what_the_strategies_rest_on(void **state) {
    (void)state;
    assert_null(strstr(statement_texts[STATEMENT_READ_BALANCES].sql, "FOR UPDATE"));
    assert_non_null(strstr(statement_texts[STATEMENT_LOCK_BALANCES].sql, "ORDER BY id COLLATE \"C\" FOR UPDATE"));
    assert_non_null(strstr(statement_texts[STATEMENT_DEDUCT].sql, "balance = balance - $2"));
    assert_non_null(strstr(statement_texts[STATEMENT_DEDUCT].sql, "RETURNING balance"));
    assert_non_null(strstr(statement_texts[STATEMENT_CREDIT].sql, "balance = balance + $2"));
    assert_string_equal(statement_texts[STATEMENT_DEDUCT].table, "accounts");
    assert_string_equal(statement_texts[STATEMENT_RECORD_TRANSFER].table, "transfers");
    assert_string_equal(statement_texts[STATEMENT_COMMIT].sql, "COMMIT");
}

// All statements that post write the same record, and differ only in how they deduct.
static void test_the_postings_share_their_end(void **state) {
    (void)state;
    static const enum statement postings[] = {STATEMENT_BOOK_IF_UNCHANGED, STATEMENT_BOOK_IF_COVERED,
                                              STATEMENT_BOOK_IF_SUBSELECT, STATEMENT_BOOK_FROM_SNAPSHOT};
    const char *end = strstr(statement_texts[STATEMENT_BOOK].sql, "credited AS (");
    assert_non_null(end);
    assert_non_null(strstr(end, "INSERT INTO transfers"));
    for (size_t i = 0; i < sizeof postings / sizeof postings[0]; i++) {
        const char *other = strstr(statement_texts[postings[i]].sql, "credited AS (");
        assert_non_null(other);
        assert_string_equal(other, end);
    }
}

static void test_scripts_are_whole(void **state) {
    (void)state;
    assert_non_null(strstr(sql_schema, "CREATE TABLE IF NOT EXISTS accounts"));
    assert_non_null(strstr(sql_schema, "CREATE TABLE IF NOT EXISTS transfers"));
    assert_non_null(strstr(sql_seed, "'alice', 1000"));
    static const char *const views[] = {"double_spends", "race_timeline", "account_audit", "money_supply"};
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        assert_non_null(strstr(sql_views, views[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_complete),
        cmocka_unit_test(test_each_is_one_statement),
        cmocka_unit_test(test_parameters_are_numbered_without_a_gap),
        cmocka_unit_test(test_what_the_strategies_rest_on),
        cmocka_unit_test(test_the_postings_share_their_end),
        cmocka_unit_test(test_scripts_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
