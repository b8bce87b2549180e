// W3C tracestate (https://www.w3.org/TR/trace-context/#tracestate-header, level 1): what other tracing systems pass on
// with a trace. The program only carries it. Pure function; any thread.
#ifndef OBSERVABILITY_TRACE_TRACE_STATE_H
#define OBSERVABILITY_TRACE_TRACE_STATE_H

#include "observability/base/base.h"

#include <stdbool.h>

// Appends the members of `header` (its lines joined by commas) without the blanks around them. A list that breaks a
// rule is dropped as a whole: then nothing is appended.
void trace_state_append(struct text *out, struct slice header);

#endif
