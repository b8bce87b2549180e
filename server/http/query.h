// Reads the parameters behind the "?" of a request target. Loop thread.
//
// The caller parses a query, takes each parameter that it knows, and finishes. The first error is kept as `problem`.
// query_finish() returns whether there was one; a parameter that nobody took is an error as well.
#ifndef SERVER_HTTP_QUERY_H
#define SERVER_HTTP_QUERY_H

#include "observability/base/base.h"
#include "server/http/http_limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct query_parameter {
    struct slice name;
    struct slice value;
    bool taken; // a query_take_...() asked for this name
};

struct query {
    struct query_parameter parameters[QUERY_PARAMETERS_MAX];
    size_t count;
    const char *known[QUERY_PARAMETERS_MAX]; // the names that were asked for, for the error text
    size_t known_count;
    struct text decoded; // the memory of the slices
    struct text problem; // the text of the first error; empty if there is none
};

// `encoded` is the text behind the "?". query_free() frees the query, also after an error.
void query_parse(struct query *query, struct slice encoded);
// These return true if the parameter was sent. Its value is then in `out`, or there is a problem. The problem names the
// parameter, and for a number the range.
bool query_take_boolean(struct query *query, const char *name, bool *out);
bool query_take_text(struct query *query, const char *name, struct text *out); // appends the value
bool query_take_integer(struct query *query, const char *name, int64_t least, int64_t most, int64_t *out);
MUST_CHECK bool query_finish(struct query *query); // true if there is no problem
void query_free(struct query *query);

// Parses true/false/1/0/on/off/yes/no in any case. The configuration uses this for the environment as well.
MUST_CHECK bool boolean_parse(struct slice text, bool *out);
// Parses a whole decimal number. A number outside of int64_t becomes INT64_MAX or INT64_MIN, which every range check of
// a caller refuses.
MUST_CHECK bool integer_parse(struct slice text, int64_t *out);

#endif
