// Traces: the W3C trace context of a request, its tracestate, and the samplers that decide which traces are kept.
#ifndef OBSERVABILITY_TRACE_TRACE_H
#define OBSERVABILITY_TRACE_TRACE_H

#include "observability/trace/trace_context.h"
#include "observability/trace/trace_sampler.h"
#include "observability/trace/trace_state.h"

#endif
