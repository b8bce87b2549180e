// Says what kind of statement a text is, by its words only: no catalogue is read, and nothing is parsed.
//
// A wrong "no" costs time, because the explorer then takes two orders for different. A wrong "yes" would hide an order.
// So is_read_only, is_simple_insert and is_single_table are true only if every word that could make them false is
// absent. They cannot see a view, a trigger, an operator or a cast that runs a function.
#include "workers/case/case_reader.h"
#include "workers/case/case_tokens.h"

// Keywords that may stand before a parenthesis.
static const char *const keywords[] = {
    "all",      "and",       "any",    "array",  "as",      "between", "by",    "case",         "cast",
    "conflict", "distinct",  "else",   "except", "exists",  "filter",  "from",  "having",       "ilike",
    "in",       "intersect", "is",     "join",   "lateral", "like",    "limit", "materialized", "not",
    "offset",   "on",        "or",     "over",   "row",     "select",  "set",   "some",         "then",
    "union",    "using",     "values", "when",   "where",   "within",  "group",
};

// Functions that read nothing but their arguments.
static const char *const simple_functions[] = {
    "abs", "coalesce", "greatest", "least", "length", "lower", "nullif", "round", "upper",
};

// Further functions of PostgreSQL that write nothing, and types with a length.
static const char *const pure_functions[] = {
    "age",
    "array_agg",
    "array_length",
    "avg",
    "bit_and",
    "bit_or",
    "bool_and",
    "bool_or",
    "cardinality",
    "ceil",
    "ceiling",
    "char_length",
    "clock_timestamp",
    "concat",
    "concat_ws",
    "count",
    "cume_dist",
    "date_part",
    "date_trunc",
    "dense_rank",
    "div",
    "every",
    "exp",
    "extract",
    "first_value",
    "floor",
    "format",
    "generate_series",
    "grouping",
    "initcap",
    "json_agg",
    "json_build_object",
    "jsonb_agg",
    "jsonb_build_object",
    "lag",
    "last_value",
    "lead",
    "left",
    "ln",
    "log",
    "lpad",
    "ltrim",
    "make_date",
    "max",
    "md5",
    "min",
    "mod",
    "mode",
    "now",
    "nth_value",
    "ntile",
    "octet_length",
    "percent_rank",
    "percentile_cont",
    "percentile_disc",
    "position",
    "power",
    "rank",
    "regexp_matches",
    "regexp_replace",
    "repeat",
    "replace",
    "right",
    "row_number",
    "row_to_json",
    "rpad",
    "rtrim",
    "sign",
    "split_part",
    "sqrt",
    "statement_timestamp",
    "stddev",
    "string_agg",
    "strpos",
    "substr",
    "substring",
    "sum",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "transaction_timestamp",
    "trim",
    "trunc",
    "unnest",
    "variance",
    "width_bucket", //
    "bit",
    "char",
    "character",
    "decimal",
    "interval",
    "numeric",
    "time",
    "timestamp",
    "timestamptz",
    "varchar",
};

static const char *const schema_words[] = {
    "alter", "analyze", "call",     "cluster", "comment", "create", "discard",  "do",       "drop",
    "grant", "import",  "reassign", "refresh", "reindex", "revoke", "security", "truncate", "vacuum",
};

// Statements that neither read nor write rows. COMMIT PREPARED and ROLLBACK PREPARED are among them.
static const char *const command_words[] = {
    "abort",   "begin", "checkpoint", "close",     "commit", "deallocate", "declare", "discard",
    "end",     "fetch", "listen",     "load",      "lock",   "move",       "notify",  "prepare",
    "release", "reset", "rollback",   "savepoint", "set",    "show",       "start",   "unlisten",
};

// Functions that lock, wait or change a setting, and write no row. pg_advisory... and pg_try_advisory... are others.
static const char *const rowless_functions[] = {
    "current_setting", "currval", "hashtext", "hashtextextended", "nextval", "pg_backend_pid", "pg_sleep", "set_config",
};

#define IS_ONE_OF(token, words) is_one_of(token, words, sizeof(words) / sizeof(words)[0])

static bool is_one_of(const struct case_token *token, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (case_token_is(token, words[i])) {
            return true;
        }
    }
    return false;
}

// The words of one statement that decide its shape.
struct words {
    struct case_token first, second, last;
    size_t count;
    size_t depth;            // open parentheses
    bool has_values;         // VALUES, outside of parentheses
    bool has_query;          // SELECT, WITH, TABLE, VALUES in parentheses
    bool has_change;         // INSERT, UPDATE, DELETE, MERGE, EXECUTE, or SELECT ... INTO
    bool has_into;           // SELECT ... INTO
    bool has_other_table;    // FROM, USING
    bool has_row_lock;       // FOR UPDATE, FOR SHARE, ...
    bool has_advisory_lock;  // a function of advisory locks
    bool calls_unknown;      // a function that may write
    bool calls_any;          // a function that is not simple
    bool calls_writer;       // a function that may write a row
    bool ends_inside;        // COMMIT or ROLLBACK in the text of a DO
    bool has_select;         // SELECT
    bool has_conflict;       // ON CONFLICT
    bool has_chain;          // AND CHAIN
    bool has_savepoint;      // TO
    bool has_set_config;     //
    bool has_isolation_name; // transaction_isolation, default_transaction_isolation
};

static bool begins_with(const struct case_token *token, const char *letters) {
    size_t length = strlen(letters);
    return token->text.length >= length && strncasecmp(token->text.data, letters, length) == 0;
}

static bool has_letters(const struct case_token *token, const char *letters) {
    size_t length = strlen(letters);
    for (size_t i = 0; i + length <= token->text.length; i++) {
        if (strncasecmp(token->text.data + i, letters, length) == 0) {
            return true;
        }
    }
    return false;
}

// `name` stands before a parenthesis, and `before` stands before it.
static void count_call(struct words *words, const struct case_token *before, const struct case_token *name) {
    bool is_insert_target = case_token_is(&words->first, "insert") && !words->has_values && words->depth == 0;
    bool is_qualified = case_token_is_symbol(before, '.');
    bool is_word = name->kind == CASE_TOKEN_WORD && !is_qualified;
    if ((name->kind != CASE_TOKEN_WORD && name->kind != CASE_TOKEN_QUOTED_WORD) || is_insert_target ||
        (is_word && IS_ONE_OF(name, keywords))) {
        return;
    }
    bool is_simple = is_word && IS_ONE_OF(name, simple_functions);
    words->calls_any = words->calls_any || !is_simple;
    bool is_pure = is_simple || (is_word && IS_ONE_OF(name, pure_functions));
    bool is_advisory = is_word && (begins_with(name, "pg_advisory_") || begins_with(name, "pg_try_advisory_"));
    bool is_rowless = is_pure || is_advisory || (is_word && IS_ONE_OF(name, rowless_functions));
    words->calls_unknown = words->calls_unknown || !is_pure;
    words->calls_writer = words->calls_writer || !is_rowless;
}

static bool is_change(const struct case_token *token) {
    static const char *const changes[] = {"insert", "update", "delete", "merge", "execute"};
    return IS_ONE_OF(token, changes);
}

static void count_pair(struct words *words, struct case_statement_shape *shape, const struct case_token *token) {
    static const char *const locks[] = {"update", "share", "no", "key"};
    const struct case_token *last = &words->last;
    shape->names_level = shape->names_level || (case_token_is(last, "isolation") && case_token_is(token, "level"));
    shape->is_deferrable = shape->is_deferrable || (case_token_is(token, "deferrable") && !case_token_is(last, "not"));
    shape->skips_locked = shape->skips_locked || case_token_is(token, "nowait") ||
                          (case_token_is(last, "skip") && case_token_is(token, "locked"));
    shape->has_order_by = shape->has_order_by ||
                          (words->depth == 0 && case_token_is(last, "order") && case_token_is(token, "by"));
    words->has_row_lock = words->has_row_lock || (case_token_is(last, "for") && IS_ONE_OF(token, locks));
    words->has_other_table = // the row that a cursor has read
        words->has_other_table || (case_token_is(last, "current") && case_token_is(token, "of"));
    words->has_conflict = words->has_conflict || (case_token_is(last, "on") && case_token_is(token, "conflict"));
    words->has_chain = words->has_chain || (case_token_is(token, "chain") && !case_token_is(last, "no"));
    words->has_into = words->has_into ||
                      (case_token_is(token, "into") && !case_token_is(last, "insert") && !case_token_is(last, "merge"));
}

static void count_single(struct words *words, const struct case_token *token) {
    static const char *const queries[] = {"select", "with", "table"};
    static const char *const names[] = {"transaction_isolation", "default_transaction_isolation"};
    bool is_delete_from = words->count == 1 && case_token_is(&words->first, "delete");
    words->has_values = words->has_values || (words->depth == 0 && case_token_is(token, "values"));
    words->has_query = words->has_query || IS_ONE_OF(token, queries) ||
                       (words->depth > 0 && case_token_is(token, "values"));
    words->has_select = words->has_select || case_token_is(token, "select");
    words->has_change = words->has_change || is_change(token);
    words->has_other_table = words->has_other_table || case_token_is(token, "using") ||
                             (case_token_is(token, "from") && !is_delete_from);
    words->has_advisory_lock = words->has_advisory_lock ||
                               (token->kind == CASE_TOKEN_WORD && memmem(token->text.data, token->text.length,
                                                                         "_advisory_", strlen("_advisory_")) != NULL);
    words->has_savepoint = words->has_savepoint || case_token_is(token, "to");
    words->has_set_config = words->has_set_config || case_token_is(token, "set_config");
    words->ends_inside = words->ends_inside || has_letters(token, "commit") || has_letters(token, "rollback");
    bool is_quoted = token->kind == CASE_TOKEN_STRING || token->kind == CASE_TOKEN_QUOTED_WORD;
    words->has_isolation_name = words->has_isolation_name || IS_ONE_OF(token, names) ||
                                (is_quoted &&
                                 memmem(token->text.data, token->text.length, names[0], strlen(names[0])) != NULL);
}

static void count_token(struct words *words, struct case_statement_shape *shape, const struct case_token *before,
                        const struct case_token *token) {
    count_single(words, token);
    count_pair(words, shape, token);
    if (case_token_is_symbol(token, '(')) {
        count_call(words, before, &words->last);
        words->depth++;
    } else if (case_token_is_symbol(token, ')') && words->depth > 0) {
        words->depth--;
    }
    words->count++;
    words->first = words->count == 1 ? *token : words->first;
    words->second = words->count == 2 ? *token : words->second;
}

static bool ends_transaction(const struct words *words) {
    const struct case_token *first = &words->first;
    if (case_token_is(&words->second, "prepared")) {
        return false; // COMMIT PREPARED ends another transaction
    }
    return case_token_is(first, "commit") || case_token_is(first, "end") || case_token_is(first, "abort") ||
           (case_token_is(first, "rollback") && !words->has_savepoint) ||
           (case_token_is(first, "prepare") && case_token_is(&words->second, "transaction"));
}

static bool begins_query(const struct words *words) {
    static const char *const firsts[] = {"select", "table", "values", "show", "explain", "with"};
    return IS_ONE_OF(&words->first, firsts) || case_token_is_symbol(&words->first, '(');
}

// Statements that change the schema, and may read rows: other transactions can act between the read and the COMMIT.
static bool reads_rows(const struct words *words) {
    const struct case_token *first = &words->first;
    return (case_token_is(first, "do") && !words->ends_inside) || case_token_is(first, "call") ||
           case_token_is(first, "refresh") || (case_token_is(first, "create") && words->has_select);
}

static void decide(struct case_statement_shape *shape, const struct words *words) {
    const struct case_token *first = &words->first;
    bool is_query = begins_query(words);
    shape->ends_transaction = ends_transaction(words);
    shape->begins_transaction = case_token_is(first, "begin") || (shape->ends_transaction && words->has_chain) ||
                                (case_token_is(first, "start") && case_token_is(&words->second, "transaction"));
    shape->names_level = shape->names_level ||
                         (words->has_isolation_name &&
                          (words->has_set_config || case_token_is(first, "set") || case_token_is(first, "alter")));
    shape->is_read_only = is_query && !words->has_change && !words->has_into && !words->has_row_lock &&
                          !words->calls_unknown;
    shape->takes_lock = words->has_row_lock || words->has_advisory_lock || case_token_is(first, "lock");
    // ON CONFLICT finds the row of a transaction that its snapshot does not show: at REPEATABLE READ it is refused.
    shape->is_simple_insert = case_token_is(first, "insert") && words->has_values && !words->has_query &&
                              !words->calls_unknown && !words->has_conflict;
    shape->is_single_table = (case_token_is(first, "update") || case_token_is(first, "delete")) && !words->has_query &&
                             !words->has_other_table && !words->calls_any && !words->has_values;
    shape->changes_schema = IS_ONE_OF(first, schema_words) || (is_query && words->has_into);
    shape->commits = shape->ends_transaction && (case_token_is(first, "commit") || case_token_is(first, "end"));
    shape->is_command = IS_ONE_OF(first, command_words);
    shape->writes_nothing = shape->is_command ||
                            (is_query && !words->has_change && !words->has_into && !words->calls_writer);
    shape->ends_inside = case_token_is(first, "do") && words->ends_inside;
    shape->opens_cursor = case_token_is(first, "declare");
    shape->is_indivisible = shape->is_command || (shape->changes_schema && !is_query && !reads_rows(words));
}

static struct case_statement_shape shape_of_one(struct slice sql) {
    struct case_scanner scanner = {.rest = sql, .line = 1};
    struct case_statement_shape shape = {0};
    struct words words = {0};
    struct case_token before = {0};
    struct case_token token;
    while ((token = case_scan_code(&scanner)).kind != CASE_TOKEN_END) {
        count_token(&words, &shape, &before, &token);
        before = words.last;
        words.last = token;
    }
    decide(&shape, &words);
    return shape;
}

// If the text has several statements, one that changes something decides for all of them.
struct case_statement_shape case_shape_of(const char *sql) {
    struct slice rest = slice_of(sql);
    struct case_statement_shape all = {0};
    struct case_sql_statement statement;
    int line = 1;
    for (size_t count = 0; case_next_statement(&rest, &line, &statement, NULL); count++) {
        struct case_statement_shape one = shape_of_one(statement.text);
        if (count == 0) {
            all = one;
            continue;
        }
        all.is_several = true;
        all.begins_transaction = all.begins_transaction || one.begins_transaction;
        all.commits = false;
        all.ends_transaction = all.ends_transaction || one.ends_transaction;
        all.names_level = all.names_level || one.names_level;
        all.takes_lock = all.takes_lock || one.takes_lock;
        all.skips_locked = all.skips_locked || one.skips_locked;
        all.changes_schema = all.changes_schema || one.changes_schema;
        all.is_read_only = all.is_read_only && one.is_read_only;
        all.writes_nothing = all.writes_nothing && one.writes_nothing;
        all.is_command = all.is_command && one.is_command;
        all.is_indivisible = all.is_indivisible && one.is_indivisible;
        all.opens_cursor = all.opens_cursor || one.opens_cursor;
        all.is_deferrable = all.is_deferrable || one.is_deferrable;
        all.is_simple_insert = false;
        all.is_single_table = false;
        all.has_order_by = false;
    }
    return all;
}
