// Reads statements word by word: enough for verb, table, lock clause and transaction control, with any syntax.
// sql_read_words() > read_statement() > one function for each kind; the lexer is next_word().
#include "server/sight/sight_sql.h"

enum word_kind { WORD_END, WORD_STOP, WORD_NAME, WORD_QUOTED, WORD_LITERAL, WORD_SIGN };

struct lexer {
    struct sql_text *text;
    struct slice rest;
    enum word_kind kind;
    struct slice word; // a quoted name without its quotes
    int depth;         // open parentheses
    uint64_t fingerprint;
};

static bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name(char c) {
    return is_name_start(c) || (c >= '0' && c <= '9') || c == '$';
}

static void take(struct lexer *lexer, enum word_kind kind, size_t length) {
    length = MIN(length, lexer->rest.length);
    lexer->kind = kind;
    lexer->word = (struct slice){lexer->rest.data, length};
    lexer->rest = (struct slice){lexer->rest.data + length, lexer->rest.length - length};
}

// --- Comments: they may name the unit of work ---

static bool is_label(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.' || c == '%';
}

// A label that many requests share would make one unit of them: eight characters, and not all the same.
static void set_label(struct sql_text *text, struct slice value) {
    bool varies = false;
    for (size_t i = 1; i < value.length; i++) {
        varies = varies || value.data[i] != value.data[0];
    }
    if (value.length >= 8 && value.length < sizeof text->label && varies) {
        memset(text->label, 0, sizeof text->label);
        memcpy(text->label, value.data, value.length);
    }
}

// sqlcommenter writes traceparent='00-<trace id>-<span id>-01'; Rails writes request_id:<id>.
// https://google.github.io/sqlcommenter/spec/
static void note_comment(struct sql_text *text, struct slice comment) {
    static const char *const names[] = {"traceparent", "request_id", "request-id", "requestid"};
    for (size_t n = 0; n < sizeof names / sizeof names[0] && text->label[0] == '\0'; n++) {
        size_t length = strlen(names[n]);
        const char *found = memmem(comment.data, comment.length, names[n], length);
        if (found == NULL) {
            continue;
        }
        const char *end = comment.data + comment.length;
        const char *at = found + length;
        while (at < end && (*at == ' ' || *at == '=' || *at == ':' || *at == '\'' || *at == '"')) {
            at++;
        }
        struct slice value = {at, 0};
        while (at + value.length < end && is_label(at[value.length])) {
            value.length++;
        }
        if (n == 0) {
            value = value.length >= 35 && at[2] == '-' ? (struct slice){at + 3, 32} : (struct slice){at, 0};
        }
        set_label(text, value);
    }
}

// Returns the length of a comment at the start of `rest`, or 0.
static size_t comment_length(struct slice rest) {
    if (slice_starts_with(rest, SLICE_LITERAL("--"))) {
        const char *end = memchr(rest.data, '\n', rest.length);
        return end == NULL ? rest.length : (size_t)(end - rest.data);
    }
    if (!slice_starts_with(rest, SLICE_LITERAL("/*"))) {
        return 0;
    }
    int depth = 0;
    for (size_t i = 0; i + 1 < rest.length; i++) {
        bool opens = rest.data[i] == '/' && rest.data[i + 1] == '*';
        bool closes = rest.data[i] == '*' && rest.data[i + 1] == '/';
        if (opens || closes) {
            depth += opens ? 1 : -1;
            i++;
        }
        if (closes && depth == 0) {
            return i + 1;
        }
    }
    return rest.length;
}

static void skip_blanks(struct lexer *lexer) {
    for (;;) {
        struct slice *rest = &lexer->rest;
        size_t length = comment_length(*rest);
        if (length > 0) {
            note_comment(lexer->text, (struct slice){rest->data, length});
        } else if (rest->length > 0 && (unsigned char)rest->data[0] <= ' ') {
            length = 1;
        } else {
            return;
        }
        *rest = (struct slice){rest->data + length, rest->length - length};
    }
}

// --- Words ---

// The length of a quoted text that starts at `start`; two quotes stand for one.
static size_t quoted_length(struct slice rest, size_t start, char quote, bool has_escapes) {
    for (size_t i = start + 1; i < rest.length; i++) {
        if (has_escapes && rest.data[i] == '\\') {
            i++;
        } else if (rest.data[i] == quote) {
            if (i + 1 < rest.length && rest.data[i + 1] == quote) {
                i++;
            } else {
                return i + 1;
            }
        }
    }
    return rest.length;
}

// The length of $tag$...$tag$, or 0 if `rest` does not start with one.
static size_t dollar_length(struct slice rest) {
    size_t tag = 1;
    while (tag < rest.length && is_name(rest.data[tag]) && rest.data[tag] != '$') {
        tag++;
    }
    if (tag >= rest.length || rest.data[tag] != '$' || (tag > 1 && !is_name_start(rest.data[1]))) {
        return 0;
    }
    tag++;
    const char *end = memmem(rest.data + tag, rest.length - tag, rest.data, tag);
    return end == NULL ? rest.length : (size_t)(end - rest.data) + tag;
}

static size_t run_length(struct slice rest, bool (*belongs)(char)) {
    size_t length = 1;
    while (length < rest.length && belongs(rest.data[length])) {
        length++;
    }
    return length;
}

static bool is_number(char c) {
    return is_name(c) || c == '.';
}

static void read_word(struct lexer *lexer) {
    struct slice rest = lexer->rest;
    char first = rest.data[0];
    char second = rest.length > 1 ? rest.data[1] : '\0';
    if (first == '\'') {
        take(lexer, WORD_LITERAL, quoted_length(rest, 0, '\'', false));
    } else if (strchr("eEbBxXnN", first) != NULL && second == '\'') {
        take(lexer, WORD_LITERAL, quoted_length(rest, 1, '\'', first == 'e' || first == 'E'));
    } else if (first == '"') {
        take(lexer, WORD_QUOTED, quoted_length(rest, 0, '"', false));
        size_t quotes = lexer->word.length > 1 ? 2 : 1;
        lexer->word = (struct slice){lexer->word.data + 1, lexer->word.length - quotes};
    } else if (is_name_start(first)) {
        take(lexer, WORD_NAME, run_length(rest, is_name));
    } else if (first == '$' && dollar_length(rest) > 0) {
        take(lexer, WORD_LITERAL, dollar_length(rest));
    } else if ((first >= '0' && first <= '9') || first == '$') {
        take(lexer, WORD_LITERAL, run_length(rest, is_number));
    } else {
        take(lexer, first == ';' && lexer->depth == 0 ? WORD_STOP : WORD_SIGN, 1);
        lexer->depth += first == '(' ? 1 : first == ')' && lexer->depth > 0 ? -1 : 0;
    }
}

static void next_word(struct lexer *lexer) {
    skip_blanks(lexer);
    if (lexer->rest.length == 0) {
        take(lexer, WORD_END, 0);
        return;
    }
    read_word(lexer);
    struct slice mark = lexer->kind == WORD_LITERAL ? SLICE_LITERAL("?") : lexer->word;
    lexer->fingerprint = sql_hash(sql_hash(lexer->fingerprint, mark.data, mark.length), " ", 1);
}

static bool at_end(const struct lexer *lexer) {
    return lexer->kind == WORD_END || lexer->kind == WORD_STOP;
}

static bool is_word(const struct lexer *lexer, const char *word) {
    return lexer->kind == WORD_NAME && slice_equals_ignoring_case(lexer->word, slice_of(word));
}

static bool skip_word(struct lexer *lexer, const char *word) {
    bool found = is_word(lexer, word);
    if (found) {
        next_word(lexer);
    }
    return found;
}

// A name as PostgreSQL stores it: in lower case unless it was quoted.
static const char *stored_name(struct lexer *lexer) {
    char *name = arena_copy(&lexer->text->memory, lexer->word);
    for (char *each = name; lexer->kind == WORD_NAME && *each != '\0'; each++) {
        *each = *each >= 'A' && *each <= 'Z' ? (char)(*each - 'A' + 'a') : *each;
    }
    return name;
}

// --- Statements ---

static void read_table(struct lexer *lexer, struct sql_statement *out) {
    (void)skip_word(lexer, "only");
    if (lexer->kind != WORD_NAME && lexer->kind != WORD_QUOTED) {
        return;
    }
    out->table = stored_name(lexer);
    next_word(lexer);
    while (lexer->kind == WORD_SIGN && lexer->word.data[0] == '.') {
        next_word(lexer);
        if (lexer->kind == WORD_NAME || lexer->kind == WORD_QUOTED) {
            out->schema = out->table;
            out->table = stored_name(lexer);
            next_word(lexer);
        }
    }
}

// The verb of WITH ... is the first one outside of parentheses.
static void find_main_verb(struct lexer *lexer) {
    static const char *const verbs[] = {"select", "insert", "update", "delete"};
    while (!at_end(lexer)) {
        for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
            if (lexer->depth == 0 && is_word(lexer, verbs[i])) {
                return;
            }
        }
        next_word(lexer);
    }
}

static void read_select(struct lexer *lexer, struct sql_statement *out) {
    out->verb = SIGHT_SELECT;
    next_word(lexer);
    while (!at_end(lexer)) {
        if (lexer->depth == 0 && out->table == NULL && skip_word(lexer, "from")) {
            read_table(lexer, out);
        } else if (skip_word(lexer, "for")) {
            out->locks |= is_word(lexer, "update") || is_word(lexer, "share") || is_word(lexer, "no") ||
                          is_word(lexer, "key");
        } else {
            next_word(lexer);
        }
    }
}

// Looks for ISOLATION LEVEL in the rest of the statement.
static void read_isolation(struct lexer *lexer, struct sql_statement *out) {
    while (!at_end(lexer)) {
        if (is_word(lexer, "repeatable") || is_word(lexer, "serializable")) {
            out->isolation = SQL_REPEATABLE_READ;
        } else if (is_word(lexer, "committed") || is_word(lexer, "uncommitted")) {
            out->isolation = SQL_READ_COMMITTED;
        }
        next_word(lexer);
    }
}

static void read_default_isolation(struct lexer *lexer, struct sql_statement *out) {
    struct slice value = {"", 0};
    while (!at_end(lexer)) {
        value = lexer->kind == WORD_LITERAL ? lexer->word : value;
        next_word(lexer);
    }
    bool is_higher = slice_starts_with_ignoring_case(value, SLICE_LITERAL("'repeatable")) ||
                     slice_starts_with_ignoring_case(value, SLICE_LITERAL("'serializable"));
    out->control = SQL_SET_DEFAULT;
    out->isolation = is_higher ? SQL_REPEATABLE_READ : SQL_READ_COMMITTED;
}

static void read_set(struct lexer *lexer, struct sql_statement *out) {
    bool is_session = skip_word(lexer, "session");
    if (!is_session) {
        (void)skip_word(lexer, "local");
    }
    if (skip_word(lexer, "transaction")) {
        out->control = SQL_SET_ISOLATION;
        read_isolation(lexer, out);
    } else if (is_session && skip_word(lexer, "characteristics")) {
        out->control = SQL_SET_DEFAULT;
        read_isolation(lexer, out);
    } else if (is_word(lexer, "default_transaction_isolation")) {
        read_default_isolation(lexer, out);
    }
}

static void read_deallocate(struct lexer *lexer, struct sql_statement *out) {
    out->control = SQL_DEALLOCATE;
    (void)skip_word(lexer, "prepare");
    if (!at_end(lexer) && !is_word(lexer, "all")) {
        out->table = stored_name(lexer);
    }
}

static void read_rollback(struct lexer *lexer, struct sql_statement *out) {
    out->control = SQL_ROLLBACK;
    while (!at_end(lexer) && !skip_word(lexer, "to")) {
        next_word(lexer);
    }
    if (!at_end(lexer)) {
        (void)skip_word(lexer, "savepoint");
        out->control = SQL_ROLLBACK_TO;
        out->table = stored_name(lexer);
    }
}

// DECLARE c CURSOR ..., FETCH ALL FROM c: the first or the last name.
static void read_cursor(struct lexer *lexer, struct sql_statement *out, bool is_first) {
    while (!at_end(lexer)) {
        bool is_name = lexer->kind == WORD_NAME || lexer->kind == WORD_QUOTED;
        if (is_name && (!is_first || out->cursor == NULL)) {
            out->cursor = stored_name(lexer);
        }
        next_word(lexer);
    }
}

static void read_create(struct lexer *lexer, struct sql_statement *out) {
    if (!skip_word(lexer, "global")) {
        (void)skip_word(lexer, "local");
    }
    if (is_word(lexer, "temp") || is_word(lexer, "temporary")) {
        out->control = SQL_TEMPORARY_NAME;
    }
}

static bool read_control(struct lexer *lexer, struct sql_statement *out) {
    if (skip_word(lexer, "begin") || skip_word(lexer, "start")) {
        out->control = SQL_BEGIN;
        read_isolation(lexer, out);
    } else if (skip_word(lexer, "commit") || skip_word(lexer, "end")) {
        out->control = is_word(lexer, "prepared") ? SQL_NO_CONTROL : SQL_COMMIT;
    } else if (skip_word(lexer, "rollback") || skip_word(lexer, "abort")) {
        read_rollback(lexer, out);
    } else if (skip_word(lexer, "discard")) {
        out->control = is_word(lexer, "all") ? SQL_DISCARD : SQL_NO_CONTROL;
    } else if (skip_word(lexer, "reset")) {
        out->control = is_word(lexer, "all") ? SQL_RESET : SQL_NO_CONTROL;
    } else if (skip_word(lexer, "savepoint")) {
        out->control = SQL_SAVEPOINT;
        out->table = stored_name(lexer);
    } else if (skip_word(lexer, "set")) {
        read_set(lexer, out);
    } else if (skip_word(lexer, "deallocate")) {
        read_deallocate(lexer, out);
    } else if (skip_word(lexer, "create")) {
        read_create(lexer, out);
    } else if (skip_word(lexer, "lock")) {
        out->takes_other_lock = true;
    } else if (is_word(lexer, "declare") || is_word(lexer, "fetch")) {
        bool is_declare = skip_word(lexer, "declare");
        if (!is_declare) {
            next_word(lexer);
        }
        read_cursor(lexer, out, is_declare);
    } else {
        return false;
    }
    return true;
}

static void read_statement(struct lexer *lexer, struct sql_statement *out) {
    while (lexer->kind == WORD_SIGN && lexer->word.data[0] == '(') {
        next_word(lexer);
    }
    lexer->depth = 0;
    if (is_word(lexer, "with")) {
        find_main_verb(lexer);
    }
    if (is_word(lexer, "select") || is_word(lexer, "table") || is_word(lexer, "values")) {
        read_select(lexer, out);
    } else if (skip_word(lexer, "update")) {
        out->verb = SIGHT_UPDATE;
        read_table(lexer, out);
    } else if (skip_word(lexer, "insert") || is_word(lexer, "merge")) {
        out->verb = SIGHT_INSERT;
        out->is_upsert = skip_word(lexer, "merge"); // it may only change rows
        (void)skip_word(lexer, "into");
        read_table(lexer, out);
    } else if (skip_word(lexer, "delete")) {
        out->verb = SIGHT_DELETE;
        (void)skip_word(lexer, "from");
        read_table(lexer, out);
    } else {
        (void)read_control(lexer, out);
    }
    while (!at_end(lexer)) {
        next_word(lexer);
    }
}

void sql_read_words(struct sql_text *text) {
    struct lexer lexer = {.text = text, .rest = text->sql};
    size_t room = 1; // every statement but the last ends with a semicolon
    for (size_t i = 0; i < text->sql.length && room < SQL_STATEMENTS_MAX; i++) {
        room += text->sql.data[i] == ';';
    }
    text->statements = arena_allocate(&text->memory, room * sizeof *text->statements);
    do {
        lexer.depth = 0;
        lexer.fingerprint = SQL_HASH_START;
        next_word(&lexer);
        if (!at_end(&lexer)) {
            struct sql_statement *statement = &text->statements[text->count++];
            read_statement(&lexer, statement);
            statement->fingerprint = lexer.fingerprint;
        }
    } while (lexer.kind != WORD_END && text->count < room);
    skip_blanks(&lexer); // a comment at the end, where sqlcommenter writes it
}
