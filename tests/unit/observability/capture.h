// For tests of the text on standard error, and of calls that must end in abort(). Main thread of a test.
#ifndef TESTS_OBSERVABILITY_CAPTURE_H
#define TESTS_OBSERVABILITY_CAPTURE_H

#include "observability/base/text.h"

#include <stdbool.h>

// Between the two calls, standard error is written to a file. capture_end() appends the text of that file to `out`,
// with a NUL behind it.
void capture_begin(void);
void capture_end(struct text *out);

// Runs `call` in a child process. Returns true if the child aborted and its standard error contains `message`.
MUST_CHECK bool aborts_with(void (*call)(void), const char *message);

#endif
