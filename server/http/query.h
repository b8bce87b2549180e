// The parameters behind the "?" of a request target. Loop thread.
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
    bool taken; // somebody knew it
};

struct query {
    struct query_parameter parameters[QUERY_PARAMETERS_MAX];
    size_t count;
    const char *known[QUERY_PARAMETERS_MAX]; // the names asked for
    size_t known_count;
    struct text decoded; // what the slices point into
    struct text problem; // set by the first thing that could not be used
};

// Read a query, take from it what is known, and finish: anything unusable along the way is remembered as the
// problem, and query_finish() says whether there was one, a parameter nobody took included.
void query_parse(struct query *query, struct slice encoded);
// True if the parameter was sent (then its value is in `out`, or there is a problem).
bool query_take_boolean(struct query *query, const char *name, bool *out);
bool query_take_text(struct query *query, const char *name, struct text *out); // appended
bool query_take_integer(struct query *query, const char *name, int64_t *out);
MUST_CHECK bool query_finish(struct query *query); // true: all was well
void query_free(struct query *query);

// true/false/1/0/on/off/yes/no in any case. Shared with the environment.
MUST_CHECK bool boolean_parse(struct slice text, bool *out);
// A whole decimal number; one beyond int64_t becomes INT64_MAX or INT64_MIN, which is in nobody's range.
MUST_CHECK bool integer_parse(struct slice text, int64_t *out);

#endif
