// Reads the tokens of SQL by the rules of psql's psqlscan.l, with standard_conforming_strings on.
#include "workers/case/case_tokens.h"

bool case_is_blank(char letter) {
    return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r' || letter == '\f' || letter == '\v';
}

static bool is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}

static bool is_word_start(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_' ||
           (unsigned char)letter >= 0x80;
}

bool case_is_name_letter(char letter) {
    return is_word_start(letter) || is_digit(letter);
}

static bool is_word_letter(char letter) {
    return case_is_name_letter(letter) || letter == '$';
}

bool case_token_is(const struct case_token *token, const char *word) {
    return token->kind == CASE_TOKEN_WORD && slice_equals_ignoring_case(token->text, slice_of(word));
}

bool case_token_is_symbol(const struct case_token *token, char symbol) {
    return token->kind == CASE_TOKEN_SYMBOL && token->text.length == 1 && token->text.data[0] == symbol;
}

// The character at `at`, or NUL behind the end. A file with NUL bytes is refused before it is scanned.
static char letter_at(struct slice text, size_t at) {
    return at < text.length ? text.data[at] : '\0';
}

static size_t skip_while(struct slice text, size_t at, bool (*belongs)(char letter)) {
    while (at < text.length && belongs(text.data[at])) {
        at++;
    }
    return at;
}

// A carriage return ends a comment too.
static bool is_not_line_end(char letter) {
    return letter != '\n' && letter != '\r';
}

// The functions below return the length of the token at the start of the text, or 0 if it never ends.

static size_t block_comment_length(struct slice text) {
    size_t depth = 0;
    for (size_t i = 0; i + 1 < text.length; i++) {
        if (text.data[i] == '/' && text.data[i + 1] == '*') {
            depth++;
            i++;
        } else if (text.data[i] == '*' && text.data[i + 1] == '/') {
            i++;
            if (--depth == 0) {
                return i + 1;
            }
        }
    }
    return 0;
}

// A string goes on after blanks with a line end: 'a' \n 'b' is one string. Returns the place of the next quote, or 0.
static size_t continued_at(struct slice text, size_t at) {
    bool has_line_end = false;
    for (; at < text.length && case_is_blank(text.data[at]); at++) {
        has_line_end = has_line_end || text.data[at] == '\n' || text.data[at] == '\r';
    }
    return has_line_end && letter_at(text, at) == '\'' ? at : 0;
}

// `at` is behind the first quote. A doubled quote stands for itself; in E'...' a backslash hides the next character.
static size_t quoted_length(struct slice text, size_t at, char quote, bool has_escapes) {
    while (at < text.length) {
        char letter = text.data[at++];
        if (letter == '\\' && has_escapes) {
            at++;
        } else if (letter == quote) {
            size_t again = has_escapes ? continued_at(text, at) : 0;
            if (letter_at(text, at) == quote) {
                at++;
            } else if (again == 0) {
                return at;
            } else {
                at = again + 1;
            }
        }
    }
    return 0;
}

// The length of "$tag$" at the start of the text, or 0.
static size_t dollar_tag_length(struct slice text) {
    size_t at = 1;
    if (is_word_start(letter_at(text, at))) {
        at = skip_while(text, at, case_is_name_letter);
    }
    return letter_at(text, at) == '$' ? at + 1 : 0;
}

static size_t dollar_quote_length(struct slice text, size_t tag) {
    for (size_t at = tag; text.length - at >= tag; at++) {
        const char *dollar = memchr(text.data + at, '$', text.length - at);
        if (dollar == NULL || text.length - (size_t)(dollar - text.data) < tag) {
            return 0;
        }
        at = (size_t)(dollar - text.data);
        if (memcmp(dollar, text.data, tag) == 0) {
            return at + tag;
        }
    }
    return 0;
}

static void take_quoted(struct case_token *token, enum case_token_kind kind, size_t length, const char *open) {
    token->kind = length > 0 ? kind : CASE_TOKEN_OPEN;
    token->text.length = length > 0 ? length : token->text.length;
    token->open = open;
}

static void take(struct case_token *token, enum case_token_kind kind, size_t length) {
    token->kind = kind;
    token->text.length = length;
}

static void take_variable(struct case_token *token, enum case_piece_kind form, size_t before, size_t end,
                          size_t length) {
    token->form = form;
    token->name = (struct slice){token->text.data + before, end - before};
    take(token, CASE_TOKEN_VARIABLE, length);
}

// At a colon. A name that begins with a digit is no variable, so that a slice of an array, [1:2], stays as it is.
static void take_colon(struct case_token *token) {
    struct slice text = token->text;
    char next = letter_at(text, 1);
    size_t start = next == '{' && letter_at(text, 2) == '?' ? 3 : next == '\'' || next == '"' ? 2 : 1;
    size_t end = skip_while(text, start, case_is_name_letter);
    char closing = letter_at(text, end);
    bool has_name = end > start && !is_digit(text.data[start]);
    if (next == ':' || next == '=') {
        take(token, CASE_TOKEN_SYMBOL, 2);
    } else if (start == 1 && has_name) {
        take_variable(token, CASE_PIECE_VALUE, start, end, end);
    } else if (next == '\'' && has_name && closing == '\'') {
        take_variable(token, CASE_PIECE_LITERAL, start, end, end + 1);
    } else if (next == '"' && has_name && closing == '"') {
        take_variable(token, CASE_PIECE_IDENTIFIER, start, end, end + 1);
    } else if (start == 3 && has_name && closing == '}') {
        take_variable(token, CASE_PIECE_IS_SET, start, end, end + 1);
    } else {
        take(token, CASE_TOKEN_SYMBOL, 1);
    }
}

// At a letter: a word, or a string with a prefix (E'', B'', X'', N'', U&'', U&"").
static void take_word(struct case_token *token) {
    struct slice text = token->text;
    char first = (char)(text.data[0] | 0x20);
    char next = letter_at(text, 1);
    if (next == '\'' && (first == 'e' || first == 'b' || first == 'x' || first == 'n')) {
        take_quoted(token, CASE_TOKEN_STRING, quoted_length(text, 2, '\'', first == 'e'), "a quoted string");
    } else if (first == 'u' && next == '&' && letter_at(text, 2) == '\'') {
        take_quoted(token, CASE_TOKEN_STRING, quoted_length(text, 3, '\'', false), "a quoted string");
    } else if (first == 'u' && next == '&' && letter_at(text, 2) == '"') {
        take_quoted(token, CASE_TOKEN_QUOTED_WORD, quoted_length(text, 3, '"', false), "a quoted identifier");
    } else {
        take(token, CASE_TOKEN_WORD, skip_while(text, 0, is_word_letter));
    }
}

static void take_dollar(struct case_token *token) {
    size_t tag = dollar_tag_length(token->text);
    if (tag > 0) {
        take_quoted(token, CASE_TOKEN_STRING, dollar_quote_length(token->text, tag), "a dollar quote");
    } else {
        take(token, CASE_TOKEN_SYMBOL, 1);
    }
}

static bool is_digit_or_point(char letter) {
    return is_digit(letter) || letter == '.';
}

// Letters directly behind the digits belong to them, as in 1e5 and 0xFF: 1a$b$ has no dollar quote.
static size_t number_length(struct slice text) {
    size_t at = skip_while(text, 0, is_digit_or_point);
    return is_word_start(letter_at(text, at)) ? skip_while(text, at, is_word_letter) : at;
}

// `token->text` is the whole rest; it becomes the token.
static void take_token(struct case_token *token) {
    struct slice text = token->text;
    char letter = text.data[0];
    char next = letter_at(text, 1);
    if (case_is_blank(letter)) {
        take(token, CASE_TOKEN_BLANK, skip_while(text, 0, case_is_blank));
    } else if (letter == '-' && next == '-') {
        take(token, CASE_TOKEN_COMMENT, skip_while(text, 0, is_not_line_end));
    } else if (letter == '/' && next == '*') {
        take_quoted(token, CASE_TOKEN_COMMENT, block_comment_length(text), "a comment");
    } else if (letter == '\'') {
        take_quoted(token, CASE_TOKEN_STRING, quoted_length(text, 1, '\'', false), "a quoted string");
    } else if (letter == '"') {
        take_quoted(token, CASE_TOKEN_QUOTED_WORD, quoted_length(text, 1, '"', false), "a quoted identifier");
    } else if (letter == '$') {
        take_dollar(token);
    } else if (letter == ':') {
        take_colon(token);
    } else if (letter == '\\') {
        bool is_escaped = next == ';' || next == ':';
        take(token, is_escaped ? CASE_TOKEN_ESCAPED : CASE_TOKEN_BACKSLASH, is_escaped ? 2 : 1);
    } else if (is_word_start(letter)) {
        take_word(token);
    } else if (is_digit(letter)) {
        take(token, CASE_TOKEN_NUMBER, number_length(text));
    } else {
        take(token, CASE_TOKEN_SYMBOL, 1);
    }
}

void case_scanner_skip(struct case_scanner *scanner, size_t length) {
    const char *end = scanner->rest.data + length;
    for (const char *at = scanner->rest.data; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++) {
        scanner->line++;
    }
    scanner->rest = (struct slice){end, scanner->rest.length - length};
}

struct case_token case_scan(struct case_scanner *scanner) {
    struct case_token token = {.kind = CASE_TOKEN_END, .text = scanner->rest, .line = scanner->line};
    if (scanner->rest.length > 0) {
        take_token(&token);
        case_scanner_skip(scanner, token.text.length);
    }
    return token;
}

struct case_token case_scan_code(struct case_scanner *scanner) {
    for (;;) {
        struct case_token token = case_scan(scanner);
        if (token.kind != CASE_TOKEN_BLANK && token.kind != CASE_TOKEN_COMMENT) {
            return token;
        }
    }
}
