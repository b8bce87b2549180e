// W3C tracestate (https://www.w3.org/TR/trace-context/#tracestate-header, level 1): values that other tracing systems
// attach to a trace. The program passes them on and does not use them. Any thread; there is no state.
#ifndef OBSERVABILITY_TRACE_TRACE_STATE_H
#define OBSERVABILITY_TRACE_TRACE_STATE_H

#include "observability/base/base.h"

#include <stdbool.h>

// Appends the members of `header` (its lines joined by commas) without the blanks around them. If a member breaks a
// rule of the specification, nothing is appended.
void trace_state_append(struct text *out, struct slice header);

#endif
