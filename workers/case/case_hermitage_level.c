// Takes the isolation level out of BEGIN, START TRANSACTION and SET TRANSACTION.
#include "workers/case/case_hermitage_level.h"
#include "workers/case/case_tokens.h"

// "ISOLATION LEVEL ..." in a statement. The code before it and behind it begins and ends with a token, because a
// comment at the end of what is left would hide what is put behind it.
struct clause {
    struct slice before;
    struct slice after;
    enum case_level level;
};

static bool read_level(struct case_scanner *scanner, enum case_level *level) {
    struct case_token first = case_scan_code(scanner);
    if (case_token_is(&first, "serializable")) {
        *level = CASE_SERIALIZABLE;
        return true;
    }
    struct case_token second = case_scan_code(scanner);
    if (case_token_is(&first, "repeatable") && case_token_is(&second, "read")) {
        *level = CASE_REPEATABLE_READ;
        return true;
    }
    // PostgreSQL runs READ UNCOMMITTED as READ COMMITTED.
    *level = CASE_READ_COMMITTED;
    return case_token_is(&first, "read") &&
           (case_token_is(&second, "committed") || case_token_is(&second, "uncommitted"));
}

static struct slice code_of(struct case_scanner scanner, struct slice statement) {
    struct case_token first = case_scan_code(&scanner);
    const char *end = statement.data + statement.length;
    return first.kind == CASE_TOKEN_END ? (struct slice){end, 0}
                                        : (struct slice){first.text.data, (size_t)(end - first.text.data)};
}

static bool find_clause(struct slice statement, struct clause *clause) {
    struct case_scanner scanner = {.rest = statement, .line = 1};
    struct case_token token;
    const char *code_end = statement.data;
    while ((token = case_scan_code(&scanner)).kind != CASE_TOKEN_END && token.kind != CASE_TOKEN_OPEN) {
        if (case_token_is(&token, "isolation")) {
            struct case_token next = case_scan_code(&scanner);
            clause->before = (struct slice){statement.data, (size_t)(code_end - statement.data)};
            if (case_token_is(&next, "level") && read_level(&scanner, &clause->level)) {
                clause->after = code_of(scanner, statement);
                return true;
            }
            token = next;
        }
        code_end = token.text.data + token.text.length;
    }
    return false;
}

static struct slice trim(struct slice text) {
    while (text.length > 0 && case_is_blank(text.data[0])) {
        text = (struct slice){text.data + 1, text.length - 1};
    }
    while (text.length > 0 && case_is_blank(text.data[text.length - 1])) {
        text.length--;
    }
    return text;
}

// A comma parts the modes of a transaction: one that stood beside the clause goes with it.
static void append_without_clause(const struct clause *clause, struct text *kept) {
    struct slice before = trim(clause->before);
    struct slice after = trim(clause->after);
    if (after.length > 0 && after.data[0] == ',') {
        after = trim((struct slice){after.data + 1, after.length - 1});
    } else if (after.length == 0 && before.length > 0 && before.data[before.length - 1] == ',') {
        before = trim((struct slice){before.data, before.length - 1});
    }
    text_append_slice(kept, before);
    text_append_string(kept, after.length > 0 ? " " : "");
    text_append_slice(kept, after);
}

// True for SET TRANSACTION with nothing but the level: nothing would be left of it.
static bool is_only_level(const struct clause *clause, struct slice set_transaction) {
    return slice_equals(trim(clause->before), set_transaction) && trim(clause->after).length == 0;
}

enum hermitage_level hermitage_take_level(const char *statement, enum case_level *level, struct text *kept) {
    struct slice text = slice_of(statement);
    struct case_scanner scanner = {.rest = text, .line = 1};
    struct case_token first = case_scan_code(&scanner);
    struct case_token second = case_scan_code(&scanner);
    bool sets = case_token_is(&first, "set") && case_token_is(&second, "transaction");
    bool begins = case_token_is(&first, "begin") || case_token_is(&first, "start");
    struct clause clause;
    if ((!sets && !begins) || !find_clause(text, &clause)) {
        text_append_slice(kept, text);
        return case_shape_of(statement).names_level ? HERMITAGE_OTHER_LEVEL : HERMITAGE_NO_LEVEL;
    }
    *level = clause.level;
    if (!sets || !is_only_level(&clause, (struct slice){statement, text.length - scanner.rest.length})) {
        append_without_clause(&clause, kept);
    }
    return HERMITAGE_LEVEL;
}

enum case_named_level case_take_level(const char *sql, enum case_level *level, struct text *kept) {
    struct case_memory *memory = case_memory_new();
    struct slice rest = slice_of(sql);
    struct case_sql_statement statement;
    enum case_named_level all = CASE_NO_LEVEL;
    int line = 1;
    while (case_next_statement(&rest, &line, &statement, NULL)) {
        size_t before = kept->length;
        enum hermitage_level one = hermitage_take_level(case_copy(memory, statement.text), level, kept);
        text_append_string(kept, kept->length > before ? "; " : "");
        if (one != HERMITAGE_NO_LEVEL) {
            all = one == HERMITAGE_LEVEL && all == CASE_NO_LEVEL ? CASE_ONE_LEVEL : CASE_OTHER_LEVEL;
        }
    }
    case_memory_free(memory);
    return all;
}
