// W3C Trace Context (https://www.w3.org/TR/trace-context/, level 1): the trace and the span that work belongs to.
// A context is a plain value; any thread.
#ifndef OBSERVABILITY_TRACE_TRACE_CONTEXT_H
#define OBSERVABILITY_TRACE_TRACE_CONTEXT_H

#include "observability/base/base.h"

#include <stdbool.h>
#include <stdint.h>

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES 8
#define TRACE_ID_HEX (2 * TRACE_ID_BYTES + 1) // with its NUL
#define SPAN_ID_HEX (2 * SPAN_ID_BYTES + 1)   // with its NUL
#define TRACEPARENT_LENGTH 56                 // "00-<32 hex>-<16 hex>-<2 hex>" with its NUL

// `sampled` is the flag of the same name: the trace is kept.
struct trace_context {
    uint8_t trace_id[TRACE_ID_BYTES];
    uint8_t span_id[SPAN_ID_BYTES];
    bool sampled;
};

// Reads a traceparent header. Returns false, and leaves `out` unchanged, if the header must be ignored: version ff, an
// all-zero or upper-case id, or version 00 with a length other than 55 characters.
MUST_CHECK bool trace_context_parse(struct slice traceparent, struct trace_context *out);

// trace_context_start() makes a new trace with random ids. trace_context_child() makes a new span in the trace of
// `parent`.
void trace_context_start(struct trace_context *out, bool sampled);
void trace_context_child(const struct trace_context *parent, struct trace_context *out);

// These write the id, or the whole header of version 00, as lower-case text with its NUL.
void trace_context_trace_id(const struct trace_context *context, char out[static TRACE_ID_HEX]);
void trace_context_span_id(const struct trace_context *context, char out[static SPAN_ID_HEX]);
void trace_context_traceparent(const struct trace_context *context, char out[static TRACEPARENT_LENGTH]);

#endif
