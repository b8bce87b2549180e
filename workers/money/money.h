// Money is a number of cents in an int64_t. Conversions from and to text are exact and use no floating point.
// Pure functions; any thread.
#ifndef WORKERS_MONEY_MONEY_H
#define WORKERS_MONEY_MONEY_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

#define MONEY_MAX_CENTS INT64_C(999999999999999) // numeric(15,2): thirteen digits before the point

enum money_parse_result {
    MONEY_PARSED,
    MONEY_MALFORMED,    // not a decimal number
    MONEY_TOO_PRECISE,  // more than two decimals
    MONEY_OUT_OF_RANGE, // larger than the limit of the function
};

// Reads a number of JSON, or a numeric as PostgreSQL prints it: "-600.00", "12.5", "1e3". `cents` is set only by
// MONEY_PARSED.
MUST_CHECK enum money_parse_result money_parse(struct slice decimal, int64_t *cents);

// A sum over accounts or transfers may exceed an int64_t of cents, so it stays the decimal text that PostgreSQL prints
// for a numeric, such as "-600.00". True if the text is such a number with at most two decimals, not NaN or Infinity.
MUST_CHECK bool money_sum_is_valid(struct slice sum);
// As money_append_json(), for a valid sum.
void money_sum_append_json(struct text *text, struct slice sum);

#define MONEY_TEXT_LENGTH 24 // with its NUL

// Writes "1000.00" or "-600.00", for SQL and for log lines.
void money_format(int64_t cents, char out[static MONEY_TEXT_LENGTH]);

// Appends "1000.0", "-600.0" or "12.34": at least one decimal, as all amounts in JSON answers.
void money_append_json(struct text *text, int64_t cents);

// The same as a member or an element.
static inline void json_add_money(struct json_writer *json, const char *name, int64_t cents) {
    money_append_json(json_add(json, name), cents);
}

// The same for a valid sum.
static inline void json_add_sum(struct json_writer *json, const char *name, const char *sum) {
    money_sum_append_json(json_add(json, name), slice_of(sum));
}

// An amount as text, returned by value, for a log line or a parameter of a statement.
struct money_text {
    char text[MONEY_TEXT_LENGTH];
};

MUST_CHECK struct money_text money_text_of(int64_t cents);

#endif
