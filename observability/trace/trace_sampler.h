// Decides which traces are kept, as OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG say.
// https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers. Plain values; any thread.
#ifndef OBSERVABILITY_TRACE_TRACE_SAMPLER_H
#define OBSERVABILITY_TRACE_TRACE_SAMPLER_H

#include "observability/base/base.h"
#include "observability/trace/trace_context.h"

#include <stdbool.h>
#include <stdint.h>

struct trace_sampler {
    // The decision of the caller (the sampled flag of its traceparent) is taken over, if there is a caller.
    bool asks_parent;
    // Otherwise a trace is kept if 63 bits of its id, the last 8 bytes without their lowest bit, are below this bound.
    uint64_t bound;
};

#define TRACE_SAMPLER_NAMES                                                                                            \
    "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio"

// `name` is one of the names above in any case, or NULL for parentbased_always_on. `ratio` (0 .. 1) is the share of
// traces that the two ratio samplers keep. Returns false if there is no such name.
MUST_CHECK bool trace_sampler_find(const char *name, double ratio, struct trace_sampler *out);

// `parent` is the context of the caller, or NULL. `trace_id` is the id of the trace to decide about.
MUST_CHECK bool trace_sampler_keeps(const struct trace_sampler *sampler, const struct trace_context *parent,
                                    const uint8_t trace_id[static TRACE_ID_BYTES]);

#endif
