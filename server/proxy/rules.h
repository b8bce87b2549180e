// The rules that say which statements are held, and how. Pure functions.
#ifndef SERVER_PROXY_RULES_H
#define SERVER_PROXY_RULES_H

#include "observability/base/base.h"
#include "server/proxy/dialogue.h"
#include "server/proxy/statement.h"

#include <stdbool.h>

enum {
    RULES_MAX = 16,
    RULE_WAITERS_MAX = 1000,
    RULE_TEXT_MAX = 128,
    RULE_DELAY_MS_MAX = 600000,
};

enum rule_when {
    RULE_BEFORE, // the statement itself is held
    RULE_AFTER,  // the statement runs, and the next one of its session is held
};

enum rule_action {
    RULE_BARRIER, // until so many sessions are held
    RULE_GATE,    // until SIGUSR1
    RULE_DELAY,   // for a time
};

struct rule {
    enum rule_when when;
    unsigned verbs;                  // a set of bits, 1 << enum statement_verb
    char verb_words[16];             // as they were written, such as "write"
    char table[STATEMENT_TABLE_MAX]; // "": any
    unsigned nth;                    // only the nth match in a session; 0: every match
    bool needs_read;                 // only if the session has read the row, or the table if the row is unknown
    enum rule_action action;
    unsigned waiters;  // for a barrier
    unsigned delay_ms; // for a delay
};

// Reads "before update accounts barrier 2". False: `problem` says what is wrong, as "rule '...': ...". See rules_help
// for the grammar.
MUST_CHECK bool rule_read(const char *words, struct rule *out, struct text *problem);
extern const char rules_help[];

// The rule of --force: a session that is about to write a row that it has read.
MUST_CHECK struct rule rule_of_force(unsigned waiters);

// The action of the statement that the rule matches, or NULL. The count of matches is the caller's. Without a dialogue
// the caller decides what was read.
MUST_CHECK const struct statement_action *rule_match(const struct rule *rule, const struct sql_statement *statement,
                                                     const struct dialogue *dialogue, uint64_t now_ns);

// Appends the words from which rule_read() makes the same rule.
void rule_append_words(const struct rule *rule, struct text *out);
// Appends "before UPDATE accounts".
void rule_describe(const struct rule *rule, const char *table, struct text *out);

#endif
