// The verb and the tables of an SQL text, found by its keywords. Pure functions.
//
// This is a tokenizer, not a parser: it skips comments, strings and quoted names, and looks at the words behind SELECT,
// FROM, JOIN, INSERT INTO, UPDATE, DELETE FROM, MERGE INTO, TRUNCATE and COPY. So a view counts as a table, and a
// statement inside a function is not seen.
#ifndef SERVER_PROXY_STATEMENT_H
#define SERVER_PROXY_STATEMENT_H

#include "observability/base/base.h"

#include <stdbool.h>

enum {
    STATEMENT_TABLE_MAX = 64, // PostgreSQL's NAMEDATALEN
    STATEMENT_ACTIONS_MAX = 8,
};

enum statement_verb {
    VERB_SELECT, // a read of a table, also one inside another statement
    VERB_INSERT,
    VERB_UPDATE,
    VERB_DELETE,
    VERB_MERGE,
    VERB_TRUNCATE,
    VERB_COPY,
    VERB_BEGIN,
    VERB_COMMIT,
    VERB_ROLLBACK,
    VERB_RESET,      // DISCARD ALL or RESET ALL: a pool hands the session to somebody else
    VERB_DEALLOCATE, // `table` is the name of the prepared statement, or "": all
    VERB_PREPARE,    // likewise its name; the actions behind it that are `is_prepared` are not run now
    VERB_EXECUTE,    // likewise
    VERB_COUNT,
};

struct statement_action {
    enum statement_verb verb;
    bool is_prepared;                // it belongs to the PREPARE before it
    char table[STATEMENT_TABLE_MAX]; // in lower case unless it was quoted, without its schema; "": none
};

struct sql_statement {
    unsigned count; // actions beyond STATEMENT_ACTIONS_MAX are left out
    struct statement_action actions[STATEMENT_ACTIONS_MAX];
};

void statement_read(struct slice sql, struct sql_statement *out);

MUST_CHECK const char *statement_verb_name(enum statement_verb verb); // "UPDATE"
MUST_CHECK bool statement_verb_writes(enum statement_verb verb);      // rows of a table

#endif
