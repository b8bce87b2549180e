// The tokenizer reads any bytes as SQL, and names only tables whose letters are there. A rule is read, or one
// line says why not.
#include "server/proxy/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_statement(struct slice sql) {
    struct sql_statement statement;
    statement_read(sql, &statement);
    CHECK(statement.count <= STATEMENT_ACTIONS_MAX);
    for (unsigned i = 0; i < statement.count; i++) {
        CHECK(statement.actions[i].verb < VERB_COUNT);
        CHECK(strlen(statement.actions[i].table) < STATEMENT_TABLE_MAX);
        for (const char *at = statement.actions[i].table; *at != '\0'; at++) {
            CHECK(memchr(sql.data, *at, sql.length) != NULL || (*at >= 'a' && *at <= 'z'));
        }
    }
    struct sql_statement again;
    statement_read(sql, &again);
    CHECK(again.count == statement.count);
}

static void check_rule(struct slice words) {
    struct text text = {0};
    text_append_slice(&text, words);
    struct rule rule;
    struct text problem = {0};
    if (rule_read(text_terminated(&text), &rule, &problem)) {
        CHECK(problem.length == 0 && rule.verbs != 0);
        CHECK(rule.action != RULE_BARRIER || (rule.waiters >= 2 && rule.waiters <= RULE_WAITERS_MAX));
        CHECK(rule.action != RULE_DELAY || (rule.delay_ms >= 1 && rule.delay_ms <= RULE_DELAY_MS_MAX));
    } else {
        CHECK(problem.length > 0);
    }
    text_free(&problem);
    text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice bytes = {(const char *)data, size};
    check_statement(bytes);
    check_rule(bytes);
    return 0;
}
