// The names of the variables that may be set at a place of a program, and which of them \gset sets.
//
// The names of a statement's columns are read only where they are certain: "... AS name", "name", "table.name" and
// "function(...)". Otherwise any name with the prefix counts as known, so a right program is never refused.
#include "workers/case/case_names.h"
#include "workers/case/case_reader.h"
#include "workers/case/case_tokens.h"

#define NAMES_SHOWN 20

void case_names_add(struct case_memory *memory, struct case_names *names, const char *name, bool is_prefix) {
    for (size_t i = 0; i < names->count; i++) {
        if (names->items[i].is_prefix == is_prefix && strcmp(names->items[i].name, name) == 0) {
            return;
        }
    }
    if (names->count == CASE_NAMES_MAX) {
        name = ""; // any name may be set
        is_prefix = true;
    }
    if (names->count > CASE_NAMES_MAX) {
        return;
    }
    struct case_known_name *known = case_append(memory, &names->items, &names->count, sizeof *known);
    *known = (struct case_known_name){.name = case_copy(memory, slice_of(name)), .is_prefix = is_prefix};
}

bool case_names_have(const struct case_names *names, const char *name) {
    for (size_t i = 0; i < names->count; i++) {
        const struct case_known_name *known = &names->items[i];
        if (known->is_prefix ? slice_starts_with(slice_of(name), slice_of(known->name))
                             : strcmp(name, known->name) == 0) {
            return true;
        }
    }
    return false;
}

void case_names_append(struct text *out, const struct case_names *names) {
    if (names->count == 0) {
        text_append_string(out, "none");
    }
    for (size_t i = 0; i < names->count; i++) {
        text_append_string(out, i == 0 ? "" : ", ");
        if (i == NAMES_SHOWN) {
            text_append_string(out, "...");
            break;
        }
        text_append_string(out, names->items[i].name);
        text_append_string(out, names->items[i].is_prefix ? "*" : "");
    }
}

// The tokens of one column of a result that decide its name.
struct column {
    struct case_token first, second, before_last, last;
    size_t count;
    size_t depth;     // open parentheses and brackets
    size_t closed_at; // the token that closed the first parenthesis
};

static void count_token(struct column *column, const struct case_token *token) {
    column->count++;
    column->first = column->count == 1 ? *token : column->first;
    column->second = column->count == 2 ? *token : column->second;
    column->before_last = column->last;
    column->last = *token;
}

static bool is_name(const struct case_token *token) {
    return token->kind == CASE_TOKEN_WORD || token->kind == CASE_TOKEN_QUOTED_WORD;
}

// The token that names the column, or NULL.
static const struct case_token *name_of(const struct column *column) {
    bool has_as = column->count > 2 && case_token_is(&column->before_last, "as");
    bool is_call = column->count > 2 && case_token_is_symbol(&column->second, '(') &&
                   column->closed_at == column->count;
    bool is_field = column->count == 3 && case_token_is_symbol(&column->second, '.');
    if (is_name(&column->last) && (has_as || is_field || column->count == 1)) {
        return &column->last;
    }
    return is_call && is_name(&column->first) ? &column->first : NULL;
}

// An identifier without quotes is folded to lower case; in a quoted one a doubled quote stands for itself.
static void append_identifier(struct text *out, const struct case_token *token) {
    bool is_quoted = token->kind == CASE_TOKEN_QUOTED_WORD;
    for (size_t i = is_quoted; i < token->text.length - is_quoted; i++) {
        char letter = token->text.data[i];
        i += is_quoted && letter == '"';
        letter = !is_quoted && letter >= 'A' && letter <= 'Z' ? (char)(letter | 0x20) : letter;
        text_append(out, &letter, 1);
    }
}

static void add_column(struct case_memory *memory, struct case_names *names, const struct column *column,
                       const char *prefix) {
    const struct case_token *token = name_of(column);
    bool is_certain = token != NULL && (token->kind == CASE_TOKEN_WORD || token->text.data[0] == '"'); // not U&"..."
    struct text name = {0};
    text_append_string(&name, prefix);
    if (is_certain) {
        append_identifier(&name, token);
    }
    case_names_add(memory, names, text_terminated(&name), !is_certain);
    text_free(&name);
}

static bool ends_columns(const struct case_token *token, const struct case_token *before) {
    static const char *const words[] = {"into",   "where", "group", "having", "window", "union", "intersect",
                                        "except", "order", "limit", "offset", "fetch",  "for"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (case_token_is(token, words[i])) {
            return true;
        }
    }
    return case_token_is(token, "from") && !case_token_is(before, "distinct"); // IS DISTINCT FROM
}

static bool changes_depth(struct column *column, const struct case_token *token) {
    if (case_token_is_symbol(token, '(') || case_token_is_symbol(token, '[')) {
        column->depth++;
    } else if (column->depth > 0 && (case_token_is_symbol(token, ')') || case_token_is_symbol(token, ']'))) {
        column->depth--;
        return column->depth == 0 && column->closed_at == 0;
    }
    return false;
}

// Moves the scanner behind the word in front of the columns: the first SELECT of a query, or RETURNING.
static bool find_columns(struct case_scanner *scanner) {
    struct case_scanner at = *scanner;
    struct case_scanner select = {0};
    struct column depth = {0};
    struct case_token token;
    bool is_query = true;
    for (size_t words = 0; (token = case_scan_code(&at)).kind != CASE_TOKEN_END && token.kind != CASE_TOKEN_OPEN;) {
        (void)changes_depth(&depth, &token);
        if (depth.depth > 0 || token.kind != CASE_TOKEN_WORD) {
            continue;
        }
        is_query = is_query && (words++ > 0 || case_token_is(&token, "select") || case_token_is(&token, "with"));
        is_query = is_query && !case_token_is(&token, "insert") && !case_token_is(&token, "update") &&
                   !case_token_is(&token, "delete") && !case_token_is(&token, "merge");
        if (case_token_is(&token, "returning")) {
            *scanner = at;
            return true;
        }
        if (select.line == 0 && is_query && case_token_is(&token, "select")) {
            select = at;
        }
    }
    *scanner = select;
    return select.line > 0;
}

void case_names_add_columns(struct case_memory *memory, struct case_names *names, struct slice sql,
                            const char *prefix) {
    struct case_scanner scanner = {.rest = sql, .line = 1};
    struct column column = {0};
    struct case_token token;
    bool is_end = !find_columns(&scanner);
    if (is_end) {
        case_names_add(memory, names, prefix, true);
    }
    while (!is_end) {
        token = case_scan_code(&scanner);
        is_end = token.kind == CASE_TOKEN_END || token.kind == CASE_TOKEN_OPEN ||
                 (column.depth == 0 && ends_columns(&token, &column.last));
        if (is_end || (column.depth == 0 && case_token_is_symbol(&token, ','))) {
            add_column(memory, names, &column, prefix);
            column = (struct column){0};
            continue;
        }
        bool closes = changes_depth(&column, &token);
        count_token(&column, &token);
        column.closed_at = closes ? column.count : column.closed_at;
    }
}
