// Writes spans as OTLP/HTTP JSON, and reads the answer of a collector. Exporter thread.
// Source of the format: opentelemetry-proto, trace.proto. In JSON the ids are hexadecimal, and 64-bit integers are
// strings.
#ifndef OBSERVABILITY_OTLP_OTLP_JSON_H
#define OBSERVABILITY_OTLP_OTLP_JSON_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"

#include <stdbool.h>
#include <stdint.h>

enum span_kind { SPAN_KIND_INTERNAL = 1, SPAN_KIND_SERVER = 2, SPAN_KIND_CLIENT = 3 };
enum span_status { SPAN_STATUS_UNSET = 0, SPAN_STATUS_OK = 1, SPAN_STATUS_ERROR = 2 };

struct span {
    const struct trace_context *context; // the id of its trace and its own id
    const uint8_t *parent_span_id;       // SPAN_ID_BYTES bytes, or NULL for a root span
    struct slice name;
    enum span_kind kind;
    uint64_t started_unix_ns;
    uint64_t ended_unix_ns;
};

// The state of writing an envelope. For each span, the calls are: begin, attributes, links, end.
struct otlp_writer {
    struct json_writer json;
    struct slice trace_state; // the tracestate of the spans that are written next, or empty
    bool in_links;            // the list of links has begun: no more attributes
};

void otlp_envelope_begin(struct otlp_writer *writer, struct text *out, struct slice resource);
void otlp_envelope_end(struct otlp_writer *writer);

void otlp_span_begin(struct otlp_writer *writer, const struct span *span);
void otlp_attribute_string(struct otlp_writer *writer, const char *key, struct slice value);
void otlp_attribute_integer(struct otlp_writer *writer, const char *key, int64_t value);
// `decimal` is a JSON number as text; it is written unchanged.
void otlp_attribute_decimal(struct otlp_writer *writer, const char *key, const char *decimal);
void otlp_attribute_boolean(struct otlp_writer *writer, const char *key, bool value);
void otlp_link(struct otlp_writer *writer, const struct trace_context *to);
void otlp_span_end(struct otlp_writer *writer, enum span_status status);

// Returns how many spans of an accepted envelope the collector rejected (partialSuccess), at most 1e9. `answer` is the
// JSON body of the answer. The error message of the collector is appended to `reason`.
MUST_CHECK uint64_t otlp_read_rejected(struct slice answer, struct text *reason);

#endif
