// For tests of the output of the process: captures standard error, and runs calls that must end in abort(). The tests
// of this folder use it on their one thread.
#ifndef TESTS_OBSERVABILITY_CAPTURE_H
#define TESTS_OBSERVABILITY_CAPTURE_H

#include "observability/base/text.h"

#include <stdbool.h>

// Between the two calls standard error goes to a file; capture_end writes its content to `out`, NUL-terminated.
void capture_begin(void);
void capture_end(struct text *out);

// Runs `call` in a child process. Returns true if the child aborted after it had written `message` to standard error.
MUST_CHECK bool aborts_with(void (*call)(void), const char *message);

#endif
