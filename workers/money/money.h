// Money: whole cents in an int64_t. No floating point anywhere: text goes to cents and cents to text, exactly.
// Pure functions; any thread.
#ifndef WORKERS_MONEY_MONEY_H
#define WORKERS_MONEY_MONEY_H

#include "observability/base/base.h"

#include <stdint.h>

#define MONEY_MAX_CENTS INT64_C(999999999999999) // numeric(15,2) holds thirteen digits before the point
#define MONEY_SUM_MAX_CENTS (INT64_MAX / 2)      // so that the difference of two sums is an int64_t, too

enum money_parse_result {
    MONEY_PARSED,
    MONEY_MALFORMED,    // not a decimal number
    MONEY_TOO_PRECISE,  // more than two decimals
    MONEY_OUT_OF_RANGE, // does not fit
};

// Reads a JSON number or what PostgreSQL prints of a numeric: "-600.00", "12.5", "1e3".
MUST_CHECK enum money_parse_result money_parse(struct slice decimal, int64_t *cents);
// The same for a sum over many accounts, which none of them could hold: up to MONEY_SUM_MAX_CENTS.
MUST_CHECK enum money_parse_result money_parse_sum(struct slice decimal, int64_t *cents);

#define MONEY_TEXT_LENGTH 24 // with its NUL

// "1000.00", "-600.00": for SQL and for people (who get a "$" before it).
void money_format(int64_t cents, char out[static MONEY_TEXT_LENGTH]);

// "1000.0", "-600.0", "12.34": the JSON number of the wire contract.
void money_append_json(struct text *text, int64_t cents);

// The same as a member or an element.
static inline void json_add_money(struct json_writer *json, const char *name, int64_t cents) {
    money_append_json(json_add(json, name), cents);
}

// An amount as text, by value: for a log line or a statement's parameter.
struct money_text {
    char text[MONEY_TEXT_LENGTH];
};

MUST_CHECK struct money_text money_text_of(int64_t cents);

#endif
