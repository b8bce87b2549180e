// The tokens of SQL as psql reads it: enough to find quotes, comments, variables and the ends of statements. Private to
// workers/case. Any thread; the tokens point into the text that is scanned.
#ifndef WORKERS_CASE_CASE_TOKENS_H
#define WORKERS_CASE_CASE_TOKENS_H

#include "workers/case/case.h"

enum case_token_kind {
    CASE_TOKEN_END,
    CASE_TOKEN_BLANK,       // spaces and line ends
    CASE_TOKEN_COMMENT,     // one -- comment without its line end, or one block comment
    CASE_TOKEN_WORD,        // an identifier or a keyword
    CASE_TOKEN_QUOTED_WORD, // "..."
    CASE_TOKEN_STRING,      // '...', E'...', $$...$$
    CASE_TOKEN_NUMBER,
    CASE_TOKEN_VARIABLE,  // :name, :'name', :"name", :{?name}
    CASE_TOKEN_ESCAPED,   // \; or \: (the character without its meaning for psql)
    CASE_TOKEN_BACKSLASH, // \ in front of anything else: a command begins
    CASE_TOKEN_SYMBOL,    // one character; also :: and :=
    CASE_TOKEN_OPEN,      // a quote or a comment that never ends
};

struct case_token {
    enum case_token_kind kind;
    struct slice text;
    int line;                  // the line of the first character
    enum case_piece_kind form; // a variable's
    struct slice name;         // a variable's
    const char *open;          // an open quote or comment: "a quoted string"
};

struct case_scanner {
    struct slice rest;
    int line; // the line of the first character of `rest`, from 1
};

MUST_CHECK struct case_token case_scan(struct case_scanner *scanner);

// The next token that is neither blank nor a comment.
MUST_CHECK struct case_token case_scan_code(struct case_scanner *scanner);

// Moves the scanner over `length` bytes, which must be there, and counts the lines.
void case_scanner_skip(struct case_scanner *scanner, size_t length);

MUST_CHECK bool case_is_blank(char letter);
MUST_CHECK bool case_is_name_letter(char letter); // psql's variables: letters, digits, _ and non-ASCII bytes
MUST_CHECK bool case_token_is(const struct case_token *token, const char *word); // a word, in any case of letters
MUST_CHECK bool case_token_is_symbol(const struct case_token *token, char symbol);

#endif
