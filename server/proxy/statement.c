// Reads the keywords of an SQL text: statement_read() > next_token() > take_word(), which knows the word before.
#include "server/proxy/statement.h"

#include <ctype.h>

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_SIGN };

struct token {
    enum token_kind kind;
    struct slice text;
};

// The meaning of the next name.
enum expected { EXPECT_NOTHING, EXPECT_READ, EXPECT_WRITE };

struct reader {
    struct slice rest;
    struct sql_statement *out;
    struct slice last; // the word before
    enum expected expected;
    enum statement_verb verb; // for the name that is expected
    bool starts_statement;    // no word of the statement has been read
    bool is_prepared;         // behind PREPARE name, up to the end of the statement
    bool in_list;             // a list of FROM: a comma leads to another table
    unsigned depth;           // counts open parentheses
    unsigned list_depth;      // where that list stands
};

static bool is_word_byte(char byte) {
    return isalnum((unsigned char)byte) || byte == '_' || byte == '$' || (unsigned char)byte >= 0x80;
}

static char byte_at(struct slice text, size_t at) {
    return at < text.length ? text.data[at] : '\0';
}

static void skip(struct reader *reader, size_t length) {
    length = MIN(length, reader->rest.length);
    reader->rest = (struct slice){reader->rest.data + length, reader->rest.length - length};
}

static size_t comment_length(struct slice text) {
    if (byte_at(text, 0) == '-' && byte_at(text, 1) == '-') {
        const char *end = memchr(text.data, '\n', text.length);
        return end == NULL ? text.length : (size_t)(end - text.data);
    }
    if (byte_at(text, 0) != '/' || byte_at(text, 1) != '*') {
        return 0;
    }
    size_t at = 2; // such comments nest
    for (unsigned depth = 1; depth > 0 && at < text.length;) {
        bool opens = text.data[at] == '/' && byte_at(text, at + 1) == '*';
        bool closes = text.data[at] == '*' && byte_at(text, at + 1) == '/';
        depth += opens ? 1 : 0;
        depth -= closes ? 1 : 0;
        at += opens || closes ? 2 : 1;
    }
    return at;
}

// The length of a text between two quotes. In E'...' a backslash escapes; elsewhere a quote is written twice, and the
// second one begins another text, which comes to the same.
static size_t quoted_length(struct slice text, char quote, bool escapes) {
    size_t at = 1;
    while (at < text.length && text.data[at] != quote) {
        at += escapes && text.data[at] == '\\' ? 2 : 1;
    }
    return MIN(at + 1, text.length);
}

// The length of $tag$ ... $tag$; 0: it is no such text.
static size_t dollar_length(struct slice text) {
    size_t tag = 1;
    while (is_word_byte(byte_at(text, tag)) && text.data[tag] != '$') {
        tag++;
    }
    if (byte_at(text, tag) != '$' || isdigit((unsigned char)byte_at(text, 1))) {
        return 0;
    }
    tag++;
    const char *end = memmem(text.data + tag, text.length - tag, text.data, tag);
    return end == NULL ? text.length : (size_t)(end - text.data) + tag;
}

static struct token next_token(struct reader *reader) {
    size_t length;
    while (reader->rest.length > 0) {
        struct slice rest = reader->rest;
        char first = rest.data[0];
        bool escapes = (first == 'e' || first == 'E') && byte_at(rest, 1) == '\'';
        if (isspace((unsigned char)first)) {
            skip(reader, 1);
        } else if ((length = comment_length(rest)) > 0 || (first == '$' && (length = dollar_length(rest)) > 0)) {
            skip(reader, length);
        } else if (first == '\'' || escapes) {
            skip(reader, escapes ? 1 : 0);
            skip(reader, quoted_length(reader->rest, '\'', escapes));
        } else if (first == '"') {
            length = quoted_length(rest, '"', false);
            skip(reader, length);
            return (struct token){TOKEN_QUOTED, {rest.data + 1, length < 2 ? 0 : length - 2}};
        } else if (is_word_byte(first)) {
            for (length = 1; length < rest.length && is_word_byte(rest.data[length]); length++) {}
            skip(reader, length);
            return (struct token){TOKEN_WORD, {rest.data, length}};
        } else {
            skip(reader, 1);
            return (struct token){TOKEN_SIGN, {rest.data, 1}};
        }
    }
    return (struct token){.kind = TOKEN_END};
}

static bool is(struct slice word, const char *keyword) {
    return slice_equals_ignoring_case(word, slice_of(keyword));
}

static void add(struct reader *reader, enum statement_verb verb, struct token name) {
    if (reader->out->count == STATEMENT_ACTIONS_MAX) {
        return;
    }
    struct statement_action *action = &reader->out->actions[reader->out->count++];
    action->verb = verb;
    action->is_prepared = reader->is_prepared;
    size_t length = MIN(name.text.length, (size_t)STATEMENT_TABLE_MAX - 1);
    for (size_t i = 0; i < length; i++) {
        char byte = name.text.data[i];
        action->table[i] = name.kind == TOKEN_QUOTED ? byte : (char)tolower((unsigned char)byte);
    }
    action->table[length] = '\0';
}

static void expect(struct reader *reader, enum expected expected, enum statement_verb verb) {
    reader->expected = expected;
    reader->verb = verb;
}

// Takes the name of a table, whose last part counts: schema.table.
static void take_name(struct reader *reader, struct token token) {
    if (token.kind == TOKEN_WORD &&
        (is(token.text, "only") || is(token.text, "lateral") || is(token.text, "table") || is(token.text, "into"))) {
        return;
    }
    bool reads = reader->expected == EXPECT_READ;
    reader->expected = EXPECT_NOTHING;
    if (token.kind != TOKEN_WORD && token.kind != TOKEN_QUOTED) {
        return; // a sub-select in parentheses
    }
    while (byte_at(reader->rest, 0) == '.') {
        skip(reader, 1);
        struct token part = next_token(reader);
        token = part.kind == TOKEN_WORD || part.kind == TOKEN_QUOTED ? part : token;
    }
    add(reader, reader->verb, token);
    reader->in_list = reads;
    reader->list_depth = reader->depth;
}

// PREPARE TRANSACTION is another statement.
static void take_prepare(struct reader *reader) {
    struct token name = next_token(reader);
    if (name.kind == TOKEN_QUOTED || (name.kind == TOKEN_WORD && !is(name.text, "transaction"))) {
        add(reader, VERB_PREPARE, name);
        reader->is_prepared = true;
    }
}

// The first word of a statement.
static void take_first(struct reader *reader, struct slice word) {
    static const struct {
        const char *word;
        enum statement_verb verb;
    } controls[] = {
        {"begin", VERB_BEGIN}, {"start", VERB_BEGIN},       {"commit", VERB_COMMIT},
        {"end", VERB_COMMIT},  {"rollback", VERB_ROLLBACK}, {"abort", VERB_ROLLBACK},
    };
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        if (is(word, controls[i].word)) {
            add(reader, controls[i].verb, (struct token){.text = {"", 0}});
        }
    }
    if (is(word, "truncate")) {
        expect(reader, EXPECT_WRITE, VERB_TRUNCATE);
    } else if (is(word, "copy")) {
        expect(reader, EXPECT_WRITE, VERB_COPY);
    } else if (is(word, "prepare")) {
        take_prepare(reader);
    } else if (is(word, "execute")) {
        add(reader, VERB_EXECUTE, next_token(reader));
    } else if (is(word, "deallocate")) {
        struct token name = next_token(reader);
        name = is(name.text, "prepare") ? next_token(reader) : name;
        add(reader, VERB_DEALLOCATE,
            name.kind == TOKEN_WORD && is(name.text, "all") ? (struct token){.text = {"", 0}} : name);
    }
}

static void take_word(struct reader *reader, struct token token) {
    struct slice word = token.text;
    struct slice last = reader->last;
    if (reader->starts_statement) {
        reader->starts_statement = false;
        take_first(reader, word);
    }
    // FOR UPDATE, FOR NO KEY UPDATE, ON CONFLICT ... DO UPDATE and ON UPDATE write nothing by themselves.
    bool is_lock = is(last, "for") || is(last, "key") || is(last, "do") || is(last, "on");
    if (is(word, "update") && !is_lock) {
        expect(reader, EXPECT_WRITE, VERB_UPDATE);
    } else if (is(word, "into") && (is(last, "insert") || is(last, "merge"))) {
        expect(reader, EXPECT_WRITE, is(last, "insert") ? VERB_INSERT : VERB_MERGE);
    } else if (is(word, "from") && is(last, "delete")) {
        expect(reader, EXPECT_WRITE, VERB_DELETE);
    } else if ((is(word, "from") && !is(last, "distinct")) || is(word, "join") ||
               (is(word, "using") && !reader->in_list)) {
        expect(reader, EXPECT_READ, VERB_SELECT);
    } else if (is(word, "all") && (is(last, "discard") || is(last, "reset"))) {
        add(reader, VERB_RESET, (struct token){.text = {"", 0}});
    } else if (is(word, "where") || is(word, "group") || is(word, "order") || is(word, "limit") || is(word, "set")) {
        reader->in_list = reader->in_list && reader->depth > reader->list_depth;
    }
    reader->last = word;
}

static void take_sign(struct reader *reader, char sign) {
    switch (sign) {
    case '(': reader->depth++; break;
    case ')':
        reader->depth -= reader->depth > 0 ? 1 : 0;
        reader->in_list = reader->in_list && reader->depth >= reader->list_depth;
        break;
    case ',':
        if (reader->in_list && reader->depth == reader->list_depth) {
            expect(reader, EXPECT_READ, VERB_SELECT);
        }
        break;
    case ';':
        reader->starts_statement = true;
        reader->is_prepared = false;
        reader->in_list = false;
        reader->depth = 0;
        reader->last = (struct slice){"", 0};
        break;
    default: break;
    }
}

void statement_read(struct slice sql, struct sql_statement *out) {
    out->count = 0;
    struct reader reader = {.rest = sql, .out = out, .last = {"", 0}, .starts_statement = true};
    struct token token;
    while ((token = next_token(&reader)).kind != TOKEN_END) {
        if (reader.expected != EXPECT_NOTHING) {
            take_name(&reader, token);
        }
        if (token.kind == TOKEN_WORD) {
            take_word(&reader, token);
        } else if (token.kind == TOKEN_SIGN) {
            take_sign(&reader, token.text.data[0]);
        }
    }
}

const char *statement_verb_name(enum statement_verb verb) {
    static const char *const names[VERB_COUNT] = {
        [VERB_SELECT] = "SELECT",     [VERB_INSERT] = "INSERT",   [VERB_UPDATE] = "UPDATE",
        [VERB_DELETE] = "DELETE",     [VERB_MERGE] = "MERGE",     [VERB_TRUNCATE] = "TRUNCATE",
        [VERB_COPY] = "COPY",         [VERB_BEGIN] = "BEGIN",     [VERB_COMMIT] = "COMMIT",
        [VERB_ROLLBACK] = "ROLLBACK", [VERB_RESET] = "RESET",     [VERB_DEALLOCATE] = "DEALLOCATE",
        [VERB_PREPARE] = "PREPARE",   [VERB_EXECUTE] = "EXECUTE",
    };
    return names[verb];
}

bool statement_verb_writes(enum statement_verb verb) {
    return verb >= VERB_INSERT && verb <= VERB_TRUNCATE;
}
