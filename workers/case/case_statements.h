// Where psql ends a statement. Private to workers/case. Any thread.
#ifndef WORKERS_CASE_CASE_STATEMENTS_H
#define WORKERS_CASE_CASE_STATEMENTS_H

#include "workers/case/case_tokens.h"

// The tokens of the statement so far, as far as its end depends on them. Starts as zeroes.
struct case_splitter {
    size_t parentheses; // open ones
    size_t begins;      // open BEGIN and CASE of a function's body (BEGIN ATOMIC)
    size_t words;
    char first_letters[4]; // the first words', if they can begin CREATE [OR REPLACE] FUNCTION or PROCEDURE
};

// Counts the token. True: it is the semicolon that ends the statement.
MUST_CHECK bool case_splitter_ends(struct case_splitter *splitter, const struct case_token *token);

#endif
