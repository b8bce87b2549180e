// Moves the check of a value into the UPDATE that depends on it:
//
//     SELECT balance >= 800 AS enough FROM accounts WHERE id = 'alice' \gset
//     \if :enough
//     UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
//
// becomes, because the SELECT is of no other use,
//
//     UPDATE accounts SET balance = balance - 800 WHERE id = 'alice' AND balance >= 800 RETURNING true AS enough \gset
//     \if :{?enough}
//
// so that the rest of the branch runs only if the UPDATE has found its row. Otherwise the SELECT and its branch stay,
// and a branch of the same kind begins behind the UPDATE. Texts are compared token by token; nothing is guessed.
#include "workers/case/case_guard.h"
#include "workers/case/case_names.h"
#include "workers/case/case_reader.h"
#include "workers/case/case_template.h"
#include "workers/case/case_tokens.h"

// The parts of "SELECT columns FROM table WHERE condition" or "UPDATE table SET ... WHERE condition".
struct parts {
    struct slice columns, table, where;
};

static struct slice between(const char *from, const char *to) {
    while (to > from && case_is_blank(to[-1])) {
        to--;
    }
    return (struct slice){from, (size_t)(to - from)};
}

static size_t depth_behind(size_t depth, const struct case_token *token) {
    if (case_token_is_symbol(token, '(') || case_token_is_symbol(token, '[')) {
        return depth + 1;
    }
    bool closes = case_token_is_symbol(token, ')') || case_token_is_symbol(token, ']');
    return closes && depth > 0 ? depth - 1 : depth;
}

static bool is_one_of(const struct case_token *token, const char *const *words) {
    for (size_t i = 0; words[i] != NULL; i++) {
        if (case_token_is(token, words[i])) {
            return true;
        }
    }
    return false;
}

// Moves the scanner behind the first of the words outside of parentheses, and returns the place in front of it. NULL:
// it is not there.
static const char *find_word(struct case_scanner *scanner, const char *word) {
    size_t depth = 0;
    struct case_token token;
    while ((token = case_scan_code(scanner)).kind != CASE_TOKEN_END && token.kind != CASE_TOKEN_OPEN) {
        depth = depth_behind(depth, &token);
        if (depth == 0 && case_token_is(&token, word)) {
            return token.text.data;
        }
    }
    return NULL;
}

// A table's name, with its schema or without, and no alias behind it: the next token is `next`.
static bool read_table(struct case_scanner *scanner, const char *next, struct slice *table) {
    struct case_token token = case_scan_code(scanner);
    const char *from = token.text.data;
    bool is_name = token.kind == CASE_TOKEN_WORD || token.kind == CASE_TOKEN_QUOTED_WORD;
    const char *to = from + token.text.length;
    token = case_scan_code(scanner);
    if (case_token_is_symbol(&token, '.')) {
        token = case_scan_code(scanner);
        to = token.text.data + token.text.length;
        token = case_scan_code(scanner);
    }
    *table = between(from, to);
    return is_name && case_token_is(&token, next);
}

// True if the rest is one condition that AND may extend.
static bool is_condition(struct slice where) {
    static const char *const others[] = {"or",     "group",     "having",  "order",  "limit",  "offset",
                                         "fetch",  "for",       "union",   "except", "window", "intersect",
                                         "select", "returning", "current", NULL};
    struct case_scanner scanner = {.rest = where, .line = 1};
    struct case_token token;
    bool has_some = false;
    while ((token = case_scan_code(&scanner)).kind != CASE_TOKEN_END) {
        if (token.kind == CASE_TOKEN_OPEN || is_one_of(&token, others)) {
            return false;
        }
        has_some = true;
    }
    return has_some;
}

static bool read_select(const char *sql, struct parts *parts) {
    struct case_scanner scanner = {.rest = slice_of(sql), .line = 1};
    struct case_token token = case_scan_code(&scanner);
    const char *columns = scanner.rest.data;
    const char *from = case_token_is(&token, "select") ? find_word(&scanner, "from") : NULL;
    if (from == NULL || !read_table(&scanner, "where", &parts->table)) {
        return false;
    }
    parts->columns = between(columns, from);
    parts->where = slice_trim(scanner.rest);
    return is_condition(parts->where);
}

static bool read_update(const char *sql, struct parts *parts) {
    struct case_scanner scanner = {.rest = slice_of(sql), .line = 1};
    struct case_token token = case_scan_code(&scanner);
    if (!case_token_is(&token, "update") || !case_shape_of(sql).is_single_table ||
        !read_table(&scanner, "set", &parts->table) || find_word(&scanner, "where") == NULL) {
        return false;
    }
    parts->where = slice_trim(scanner.rest);
    return is_condition(parts->where);
}

static bool are_same(struct slice one, struct slice other) {
    struct case_scanner a = {.rest = one, .line = 1};
    struct case_scanner b = {.rest = other, .line = 1};
    for (;;) {
        struct case_token left = case_scan_code(&a);
        struct case_token right = case_scan_code(&b);
        bool is_word = left.kind == CASE_TOKEN_WORD;
        if (left.kind != right.kind ||
            (left.kind != CASE_TOKEN_END &&
             !(is_word ? slice_equals_ignoring_case(left.text, right.text) : slice_equals(left.text, right.text)))) {
            return false;
        }
        if (left.kind == CASE_TOKEN_END) {
            return true;
        }
    }
}

// An expression of columns: it calls no function, so it means the same for one row of the UPDATE.
static bool is_expression(struct slice text) {
    static const char *const others[] = {"select", "distinct", "or", "over", NULL};
    struct case_scanner scanner = {.rest = text, .line = 1};
    struct case_token before = {0};
    struct case_token token;
    while ((token = case_scan_code(&scanner)).kind != CASE_TOKEN_END) {
        static const char *const operators[] = {"and", "not", "in", "any", "all", NULL};
        bool is_name = (before.kind == CASE_TOKEN_WORD && !is_one_of(&before, operators)) ||
                       before.kind == CASE_TOKEN_QUOTED_WORD;
        if (token.kind == CASE_TOKEN_OPEN || is_one_of(&token, others) ||
            (is_name && case_token_is_symbol(&token, '('))) {
            return false;
        }
        before = token;
    }
    return before.kind != CASE_TOKEN_END;
}

// The expression of the column "... AS name"; no length: there is none.
static struct slice column_named(struct slice columns, const char *name) {
    struct case_scanner scanner = {.rest = columns, .line = 1};
    const char *begun = columns.data;
    struct case_token before = {0};
    struct case_token last = {0};
    size_t depth = 0;
    for (;;) {
        struct case_token token = case_scan_code(&scanner);
        bool is_end = token.kind == CASE_TOKEN_END || token.kind == CASE_TOKEN_OPEN;
        if (is_end || (depth == 0 && case_token_is_symbol(&token, ','))) {
            if (case_token_is(&before, "as") && last.kind == CASE_TOKEN_WORD &&
                slice_equals_ignoring_case(last.text, slice_of(name))) {
                return slice_trim(between(begun, before.text.data));
            }
            if (is_end) {
                return (struct slice){0};
            }
            begun = scanner.rest.data;
            before = last = (struct case_token){0};
            continue;
        }
        depth = depth_behind(depth, &token);
        before = last;
        last = token;
    }
}

// --- The place ---

struct place {
    size_t read, branch, update; // instructions
    const char *variable;
    struct slice check;
    bool replaces_read; // the SELECT is of no other use
};

// The variable of "\if :name".
static const char *variable_of(const struct case_instruction *branch) {
    const char *name = NULL;
    for (size_t i = 0; i < branch->text.count; i++) {
        const struct case_piece *piece = &branch->text.pieces[i];
        if (piece->kind == CASE_PIECE_VALUE && name == NULL) {
            name = piece->text;
        } else if (piece->kind != CASE_PIECE_TEXT || piece->text[strspn(piece->text, " \t\r\n")] != '\0') {
            return NULL;
        }
    }
    return name;
}

static bool is_plain(const struct case_instruction *instruction) {
    return instruction->operation == CASE_STATEMENT && !instruction->is_block && instruction->parameters == NULL;
}

// True if another instruction than the branch needs something that the SELECT sets.
static bool is_read_elsewhere(struct case_memory *memory, const struct case_session *session,
                              const struct place *place) {
    struct case_names sets = {0};
    const struct case_instruction *read = &session->instructions[place->read];
    case_names_add_columns(memory, &sets, slice_of(read->source), read->gset_prefix);
    for (size_t i = 0; i < session->count; i++) {
        const struct case_template *text = &session->instructions[i].text;
        for (size_t j = 0; j < text->count && i != place->branch; j++) {
            if (text->pieces[j].kind != CASE_PIECE_TEXT && case_names_have(&sets, text->pieces[j].text)) {
                return true;
            }
        }
    }
    return false;
}

// The first UPDATE of the branch, on its outermost level, of the row that the SELECT has read. 0: there is none.
static size_t find_update(const struct case_session *session, size_t branch, const struct parts *read) {
    for (size_t i = branch + 1; i < MIN(session->instructions[branch].target, session->count); i++) {
        const struct case_instruction *each = &session->instructions[i];
        struct parts parts;
        if (each->operation == CASE_SKIP || each->operation == CASE_SKIP_UNLESS) {
            return 0;
        }
        if (is_plain(each) && each->gset_prefix == NULL && read_update(each->source, &parts) &&
            are_same(parts.table, read->table) && are_same(parts.where, read->where)) {
            return i;
        }
    }
    return 0;
}

static bool is_set_at_start(const struct case_session *session, const char *variable) {
    for (size_t i = 0; i < session->variable_count; i++) {
        if (strcmp(session->variables[i].name, variable) == 0) {
            return true;
        }
    }
    return false;
}

// The branch must follow the SELECT: a variable of its condition could change in between.
static bool find_place(struct case_memory *memory, const struct case_session *session, struct place *place) {
    for (size_t i = 0; i + 2 < session->count; i++) {
        const struct case_instruction *read = &session->instructions[i];
        const struct case_instruction *branch = read + 1;
        struct parts parts;
        if (!is_plain(read) || read->gset_prefix == NULL || branch->operation != CASE_SKIP_UNLESS ||
            !read_select(read->source, &parts)) {
            continue;
        }
        *place = (struct place){.read = i, .branch = i + 1, .variable = variable_of(branch)};
        size_t prefix = strlen(read->gset_prefix);
        if (place->variable == NULL || strncmp(place->variable, read->gset_prefix, prefix) != 0) {
            continue;
        }
        place->check = column_named(parts.columns, place->variable + prefix);
        place->update = find_update(session, i + 1, &parts);
        place->replaces_read = place->update == i + 2 && !is_set_at_start(session, place->variable) &&
                               !is_read_elsewhere(memory, session, place);
        if (place->update > 0 && place->check.length > 0 && is_expression(place->check)) {
            return true;
        }
    }
    return false;
}

// --- The change ---

void case_append_diff(struct text *diff, char sign, const char *text, const char *end) {
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        text_append_format(diff, "%c%.*s%s\n", sign, (int)length, text, text[length] == '\0' ? end : "");
        text += length + (text[length] == '\0' ? 0 : 1);
    }
}

void case_append_statement_diff(struct text *diff, char sign, const struct case_instruction *statement) {
    struct text end = {0};
    if (statement->gset_prefix == NULL) {
        text_append_string(&end, ";");
    } else {
        text_append_format(&end, " \\gset%s%s", statement->gset_prefix[0] == '\0' ? "" : " ", statement->gset_prefix);
    }
    case_append_diff(diff, sign, statement->source, text_terminated(&end));
    text_free(&end);
}

static struct case_instruction guarded(struct case_memory *memory, const struct case_instruction *update,
                                       const struct place *place, const char *found) {
    struct case_instruction made = *update;
    made.source = case_format(memory, "%s AND %.*s RETURNING true AS %s", update->source, (int)place->check.length,
                              place->check.data, found);
    made.text = case_template_of_sql(memory, slice_of(made.source));
    made.gset_prefix = "";
    return made;
}

static struct case_instruction branch_if_found(struct case_memory *memory, const struct case_instruction *branch,
                                               const char *found) {
    struct case_instruction made = *branch;
    struct case_piece *piece = case_allocate(memory, sizeof *piece);
    *piece = (struct case_piece){.kind = CASE_PIECE_IS_SET, .text = found};
    made.text = (struct case_template){.pieces = piece, .count = 1};
    return made;
}

static void move_targets(struct case_instruction *instructions, size_t count, size_t behind, int by) {
    for (size_t i = 0; i < count; i++) {
        if (instructions[i].target > behind) {
            instructions[i].target += (size_t)by;
        }
    }
}

bool case_place_guard(struct case_memory *memory, struct case_session *session, struct text *diff) {
    struct place place;
    if (!find_place(memory, session, &place)) {
        return false;
    }
    struct case_instruction *old = session->instructions;
    struct case_instruction *made = case_allocate(memory, (session->count + 1) * sizeof *made);
    const char *found = place.replaces_read ? place.variable : case_format(memory, "%s_holds", place.variable);
    struct case_instruction update = guarded(memory, &old[place.update], &place, found);
    struct case_instruction branch = branch_if_found(memory, &old[place.branch], found);
    const char *old_if = case_format(memory, "\\if :%s", place.variable);
    const char *new_if = case_format(memory, "\\if :{?%s}", found);
    size_t rest = session->count - place.update - 1;
    if (place.replaces_read) {
        memcpy(made, old, place.read * sizeof *made);
        made[place.read] = update;
        made[place.branch] = branch;
        memcpy(made + place.update, old + place.update + 1, rest * sizeof *made);
        session->count--;
        move_targets(made, session->count, place.update, -1);
        case_append_statement_diff(diff, '-', &old[place.read]);
        case_append_diff(diff, '-', old_if, "");
        case_append_statement_diff(diff, '-', &old[place.update]);
        case_append_statement_diff(diff, '+', &update);
    } else {
        memcpy(made, old, place.update * sizeof *made);
        made[place.update] = update;
        made[place.update + 1] = branch;
        memcpy(made + place.update + 2, old + place.update + 1, rest * sizeof *made);
        session->count++;
        move_targets(made, session->count, place.update, 1);
        case_append_diff(diff, ' ', old_if, "");
        case_append_statement_diff(diff, '-', &old[place.update]);
        case_append_statement_diff(diff, '+', &update);
        case_append_diff(diff, '+', "\\endif", "");
    }
    case_append_diff(diff, '+', new_if, "");
    session->instructions = made;
    return true;
}
