// Which traces are kept: OTEL_TRACES_SAMPLER and its argument.
// https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers. Plain values; any thread.
#ifndef OBSERVABILITY_TRACE_TRACE_SAMPLER_H
#define OBSERVABILITY_TRACE_TRACE_SAMPLER_H

#include "observability/base/base.h"
#include "observability/trace/trace_context.h"

#include <stdbool.h>
#include <stdint.h>

struct trace_sampler {
    bool asks_parent; // a caller that has decided is followed
    uint64_t bound;   // of the trace id's last 63 bits: those below it are kept
};

#define TRACE_SAMPLER_NAMES                                                                                            \
    "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio"

// `name`, in any case; NULL: parentbased_always_on. `ratio` (0 .. 1) is the argument, for the two that take one. False: no such name.
MUST_CHECK bool trace_sampler_find(const char *name, double ratio, struct trace_sampler *out);

// `parent` is the caller's context, or NULL; `trace_id` the trace's own.
MUST_CHECK bool trace_sampler_keeps(const struct trace_sampler *sampler, const struct trace_context *parent,
                                    const uint8_t trace_id[static TRACE_ID_BYTES]);

#endif
