// For tests of what leaves the process: what is written to standard error, and calls that must end in abort().
// Used by the tests of this folder, on their one thread.
#ifndef TESTS_OBSERVABILITY_CAPTURE_H
#define TESTS_OBSERVABILITY_CAPTURE_H

#include "observability/base/text.h"

#include <stdbool.h>

// Between the two, standard error goes to a file; capture_end answers what was written, in `out`, NUL-terminated.
void capture_begin(void);
void capture_end(struct text *out);

// Runs `call` in a child process. True when it aborted having written `message` to standard error.
MUST_CHECK bool aborts_with(void (*call)(void), const char *message);

#endif
