// The tokens of a .spec, as PostgreSQL's src/test/isolation/specscanner.l defines them. Private to workers/case. Any
// thread.
#ifndef WORKERS_CASE_CASE_SPEC_SCAN_H
#define WORKERS_CASE_CASE_SPEC_SCAN_H

#include "workers/case/case_reader.h"

enum spec_token {
    SPEC_END,
    SPEC_NAME,  // an identifier, plain or in double quotes
    SPEC_BLOCK, // SQL in braces
    SPEC_NUMBER,
    SPEC_SYMBOL, // , ( ) or *
    // The keywords. In quotes they are names.
    SPEC_SETUP,
    SPEC_TEARDOWN,
    SPEC_SESSION,
    SPEC_STEP,
    SPEC_PERMUTATION,
    SPEC_NOTICES,
};

struct spec_scanner {
    struct case_reader *reader;
    struct slice rest;
    int rest_line; // the line of the first character of `rest`
    // The current token. The text of a name or a block is what it stands for: without quotes or braces.
    enum spec_token token;
    struct slice text;
    int line;
};

// Moves to the next token. False: there is none that can be read, and the problem is written.
MUST_CHECK bool spec_advance(struct spec_scanner *scanner);

MUST_CHECK bool spec_is_symbol(const struct spec_scanner *scanner, char symbol);

// Complains about the current token: "expected NOUN, found ...". Returns false.
MUST_CHECK bool spec_complain_expected(struct spec_scanner *scanner, const char *noun);

// Takes a token of this kind into *text and moves to the next one. False: there is another, and the problem is written.
MUST_CHECK bool spec_take(struct spec_scanner *scanner, enum spec_token token, const char *noun, struct slice *text);

#endif
